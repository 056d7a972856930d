//! One data page in the making: levels and values in buffers that are used again.

use bytes::Bytes;
use parquet::basic::Encoding;
use tidegate_core::ports::Codec;
use tidegate_core::{Error, Result};

use super::compress::{Compressors, in_pieces, is_streamed};
use super::delta;
use super::levels::{write_levels, write_zigzag};

/// A page is cut before it holds more: larger ones fall out of the processor's second cache
/// (measured: a third slower), smaller ones compress worse. One value that is larger has a page
/// of its own.
pub(super) const PAGE_BYTES_MAX: usize = 1 << 20;
/// A page is cut after so many rows, as parquet-java and the parquet crate do: it is what a
/// reader decodes at least.
pub(super) const PAGE_ROWS_MAX: usize = 20_000;
/// A page of repeated values is cut after so many levels: they are held one byte each.
const PAGE_LEVELS_MAX: usize = 1 << 18;
/// Room that is kept before the values, so that levels can be put there without moving them: the
/// levels of a page without nulls take 8 bytes.
const LEVELS_ROOM: usize = 64;
/// A page of more bytes is compressed piece by piece, so that its compressed form is held once.
const LARGE_PAGE_BYTES: usize = 4 << 20;
/// Room for a page's header.
const HEADER_ROOM: usize = 48;
/// Beyond this a buffer is given back once the large page is done.
const BUFFER_KEPT_MAX: usize = 4 << 20;

/// How the values of a column are encoded. Never a dictionary: chunks without one can be
/// spliced page by page, and repeated values cost next to nothing after compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Byte strings, PLAIN.
    Bytes,
    /// 32-bit integers, DELTA_BINARY_PACKED.
    Int32,
    /// 64-bit integers, DELTA_BINARY_PACKED.
    Int64,
}

impl Layout {
    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::Bytes => Encoding::PLAIN,
            Self::Int32 | Self::Int64 => Encoding::DELTA_BINARY_PACKED,
        }
    }
}

/// A page that is ready to stand in a file.
#[derive(Debug)]
pub(super) struct Page {
    /// Header and compressed data.
    pub(super) pieces: Vec<Bytes>,
    /// Size of header and data before compression.
    pub(super) uncompressed_bytes: usize,
    /// Rows that begin in it.
    pub(super) rows: usize,
    /// Values, nulls included.
    pub(super) levels: usize,
}

/// A data page in the making.
#[derive(Debug)]
pub(super) struct PageBuffer {
    layout: Layout,
    def_max: u8,
    rep_max: u8,
    /// Room for levels, then PLAIN byte strings, each behind its length in 4 bytes.
    plain: Vec<u8>,
    integers: Vec<i64>,
    /// One per value, nulls included; empty where the maximum is 0.
    defs: Vec<u8>,
    reps: Vec<u8>,
    levels: usize,
    rows: usize,
}

impl PageBuffer {
    pub(super) fn new(layout: Layout, def_max: u8, rep_max: u8) -> Self {
        Self {
            layout,
            def_max,
            rep_max,
            plain: Vec::new(),
            integers: Vec::new(),
            defs: Vec::new(),
            reps: Vec::new(),
            levels: 0,
            rows: 0,
        }
    }

    /// Whether a row with `bytes` more bytes belongs into the next page.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        self.rows > 0
            && (self.plain.len() + bytes > PAGE_BYTES_MAX
                || self.rows >= PAGE_ROWS_MAX
                || self.levels >= PAGE_LEVELS_MAX)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Appends the levels of one value, or of what stands for none.
    pub(super) fn push_levels(&mut self, rep: u8, def: u8) {
        if self.def_max > 0 {
            self.defs.push(def);
        }
        if self.rep_max > 0 {
            self.reps.push(rep);
        }
        self.levels += 1;
        self.rows += usize::from(rep == 0);
    }

    /// Appends a byte string, whose levels are appended already.
    pub(super) fn push_bytes(&mut self, value: &[u8]) -> Result<()> {
        let bytes = u32::try_from(value.len()).map_err(|_| too_large(value.len()))?;
        if self.plain.is_empty() {
            self.plain.resize(LEVELS_ROOM, 0);
        }
        self.plain.extend_from_slice(&bytes.to_le_bytes());
        self.plain.extend_from_slice(value);
        Ok(())
    }

    /// Appends an integer, whose levels are appended already.
    pub(super) fn push_integer(&mut self, value: i64) {
        self.integers.push(value);
    }

    /// Ends the page and begins the next one.
    pub(super) fn cut(&mut self, codec: Codec, compressors: &Compressors) -> Result<Page> {
        let (buffer, start) = self.values_behind_levels();
        let data = &buffer[start..];
        let (levels, rows) = (self.levels, self.rows);
        let encoding = self.layout.encoding();
        let page = if data.len() > LARGE_PAGE_BYTES && is_streamed(codec) {
            large_page(codec, encoding, &[data], (rows, levels))?
        } else {
            compressors.compress(codec, data, |compressed| {
                let mut bytes = Vec::with_capacity(compressed.len() + HEADER_ROOM);
                write_header(data.len(), &[compressed], levels, encoding, &mut bytes)?;
                let uncompressed_bytes = bytes.len() + data.len();
                bytes.extend_from_slice(compressed);
                Ok(Page { pieces: vec![bytes.into()], uncompressed_bytes, rows, levels })
            })?
        };
        self.reuse(buffer);
        Ok(page)
    }

    /// Whether a row's only value, of so many bytes, can be made a page of its own without being
    /// copied here.
    pub(super) fn is_passed_by(&self, bytes: usize, codec: Codec) -> bool {
        bytes > PAGE_BYTES_MAX && self.is_empty() && self.rep_max == 0 && is_streamed(codec)
    }

    /// The page of such a value.
    pub(super) fn page_of(&self, def: u8, value: &[u8], codec: Codec) -> Result<Page> {
        let bytes = u32::try_from(value.len()).map_err(|_| too_large(value.len()))?;
        let mut head = Vec::new();
        if self.def_max > 0 {
            write_levels(&[def], self.def_max, &mut head);
        }
        head.extend_from_slice(&bytes.to_le_bytes());
        large_page(codec, self.layout.encoding(), &[&head, value], (1, 1))
    }

    /// A buffer and where in it the page's data begin: levels, then values. The large one is
    /// moved out, not copied.
    fn values_behind_levels(&mut self) -> (Vec<u8>, usize) {
        let mut data = Vec::new();
        if self.rep_max > 0 {
            write_levels(&self.reps, self.rep_max, &mut data);
        }
        if self.def_max > 0 {
            write_levels(&self.defs, self.def_max, &mut data);
        }
        match self.layout {
            Layout::Bytes => {
                let mut plain = std::mem::take(&mut self.plain);
                if plain.is_empty() {
                    plain.resize(LEVELS_ROOM, 0);
                }
                return match LEVELS_ROOM.checked_sub(data.len()) {
                    Some(start) => {
                        plain[start..LEVELS_ROOM].copy_from_slice(&data);
                        (plain, start)
                    }
                    None => {
                        plain.splice(0..LEVELS_ROOM, data);
                        (plain, 0)
                    }
                };
            }
            Layout::Int32 => delta::write_i32(&self.integers, &mut data),
            Layout::Int64 => delta::write_i64(&self.integers, &mut data),
        }
        (data, 0)
    }

    /// Empties the page, and keeps its buffers.
    fn reuse(&mut self, mut values: Vec<u8>) {
        if self.layout == Layout::Bytes && values.capacity() <= BUFFER_KEPT_MAX {
            values.clear();
            self.plain = values;
        }
        self.integers.clear();
        self.defs.clear();
        self.reps.clear();
        self.levels = 0;
        self.rows = 0;
    }

    /// Gives the buffers back: a file whose row group is closed may wait for long.
    pub(super) fn shrink(&mut self) {
        *self = Self::new(self.layout, self.def_max, self.rep_max);
    }

    /// Bytes of the page so far, before compression.
    pub(super) fn page_bytes(&self) -> usize {
        self.plain.len() + self.integers.len()
    }

    /// Heap bytes held, used or not.
    pub(super) fn held_bytes(&self) -> usize {
        self.plain.capacity()
            + self.integers.capacity() * 8
            + self.defs.capacity()
            + self.reps.capacity()
    }
}

/// A page whose data are in parts, compressed piece by piece: its rows and levels are given.
fn large_page(
    codec: Codec,
    encoding: Encoding,
    data: &[&[u8]],
    (rows, levels): (usize, usize),
) -> Result<Page> {
    let bytes: usize = data.iter().map(|part| part.len()).sum();
    let compressed = in_pieces(codec, data)?;
    let mut header = Vec::with_capacity(HEADER_ROOM);
    let slices: Vec<_> = compressed.iter().map(AsRef::as_ref).collect();
    write_header(bytes, &slices, levels, encoding, &mut header)?;
    let uncompressed_bytes = header.len() + bytes;
    let pieces = std::iter::once(header.into()).chain(compressed).collect();
    Ok(Page { pieces, uncompressed_bytes, rows, levels })
}

/// Appends the thrift (compact protocol) of a `PageHeader` with a `DataPageHeader`. The parquet
/// crate can write one only together with a copy of the page.
///
/// `verify` holds the headers of all files against this one: whoever changes it must go on to
/// accept the former.
pub(crate) fn write_header(
    uncompressed_bytes: usize,
    data: &[&[u8]],
    levels: usize,
    encoding: Encoding,
    out: &mut Vec<u8>,
) -> Result<()> {
    /// A field of type i32 whose number follows the one before it.
    const NEXT_I32: u8 = 0x15;
    /// The same for a struct.
    const NEXT_STRUCT: u8 = 0x1C;
    const STOP: u8 = 0;
    const DATA_PAGE: i64 = 0;

    let size = |bytes: usize| i32::try_from(bytes).map_err(|_| too_large(bytes));
    let mut crc = flate2::Crc::new();
    data.iter().for_each(|part| crc.update(part));
    let compressed_bytes = data.iter().map(|part| part.len()).sum();
    let mut fields = |values: &[i64]| {
        for value in values {
            out.push(NEXT_I32);
            write_zigzag(*value, out);
        }
    };
    // Fields 1 to 4: type, sizes, checksum of the data as it stands in the file.
    fields(&[
        DATA_PAGE,
        i64::from(size(uncompressed_bytes)?),
        i64::from(size(compressed_bytes)?),
        i64::from(crc.sum() as i32),
    ]);
    out.push(NEXT_STRUCT);
    // Fields 1 to 4: values, their encoding, those of the levels.
    let rle = Encoding::RLE as i64;
    for value in [i64::from(size(levels)?), encoding as i64, rle, rle] {
        out.push(NEXT_I32);
        write_zigzag(value, out);
    }
    out.extend_from_slice(&[STOP, STOP]);
    Ok(())
}

fn too_large(bytes: usize) -> Error {
    Error::bad_record(format!(
        "a record needs a Parquet page of {bytes} bytes; the format ends at 2147483647"
    ))
}
