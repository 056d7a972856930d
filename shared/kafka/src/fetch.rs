//! Fetches slices: one connection per broker for all of its partitions, the next answer under
//! way while one is decoded.

mod ask;
mod out_of_range;
mod part;
mod slice;
mod take;

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use tidegate_core::columns::Columns;
use tidegate_core::error::{Error, ErrorKind, Result};
use tidegate_core::ports::{FetchSlice, Fetched, LogFetch, Progress};
use tidegate_core::time::Deadline;
use tidegate_core::words::Isolation;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::clock::remaining;
use crate::connection::Failure;
use crate::decode::Codecs;
use crate::requests::{FetchAnswer, Metadata, MetadataAnswer};
use crate::session::Session;
use part::{Left, Part};
use slice::Slice;

/// A fetch of slices under way: see [`tidegate_core::ports::LogSource::fetch`].
///
/// Per broker at most one request is under way, and one answer is being decoded in all. What is
/// held of answers stays within [`crate::KafkaOptions::answers_bytes`], whatever the number of
/// brokers.
#[derive(Debug)]
pub struct KafkaFetch {
    session: Arc<Session>,
    isolation: Isolation,
    slices: Vec<Slice>,
    /// Slices in the order in which brokers are to serve them: who was served goes to the end.
    order: Vec<usize>,
    /// Requests under way; dropped with the fetch.
    jobs: JoinSet<Event>,
    /// Brokers with a fetch under way.
    busy: HashSet<i32>,
    /// Whether metadata is under way.
    refreshing: bool,
    /// What the last answer holds, by slice.
    parts: VecDeque<Part>,
    codecs: Codecs,
    /// What brokers are asked for at most: less than usual once they throttle.
    fetch_bytes: usize,
    /// Slices that ended early, and were not reported yet.
    ended: VecDeque<(usize, Error)>,
    /// Held while the rows given last are as large as a large answer: the two are not held
    /// side by side.
    large_rows: Option<OwnedSemaphorePermit>,
}

/// What a request came to.
#[derive(Debug)]
enum Event {
    Fetched {
        node: i32,
        asked: Asked,
        answer: Result<FetchAnswer, Failure>,
    },
    /// Of these topics.
    Metadata(Vec<Arc<str>>, Result<MetadataAnswer>),
    /// The first and the last offset, and one more, of a slice's partition, where they are known.
    Ends(usize, Option<Range<i64>>),
}

/// What a request asked for.
#[derive(Debug)]
struct Asked {
    /// Slices, and the offset that was asked for.
    slices: Vec<(usize, i64)>,
    isolation: Isolation,
    at: Instant,
}

impl KafkaFetch {
    /// Finds the leaders. Topics that are not there end their slices, not the fetch.
    pub(crate) async fn open(
        session: Arc<Session>,
        slices: &[FetchSlice],
        isolation: Isolation,
        deadline: Deadline,
    ) -> Result<Self> {
        let codecs = Codecs::new(session.options().batch_bytes_max);
        let fetch_bytes = session.options().fetch_bytes;
        let mut fetch = Self {
            session,
            isolation,
            slices: slices.iter().cloned().map(Slice::new).collect(),
            order: (0..slices.len()).collect(),
            jobs: JoinSet::new(),
            busy: HashSet::new(),
            refreshing: false,
            parts: VecDeque::new(),
            codecs,
            fetch_bytes,
            ended: VecDeque::new(),
            large_rows: None,
        };
        if !slices.is_empty() {
            let topics = fetch.topics_without_leader();
            let request = Metadata { topics: Some(topics.clone()) };
            let patience = fetch.session.options().retry_for;
            let answer = fetch.session.metadata_persistently(&request, patience, deadline).await?;
            fetch.take_metadata(&topics, &answer);
        }
        Ok(fetch)
    }

    /// Rows or the end of a slice, from what is at hand.
    fn deliver(&mut self, rows: &mut Columns) -> Option<Fetched> {
        if let Some((slice, error)) = self.ended.pop_front() {
            return Some(Fetched::Ended { slice, error });
        }
        let chunk = self.session.options().chunk_bytes;
        while let Some(mut part) = self.parts.pop_front() {
            let index = part.slice;
            let slice = &mut self.slices[index];
            if slice.finished {
                continue;
            }
            let before = slice.next;
            let end = slice.range.end();
            let (crossed, left) = part.read(&mut self.codecs, before..end, rows, chunk);
            self.codecs.release();
            slice.advance(&crossed);
            // Before the answer is dropped, in whose place the next one comes.
            self.large_rows = self.session.keep_large_out(rows.payload_bytes(0..rows.len()));
            match left {
                Left::More => self.parts.push_front(part),
                Left::Nothing => {}
                Left::Bad { offset, defect } => {
                    let partition = &slice.partition;
                    let error = Error::bad_record(format!(
                        "the record batch at offset {offset} of topic {}, partition {} cannot be \
                         read: {defect}",
                        partition.topic, partition.partition
                    ));
                    self.finish(index, error);
                }
            }
            if crossed.next > before {
                return Some(Fetched::Progress(Progress {
                    slice: index,
                    next: crossed.next,
                    markers: crossed.markers,
                    aborted: crossed.aborted,
                    compacted: crossed.compacted,
                    leader_epoch: crossed.leader_epoch,
                }));
            }
            if let Some((slice, error)) = self.ended.pop_front() {
                return Some(Fetched::Ended { slice, error });
            }
        }
        None
    }

    /// Ends a slice early.
    fn finish(&mut self, slice: usize, error: Error) {
        self.slices[slice].finished = true;
        self.ended.push_back((slice, error));
    }

    /// Slices whose trouble lasted too long end. If no slice is without trouble, the whole
    /// cluster is out of reach, and that is no slice's own fault.
    fn give_up(&mut self) -> Result<()> {
        let options = self.session.options().clone();
        let healthy = self.slices.iter().any(|slice| !slice.finished && slice.trouble.is_none());
        for index in 0..self.slices.len() {
            let slice = &mut self.slices[index];
            if slice.finished || !slice.gave_up_by(&options, Instant::now()) {
                continue;
            }
            let Some(trouble) = slice.trouble.take() else { continue };
            if healthy || trouble.error.kind() != ErrorKind::Unavailable {
                self.finish(index, trouble.error);
                continue;
            }
            // Whoever asks again begins anew.
            self.slices.iter_mut().for_each(|slice| slice.trouble = None);
            return Err(trouble.error);
        }
        Ok(())
    }

    /// When something is to be done that no answer tells.
    fn wake(&self, until: Instant) -> Instant {
        let now = Instant::now();
        let options = self.session.options();
        let slices = self.slices.iter().filter(|slice| !slice.finished && !slice.under_way);
        let instants = slices.flat_map(|slice| [slice.not_before, slice.gives_up_at(options)]);
        instants.flatten().filter(|at| *at > now).fold(until, Instant::min)
    }
}

impl LogFetch for KafkaFetch {
    async fn next(&mut self, rows: &mut Columns, deadline: Deadline) -> Result<Fetched> {
        rows.clear();
        self.large_rows = None;
        let until = Instant::now() + remaining(deadline);
        loop {
            if let Some(fetched) = self.deliver(rows) {
                return Ok(fetched);
            }
            if self.slices.iter().all(|slice| slice.finished) {
                return Ok(Fetched::Done);
            }
            self.give_up()?;
            self.ask();
            if !self.ended.is_empty() {
                continue;
            }
            let event = match self.jobs.try_join_next() {
                Some(event) => Some(event),
                None if Instant::now() >= until => {
                    return Err(Error::out_of_time("no records came by the deadline"));
                }
                None => self.wait(until).await,
            };
            if let Some(event) = event {
                let event = event.map_err(|error| {
                    self.busy.clear();
                    self.refreshing = false;
                    Error::unavailable("a fetch broke off").with_source(error)
                })?;
                self.take(event);
                self.ask();
                // The request leaves before this answer is decoded, on a single thread, too.
                tokio::task::yield_now().await;
            }
        }
    }

    fn stop(&mut self, slice: usize) {
        if let Some(slice) = self.slices.get_mut(slice) {
            slice.finished = true;
        }
    }
}

impl KafkaFetch {
    async fn wait(
        &mut self,
        until: Instant,
    ) -> Option<std::result::Result<Event, tokio::task::JoinError>> {
        let wake = self.wake(until);
        if self.jobs.is_empty() {
            sleep_until(wake).await;
            return None;
        }
        timeout_at(wake, self.jobs.join_next()).await.ok().flatten()
    }
}
