//! Kafka's primitive types: written to requests, and read from answers with bounds checks.

use bytes::Bytes;

/// An answer that is not what the protocol says. The connection it came from is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Reads an answer from its front.
#[derive(Debug)]
pub(crate) struct Reader {
    bytes: Bytes,
    /// Whether lengths are varints and structs end in tags (from an API's first flexible
    /// version on).
    flexible: bool,
}

impl Reader {
    /// A reader at the front of an answer's body.
    pub(crate) fn new(bytes: Bytes, flexible: bool) -> Self {
        Self { bytes, flexible }
    }

    fn take(&mut self, len: usize) -> Result<Bytes, Malformed> {
        if len > self.bytes.len() {
            return Err(Malformed("it ends early"));
        }
        Ok(self.bytes.split_to(len))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.take(N)?;
        Ok(taken.as_ref().try_into().expect("so many bytes were taken"))
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.array::<1>()? != [0])
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    fn unsigned_varint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("a varint is too long"))
    }

    /// A length that may be null, in one of the two encodings.
    fn length(&mut self, short: bool) -> Result<Option<usize>, Malformed> {
        let length = match (self.flexible, short) {
            (true, _) => i64::from(self.unsigned_varint()?) - 1,
            (false, true) => i64::from(self.i16()?),
            (false, false) => i64::from(self.i32()?),
        };
        match length {
            -1 => Ok(None),
            length => {
                usize::try_from(length).map(Some).map_err(|_| Malformed("a length is negative"))
            }
        }
    }

    pub(crate) fn nullable_string(&mut self) -> Result<Option<String>, Malformed> {
        let Some(length) = self.length(true)? else { return Ok(None) };
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Malformed("a text is not UTF-8"))?;
        Ok(Some(text.to_owned()))
    }

    pub(crate) fn string(&mut self) -> Result<String, Malformed> {
        self.nullable_string()?.ok_or(Malformed("a text is null"))
    }

    /// Bytes with their length before them; none where they are null.
    pub(crate) fn nullable_bytes(&mut self) -> Result<Option<Bytes>, Malformed> {
        match self.length(false)? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    /// An array; null reads as empty. Room is made as items come, not as the length says: at
    /// first no more than the answer itself takes.
    pub(crate) fn items<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.length(false)?.unwrap_or(0);
        let room = self.bytes.len() / size_of::<T>().max(1);
        let mut items = Vec::with_capacity(count.min(room));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// The end of a struct: in flexible versions its tags, which are skipped.
    pub(crate) fn tags(&mut self) -> Result<(), Malformed> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let size = usize::try_from(self.unsigned_varint()?).unwrap_or(usize::MAX);
            self.take(size)?;
        }
        Ok(())
    }

    /// The answer must be used up.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.bytes.is_empty() { Ok(()) } else { Err(Malformed("bytes follow its end")) }
    }
}

/// Writes a request to the end of a buffer.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    flexible: bool,
}

impl<'a> Writer<'a> {
    /// A writer to the end of `out`.
    pub(crate) fn new(out: &'a mut Vec<u8>, flexible: bool) -> Self {
        Self { out, flexible }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    pub(crate) fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    /// A text. Kafka's own limit for names is far below what the length can hold.
    pub(crate) fn string(&mut self, text: &str) {
        if self.flexible {
            self.unsigned_varint(u32::try_from(text.len()).unwrap_or(u32::MAX - 1) + 1);
        } else {
            self.raw(&i16::try_from(text.len()).unwrap_or(i16::MAX).to_be_bytes());
        }
        self.raw(text.as_bytes());
    }

    /// Bytes with their length before them.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX - 1);
        if self.flexible {
            self.unsigned_varint(length + 1);
        } else {
            self.raw(&length.to_be_bytes());
        }
        self.raw(bytes);
    }

    /// An array; `None` is null.
    pub(crate) fn items<T>(&mut self, items: Option<&[T]>, mut item: impl FnMut(&mut Self, &T)) {
        let count = items.map(|items| u32::try_from(items.len()).unwrap_or(u32::MAX - 1));
        match (self.flexible, count) {
            (true, count) => self.unsigned_varint(count.map_or(0, |count| count + 1)),
            (false, Some(count)) => self.raw(&count.to_be_bytes()),
            (false, None) => self.i32(-1),
        }
        for one in items.unwrap_or_default() {
            item(self, one);
        }
    }

    /// The end of a struct: in flexible versions no tags.
    pub(crate) fn tags(&mut self) {
        if self.flexible {
            self.out.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_arrays_are_read_as_they_were_written() {
        for flexible in [false, true] {
            let mut out = Vec::new();
            let mut writer = Writer::new(&mut out, flexible);
            writer.items(Some(&["a", &"x".repeat(300)][..]), |w, text| w.string(text));
            writer.items(None::<&[i32]>, |w, n| w.i32(*n));
            writer.tags();
            let mut reader = Reader::new(out.into(), flexible);
            assert_eq!(reader.items(Reader::string), Ok(vec!["a".to_owned(), "x".repeat(300)]));
            assert_eq!(reader.items(Reader::i32), Ok(Vec::new()));
            assert_eq!(reader.tags(), Ok(()));
            assert_eq!(reader.end(), Ok(()));
        }
    }

    #[test]
    fn tags_are_skipped() {
        let mut reader = Reader::new(Bytes::from_static(&[2, 0, 1, 9, 5, 2, 8, 8, 7]), true);
        assert_eq!(reader.tags(), Ok(()));
        assert_eq!(reader.array(), Ok([7]));
    }

    #[test]
    fn a_length_is_no_promise() {
        let mut reader = Reader::new(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 1]), false);
        assert_eq!(reader.items(Reader::i64), Err(Malformed("it ends early")));
        let mut reader = Reader::new(Bytes::from_static(&[0xff, 0xff, 0xff, 0xfe]), false);
        assert!(reader.nullable_bytes().is_err());
        let mut reader = Reader::new(Bytes::from_static(&[0xff; 6]), true);
        assert!(reader.string().is_err());
    }
}
