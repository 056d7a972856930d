//! What an answer means for the slices that it was asked for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidegate_core::error::Error;
use tidegate_core::words::{Isolation, TopicPartition};
use tokio::time::Instant;

use super::out_of_range::OFFSET_OUT_OF_RANGE;
use super::part::{Glance, Part, glance};
use super::slice::{Leader, Way};
use super::{Asked, Event, KafkaFetch};
use crate::connection::Failure;
use crate::decode::{AbortedTransactions, Split, split};
use crate::errors::{self, Remedy, remedy};
use crate::requests::{FetchAnswer, FetchPart, MetadataAnswer, TopicMetadata};

/// The pause after an answer without anything that came at once: brokers hold such back, but
/// who does not must not be asked in a tight loop.
const EMPTY_PAUSE: Duration = Duration::from_millis(20);

/// Not even a throttled client asks for less. A larger batch comes all the same.
const FETCH_BYTES_MIN: usize = 64 << 10;

impl KafkaFetch {
    /// Takes what a request came to.
    pub(super) fn take(&mut self, event: Event) {
        match event {
            Event::Fetched { node, asked, answer } => {
                self.busy.remove(&node);
                for (index, _) in &asked.slices {
                    self.slices[*index].under_way = false;
                    self.slices[*index].not_before = None;
                }
                match answer {
                    Ok(answer) => self.take_answer(&asked, answer),
                    Err(failure) => self.take_failure(&asked, failure),
                }
            }
            Event::Metadata(topics, answer) => {
                self.refreshing = false;
                match answer {
                    Ok(answer) => self.take_metadata(&topics, &answer),
                    Err(error) => self.take_no_metadata(&error),
                }
            }
            Event::Ends(index, ends) => self.take_ends(index, ends),
        }
    }

    fn take_answer(&mut self, asked: &Asked, answer: FetchAnswer) {
        // A client above its quota gets an answer without any partition, and the time to wait: the
        // connection keeps it. That is no trouble of a slice, and nothing to be given up for. But
        // brokers count what the answer would have been: one that is larger than the quota of ten
        // seconds would never come.
        if answer.throttle > 0 && answer.error == 0 && answer.parts.is_empty() {
            self.fetch_bytes = (self.fetch_bytes / 2).max(FETCH_BYTES_MIN);
            return;
        }
        let mut parts: HashMap<TopicPartition, FetchPart> =
            answer.parts.into_iter().map(|part| (part.partition.clone(), part)).collect();
        // Else a part without records may be one for which there was no room. Partitions that
        // were not asked for do not count.
        let nothing_at_all = asked.slices.iter().all(|(index, _)| {
            let part = parts.get(&self.slices[*index].partition);
            part.is_none_or(|part| part.records.is_empty())
        });
        let mut served = HashSet::new();
        for (index, offset) in &asked.slices {
            let slice = &mut self.slices[*index];
            // Stopped meanwhile.
            if slice.finished {
                continue;
            }
            let Some(mut part) = parts.remove(&slice.partition) else {
                let code = if answer.error == 0 { -1 } else { answer.error };
                self.fail_with_code(*index, code);
                continue;
            };
            if part.error == 0 {
                part.error = answer.error;
            }
            if part.error != 0 {
                self.fail_with_code(*index, part.error);
                continue;
            }
            debug_assert_eq!(slice.ask, *offset, "a slice has one request under way");
            if part.records.is_empty() && !nothing_at_all {
                continue;
            }
            if self.take_part(*index, asked, part) {
                served.insert(*index);
            }
        }
        self.order.sort_by_key(|index| served.contains(index));
    }

    /// Takes what an answer holds of one slice; answers whether that is anything.
    fn take_part(&mut self, index: usize, asked: &Asked, part: FetchPart) -> bool {
        let slice = &mut self.slices[index];
        let way = std::mem::replace(&mut slice.way, Way::Together);
        match glance(&part.records) {
            _ if way == Way::Ahead => return self.take_ahead(index, part.records),
            Glance::Next(next) if next <= slice.ask => {
                let error = Error::unavailable(format!(
                    "a fetch of {} at offset {} was answered with what is before it, up to {}",
                    slice.partition,
                    slice.ask,
                    next - 1
                ));
                self.fail(index, Remedy::NONSENSE, error);
                return false;
            }
            Glance::Next(next) => slice.ask = next,
            // Nothing more is asked for: decoding will end the slice.
            Glance::Bad => slice.ask = slice.range.end(),
            Glance::Cut(size) => {
                self.grow(index, way, part.records.len(), size);
                return false;
            }
            Glance::Empty => {
                let stable = asked.isolation == Isolation::ReadCommitted
                    && part.last_stable >= slice.range.end()
                    && part.high_watermark > slice.ask;
                if stable {
                    slice.way = Way::Ahead;
                } else if asked.at.elapsed() < EMPTY_PAUSE {
                    slice.not_before = Some(Instant::now() + EMPTY_PAUSE);
                }
                return false;
            }
        }
        let committed = asked.isolation == Isolation::ReadCommitted;
        let aborted = committed.then(|| AbortedTransactions::new(part.aborted));
        self.parts.push_back(Part::new(index, part.records, aborted));
        true
    }

    /// The next batch begins at the slice's end or behind it: everything before is compacted
    /// away. Otherwise the usual way will bring it.
    fn take_ahead(&mut self, index: usize, records: Bytes) -> bool {
        let slice = &mut self.slices[index];
        let end = slice.range.end();
        let beyond = matches!(split(&records), Ok(Split::Whole(batch, _)) if batch.base >= end);
        if beyond {
            slice.ask = end;
            self.parts.push_back(Part::new(index, records, None));
        } else {
            slice.not_before = Some(Instant::now() + EMPTY_PAUSE);
        }
        beyond
    }

    /// Nothing came but the beginning of a batch: asks for more bytes next time.
    fn grow(&mut self, index: usize, way: Way, came: usize, size: Option<usize>) {
        let options = self.session.options();
        let (usual, max) = (options.fetch_bytes, options.answer_bytes_max);
        let slice = &mut self.slices[index];
        let asked = slice.max_bytes.max(came).max(usual.min(1 << 20));
        match size {
            Some(size) if size > max => self.finish_too_large(index, &format!("{size} bytes")),
            Some(size) if slice.max_bytes < size => slice.max_bytes = size,
            // It may have been the others of the answer for which there was room.
            Some(_) if way == Way::Together => slice.way = Way::Alone,
            Some(size) => {
                let error = Error::bad_record(format!(
                    "the record batch at offset {} of topic {}, partition {} cannot be read: its \
                     length field says that it has {size} bytes, but however many are asked for \
                     it ends after {came}",
                    slice.ask, slice.partition.topic, slice.partition.partition
                ));
                self.finish(index, error);
            }
            None if asked >= max => self.finish_too_large(index, "more"),
            None => slice.max_bytes = asked.saturating_mul(2).min(max),
        }
    }

    fn finish_too_large(&mut self, index: usize, size: &str) {
        let slice = &self.slices[index];
        let error = Error::bad_record(format!(
            "the record batch at offset {} of topic {}, partition {} is too large: it needs an \
             answer of {size}, where {} bytes are the most that is taken",
            slice.ask,
            slice.partition.topic,
            slice.partition.partition,
            self.session.options().answer_bytes_max
        ));
        self.finish(index, error);
    }

    fn take_failure(&mut self, asked: &Asked, failure: Failure) {
        for (index, _) in &asked.slices {
            if self.slices[*index].finished {
                continue;
            }
            match &failure {
                Failure::Lost(error) => self.fail(*index, Remedy::LOST, copy(error)),
                Failure::Unsupported(error) | Failure::Refused(error) => {
                    self.finish(*index, copy(error));
                }
                // Alone, and for the second time: it is neither the others, nor a slip.
                Failure::TooLarge { bytes } if self.slices[*index].way != Way::Together => {
                    self.finish_too_large(*index, &format!("{bytes} bytes"));
                }
                Failure::TooLarge { .. } => self.slices[*index].way = Way::Alone,
            }
        }
    }

    /// Takes the leaders of the slices that have none. `asked` are the topics asked for.
    pub(super) fn take_metadata(&mut self, asked: &[Arc<str>], answer: &MetadataAnswer) {
        let topics: HashMap<&str, &TopicMetadata> =
            answer.topics.iter().map(|topic| (topic.name.as_ref(), topic)).collect();
        for index in 0..self.slices.len() {
            let slice = &self.slices[index];
            if slice.finished || slice.leader.is_some() {
                continue;
            }
            match topics.get(slice.partition.topic.as_ref()) {
                Some(topic) => self.take_topic(index, topic),
                None if asked.contains(&slice.partition.topic) => {
                    let topic = &slice.partition.topic;
                    let error = format!("the broker that was asked who leads {topic} said nothing");
                    self.fail(index, Remedy::LOST, Error::unavailable(error));
                }
                None => {}
            }
        }
    }

    fn take_topic(&mut self, index: usize, topic: &TopicMetadata) {
        let slice = &mut self.slices[index];
        if topic.error != 0 {
            return self.fail_with_code(index, topic.error);
        }
        if slice.topic_id.is_some() && topic.id.is_some() && slice.topic_id != topic.id {
            let what = format!("topic {} was deleted and created anew", topic.name);
            return self.finish(index, Error::data_loss(format!("{what} while it was read")));
        }
        slice.topic_id = topic.id.or(slice.topic_id);
        let mut partitions = topic.partitions.iter();
        match partitions.find(|one| one.partition == slice.partition.partition) {
            Some(one) if one.leader >= 0 => {
                slice.leader = Some(Leader { node: one.leader, epoch: one.leader_epoch });
            }
            Some(_) => self.fail_with_code(index, 5),
            None => self.fail_with_code(index, 3),
        }
    }

    fn take_no_metadata(&mut self, error: &Error) {
        let now = Instant::now();
        for index in 0..self.slices.len() {
            let slice = &self.slices[index];
            if slice.leader.is_none() && slice.is_due(now) {
                self.fail(index, Remedy::LOST, copy(error));
            }
        }
    }

    fn fail_with_code(&mut self, index: usize, code: i16) {
        if code == OFFSET_OUT_OF_RANGE {
            return self.look_for_ends(index);
        }
        let slice = &self.slices[index];
        let what = format!("fetch of {} at offset {}", slice.partition, slice.ask);
        self.fail(index, remedy(code), errors::error(code, &what));
    }

    pub(super) fn fail(&mut self, index: usize, remedy: Remedy, error: Error) {
        tracing::debug!(slice = %self.slices[index].partition, %error, "fetch failed");
        if let Some(error) = self.slices[index].fail(remedy, error) {
            self.finish(index, error);
        }
    }
}

/// The same error once more: one lost connection is the trouble of several slices.
fn copy(error: &Error) -> Error {
    Error::new(error.kind(), error.to_string())
}
