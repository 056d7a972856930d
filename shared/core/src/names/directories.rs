use std::fmt::{self, Write as _};

use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

mod parse;

/// What stands for a time that is missing or outside the years 1970–9999: Hive's word for null.
pub const DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

const MILLIS_PER_HOUR: i64 = 3_600_000;
const MILLIS_PER_DAY: i64 = 24 * MILLIS_PER_HOUR;
/// The last millisecond of the year 9999, UTC.
const MILLIS_MAX: i64 = 253_402_300_799_999;
const EPOCH: Date = date(1970, 1, 1);

/// A spec's `directories`: what stands between a table's folder and its files, of literal text
/// and `%Y %m %d %H` in UTC. May be empty.
///
/// Rows are grouped by [`Self::bucket`], an integer that costs no allocation; two buckets are
/// equal exactly if their [`Self::name`]s are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DirectoryTemplate {
    text: String,
    components: Vec<Component>,
    grain: Grain,
}

/// One folder of the template.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Component {
    /// `key=`, with its `=`; empty if there is none.
    key: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Time(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
}

/// What of a time the template shows: what a bucket counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grain {
    /// Nothing: all rows share a bucket.
    Constant,
    /// Year, month, day and hour: hours since 1970.
    Hour,
    /// Year, month and day: days since 1970.
    Day,
    /// Any others: the fields themselves, packed.
    Fields { year: bool, month: bool, day: bool, hour: bool },
}

/// The fields of a time that a template shows; those that it does not may be 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
}

impl DirectoryTemplate {
    /// Reads a template. `Config` where it cannot be honoured.
    pub fn parse(text: &str) -> Result<Self> {
        let fault = |fault: String| {
            Error::config(format!(
                "{text:?} cannot be used: {fault}. Allowed are folders joined by /, each a \
                 literal or key=value, of a-z A-Z 0-9 - _ . and %Y %m %d %H; or \"\" for none"
            ))
        };
        let texts = if text.is_empty() { Vec::new() } else { text.split('/').collect() };
        let components = texts
            .into_iter()
            .map(parse::component)
            .collect::<Result<Vec<_>, _>>()
            .map_err(fault)?;
        for (i, component) in components.iter().enumerate() {
            let twice = |c: &Component| c.key.eq_ignore_ascii_case(&component.key);
            if !component.key.is_empty() && components[..i].iter().any(twice) {
                return Err(fault(format!("the key {} stands there twice", component.key)));
            }
        }
        let grain = grain(&components);
        Ok(Self { text: text.to_owned(), components, grain })
    }

    /// The template as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The keys of its folders, as they are written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.components.iter().filter_map(|component| component.key.strip_suffix('='))
    }

    /// The bucket of a time (milliseconds since 1970): the same for all times of one directory.
    /// None: the directory of times that are missing (−1) or outside the years 1970–9999.
    pub fn bucket(&self, millis: i64) -> Option<i64> {
        let sane = (0..=MILLIS_MAX).contains(&millis);
        match self.grain {
            Grain::Constant => Some(0),
            Grain::Hour => sane.then_some(millis / MILLIS_PER_HOUR),
            Grain::Day => sane.then_some(millis / MILLIS_PER_DAY),
            Grain::Fields { year, month, day, hour } => sane.then(|| {
                let fields = Fields::of_hour(millis / MILLIS_PER_HOUR);
                let shown = |shown: bool, field: i64| if shown { field } else { 0 };
                Fields {
                    year: shown(year, fields.year),
                    month: shown(month, fields.month),
                    day: shown(day, fields.day),
                    hour: shown(hour, fields.hour),
                }
                .pack()
            }),
        }
    }

    /// The directory of a bucket: components joined by `/`; empty if the template is. Give only
    /// what [`Self::bucket`] answered.
    pub fn name(&self, bucket: Option<i64>) -> String {
        let fields = bucket.map(|bucket| match self.grain {
            Grain::Hour => Fields::of_hour(bucket),
            Grain::Day => Fields::of_hour(bucket.saturating_mul(24)),
            Grain::Constant | Grain::Fields { .. } => Fields::unpack(bucket),
        });
        let mut name = String::with_capacity(self.text.len() + 8);
        for (i, component) in self.components.iter().enumerate() {
            if i > 0 {
                name.push('/');
            }
            component.render(fields, &mut name);
        }
        name
    }

    /// The directory of a time (milliseconds since 1970); none: it is missing.
    pub fn directories_of(&self, millis: Option<i64>) -> String {
        self.name(self.bucket(millis.unwrap_or(-1)))
    }
}

impl TryFrom<String> for DirectoryTemplate {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<DirectoryTemplate> for String {
    fn from(template: DirectoryTemplate) -> Self {
        template.text
    }
}

impl fmt::Display for DirectoryTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Component {
    fn shows(&self, field: Field) -> bool {
        self.parts.contains(&Part::Time(field))
    }

    fn is_timed(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Time(_)))
    }

    /// Appends the folder's name. `fields`: none where there is no time.
    fn render(&self, fields: Option<Fields>, name: &mut String) {
        name.push_str(&self.key);
        let Some(fields) = fields.or((!self.is_timed()).then_some(Fields::unpack(0))) else {
            name.push_str(DEFAULT_PARTITION);
            return;
        };
        for part in &self.parts {
            match part {
                Part::Literal(text) => name.push_str(text),
                Part::Time(Field::Year) => push_padded(name, fields.year, 4),
                Part::Time(Field::Month) => push_padded(name, fields.month, 2),
                Part::Time(Field::Day) => push_padded(name, fields.day, 2),
                Part::Time(Field::Hour) => push_padded(name, fields.hour, 2),
            }
        }
    }
}

fn push_padded(name: &mut String, number: i64, width: usize) {
    write!(name, "{number:0width$}").expect("a String takes all text");
}

impl Fields {
    /// The fields of an hour, counted since 1970; of the nearest one in the years 1970–9999.
    fn of_hour(hour: i64) -> Self {
        let hour = hour.clamp(0, MILLIS_MAX / MILLIS_PER_HOUR);
        let days = jiff::SignedDuration::from_hours(hour - hour % 24);
        let date = EPOCH.saturating_add(days);
        Self {
            year: date.year().into(),
            month: date.month().into(),
            day: date.day().into(),
            hour: hour % 24,
        }
    }

    fn pack(self) -> i64 {
        ((self.year * 16 + self.month) * 32 + self.day) * 32 + self.hour
    }

    fn unpack(packed: i64) -> Self {
        Self {
            year: packed / (32 * 32 * 16),
            month: packed / (32 * 32) % 16,
            day: packed / 32 % 32,
            hour: packed % 32,
        }
    }
}

fn grain(components: &[Component]) -> Grain {
    let shows = |field| components.iter().any(|component| component.shows(field));
    let (year, month, day, hour) =
        (shows(Field::Year), shows(Field::Month), shows(Field::Day), shows(Field::Hour));
    match (year, month, day, hour) {
        (false, false, false, false) => Grain::Constant,
        (true, true, true, true) => Grain::Hour,
        (true, true, true, false) => Grain::Day,
        _ => Grain::Fields { year, month, day, hour },
    }
}

#[cfg(test)]
mod tests;
