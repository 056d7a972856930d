//! Where the state is.

use std::path::{Path, PathBuf};

use tidegate_core::spec::Destination;

use crate::exit::Failure;

/// The folder of the state below a destination on a directory.
const STATE_FOLDER: &str = "_state";
/// Says where the state is, if `--state` does not.
const VARIABLE: &str = "TIDEGATE_STATE";
/// DynamoDB's rules for names of tables.
const TABLE_LENGTHS: std::ops::RangeInclusive<usize> = 3..=255;

/// Where the state is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a directory.
    Directory(PathBuf),
    /// In this DynamoDB table.
    Table(String),
}

impl Place {
    /// Where `--state` says; else beside the files, if these are in a directory; else where the
    /// environment says. Never guessed.
    #[expect(clippy::disallowed_methods, reason = "the command line's edge")]
    pub(super) fn of(flag: Option<&str>, destination: &Destination) -> Result<Self, Failure> {
        if let Some(flag) = flag {
            return Self::parse("--state", flag);
        }
        if let Destination::Directory(path) = destination {
            return Ok(Self::Directory(Path::new(path).join(STATE_FOLDER)));
        }
        match std::env::var(VARIABLE) {
            Ok(text) if !text.is_empty() => Self::parse(VARIABLE, &text),
            _ => Err(Failure::usage(format!(
                "where is the state of a pipeline that writes to {destination}? Say it with \
                 --state dynamodb://table, or in the variable {VARIABLE}"
            ))),
        }
    }

    /// A path, a file:// URI, or dynamodb://table.
    fn parse(option: &str, text: &str) -> Result<Self, Failure> {
        if let Some(table) = text.strip_prefix("dynamodb://") {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
            if TABLE_LENGTHS.contains(&table.len()) && table.bytes().all(allowed) {
                return Ok(Self::Table(table.to_owned()));
            }
            return Err(Failure::usage(format!("{option}: {table:?} cannot be a DynamoDB table")));
        }
        if text.starts_with("file://") {
            return match Destination::try_from(text.to_owned()) {
                Ok(Destination::Directory(path)) => Ok(Self::Directory(path.into())),
                Ok(Destination::S3 { .. }) => {
                    Err(Failure::usage(format!("{option}: {text} is no directory")))
                }
                Err(error) => Err(Failure::usage(format!("{option}: {error}"))),
            };
        }
        if text.is_empty() || text.contains("://") {
            return Err(Failure::usage(format!(
                "{option}: {text:?} is no place for the state: a directory, file:///directory or \
                 dynamodb://table"
            )));
        }
        Ok(Self::Directory(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_directory_or_a_table() {
        let directory = |path: &str| Some(Place::Directory(path.into()));
        let table = [
            ("state", directory("state")),
            ("file:///var/state", directory("/var/state")),
            ("dynamodb://tidegate-state", Some(Place::Table("tidegate-state".to_owned()))),
            ("dynamodb://", None),
            ("dynamodb://a/b", None),
            ("s3://bucket", None),
            ("file://relative", None),
            ("", None),
        ];
        for (text, place) in table {
            assert_eq!(Place::parse("--state", text).ok(), place, "{text:?}");
        }
    }

    #[test]
    fn a_directory_keeps_its_state_beside_the_files() {
        let destination = Destination::Directory("/data/lake".to_owned());
        let beside = Place::of(None, &destination).expect("beside");
        assert_eq!(beside, Place::Directory("/data/lake/_state".into()));
        let flag = Place::of(Some("elsewhere"), &destination).expect("the flag");
        assert_eq!(flag, Place::Directory("elsewhere".into()));
    }
}
