use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_core::ports::Clock;
use tidegate_core::time::Millis;
use tidegate_core::words::RandomId;

/// The one real clock, and the operating system's random bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        #[expect(clippy::disallowed_methods, reason = "the one real clock")]
        let now = SystemTime::now();
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Millis(0).after(since_epoch)
    }

    fn random_id(&self) -> RandomId {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)
            .expect("the operating system has random bits once it has booted");
        RandomId(u128::from_be_bytes(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_runs_in_this_century_and_in_milliseconds() {
        let year_2020 = 1_577_836_800_000;
        let year_2200 = 7_258_118_400_000;
        assert!((year_2020..year_2200).contains(&SystemClock.now().0));
    }

    #[test]
    fn ids_differ() {
        assert_ne!(SystemClock.random_id(), SystemClock.random_id());
    }
}
