//! The adapter's clock: deadlines and expiries are wall-clock instants.

use tidegate_core::time::Millis;

/// The time now.
#[expect(clippy::disallowed_methods, reason = "an adapter's own waiting needs the real time")]
pub(crate) fn now() -> Millis {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Millis(0).after(since_1970.unwrap_or_default())
}
