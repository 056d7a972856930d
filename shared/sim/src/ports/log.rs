use tidegate_core::columns::Columns;
use tidegate_core::error::{Error, ErrorKind, Result};
use tidegate_core::ports::{
    Cause, EpochEnd, FetchSlice, Fetched, LogFetch, LogSource, Observation, ObserveRequest,
    ObservedPartition, PartitionOffsets, Progress,
};
use tidegate_core::spec::TopicSelection;
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{Isolation, TopicPartition};

use crate::actor::{Call, Ports};
use crate::faults::Class::Read;
use crate::kafka::{BatchRead, Kafka, Log};

/// Offsets that one answer holds at most.
const ANSWER_OFFSETS_MAX: u64 = 4;

impl LogSource for Ports {
    type Fetch = SimFetch;

    async fn observe(&self, request: &ObserveRequest, deadline: Deadline) -> Result<Observation> {
        let call = Call { class: Read, op: "observe", detail: String::new, deadline };
        let request = request.clone();
        self.call(call, move |state| Ok(observe(&state.kafka, &request))).await
    }

    async fn fetch(
        &self,
        slices: &[FetchSlice],
        isolation: Isolation,
        deadline: Deadline,
    ) -> Result<SimFetch> {
        let call = Call { class: Read, op: "fetch", detail: || slices_text(slices), deadline };
        self.call(call, |_| Ok(())).await?;
        let cursors = slices.iter().map(|slice| Cursor {
            partition: slice.partition.clone(),
            next: slice.range.start(),
            end: slice.range.end(),
            over: false,
        });
        Ok(SimFetch { ports: self.clone(), isolation, cursors: cursors.collect(), turn: 0 })
    }
}

fn slices_text(slices: &[FetchSlice]) -> String {
    let each = slices.iter().map(|slice| format!("{} {}", slice.partition, slice.range));
    each.collect::<Vec<_>>().join(", ")
}

/// What is there, of the topics that are asked for.
fn observe(kafka: &Kafka, request: &ObserveRequest) -> Observation {
    let mut observation =
        Observation { cluster_id: Some("sim".to_owned()), ..Observation::default() };
    if let TopicSelection::Names(names) = &request.topics {
        for name in names.iter().filter(|name| kafka.topic(name).is_none()) {
            let cause =
                Cause { kind: ErrorKind::Config, message: format!("topic {name} does not exist") };
            observation.topics_missing.push((name.to_string(), cause));
        }
    }
    for (name, topic) in kafka.topics().filter(|(name, _)| request.topics.matches(name)) {
        for (index, log) in (0..).zip(&topic.partitions) {
            let partition = TopicPartition { topic: std::sync::Arc::clone(name), partition: index };
            let offsets = if log.leaderless {
                let message = format!("{partition} has no leader");
                Err(Cause { kind: ErrorKind::Unavailable, message })
            } else {
                Ok(offsets_of(log, &partition, request))
            };
            let topic_id = Some(topic.id);
            let vacant_epoch = None;
            let seen = ObservedPartition { partition, topic_id, offsets, vacant_epoch };
            observation.partitions.push(seen);
        }
    }
    observation
}

fn offsets_of(log: &Log, partition: &TopicPartition, request: &ObserveRequest) -> PartitionOffsets {
    let asked = request.epochs.iter().find(|epoch| epoch.partition == *partition);
    let epoch_end = asked.map(|asked| {
        let (epoch, end) = log.epoch_end(asked.epoch);
        EpochEnd { epoch, end }
    });
    let first_at = |time: Option<Millis>| time.and_then(|time| log.first_at(time.0));
    PartitionOffsets {
        leader_epoch: log.leader_epoch(),
        log_start: log.log_start(),
        high_watermark: log.high_watermark(),
        last_stable: log.last_stable(),
        start_offset: first_at(request.start_time),
        end_offset: first_at(request.end_time),
        log_start_time: log.start_time().map(Millis),
        epoch_end,
    }
}

/// A fetch under way.
#[derive(Debug)]
pub struct SimFetch {
    ports: Ports,
    isolation: Isolation,
    cursors: Vec<Cursor>,
    /// Whose turn it is: slices are served one after another, round about.
    turn: usize,
}

#[derive(Debug)]
struct Cursor {
    partition: TopicPartition,
    next: i64,
    end: i64,
    over: bool,
}

/// What one look at the log came to.
enum Looked {
    Answer(Fetched),
    /// Nothing yet.
    Empty,
}

impl SimFetch {
    /// Looks at the log for the slice `slice`.
    fn look(&mut self, slice: usize, slots_max: i64, rows: &mut Columns) -> Looked {
        let cursor = &mut self.cursors[slice];
        let isolation = self.isolation;
        let batch = self.ports.world.with(|state| {
            let Some((topic, log)) = find(&state.kafka, &cursor.partition) else {
                return Err(Error::config(format!("{} is not there", cursor.partition)));
            };
            if log.leaderless {
                return Err(Error::unavailable(format!("{} has no leader", cursor.partition)));
            }
            if cursor.next < log.log_start() || cursor.next > log.high_watermark() {
                return Err(Error::data_loss(format!(
                    "{}: offset {} is out of range",
                    cursor.partition, cursor.next
                )));
            }
            let read = BatchRead {
                topic_id: topic,
                partition: cursor.partition.partition,
                next: cursor.next,
                end: cursor.end,
                slots_max,
                isolation,
            };
            Ok(log.read(&read, rows))
        });
        match batch {
            Err(error) => {
                cursor.over = true;
                Looked::Answer(Fetched::Ended { slice, error })
            }
            Ok(batch) if batch.next == cursor.next => Looked::Empty,
            Ok(batch) => {
                cursor.next = batch.next;
                cursor.over = cursor.next >= cursor.end;
                Looked::Answer(Fetched::Progress(Progress {
                    slice,
                    next: batch.next,
                    markers: batch.markers,
                    aborted: batch.aborted,
                    compacted: batch.compacted,
                    leader_epoch: batch.leader_epoch,
                }))
            }
        }
    }

    /// Looks at the slices in turn, until one has an answer.
    fn look_around(&mut self, rows: &mut Columns) -> Looked {
        let slots = self.ports.world.with(|state| state.fault_rng.below(ANSWER_OFFSETS_MAX));
        let slots_max = 1 + i64::try_from(slots).unwrap_or(0);
        for step in 1..=self.cursors.len() {
            let slice = (self.turn + step) % self.cursors.len();
            if self.cursors[slice].over {
                continue;
            }
            if let Looked::Answer(answer) = self.look(slice, slots_max, rows) {
                self.turn = slice;
                return Looked::Answer(answer);
            }
        }
        Looked::Empty
    }
}

fn find<'a>(
    kafka: &'a Kafka,
    partition: &TopicPartition,
) -> Option<(tidegate_core::words::TopicId, &'a Log)> {
    let topic = kafka.topic(&partition.topic)?;
    Some((topic.id, kafka.log(&partition.topic, partition.partition)?))
}

impl LogFetch for SimFetch {
    async fn next(&mut self, rows: &mut Columns, deadline: Deadline) -> Result<Fetched> {
        rows.clear();
        let call = Call { class: Read, op: "fetch.next", detail: String::new, deadline };
        self.ports.call(call, |_| Ok(())).await?;
        if self.cursors.iter().all(|cursor| cursor.over) {
            return Ok(Fetched::Done);
        }
        if let Looked::Answer(answer) = self.look_around(rows) {
            return Ok(answer);
        }
        // Nothing comes until somebody produces: wait as long as one may.
        let skew = self.ports.world.with(|state| state.actors[self.ports.actor].skew);
        self.ports.sleep_until(deadline.0.0.saturating_sub(skew)).await;
        match self.look_around(rows) {
            Looked::Answer(answer) => Ok(answer),
            Looked::Empty => Err(Error::out_of_time("no record came before the deadline")),
        }
    }

    fn stop(&mut self, slice: usize) {
        if let Some(cursor) = self.cursors.get_mut(slice) {
            cursor.over = true;
        }
    }
}
