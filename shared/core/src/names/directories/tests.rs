use proptest::prelude::*;

use super::*;
use crate::ErrorKind;

const TEMPLATES: [&str; 10] = [
    "dt=%Y-%m-%d/hr=%H",
    "dt=%Y-%m-%d",
    "year=%Y/month=%m",
    "hr=%H",
    "%Y/%m/%d/%H",
    "y=%Y%m/d=%d",
    "source=kafka/dt=%Y-%m-%d",
    "m=%m/h=%H",
    "v1",
    "",
];

fn template(text: &str) -> DirectoryTemplate {
    DirectoryTemplate::parse(text).expect(text)
}

/// T09: a record without a timestamp goes to the default partition, not to 1970.
#[test]
fn t09_times_that_are_missing_or_absurd_have_a_directory_of_their_own() {
    // 2026-11-25T18:46:13.999Z
    const NOW: i64 = 1_795_632_373_999;
    let hive = DEFAULT_PARTITION;
    let both = format!("dt={hive}/hr={hive}");
    let table = [
        ("dt=%Y-%m-%d/hr=%H", Some(NOW), "dt=2026-11-25/hr=18".to_owned()),
        ("dt=%Y-%m-%d/hr=%H", Some(0), "dt=1970-01-01/hr=00".to_owned()),
        ("dt=%Y-%m-%d/hr=%H", Some(MILLIS_MAX), "dt=9999-12-31/hr=23".to_owned()),
        ("dt=%Y-%m-%d/hr=%H", Some(MILLIS_MAX + 1), both.clone()),
        ("dt=%Y-%m-%d/hr=%H", Some(-1), both.clone()),
        ("dt=%Y-%m-%d/hr=%H", Some(i64::MIN), both.clone()),
        ("dt=%Y-%m-%d/hr=%H", Some(i64::MAX), both.clone()),
        ("dt=%Y-%m-%d/hr=%H", None, both),
        ("dt=%Y-%m-%d", Some(NOW), "dt=2026-11-25".to_owned()),
        ("year=%Y/month=%m", Some(NOW), "year=2026/month=11".to_owned()),
        ("%Y/%m", None, format!("{hive}/{hive}")),
        ("hr=%H", Some(NOW), "hr=18".to_owned()),
        ("source=kafka/d=%d", Some(NOW), "source=kafka/d=25".to_owned()),
        ("source=kafka/d=%d", None, format!("source=kafka/d={hive}")),
        ("v1", None, "v1".to_owned()),
        ("", None, String::new()),
        ("", Some(NOW), String::new()),
    ];
    for (text, millis, expected) in table {
        assert_eq!(template(text).directories_of(millis), expected, "{text} {millis:?}");
    }
}

/// T15: rows of one hour share a bucket, whatever their order.
#[test]
fn t15_rows_of_one_directory_share_a_bucket() {
    let hours = template("dt=%Y-%m-%d/hr=%H");
    let hour = |h: i64| h * MILLIS_PER_HOUR;
    assert_eq!(hours.bucket(hour(1)), hours.bucket(hour(2) - 1));
    assert_ne!(hours.bucket(hour(1)), hours.bucket(hour(2)));
    // The hour of the day alone: the same hour of two days is one directory, so one bucket.
    let of_day = template("hr=%H");
    assert_eq!(of_day.bucket(hour(1)), of_day.bucket(hour(25)));
}

#[test]
fn what_cannot_be_a_directory_is_refused() {
    let table = [
        ("/", "empty"),
        ("dt=%Y/", "empty"),
        ("/dt=%Y", "empty"),
        ("a//b", "empty"),
        ("..", "starts with"),
        (".", "starts with"),
        ("dt=%Y/../x", "starts with"),
        ("_dt=%Y", "starts with"),
        ("dt=%Y-%m-%dT%M", "%M is not known"),
        ("dt=%%", "%% is not known"),
        ("dt=%", "single %"),
        ("=%Y", "key may not be empty"),
        ("dt=", "no value"),
        ("dt=a=b", "'=' in"),
        ("%Y=a", "the key \"%Y\""),
        ("dt=%Y %m", "' ' in"),
        ("hr=%H:00", "':' in"),
        ("dt=ü", "'ü' in"),
        ("dt={topic}", "'{' in"),
        ("key=%Y", "column key"),
        ("Offset=%Y", "column offset"),
        ("TIMESTAMPTYPE=%H", "column timestampType"),
        ("dt=%Y/DT=%m", "twice"),
    ];
    let long = "x".repeat(121);
    for (text, message) in table.into_iter().chain([(long.as_str(), "longer than 120")]) {
        let error = DirectoryTemplate::parse(text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        assert!(error.message().contains(message), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn two_times_share_a_bucket_exactly_if_they_share_a_directory(
        a in 0..=MILLIS_MAX,
        step in prop_oneof![
            0..2 * MILLIS_PER_DAY, Just(MILLIS_PER_DAY), Just(365 * MILLIS_PER_DAY),
            any::<i64>()
        ],
    ) {
        let b = a.wrapping_add(step);
        for text in TEMPLATES {
            let template = template(text);
            let (a, b) = (template.bucket(a), template.bucket(b));
            prop_assert_eq!(a == b, template.name(a) == template.name(b), "{}", text);
        }
    }

    #[test]
    fn no_text_and_no_time_makes_a_panic(text in "[dtkey%YmdH=/._ ]{0,12}", millis: i64) {
        if let Ok(template) = DirectoryTemplate::parse(&text) {
            let name = template.directories_of(Some(millis));
            prop_assert!(name.is_empty() || name.split('/').all(|folder| !folder.is_empty()));
        }
    }
}
