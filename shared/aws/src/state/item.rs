//! Items: names of attributes, bodies, and what cannot be one of ours.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use tidegate_core::time::Millis;
use tidegate_core::words::PipelineName;
use tidegate_core::{Error, Result};

use super::DynamoState;

/// An item as the SDK gives it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The partition key.
pub(super) const PIPELINE: &str = "pipeline";
/// The sort key.
pub(super) const ITEM: &str = "item";
/// The head's version.
pub(super) const VERSION: &str = "version";
/// Compressed bytes.
pub(super) const BODY: &str = "body";
/// How large the bytes were before compression.
pub(super) const BYTES: &str = "bytes";
/// How many items hold the compressed bytes of a document that is too large for one.
pub(super) const CHUNKS: &str = "chunks";
/// SHA-256 of these compressed bytes: what names their items.
pub(super) const HASH: &str = "hash";
/// The table's expiry attribute: Unix seconds.
pub(super) const EXPIRES: &str = "expires";

/// The largest document (the port's promise).
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The key of an item.
pub(super) fn key(pipeline: &PipelineName, item: &str) -> Item {
    HashMap::from([
        (PIPELINE.to_owned(), AttributeValue::S(pipeline.as_str().to_owned())),
        (ITEM.to_owned(), AttributeValue::S(item.to_owned())),
    ])
}

/// A number as an attribute.
pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Bytes as an attribute.
pub(super) fn blob(bytes: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// An instant as the expiry attribute: the first second that is not before it.
pub(super) fn expiry(at: Millis) -> AttributeValue {
    number(at.0.div_euclid(1_000) + i64::from(at.0.rem_euclid(1_000) > 0))
}

/// Whether the item's expiry has passed: DynamoDB may take days to remove it.
pub(super) fn has_expired(item: &Item, now: Millis) -> bool {
    let seconds = item.get(EXPIRES).and_then(|value| value.as_n().ok()?.parse::<i64>().ok());
    seconds.is_some_and(|seconds| seconds.saturating_mul(1_000) <= now.0)
}

/// Compresses a body.
pub(super) fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > DOCUMENT_BYTES_MAX {
        return Err(Error::config(format!(
            "a document of {size} bytes is larger than {DOCUMENT_BYTES_MAX}, the most that is \
             stored; let the pipeline have fewer partitions"
        )));
    }
    let compressed = zstd::bulk::compress(bytes, zstd::DEFAULT_COMPRESSION_LEVEL);
    compressed.map_err(|error| Error::corrupt("a document cannot be compressed").with_source(error))
}

impl DynamoState {
    /// What stands under a name that is ours but was not written by us.
    pub(super) fn corrupt(&self, pipeline: &PipelineName, item: &str, what: &str) -> Error {
        let table = &self.table;
        Error::corrupt(format!("table {table}, pipeline {pipeline}, item {item}: {what}"))
    }

    /// The number `name` of an item.
    pub(super) fn number_of(
        &self,
        pipeline: &PipelineName,
        item: (&str, &Item),
        name: &str,
    ) -> Result<u64> {
        let number = item.1.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
        number.ok_or_else(|| {
            self.corrupt(pipeline, item.0, &format!("its attribute {name} is no number"))
        })
    }

    /// The compressed bytes in the item's own body.
    pub(super) fn body_of(&self, pipeline: &PipelineName, item: (&str, &Item)) -> Result<Vec<u8>> {
        let body = item.1.get(BODY).and_then(|value| value.as_b().ok());
        let body = body.ok_or_else(|| {
            self.corrupt(pipeline, item.0, &format!("its attribute {BODY} is not binary"))
        })?;
        Ok(body.as_ref().to_vec())
    }

    /// Decompresses bytes of which the item says how many they are.
    pub(super) fn decompress(
        &self,
        pipeline: &PipelineName,
        item: (&str, &Item),
        compressed: &[u8],
    ) -> Result<Bytes> {
        let size = self.number_of(pipeline, item, BYTES)?;
        if size > DOCUMENT_BYTES_MAX {
            return Err(self.corrupt(pipeline, item.0, &format!("it has {size} bytes")));
        }
        let capacity = usize::try_from(size).unwrap_or(usize::MAX);
        let bytes = zstd::bulk::decompress(compressed, capacity).unwrap_or_default();
        if bytes.len() != capacity {
            return Err(self.corrupt(pipeline, item.0, "its body is not what was compressed"));
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_never_early() {
        for (at, seconds) in [(0, "0"), (1, "1"), (1_000, "1"), (1_001, "2"), (-1, "0")] {
            assert_eq!(expiry(Millis(at)), AttributeValue::N(seconds.to_owned()));
            let item = HashMap::from([(EXPIRES.to_owned(), expiry(Millis(at)))]);
            assert!(!has_expired(&item, Millis(at - 1)), "{at}");
            assert!(has_expired(&item, Millis(at + 1_000)), "{at}");
        }
        assert!(!has_expired(&Item::new(), Millis(i64::MAX)));
    }
}
