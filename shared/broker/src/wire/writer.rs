//! Writing primitives.

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
