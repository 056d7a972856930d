use proptest::prelude::*;

use super::*;

#[test]
fn sizes_have_a_whole_number_and_a_unit() {
    let good = [
        ("0B", 0),
        ("1B", 1),
        ("128MiB", 128 << 20),
        ("1GiB", 1 << 30),
        ("1 gib", 1 << 30),
        ("3KB", 3_000),
        ("2tb", 2_000_000_000_000),
        ("9223372036854775807B", i64::MAX.unsigned_abs()),
    ];
    for (text, bytes) in good {
        assert_eq!(parse_bytes(text).expect(text), bytes, "{text}");
    }
}

/// C10: non-numeric and negative sizes, and such as overflow.
#[test]
fn c10_what_is_no_size_is_refused() {
    let bad = [
        ("", "begin with a digit"),
        ("MiB", "begin with a digit"),
        ("-1B", "begin with a digit"),
        ("5", "without quotes"),
        ("1.5GiB", "\".5GiB\" is no unit"),
        ("1G", "\"G\" is no unit"),
        ("1GiB ", "is no unit"),
        ("1e3B", "is no unit"),
        ("9223372036854775808B", "too large"),
        ("18446744073709551616B", "too large"),
        ("99999999TiB", "too large"),
    ];
    for (text, message) in bad {
        let error = parse_bytes(text).expect_err(text);
        assert!(error.message().contains(message), "{text}: {error}");
    }
}

#[test]
fn durations_are_read_and_written() {
    let good = [
        ("10m", 600_000, "10m"),
        ("1h30m", 5_400_000, "90m"),
        ("1h 30m", 5_400_000, "90m"),
        ("90s", 90_000, "90s"),
        ("1500ms", 1_500, "1500ms"),
        ("24h", 86_400_000, "24h"),
        ("0s", 0, "0s"),
    ];
    for (text, millis, written) in good {
        let duration = parse_duration(text).expect(text);
        assert_eq!(duration, Duration::from_millis(millis), "{text}");
        assert_eq!(duration_text(duration), written, "{text}");
    }
    for bad in ["", "5", "10", "m", "-10m", "10m ago", "1us", "0.5ms", "9223372036854775807s"] {
        let error = parse_duration(bad).expect_err(bad);
        assert!(error.message().contains("is no duration"), "{bad}: {error}");
    }
}

#[test]
fn times_are_read_and_written() {
    let good = [
        ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
        ("2026-11-25T18:46:13.999Z", 1_795_632_373_999, "2026-11-25T18:46:13.999Z"),
        ("2026-11-25t19:46:13.5+01:00", 1_795_632_373_500, "2026-11-25T18:46:13.5Z"),
        ("2026-11-25T18:46:13.0001z", 1_795_632_373_001, "2026-11-25T18:46:13.001Z"),
        ("1969-12-31T23:59:59.999Z", -1, "1969-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00Z", MILLIS_MIN, "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999Z", MILLIS_MAX, "9999-12-31T23:59:59.999Z"),
    ];
    for (text, millis, written) in good {
        let time = parse_time(text).expect(text);
        assert_eq!(time, Millis(millis), "{text}");
        assert_eq!(time_text(time), written, "{text}");
    }
}

/// T07: absurd times end in an error, not in another time.
#[test]
fn t07_what_is_no_time_is_refused() {
    let bad = [
        ("", "form"),
        ("yesterday", "form"),
        ("2026-11-25", "form"),
        ("2026-11-25 18:00:00Z", "form"),
        ("20261125T180000Z", "form"),
        ("+002026-11-25T18:00:00Z", "form"),
        ("2026-11-25T18:00:00.Z", "form"),
        ("1795632373999", "form"),
        ("1795632373999000000", "form"),
        ("２026-11-25T18:00:00Z", "form"),
        ("2026-11-25T18:00:00", "offset"),
        ("2026-11-25T18:00:00+1:00", "offset"),
        ("2026-11-25T18:00:00+24:00", "offset"),
        ("2026-11-25T18:00:00+01:00[Europe/Berlin]", "offset"),
        ("2026-02-30T00:00:00Z", "is no time"),
        ("2026-11-25T25:00:00Z", "is no time"),
        ("0000-12-31T00:00:00Z", "range"),
        ("0001-01-01T00:00:00+00:01", "range"),
        ("9999-12-31T23:59:59-00:01", "range"),
        ("9999-12-31T23:59:59.9999Z", "range"),
    ];
    for (text, message) in bad {
        let error = parse_time(text).expect_err(text);
        assert!(error.message().contains(message), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn times_and_durations_survive_their_text(millis in MILLIS_MIN..=MILLIS_MAX, wait: u32) {
        prop_assert_eq!(parse_time(&time_text(Millis(millis))).ok(), Some(Millis(millis)));
        let wait = Duration::from_millis(u64::from(wait));
        prop_assert_eq!(parse_duration(&duration_text(wait)).ok(), Some(wait));
    }

    #[test]
    fn no_text_makes_a_panic(text in "[0-9TZ:.+hmsGiB -]{0,32}") {
        let _ = (parse_bytes(&text), parse_duration(&text), parse_time(&text));
        let _ = time_text(Millis(i64::MIN));
    }
}
