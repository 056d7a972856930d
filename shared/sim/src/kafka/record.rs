use tidegate_core::columns::{Columns, Row};
use tidegate_core::words::TopicId;

/// What makes a record unlike all others. It stands in the record's key, so that a data file
/// says by itself which records it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Its topic.
    pub topic_id: TopicId,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its number among all records ever produced.
    pub seq: u64,
}

/// Length of an identity's text.
const KEY_LEN: usize = 16 + 4 + 8 + 8;

impl Identity {
    /// The record's key.
    pub fn key(&self) -> [u8; KEY_LEN] {
        let mut key = [0; KEY_LEN];
        key[..16].copy_from_slice(&self.topic_id.0);
        key[16..20].copy_from_slice(&self.partition.to_be_bytes());
        key[20..28].copy_from_slice(&self.offset.to_be_bytes());
        key[28..].copy_from_slice(&self.seq.to_be_bytes());
        key
    }

    /// The identity that `key` is; none if it is none.
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let key: &[u8; KEY_LEN] = key.try_into().ok()?;
        Some(Self {
            topic_id: TopicId(key[..16].try_into().ok()?),
            partition: i32::from_be_bytes(key[16..20].try_into().ok()?),
            offset: i64::from_be_bytes(key[20..28].try_into().ok()?),
            seq: u64::from_be_bytes(key[28..].try_into().ok()?),
        })
    }

    /// Appends the record: every third is a tombstone, every other has a header.
    pub(super) fn push(&self, time: i64, rows: &mut Columns) {
        let key = self.key();
        let value = (!self.seq.is_multiple_of(3)).then_some(&key[28..]);
        if self.seq.is_multiple_of(2) {
            rows.next_headers().push_header(b"seq", Some(&key[28..]));
        }
        rows.push(Row {
            offset: self.offset,
            timestamp: time,
            append_time: false,
            key: Some(&key),
            value,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_its_key() {
        let id = Identity { topic_id: TopicId([3; 16]), partition: 2, offset: 1 << 40, seq: 9 };
        assert_eq!(Identity::from_key(&id.key()), Some(id));
        assert_eq!(Identity::from_key(b"short"), None);
    }
}
