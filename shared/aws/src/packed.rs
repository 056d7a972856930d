//! Large values in events and answers: JSON, compressed with zstd, in Base64. What a call takes and
//! answers may have 6 MB; 20,000 partitions as plain JSON would have more. For
//! `#[serde(with = "packed")]`.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// zstd's default level: 20,000 partitions are packed in milliseconds.
const LEVEL: i32 = 3;
/// What is larger than this was not packed by us.
const BYTES_MAX: u64 = 256 << 20;

pub(crate) fn serialize<T: Serialize, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let json = serde_json::to_vec(value).map_err(S::Error::custom)?;
    let packed = zstd::bulk::compress(&json, LEVEL).map_err(S::Error::custom)?;
    serializer.serialize_str(&STANDARD.encode(packed))
}

pub(crate) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let packed = STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
    let mut json = Vec::new();
    zstd::stream::read::Decoder::new(packed.as_slice())
        .and_then(|decoder| decoder.take(BYTES_MAX).read_to_end(&mut json))
        .map_err(D::Error::custom)?;
    serde_json::from_slice(&json).map_err(D::Error::custom)
}
