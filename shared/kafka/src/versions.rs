//! Which versions of which APIs are needed of a broker: checked when a connection is opened.

use rskafka::protocol::api_key::ApiKey;
use tidegate_core::error::{Error, Result};

use crate::requests::{
    ApiRange, Fetch, ListOffsets, Metadata, Request, SaslAuthenticate, SaslHandshake,
};
use crate::transport::Endpoint;

/// An API, the versions of it that are spoken here, and the first Kafka that has one of them.
type Need = (ApiKey, (i16, i16), &'static str);

/// What every connection needs. OffsetForLeaderEpoch is not among it: without it (before Kafka
/// 2.1) nothing is said of logs that were cut back.
const READING: [Need; 3] = [
    (Metadata::KEY, Metadata::VERSIONS, "0.11"),
    (ListOffsets::KEY, ListOffsets::VERSIONS, "0.11"),
    (Fetch::KEY, Fetch::VERSIONS, "0.11"),
];
/// What a login needs as well.
const LOGIN: [Need; 2] = [
    (SaslHandshake::KEY, SaslHandshake::VERSIONS, "1.0"),
    (SaslAuthenticate::KEY, SaslAuthenticate::VERSIONS, "1.0"),
];

/// `Config` if the broker at `endpoint` lacks an API, or has it in no version that is spoken
/// here.
pub(crate) fn check(endpoint: &Endpoint, ranges: &[ApiRange], login: bool) -> Result<()> {
    let login = if login { LOGIN.as_slice() } else { &[] };
    READING.iter().chain(login).try_for_each(|need| check_one(endpoint, ranges, need))
}

fn check_one(endpoint: &Endpoint, ranges: &[ApiRange], need: &Need) -> Result<()> {
    let (key, (low, high), since) = need;
    let offered = ranges.iter().find(|(offered, ..)| offered == key);
    let (has, advice) = match offered {
        Some((_, min, max)) if min <= high && max >= low => return Ok(()),
        Some((_, min, max)) if min > high => (
            format!("has it in versions {min} to {max} only"),
            "a newer tidegate may speak one of them".to_owned(),
        ),
        Some((_, min, max)) => (
            format!("has it in versions {min} to {max} only"),
            format!("Kafka {since} or later is needed"),
        ),
        None => ("does not have it".to_owned(), format!("Kafka {since} or later is needed")),
    };
    Err(Error::config(format!(
        "{endpoint} cannot be read from: {key:?} is needed in one of the versions {low} to {high}, \
         and this broker {has}; {advice}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kafka 4.4 as it answers on a listener with login.
    const NEW: [ApiRange; 5] = [
        (ApiKey::Fetch, 4, 18),
        (ApiKey::ListOffsets, 1, 11),
        (ApiKey::Metadata, 0, 13),
        (ApiKey::SaslHandshake, 0, 1),
        (ApiKey::SaslAuthenticate, 0, 2),
    ];

    fn said(change: impl Fn(ApiRange) -> Option<ApiRange>, login: bool) -> Option<String> {
        let ranges: Vec<ApiRange> = NEW.into_iter().filter_map(change).collect();
        let endpoint = Endpoint::parse("kafka-1:9092").expect("an endpoint");
        check(&endpoint, &ranges, login).err().map(|error| error.to_string())
    }

    fn set(key: ApiKey, to: Option<(i16, i16)>) -> impl Fn(ApiRange) -> Option<ApiRange> {
        move |range| {
            if range.0 == key { to.map(|(min, max)| (key, min, max)) } else { Some(range) }
        }
    }

    #[test]
    fn what_a_broker_lacks_is_named() {
        assert_eq!(said(Some, true), None);
        for (key, to, words) in [
            (ApiKey::Fetch, Some((0, 3)), ["Fetch", "4 to 11", "0 to 3", "0.11"]),
            (ApiKey::Fetch, Some((12, 20)), ["Fetch", "4 to 11", "12 to 20", "newer tidegate"]),
            (ApiKey::ListOffsets, Some((0, 1)), ["ListOffsets", "2 to 5", "0 to 1", "0.11"]),
            (ApiKey::Metadata, None, ["Metadata", "4 to 12", "does not have it", "0.11"]),
            (ApiKey::SaslHandshake, Some((0, 0)), ["SaslHandshake", "1 to 1", "0 to 0", "1.0"]),
            (ApiKey::SaslAuthenticate, None, ["SaslAuthenticate", "0 to 2", "not", "1.0"]),
        ] {
            let said = said(set(key, to), true).expect("an error");
            assert!(said.contains("kafka-1:9092"), "{said}");
            assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        }
    }

    #[test]
    fn a_login_s_requests_are_needed_for_a_login_only() {
        assert_eq!(said(set(ApiKey::SaslHandshake, None), false), None);
        assert_eq!(said(set(ApiKey::Fetch, Some((11, 11))), true), None);
    }
}
