//! Builds record batches for tests: a second reading of the format, independent of the decoder.

/// Appends a zig-zag varint.
pub(crate) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while raw > 0x7f {
        out.push(u8::try_from(raw & 0x7f).expect("seven bits") | 0x80);
        raw >>= 7;
    }
    out.push(u8::try_from(raw).expect("seven bits"));
}

/// Appends a zig-zag varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_varlong(out, i64::from(value));
}
