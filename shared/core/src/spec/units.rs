//! Values as people write them: sizes, durations and times. Each reader's error says what was
//! given and what is allowed.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::{DateTime, datetime};

use crate::error::{Error, Result};
use crate::time::Millis;

const EPOCH: DateTime = datetime(1970, 1, 1, 0, 0, 0, 0);
/// The first millisecond of the year 1, UTC.
const MILLIS_MIN: i64 = -62_135_596_800_000;
/// The last millisecond of the year 9999, UTC.
const MILLIS_MAX: i64 = 253_402_300_799_999;

/// Units of a size, in lower case, with what they multiply by.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Reads a size: a whole number and its unit, `B`, `KB` to `TB` (powers of 1000) or `KiB` to
/// `TiB` (powers of 1024), in either case; at most `i64::MAX` bytes.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let refused = |fault: &str| {
        Error::config(format!(
            "{text:?} is no size: {fault}. Write a whole number and a unit, such as \"128MiB\" or \
             \"1GB\" (B, KB, MB, GB, TB, KiB, MiB, GiB, TiB)"
        ))
    };
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let unit = unit.trim_start_matches(' ');
    if digits.is_empty() {
        return Err(refused("it does not begin with a digit"));
    }
    if unit.is_empty() {
        return Err(refused("it has no unit (a plain number of bytes stands without quotes)"));
    }
    let factor = SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let (_, factor) = factor.ok_or_else(|| refused(&format!("{unit:?} is no unit")))?;
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    bytes.filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or_else(|| refused("it is too large"))
}

/// Reads a duration such as `10m`, `1h30m` or `90s`: not negative, in whole milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let refused = |fault: &str| {
        Error::config(format!(
            "{text:?} is no duration: {fault}. Write one such as \"10m\", \"1h30m\" or \"90s\" \
             (h, m, s, ms)"
        ))
    };
    let duration: SignedDuration =
        text.parse().map_err(|error: jiff::Error| refused(&error.to_string()))?;
    if duration.is_negative() {
        return Err(refused("it is negative"));
    }
    let millis = i64::try_from(duration.as_millis()).map_err(|_| refused("it is too long"))?;
    if duration != SignedDuration::from_millis(millis) {
        return Err(refused("milliseconds are the smallest unit"));
    }
    Ok(Duration::from_millis(millis.unsigned_abs()))
}

/// Writes a duration in the largest unit that makes it a whole number: what
/// [`parse_duration`] reads as the same. Fractions of a millisecond are left out.
pub fn duration_text(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units.into_iter().find(|(_, unit)| millis > 0 && millis.is_multiple_of(*unit));
    match whole {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None if millis == 0 => "0s".to_owned(),
        None => format!("{millis}ms"),
    }
}

/// Reads an RFC 3339 time within the years 1–9999, such as `2026-11-25T18:00:00Z`. A fraction
/// of a millisecond is rounded up: records have whole ones, so that "at or after" is the same.
pub fn parse_time(text: &str) -> Result<Millis> {
    let refused = |fault: &str| {
        Error::config(format!(
            "{text:?} is no time: {fault}. Write RFC 3339 within the years 1 to 9999, such as \
             \"2026-11-25T18:00:00Z\" or \"2026-11-25T19:00:00+01:00\""
        ))
    };
    let parts = split_time(text).ok_or_else(|| refused("it has another form"))?;
    let civil: DateTime =
        parts.date_time.parse().map_err(|error: jiff::Error| refused(&error.to_string()))?;
    let offset_millis = offset_minutes(parts.offset)
        .map(|minutes| minutes * 60_000)
        .ok_or_else(|| refused("it does not end in Z or an offset such as +01:00"))?;
    let civil_millis = civil.duration_since(EPOCH).as_millis();
    let whole = i64::try_from(civil_millis).map_err(|_| refused("it is out of range"))?;
    let millis = whole + millis_up(parts.fraction) - offset_millis;
    if !(MILLIS_MIN..=MILLIS_MAX).contains(&millis) {
        return Err(refused("it is out of range"));
    }
    Ok(Millis(millis))
}

/// Writes a time as RFC 3339 in UTC: what [`parse_time`] reads as the same. One outside the
/// years 1–9999 is written as the nearest within.
pub fn time_text(time: Millis) -> String {
    let millis = time.0.clamp(MILLIS_MIN, MILLIS_MAX);
    format!("{}Z", EPOCH.saturating_add(SignedDuration::from_millis(millis)))
}

struct TimeParts<'a> {
    /// `2026-11-25T18:00:00`
    date_time: &'a str,
    /// The digits after the point; empty if there is none.
    fraction: &'a str,
    /// All behind them.
    offset: &'a str,
}

/// RFC 3339's shape, of which ISO 8601 allows many variants that are better refused.
fn split_time(text: &str) -> Option<TimeParts<'_>> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let (date_time, rest) = text.split_at_checked(SHAPE.len())?;
    let fits = date_time.bytes().zip(SHAPE).all(|(b, shape)| match shape {
        b'0' => b.is_ascii_digit(),
        b'T' => b.eq_ignore_ascii_case(&b'T'),
        other => b == *other,
    });
    let (fraction, offset) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            (end > 0).then(|| rest.split_at(end))?
        }
    };
    fits.then_some(TimeParts { date_time, fraction, offset })
}

/// Minutes east of UTC.
fn offset_minutes(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |digits: &str, max: i64| {
        let plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten().filter(|number: &i64| *number <= max)
    };
    Some(sign * (two(hours, 23)? * 60 + two(minutes, 59)?))
}

/// Digits of a fraction of a second, in milliseconds, rounded up.
fn millis_up(fraction: &str) -> i64 {
    let mut digits = fraction.bytes().map(|digit| i64::from(digit - b'0'));
    let millis = (0..3).fold(0, |sum, _| sum * 10 + digits.next().unwrap_or(0));
    millis + i64::from(digits.any(|digit| digit > 0))
}

#[cfg(test)]
mod tests;
