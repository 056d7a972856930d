use bytes::Bytes;
use rskafka::protocol::api_key::ApiKey;
use rskafka::protocol::primitives::Int16;

use super::Request;
use crate::wire::{Malformed, Reader, Writer};

/// UNSUPPORTED_VERSION: the broker does not have this version of ApiVersions.
pub(crate) const UNSUPPORTED_VERSION: i16 = 35;

/// ApiVersions (18): what the broker speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApiVersions;

/// One API, and its lowest and highest version.
pub(crate) type ApiRange = (ApiKey, i16, i16);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiVersionsAnswer {
    pub(crate) error: i16,
    /// Empty with an error.
    pub(crate) ranges: Vec<ApiRange>,
    throttle: i32,
}

impl Request for ApiVersions {
    const KEY: ApiKey = ApiKey::ApiVersions;
    const VERSIONS: (i16, i16) = (0, 3);
    const FIRST_FLEXIBLE: i16 = 3;
    /// Never: whoever asks does not know yet what the broker speaks.
    const FIRST_FLEXIBLE_HEADER: i16 = i16::MAX;
    type Answer = ApiVersionsAnswer;

    fn encode(&self, version: i16, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, version >= Self::FIRST_FLEXIBLE);
        if version >= 3 {
            writer.string("tidegate");
            writer.string(env!("CARGO_PKG_VERSION"));
        }
        writer.tags();
    }

    fn parse(version: i16, body: Bytes) -> Result<Self::Answer, Malformed> {
        let mut r = Reader::new(body, version >= Self::FIRST_FLEXIBLE);
        let error = r.i16()?;
        if error != 0 {
            // The rest may be in another version (KIP-511).
            return Ok(ApiVersionsAnswer { error, ranges: Vec::new(), throttle: 0 });
        }
        let ranges = r.items(|r| {
            let range = (ApiKey::from(Int16(r.i16()?)), r.i16()?, r.i16()?);
            r.tags()?;
            Ok(range)
        })?;
        let throttle = if version >= 1 { r.i32()? } else { 0 };
        r.tags()?;
        r.end()?;
        Ok(ApiVersionsAnswer { error, ranges, throttle })
    }

    fn throttle(answer: &Self::Answer) -> i32 {
        answer.throttle
    }
}
