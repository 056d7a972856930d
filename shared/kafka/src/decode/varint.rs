//! Zig-zag varints and byte strings, read with bounds checks from a record batch's payload.

use super::Defect;

const TOO_SHORT: Defect = Defect::new("the records end inside a record");
const TOO_LONG: Defect = Defect::new("a varint is longer than its type allows");

/// Reads a payload from its front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor at the front of `bytes`.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// The next `len` bytes.
    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Defect> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(TOO_SHORT)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The next byte.
    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Defect> {
        let (first, rest) = self.bytes.split_first().ok_or(TOO_SHORT)?;
        self.bytes = rest;
        Ok(*first)
    }

    /// A zig-zag varint of at most 32 bits.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<i32, Defect> {
        let raw = u32::try_from(self.unsigned()?).map_err(|_| TOO_LONG)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A zig-zag varint of at most 64 bits.
    #[inline]
    pub(super) fn varlong(&mut self) -> Result<i64, Defect> {
        let raw = self.unsigned()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A length and so many bytes; the length −1 means null.
    #[inline]
    pub(super) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, Defect> {
        match self.varint()? {
            -1 => Ok(None),
            len => {
                let len = usize::try_from(len)
                    .map_err(|_| Defect::with(format!("a field has the length {len}")))?;
                self.take(len).map(Some)
            }
        }
    }

    /// One to three bytes are the common case: lengths below 1 MiB.
    #[inline]
    fn unsigned(&mut self) -> Result<u64, Defect> {
        let (value, rest) = match self.bytes {
            [a, rest @ ..] if *a < 0x80 => (u64::from(*a), rest),
            [a, b, rest @ ..] if *b < 0x80 => (u64::from(*a & 0x7f) | u64::from(*b) << 7, rest),
            [a, b, c, rest @ ..] if *c < 0x80 => {
                (u64::from(*a & 0x7f) | u64::from(*b & 0x7f) << 7 | u64::from(*c) << 14, rest)
            }
            _ => return self.unsigned_slow(),
        };
        self.bytes = rest;
        Ok(value)
    }

    #[cold]
    fn unsigned_slow(&mut self) -> Result<u64, Defect> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(TOO_LONG);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(TOO_LONG)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::build::{put_varint, put_varlong};

    proptest! {
        #[test]
        fn a_varlong_is_what_was_written(value in any::<i64>()) {
            let mut bytes = Vec::new();
            put_varlong(&mut bytes, value);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.varlong(), Ok(value));
            prop_assert_eq!(cursor.left(), 0);
        }

        #[test]
        fn a_varint_is_what_was_written(value in any::<i32>(), shift in 0..32) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assert_eq!(Cursor::new(&bytes).varint(), Ok(value));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
            let _ = Cursor::new(&bytes).varint();
            let _ = Cursor::new(&bytes).varlong();
            let _ = Cursor::new(&bytes).nullable_bytes();
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = [0xff; 11];
        assert_eq!(Cursor::new(&long).varlong(), Err(TOO_LONG));
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0x7f]).varint(), Err(TOO_LONG));
        assert_eq!(Cursor::new(&[0x80, 0x80]).varint(), Err(TOO_SHORT));
        assert_eq!(Cursor::new(&[]).varint(), Err(TOO_SHORT));
        assert_eq!(Cursor::new(&[8, 1, 2, 3]).nullable_bytes(), Err(TOO_SHORT));
        assert!(Cursor::new(&[3]).nullable_bytes().is_err(), "a length of -2");
        assert_eq!(Cursor::new(&[1]).nullable_bytes(), Ok(None));
    }
}
