use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Where the files go. Its text is a URI with one spelling, so that two can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Destination {
    /// `s3://bucket/prefix`; the prefix without slashes at its ends, perhaps empty.
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix.
        prefix: String,
    },
    /// `file:///directory`: an absolute path, without a slash at its end.
    Directory(String),
}

impl TryFrom<String> for Destination {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let parsed = if let Some(rest) = text.strip_prefix("s3://") {
            s3(rest)
        } else if let Some(path) = text.strip_prefix("file://") {
            directory(path)
        } else {
            Err("it begins with neither s3:// nor file:///".to_owned())
        };
        parsed.map_err(|fault| {
            Error::config(format!(
                "{text:?} is no destination: {fault}. Write s3://bucket/prefix or \
                 file:///directory"
            ))
        })
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Directory(path) => {
                f.write_str("file://")?;
                path.split('%').enumerate().try_for_each(|(i, part)| {
                    let escaped = if i > 0 { "%25" } else { "" };
                    write!(f, "{escaped}{part}")
                })
            }
        }
    }
}

fn s3(rest: &str) -> Result<Destination, String> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    if let Some(fault) = bucket_fault(bucket) {
        return Err(format!("{bucket:?} cannot be a bucket: {fault}"));
    }
    if !prefix.is_empty() {
        check_components(prefix)?;
    }
    // S3 allows 1024 bytes in a key: the rest is for what stands below the prefix.
    if prefix.len() > 512 {
        return Err("the prefix is longer than 512 bytes".to_owned());
    }
    Ok(Destination::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// S3's rules for the names of general purpose buckets.
fn bucket_fault(bucket: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !(3..=63).contains(&bucket.len()) {
        return Some("it must have 3 to 63 characters");
    }
    if !bucket.bytes().all(allowed) {
        return Some("only a-z, 0-9, - and . are allowed");
    }
    if !ends(bucket.bytes().next()) || !ends(bucket.bytes().last()) || bucket.contains("..") {
        return Some("it must begin and end with a letter or digit, without two dots in a row");
    }
    let is_address = bucket.parse::<std::net::Ipv4Addr>().is_ok();
    is_address.then_some("it has the form of an IP address")
}

fn directory(path: &str) -> Result<Destination, String> {
    if !path.starts_with('/') {
        return Err("the path must be absolute, so that three slashes follow file:".to_owned());
    }
    let path = percent_decoded(path)?;
    let path = path.trim_end_matches('/');
    let Some(relative) = path.strip_prefix('/') else {
        return Err("the root directory is not allowed".to_owned());
    };
    check_components(relative)?;
    Ok(Destination::Directory(path.to_owned()))
}

fn check_components(path: &str) -> Result<(), String> {
    if let Some(c) = path.chars().find(|c| c.is_control()) {
        return Err(format!("it contains the control character {c:?}"));
    }
    match path.split('/').find(|component| matches!(*component, "" | "." | "..")) {
        Some(component) => Err(format!("the component {component:?} is not allowed")),
        None => Ok(()),
    }
}

/// Resolves `%20` and the like, as they stand in URIs that programs make of paths.
fn percent_decoded(path: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut parts = path.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let hex = part.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let byte = byte.ok_or_else(|| {
            "a % is not followed by two hexadecimal digits (% itself is %25)".to_owned()
        })?;
        bytes.push(byte);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| "what its % stand for is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Destination> {
        Destination::try_from(text.to_owned())
    }

    #[test]
    fn destinations_have_one_spelling() {
        let table = [
            ("file:///data/lake", "file:///data/lake"),
            ("file:///data/lake/", "file:///data/lake"),
            ("file:///data/my lake", "file:///data/my lake"),
            ("file:///data/my%20l%C3%A4ke", "file:///data/my läke"),
            ("file:///data/100%25/x", "file:///data/100%25/x"),
            ("s3://lake", "s3://lake"),
            ("s3://lake/", "s3://lake"),
            ("s3://my.lake-1/raw/kafka/", "s3://my.lake-1/raw/kafka"),
        ];
        for (text, spelling) in table {
            let destination = parse(text).expect(text);
            assert_eq!(destination.to_string(), spelling, "{text}");
            assert_eq!(parse(spelling).expect(spelling), destination, "{text}");
        }
        let decoded = Destination::Directory("/data/100%".to_owned());
        assert_eq!(parse("file:///data/100%25").expect("good"), decoded);
    }

    #[test]
    fn what_is_no_destination_is_refused() {
        let table = [
            ("", "neither"),
            ("/data/lake", "neither"),
            ("S3://lake", "neither"),
            ("s3a://lake", "neither"),
            ("file:/data", "neither"),
            ("file://data/lake", "absolute"),
            ("file://", "absolute"),
            ("file:///", "root"),
            ("file:////", "root"),
            ("file:///a//b", "component \"\""),
            ("file:///a/../b", "component \"..\""),
            ("file:///a/%2e%2e/b", "component \"..\""),
            ("file:///a%", "hexadecimal"),
            ("file:///a%2", "hexadecimal"),
            ("file:///a%+1b", "hexadecimal"),
            ("file:///a%ff", "UTF-8"),
            ("file:///a%00b", "control"),
            ("s3://", "3 to 63"),
            ("s3://ab/x", "3 to 63"),
            ("s3:///prefix", "3 to 63"),
            ("s3://Lake", "only a-z"),
            ("s3://la_ke", "only a-z"),
            ("s3://-lake", "begin and end"),
            ("s3://la..ke", "begin and end"),
            ("s3://10.0.0.1/x", "IP address"),
            ("s3://lake/a//b", "component \"\""),
            ("s3://lake/../b", "component \"..\""),
        ];
        for (text, message) in table {
            let error = parse(text).expect_err(text);
            assert!(error.message().contains(message), "{text}: {error}");
        }
        assert!(parse(&format!("s3://lake/{}", "x".repeat(513))).is_err());
    }
}
