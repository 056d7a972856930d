//! Copying inside S3: how a source is named, and how much of it makes a part.

use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Bytes that one part copies at most. S3 allows 5 GiB, but smaller ones are retried cheaply.
const COPY_BYTES: u64 = 1 << 30;
/// What a key may not have as it is in a header: all but what RFC 3986 calls unreserved, and
/// slashes.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A bucket and key as a header carries them.
pub(super) fn in_header(source: &str) -> String {
    utf8_percent_encode(source, ESCAPED).to_string()
}

/// A range in pieces of one size, as few as there can be.
pub(super) fn pieces(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let bytes = range.end - range.start;
    let count = bytes.div_ceil(COPY_BYTES);
    let at = move |piece: u64| {
        let offset = u128::from(bytes) * u128::from(piece) / u128::from(count);
        range.start + u64::try_from(offset).expect("it is at most the number of bytes")
    };
    (0..count).map(move |piece| at(piece)..at(piece + 1))
}

#[cfg(test)]
mod tests {
    use tidegate_core::ports::UPLOAD_PART_MIN;

    use super::*;

    #[test]
    fn a_range_is_cut_evenly() {
        let whole: Vec<_> = pieces(3..10).collect();
        assert_eq!((whole.len(), whole[0].clone()), (1, 3..10));
        let cut: Vec<_> = pieces(1..1 + 2 * COPY_BYTES + 5).collect();
        assert_eq!(cut.len(), 3);
        assert_eq!((cut[0].start, cut[2].end), (1, 6 + 2 * COPY_BYTES));
        assert!(cut.windows(2).all(|two| two[0].end == two[1].start));
        assert!(cut.iter().all(|piece| piece.end - piece.start >= UPLOAD_PART_MIN));
    }

    #[test]
    fn a_key_travels_in_a_header() {
        assert_eq!(in_header("b/dt=1/a b+ü~"), "b/dt%3D1/a%20b%2B%C3%BC~");
    }
}
