//! Reading primitives.

use super::{Malformed, Result};

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
