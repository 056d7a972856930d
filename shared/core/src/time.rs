//! Instants and deadlines, both in Unix milliseconds. Core has no clock of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// This instant and `duration` more; the last instant there is where that overflows.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is: zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// When a port call must have ended. Adapters retry within it and answer `OutOfTime` or
/// `Unavailable` when it has passed; none of them blocks past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub Millis);

impl Deadline {
    /// The earlier of the two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        std::cmp::min(self, other)
    }

    /// So much earlier.
    #[must_use]
    pub fn earlier_by(self, margin: Duration) -> Self {
        let millis = i64::try_from(margin.as_millis()).unwrap_or(i64::MAX);
        Self(Millis(self.0.0.saturating_sub(millis)))
    }

    /// What is left at `now`: zero once it has passed.
    pub fn remaining(self, now: Millis) -> Duration {
        self.0.since(now)
    }
}

/// Instants in documents that people read: RFC 3339 in UTC. Of what a wrong clock says, the last
/// or first time that has such a text.
pub(crate) mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Millis;

    pub(crate) fn serialize<S: Serializer>(at: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
        let first_or_last = if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        serializer.collect_str(&Timestamp::from_millisecond(at.0).unwrap_or(first_or_last))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Millis, D::Error> {
        let text = String::deserialize(from)?;
        let at: Timestamp = text.parse().map_err(de::Error::custom)?;
        Ok(Millis(at.as_millisecond()))
    }
}
