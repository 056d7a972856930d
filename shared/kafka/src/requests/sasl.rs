use std::fmt;

use bytes::Bytes;
use rskafka::protocol::api_key::ApiKey;
use zeroize::Zeroizing;

use super::Request;
use crate::wire::{Malformed, Reader, Writer};

/// SaslHandshake (17): which mechanism is wanted. Version 0 is followed by bare tokens instead
/// of requests, and is not spoken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SaslHandshake {
    pub(crate) mechanism: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeAnswer {
    pub(crate) error: i16,
    /// What the listener offers.
    pub(crate) mechanisms: Vec<String>,
}

impl Request for SaslHandshake {
    const KEY: ApiKey = ApiKey::SaslHandshake;
    const VERSIONS: (i16, i16) = (1, 1);
    const FIRST_FLEXIBLE: i16 = 2;
    type Answer = HandshakeAnswer;

    fn encode(&self, _version: i16, out: &mut Vec<u8>) {
        Writer::new(out, false).string(self.mechanism);
    }

    fn parse(_version: i16, body: Bytes) -> Result<Self::Answer, Malformed> {
        let mut r = Reader::new(body, false);
        let answer = HandshakeAnswer { error: r.i16()?, mechanisms: r.items(Reader::string)? };
        r.end()?;
        Ok(answer)
    }

    fn throttle(_answer: &Self::Answer) -> i32 {
        0
    }
}

/// SaslAuthenticate (36): a token of the mechanism.
pub(crate) struct SaslAuthenticate {
    pub(crate) token: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for SaslAuthenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaslAuthenticate(..)")
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AuthenticateAnswer {
    pub(crate) error: i16,
    /// What the broker says of the error.
    pub(crate) message: Option<String>,
    /// The other side's token.
    pub(crate) token: Bytes,
}

impl fmt::Debug for AuthenticateAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateAnswer").field("error", &self.error).finish_non_exhaustive()
    }
}

impl Request for SaslAuthenticate {
    const KEY: ApiKey = ApiKey::SaslAuthenticate;
    const VERSIONS: (i16, i16) = (0, 2);
    const FIRST_FLEXIBLE: i16 = 2;
    type Answer = AuthenticateAnswer;

    fn encode(&self, version: i16, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, version >= Self::FIRST_FLEXIBLE);
        writer.bytes(&self.token);
        writer.tags();
    }

    fn parse(version: i16, body: Bytes) -> Result<Self::Answer, Malformed> {
        let mut r = Reader::new(body, version >= Self::FIRST_FLEXIBLE);
        let (error, message) = (r.i16()?, r.nullable_string()?);
        let token = r.nullable_bytes()?.unwrap_or_default();
        if version >= 1 {
            let _session_lifetime = r.i64()?;
        }
        r.tags()?;
        r.end()?;
        Ok(AuthenticateAnswer { error, message, token })
    }

    fn throttle(_answer: &Self::Answer) -> i32 {
        0
    }
}
