//! Kafka's primitive types: big-endian integers, strings and arrays in both encodings (plain, and
//! the compact one of flexible versions), tag sections, zig-zag varints.

mod reader;
mod writer;

use std::fmt;

pub(crate) use reader::Reader;
pub(crate) use writer::{Writer, put_varint, varint_len};

/// A request that is not what its api and version say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed request")
    }
}

pub(crate) type Result<T> = std::result::Result<T, Malformed>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_zig_zag_and_come_back() {
        for (value, bytes) in [
            (0, &[0][..]),
            (-1, &[1]),
            (1, &[2]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (300, &[0xd8, 4]),
            (i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            (i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, bytes, "{value}");
            assert_eq!(varint_len(value), bytes.len(), "{value}");
            assert_eq!(Reader::new(bytes).varint(), Ok(value));
        }
        assert_eq!(Reader::new(&[0x80; 11]).varint(), Err(Malformed));
    }

    #[test]
    fn strings_and_arrays_come_back_in_both_encodings() {
        for flexible in [false, true] {
            let mut writer = Writer::new(flexible);
            writer.array([Some("rides"), Some(""), None].iter(), |w, text| {
                w.nullable_string(*text);
                w.tags();
            });
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            reader.set_flexible(flexible);
            let back = reader.array(|r| {
                let text = r.nullable_string();
                r.tags()?;
                text
            });
            assert_eq!(back, Ok(vec![Some("rides".to_owned()), Some(String::new()), None]));
            assert!(reader.rest().is_empty());
        }
    }

    #[test]
    fn lengths_beyond_the_end_are_refused() {
        assert_eq!(Reader::new(&[0, 5, b'a']).string(), Err(Malformed));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xfe]).array(|r| r.i8()), Err(Malformed));
        assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0]).array(|r| r.i8()), Err(Malformed));
        assert_eq!(Reader::new(&[0xff, 0xff]).nullable_string(), Ok(None));
    }
}
