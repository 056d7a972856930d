//! Large values in events and answers.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidegate_core::{Error, Result};

/// What is larger than this was not packed by us.
const BYTES_MAX: u64 = 256 << 20;

/// A value as JSON, compressed with zstd, in Base64. What a call takes and answers may have 6 MB;
/// 20,000 partitions as plain JSON would have more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Packed(String);

impl Packed {
    /// Packs `value`; `what` names it in the error.
    pub(crate) fn of(value: &impl Serialize, what: &str) -> Result<Self> {
        let odd = |error: String| Error::corrupt(format!("{what} cannot be packed: {error}"));
        let json = serde_json::to_vec(value).map_err(|error| odd(error.to_string()))?;
        let packed = zstd::bulk::compress(&json, zstd::DEFAULT_COMPRESSION_LEVEL);
        Ok(Self(STANDARD.encode(packed.map_err(|error| odd(error.to_string()))?)))
    }

    /// The value; `what` names it in the error, which is `Corrupt`.
    pub(crate) fn open<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        let odd = |error: String| Error::corrupt(format!("{what}: {error}"));
        let packed = STANDARD.decode(&self.0).map_err(|error| odd(error.to_string()))?;
        let mut json = Vec::new();
        zstd::stream::read::Decoder::new(packed.as_slice())
            .and_then(|decoder| decoder.take(BYTES_MAX).read_to_end(&mut json))
            .map_err(|error| odd(error.to_string()))?;
        serde_json::from_slice(&json).map_err(|error| odd(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::ErrorKind;
    use tidegate_core::ports::Observation;

    use super::*;

    #[test]
    fn what_is_no_observation_is_refused() {
        for packed in
            ["?", "", "AAAA", &STANDARD.encode(zstd::bulk::compress(b"{", 1).expect("packed"))]
        {
            let opened = Packed(packed.to_owned()).open::<Observation>("it");
            assert_eq!(opened.expect_err(packed).kind(), ErrorKind::Corrupt);
        }
    }
}
