//! Kafka's primitive types: big-endian integers, strings and arrays in both encodings (plain, and
//! the compact one of flexible versions), tag sections, zig-zag varints.

use std::fmt;

/// A request that is not what its api and version say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed request")
    }
}

pub(crate) type Result<T> = std::result::Result<T, Malformed>;

/// Reads primitives from the front of a slice.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Whether strings and arrays are compact and structs end in tags.
    flexible: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, flexible: false }
    }

    /// From here on strings and arrays are as `flexible` says.
    pub(crate) fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn i8(&mut self) -> Result<i8> {
        self.bytes().map(i8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16> {
        self.bytes().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32> {
        self.bytes().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        self.bytes().map(i64::from_be_bytes)
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        self.i8().map(|byte| byte != 0)
    }

    fn unsigned_varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.bytes()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// A zig-zag varint, as records have them.
    pub(crate) fn varint(&mut self) -> Result<i64> {
        let raw = self.unsigned_varint()?;
        Ok((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    /// A length before a string or an array: `None` is null.
    fn length(&mut self, plain: impl Fn(&mut Self) -> Result<i64>) -> Result<Option<usize>> {
        if self.flexible {
            let length = self.unsigned_varint()?;
            return length.checked_sub(1).map(usize::try_from).transpose().map_err(|_| Malformed);
        }
        match plain(self)? {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| Malformed),
        }
    }

    pub(crate) fn nullable_string(&mut self) -> Result<Option<String>> {
        let Some(length) = self.length(|r| r.i16().map(i64::from))? else { return Ok(None) };
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| Malformed)
    }

    pub(crate) fn string(&mut self) -> Result<String> {
        self.nullable_string()?.ok_or(Malformed)
    }

    /// An array: `None` is null.
    pub(crate) fn nullable_array<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(count) = self.length(|r| r.i32().map(i64::from))? else { return Ok(None) };
        // An item takes a byte at least, so a count beyond the rest is no reason to allocate.
        if count > self.rest.len() {
            return Err(Malformed);
        }
        (0..count).map(|_| item(self)).collect::<Result<_>>().map(Some)
    }

    pub(crate) fn array<T>(&mut self, item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.nullable_array(item)?.ok_or(Malformed)
    }

    /// Skips a struct's tags, if the version has them.
    pub(crate) fn tags(&mut self) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let size = self.unsigned_varint()?;
            self.take(usize::try_from(size).map_err(|_| Malformed)?)?;
        }
        Ok(())
    }
}

fn zig_zag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a zig-zag varint, as records have them.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, zig_zag(value));
}

/// How many bytes [`put_varint`] appends.
pub(crate) fn varint_len(value: i64) -> usize {
    let bits = u64::BITS - zig_zag(value).leading_zeros();
    bits.max(1).div_ceil(7) as usize
}

/// Appends primitives to a buffer.
#[derive(Debug)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    flexible: bool,
}

impl Writer {
    pub(crate) fn new(flexible: bool) -> Self {
        Self { bytes: Vec::new(), flexible }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Makes room, so that a large answer is not moved while it grows.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.bytes.reserve(count);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.i8(i8::from(value));
    }

    fn unsigned_varint(&mut self, value: u64) {
        put_unsigned(&mut self.bytes, value);
    }

    fn length(&mut self, length: Option<usize>, plain: impl Fn(&mut Self, Option<usize>)) {
        if self.flexible {
            self.unsigned_varint(length.map_or(0, |length| length as u64 + 1));
        } else {
            plain(self, length);
        }
    }

    /// A string of at most 32,767 bytes, which is what the protocol can carry.
    pub(crate) fn nullable_string(&mut self, text: Option<&str>) {
        self.length(text.map(str::len), |w, length| {
            let length = length.map_or(-1, |length| i16::try_from(length).unwrap_or(i16::MAX));
            w.i16(length);
        });
        self.raw(text.unwrap_or_default().as_bytes());
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.nullable_string(Some(text));
    }

    pub(crate) fn array<I: ExactSizeIterator>(
        &mut self,
        items: I,
        mut item: impl FnMut(&mut Self, I::Item),
    ) {
        self.length(Some(items.len()), |w, length| {
            w.i32(length.map_or(-1, |length| i32::try_from(length).unwrap_or(i32::MAX)));
        });
        items.for_each(|each| item(self, each));
    }

    /// A struct's tags (none), if the version has them.
    pub(crate) fn tags(&mut self) {
        if self.flexible {
            self.unsigned_varint(0);
        }
    }
}

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
