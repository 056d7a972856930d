//! Numbers whose errors say what is allowed, which serde's own do not.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::spec::units::{parse_bytes, parse_duration};

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy)]
pub(in crate::spec) struct Count<const MIN: u64, const MAX: u64>(pub(in crate::spec) u64);

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// None for 0, which no cap is.
    pub(in crate::spec) fn cap(self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.0)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountVisitor<const MIN: u64, const MAX: u64>;

        impl<const MIN: u64, const MAX: u64> Visitor<'_> for CountVisitor<MIN, MAX> {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<u64, E> {
                match (MIN..=MAX).contains(&number) {
                    true => Ok(number),
                    false => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<u64, E> {
                let unsigned = u64::try_from(number);
                unsigned
                    .ok()
                    .filter(|n| (MIN..=MAX).contains(n))
                    .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }
        }

        deserializer.deserialize_any(CountVisitor::<MIN, MAX>).map(Self)
    }
}

/// A size in bytes of at least `MIN`: a whole number, or text with a unit.
#[derive(Clone, Copy)]
pub(in crate::spec) struct Size<const MIN: u64>(pub(in crate::spec) u64);

impl<const MIN: u64> Size<MIN> {
    /// None for 0, which no cap is.
    pub(in crate::spec) fn cap(self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.0)
    }
}

impl<'de, const MIN: u64> Deserialize<'de> for Size<MIN> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor<const MIN: u64>;

        impl<const MIN: u64> SizeVisitor<MIN> {
            fn allows(bytes: u64) -> bool {
                bytes >= MIN && i64::try_from(bytes).is_ok()
            }
        }

        impl<const MIN: u64> Visitor<'_> for SizeVisitor<MIN> {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    "a size of {MIN} to {} bytes, as a whole number or as text such as \
                     \"128MiB\"",
                    i64::MAX
                )
            }

            fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<u64, E> {
                match Self::allows(bytes) {
                    true => Ok(bytes),
                    false => Err(E::invalid_value(Unexpected::Unsigned(bytes), &self)),
                }
            }

            fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<u64, E> {
                let unsigned = u64::try_from(bytes);
                unsigned
                    .ok()
                    .filter(|bytes| Self::allows(*bytes))
                    .ok_or_else(|| E::invalid_value(Unexpected::Signed(bytes), &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
                let bytes = parse_bytes(text).map_err(E::custom)?;
                match Self::allows(bytes) {
                    true => Ok(bytes),
                    false => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(SizeVisitor::<MIN>).map(Self)
    }
}

/// A duration as text.
#[derive(Clone, Copy)]
pub(in crate::spec) struct Wait(pub(in crate::spec) Duration);

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WaitVisitor;

        impl Visitor<'_> for WaitVisitor {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration as text such as \"10m\", \"1h30m\" or \"90s\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
                parse_duration(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(WaitVisitor).map(Self)
    }
}

/// An offset to start at.
#[derive(Clone, Copy)]
pub(in crate::spec) struct Offset(pub(in crate::spec) i64);

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OffsetVisitor;

        impl Visitor<'_> for OffsetVisitor {
            type Value = i64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(
                    f,
                    "an offset from 0 to {}; for the first or the last there is, write \"start\": \
                     \"earliest\" or \"latest\"",
                    i64::MAX
                )
            }

            fn visit_u64<E: serde::de::Error>(self, offset: u64) -> Result<i64, E> {
                i64::try_from(offset)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(offset), &self))
            }

            fn visit_i64<E: serde::de::Error>(self, offset: i64) -> Result<i64, E> {
                match offset >= 0 {
                    true => Ok(offset),
                    false => Err(E::invalid_value(Unexpected::Signed(offset), &self)),
                }
            }
        }

        deserializer.deserialize_any(OffsetVisitor).map(Self)
    }
}
