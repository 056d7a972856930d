//! What the environment of a function says: names of the others, lengths of leases.

use std::time::Duration;

use tidegate_core::use_cases::Settings;
use tidegate_core::{Error, Result};

/// The name of the state's table.
const TABLE: &str = "TIDEGATE_TABLE";
const READER: &str = "TIDEGATE_READER";
const FINALIZER: &str = "TIDEGATE_FINALIZER";
const PLANNER: &str = "TIDEGATE_PLANNER";
const READING_LEASE: &str = "TIDEGATE_READING_LEASE_SECONDS";
const FINALIZING_LEASE: &str = "TIDEGATE_FINALIZING_LEASE_SECONDS";

/// A reader stops to fetch this much before its deadline: the share of its time, and at most the
/// default of [`Settings::reader_margin`].
const MARGIN_SHARE: u32 = 4;
/// The same for [`Settings::last_word`].
const LAST_WORD_SHARE: u32 = 10;

/// The environment of a function, as the template sets it. What a function does not need it does
/// not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The state's table.
    pub table: String,
    /// The reader's name or ARN.
    pub reader: Option<String>,
    /// The finalizer's name or ARN.
    pub finalizer: Option<String>,
    /// The planner's name or ARN.
    pub planner: Option<String>,
    /// How long a reading lease lasts; none: the default.
    pub reading_lease: Option<Duration>,
    /// How long a finalizing lease lasts; none: the default.
    pub finalizing_lease: Option<Duration>,
}

impl Environment {
    /// Reads the environment of this process. `Config` if a variable is missing or no number.
    #[expect(clippy::disallowed_methods, reason = "a function's edge: the one place that reads it")]
    pub fn read() -> Result<Self> {
        Self::of(|name| std::env::var(name).ok())
    }

    /// The same with another way to look up a variable.
    pub fn of(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let given = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let seconds = |name: &str| {
            let Some(text) = given(name) else { return Ok(None) };
            match text.parse() {
                Ok(seconds) if seconds > 0 => Ok(Some(Duration::from_secs(seconds))),
                _ => Err(Error::config(format!(
                    "environment variable {name}: {text:?} is no number of seconds above 0"
                ))),
            }
        };
        let table = given(TABLE).ok_or_else(|| {
            Error::config(format!("environment variable {TABLE} must name the state's table"))
        })?;
        Ok(Self {
            table,
            reader: given(READER),
            finalizer: given(FINALIZER),
            planner: given(PLANNER),
            reading_lease: seconds(READING_LEASE)?,
            finalizing_lease: seconds(FINALIZING_LEASE)?,
        })
    }

    /// Core's settings for an invocation that has `remaining` time: the margins follow from it,
    /// so that a function with a short timeout still works most of it.
    pub fn settings(&self, remaining: Duration) -> Settings {
        let default = Settings::default();
        Settings {
            reading_lease: self.reading_lease.unwrap_or(default.reading_lease),
            finalizing_lease: self.finalizing_lease.unwrap_or(default.finalizing_lease),
            reader_margin: default.reader_margin.min(remaining / MARGIN_SHARE),
            last_word: default.last_word.min(remaining / LAST_WORD_SHARE),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Result<Environment> {
        let find = |name: &str| pairs.iter().find(|(known, _)| *known == name);
        Environment::of(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn variables_are_read_and_margins_follow_from_the_time() {
        let pairs = [(TABLE, "state"), (READER, "a-reader"), (READING_LEASE, "90"), (PLANNER, "")];
        let read = environment(&pairs).expect("good");
        assert_eq!((read.reader.as_deref(), &read.planner), (Some("a-reader"), &None));
        let settings = read.settings(Duration::from_secs(20));
        assert_eq!(settings.reading_lease, Duration::from_secs(90));
        assert_eq!(settings.finalizing_lease, Settings::default().finalizing_lease);
        assert_eq!(settings.reader_margin, Duration::from_secs(5));
        assert_eq!(settings.last_word, Duration::from_secs(2));
        let long = read.settings(Duration::from_secs(900));
        assert_eq!(long.reader_margin, Settings::default().reader_margin);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let error = environment(&[]).expect_err("no table");
        assert!(error.to_string().contains(TABLE), "{error}");
        for bad in ["soon", "0", "-1"] {
            let error = environment(&[(TABLE, "t"), (FINALIZING_LEASE, bad)]).expect_err(bad);
            assert!(error.to_string().contains(FINALIZING_LEASE), "{error}");
        }
    }
}
