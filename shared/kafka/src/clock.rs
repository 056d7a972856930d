//! The adapter's clock: deadlines are wall-clock instants, so somebody must know the time.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tidegate_core::time::{Deadline, Millis};

/// The time now.
#[expect(clippy::disallowed_methods, reason = "an adapter's own waiting needs the real time")]
pub(crate) fn now() -> Millis {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Millis(0).after(since_1970.unwrap_or_default())
}

/// What is left until `deadline`; zero once it has passed.
pub(crate) fn remaining(deadline: Deadline) -> Duration {
    deadline.remaining(now())
}

/// The first wait before something is tried again.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// The longest one.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// How long to wait before the try after `failures` failed ones (at least 1): doubling, with
/// jitter, so that many readers do not come back at once.
pub(crate) fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = BACKOFF_FIRST.saturating_mul(1 << doublings).min(BACKOFF_MAX);
    // The standard library's only source of randomness will do for this.
    let random = RandomState::new().hash_one(failures) % 1_000;
    full / 2 + full.mul_f64(random as f64 / 2_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        for (failures, full) in [(1, 50), (2, 100), (5, 800), (6, 1_000), (u32::MAX, 1_000)] {
            let wait = backoff(failures).as_millis();
            assert!((full / 2..=full).contains(&wait), "{failures}: {wait}");
        }
    }
}
