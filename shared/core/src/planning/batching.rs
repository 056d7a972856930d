//! Which topics take part in a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::spec::Batching;
use crate::time::Millis;

/// What is pending of one partition.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// The topic.
    pub topic: Arc<str>,
    /// Key, value and header bytes, as far as can be told.
    pub bytes: u64,
    /// When it was last read.
    pub last_read: Option<Millis>,
}

/// The topics that wait, each with what is pending of it: less than `min_bytes`, and last read
/// less than `max_wait` ago. A topic that was never read waits for nothing, nor does one that was
/// read in the far future: some clock was wrong.
pub(super) fn waiting(
    batching: &Batching,
    now: Millis,
    pending: &[Pending],
) -> BTreeMap<Arc<str>, u64> {
    let mut topics: BTreeMap<Arc<str>, (u64, Option<Millis>)> = BTreeMap::new();
    for one in pending {
        let (bytes, last_read) = topics.entry(Arc::clone(&one.topic)).or_default();
        *bytes = bytes.saturating_add(one.bytes);
        *last_read = (*last_read).max(one.last_read);
    }
    let lately = |at: Millis| now.since(at).max(at.since(now)) < batching.max_wait;
    let waits = |bytes, last_read: Option<Millis>| {
        bytes < batching.min_bytes && last_read.is_some_and(lately)
    };
    topics
        .into_iter()
        .filter(|(_, (bytes, last_read))| waits(*bytes, *last_read))
        .map(|(topic, (bytes, _))| (topic, bytes))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_quiet_topic_waits_until_enough_is_pending_or_long_enough_passed() {
        let batching = Batching { min_bytes: 100, max_wait: Duration::from_secs(60) };
        let topic = |name: &str, bytes, last_read: Option<i64>| Pending {
            topic: name.into(),
            bytes,
            last_read: last_read.map(Millis),
        };
        let pending = [
            topic("little", 99, Some(0)),
            topic("enough together", 50, Some(0)),
            topic("enough together", 50, None),
            topic("long ago", 1, Some(-1)),
            topic("never", 1, None),
            topic("a clock was ahead", 1, Some(120_000)),
        ];
        let waiting = waiting(&batching, Millis(59_999), &pending);
        assert_eq!(waiting.into_keys().collect::<Vec<_>>(), ["little".into()]);
    }

    #[test]
    fn by_default_nothing_waits() {
        let batching = Batching { min_bytes: 0, max_wait: Duration::from_secs(600) };
        let one = Pending { topic: "t".into(), bytes: 0, last_read: Some(Millis(0)) };
        assert!(waiting(&batching, Millis(0), &[one]).is_empty());
    }
}
