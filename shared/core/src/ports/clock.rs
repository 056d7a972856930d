use crate::time::Millis;
use crate::words::RandomId;

/// Time and chance. No safety decision depends on either.
pub trait Clock: Send + Sync {
    /// Now. May jump, and may differ between processes by minutes.
    fn now(&self) -> Millis;

    /// 128 bits that nobody else has.
    fn random_id(&self) -> RandomId;
}
