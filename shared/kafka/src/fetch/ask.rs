//! What is asked next, and of whom.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use tidegate_core::time::Deadline;
use tidegate_core::words::Isolation;
use tokio::time::Instant;

use super::slice::{Slice, Way};
use super::{Asked, Event, KafkaFetch};
use crate::clock::now;
use crate::requests::{Fetch, FetchQuestion, Metadata};

/// No partition is asked for less: many small pieces cost more than they spread.
const PARTITION_BYTES_MIN: usize = 1 << 20;
/// Brokers that may each have a whole answer under way; of more, each gets a smaller one.
const WHOLE_ANSWERS: usize = 4;

impl KafkaFetch {
    /// Sends what can be sent: one fetch to each broker that has none under way, and one request
    /// for metadata, if a leader is missing.
    pub(super) fn ask(&mut self) {
        let slices = self.slices.iter().filter(|slice| !slice.finished);
        let nodes: BTreeSet<i32> =
            slices.filter_map(|slice| slice.leader.map(|leader| leader.node)).collect();
        for node in &nodes {
            if !self.busy.contains(node) {
                self.ask_node(*node, nodes.len());
            }
        }
        self.ask_for_leaders();
    }

    fn ask_node(&mut self, node: i32, nodes: usize) {
        let (chosen, way) = self.choose(node);
        if chosen.is_empty() {
            return;
        }
        let isolation = match way {
            Way::Ahead => Isolation::ReadUncommitted,
            Way::Alone | Way::Together => self.isolation,
        };
        let request = self.fetch_request(&chosen, isolation, nodes);
        let slices = chosen.iter().map(|index| (*index, self.slices[*index].ask)).collect();
        let asked = Asked { slices, isolation, at: Instant::now() };
        for index in chosen {
            self.slices[index].under_way = true;
        }
        self.busy.insert(node);
        let session = Arc::clone(&self.session);
        self.jobs.spawn(async move {
            let options = session.options();
            let quiet = options.request_timeout + options.fetch_max_wait;
            // Bytes that trickle in keep it alive, though not for ever.
            let within = quiet * 20;
            let answer = session.ask(node, &request, quiet, within).await;
            Event::Fetched { node, asked, answer }
        });
    }

    /// Which slices to ask `node` for: one that must be alone, or all others, each partition
    /// once.
    fn choose(&self, node: i32) -> (Vec<usize>, Way) {
        let now = Instant::now();
        let wanting = self.order.iter().copied().filter(|at| self.slices[*at].wants(node, now));
        let alone = wanting.clone().find(|at| self.slices[*at].way != Way::Together);
        if let Some(alone) = alone {
            return (vec![alone], self.slices[alone].way);
        }
        let mut partitions = HashSet::new();
        let together = wanting.filter(|at| partitions.insert(&self.slices[*at].partition));
        (together.collect(), Way::Together)
    }

    fn fetch_request(&self, chosen: &[usize], isolation: Isolation, nodes: usize) -> Fetch {
        let options = self.session.options();
        let of_all = self.fetch_bytes.saturating_mul(WHOLE_ANSWERS) / nodes.max(WHOLE_ANSWERS);
        let whole = of_all.max(PARTITION_BYTES_MIN.min(self.fetch_bytes));
        let each = (whole / chosen.len()).max(PARTITION_BYTES_MIN.min(whole));
        let slices = || chosen.iter().map(|index| &self.slices[*index]);
        let largest = slices().map(|slice| slice.max_bytes).max().unwrap_or(0);
        let question = |slice: &Slice| FetchQuestion {
            partition: slice.partition.clone(),
            leader_epoch: slice.leader.map_or(-1, |leader| leader.epoch),
            offset: slice.ask,
            max_bytes: clamped(each.max(slice.max_bytes)),
        };
        Fetch {
            max_wait: i32::try_from(options.fetch_max_wait.as_millis()).unwrap_or(i32::MAX),
            max_bytes: clamped(whole.max(largest)),
            isolation,
            questions: slices().map(question).collect(),
        }
    }

    /// Topics of the slices that need a leader and may ask for one now.
    pub(super) fn topics_without_leader(&self) -> Vec<Arc<str>> {
        let now = Instant::now();
        let slices = self.slices.iter();
        let lost = slices.filter(|slice| slice.leader.is_none() && slice.is_due(now));
        let topics: BTreeSet<_> = lost.map(|slice| Arc::clone(&slice.partition.topic)).collect();
        topics.into_iter().collect()
    }

    fn ask_for_leaders(&mut self) {
        let topics = self.topics_without_leader();
        if self.refreshing || topics.is_empty() {
            return;
        }
        self.refreshing = true;
        let session = Arc::clone(&self.session);
        self.jobs.spawn(async move {
            let deadline = Deadline(now().after(session.options().retry_for));
            let request = Metadata { topics: Some(topics.clone()) };
            Event::Metadata(topics, session.metadata(&request, deadline).await)
        });
    }
}

fn clamped(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}
