//! Builds record batches for tests: a second reading of the format, independent of the decoder.

use std::io::Write;

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

/// A record to be built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rec {
    pub(crate) delta: i32,
    pub(crate) timestamp_delta: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Rec {
    /// A record with a value.
    pub(crate) fn value(delta: i32, value: &[u8]) -> Self {
        Self { delta, value: Some(value.to_vec()), ..Self::default() }
    }

    /// As it stands in a batch.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut body = vec![0];
        put_varlong(&mut body, self.timestamp_delta);
        put_varint(&mut body, self.delta);
        put_bytes(&mut body, self.key.as_deref());
        put_bytes(&mut body, self.value.as_deref());
        put_varint(&mut body, length(self.headers.len()));
        for (key, value) in &self.headers {
            put_bytes(&mut body, Some(key));
            put_bytes(&mut body, value.as_deref());
        }
        put_varint(out, length(body.len()));
        out.extend(body);
    }
}

fn length(len: usize) -> i32 {
    i32::try_from(len).expect("tests are small")
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, length(bytes.len()));
            out.extend(bytes);
        }
    }
}

/// The codecs, and ways to frame them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    /// Java's blocks.
    Xerial,
    RawSnappy,
    /// Independent blocks of 64 KiB, as Java writes them.
    Lz4,
    /// Linked blocks, with all checksums and the content's size.
    Lz4Linked,
    /// Independent blocks of 4 MiB with block checksums.
    Lz4Checked,
    /// Without the content's size, as Java writes it.
    Zstd,
    /// With it.
    ZstdSized,
}

/// All of them.
pub(crate) const PACKINGS: [Packing; 9] = [
    Packing::None,
    Packing::Gzip,
    Packing::Xerial,
    Packing::RawSnappy,
    Packing::Lz4,
    Packing::Lz4Linked,
    Packing::Lz4Checked,
    Packing::Zstd,
    Packing::ZstdSized,
];

impl Packing {
    fn number(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Xerial | Self::RawSnappy => 2,
            Self::Lz4 | Self::Lz4Linked | Self::Lz4Checked => 3,
            Self::Zstd | Self::ZstdSized => 4,
        }
    }

    pub(crate) fn pack(self, bytes: &[u8]) -> Vec<u8> {
        use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};
        match self {
            Self::None => bytes.to_vec(),
            Self::Gzip => {
                let mut out =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                out.write_all(bytes).expect("a Vec takes all");
                out.finish().expect("a Vec takes all")
            }
            Self::RawSnappy => snap::raw::Encoder::new().compress_vec(bytes).expect("it fits"),
            Self::Xerial => {
                let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
                for chunk in bytes.chunks(32 << 10) {
                    let block = Self::RawSnappy.pack(chunk);
                    out.extend(u32::try_from(block.len()).expect("small").to_be_bytes());
                    out.extend(block);
                }
                out
            }
            Self::Lz4 => lz4(bytes, FrameInfo::new().block_size(BlockSize::Max64KB)),
            Self::Lz4Linked => lz4(
                bytes,
                FrameInfo::new()
                    .block_size(BlockSize::Max64KB)
                    .block_mode(BlockMode::Linked)
                    .block_checksums(true)
                    .content_checksum(true)
                    .content_size(Some(bytes.len().try_into().expect("small"))),
            ),
            Self::Lz4Checked => {
                lz4(bytes, FrameInfo::new().block_size(BlockSize::Max4MB).block_checksums(true))
            }
            Self::Zstd => zstd::encode_all(bytes, 1).expect("a Vec takes all"),
            Self::ZstdSized => zstd::bulk::compress(bytes, 1).expect("a Vec takes all"),
        }
    }
}

fn lz4(bytes: &[u8], info: lz4_flex::frame::FrameInfo) -> Vec<u8> {
    let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    out.write_all(bytes).expect("a Vec takes all");
    out.finish().expect("a Vec takes all")
}

/// A batch to be built; what is not set fits the records.
#[derive(Clone, Debug)]
pub(crate) struct BatchSpec {
    pub(crate) base: i64,
    pub(crate) packing: Packing,
    pub(crate) records: Vec<Rec>,
    pub(crate) last_delta: Option<i32>,
    pub(crate) count: Option<i32>,
    /// Beside the codec's number.
    pub(crate) attributes: i16,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) leader_epoch: i32,
    /// In place of the packed records.
    pub(crate) payload: Option<Vec<u8>>,
}

impl BatchSpec {
    /// A batch of these records.
    pub(crate) fn new(base: i64, records: Vec<Rec>) -> Self {
        Self {
            base,
            packing: Packing::None,
            records,
            last_delta: None,
            count: None,
            attributes: 0,
            base_timestamp: 1_000,
            max_timestamp: 2_000,
            producer_id: -1,
            leader_epoch: 3,
            payload: None,
        }
    }

    /// `count` records without holes, of one byte each.
    pub(crate) fn plain(base: i64, count: i32) -> Self {
        Self::new(base, (0..count).map(|delta| Rec::value(delta, b"v")).collect())
    }

    /// A batch of an open transaction.
    pub(crate) fn transactional(self, producer_id: i64) -> Self {
        Self { producer_id, attributes: 0x10, ..self }
    }

    /// A transaction marker.
    pub(crate) fn marker(base: i64, producer_id: i64, commit: bool) -> Self {
        let key = Some(vec![0, 0, 0, u8::from(commit)]);
        let record = Rec { key, value: Some(vec![0; 6]), ..Rec::default() };
        Self { producer_id, attributes: 0x30, ..Self::new(base, vec![record]) }
    }

    /// The batch as it stands in a log, with its checksum.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        self.records.iter().for_each(|record| record.encode(&mut plain));
        let payload = self.payload.clone().unwrap_or_else(|| self.packing.pack(&plain));
        let last = self.records.last().map_or(0, |record| record.delta);
        let mut covered = Vec::new();
        covered.extend((self.attributes | self.packing.number()).to_be_bytes());
        covered.extend(self.last_delta.unwrap_or(last).to_be_bytes());
        covered.extend(self.base_timestamp.to_be_bytes());
        covered.extend(self.max_timestamp.to_be_bytes());
        covered.extend(self.producer_id.to_be_bytes());
        covered.extend([0; 6]);
        covered.extend(self.count.unwrap_or(length(self.records.len())).to_be_bytes());
        covered.extend(payload);
        let mut out = Vec::new();
        out.extend(self.base.to_be_bytes());
        out.extend(length(covered.len() + 9).to_be_bytes());
        out.extend(self.leader_epoch.to_be_bytes());
        out.push(2);
        out.extend(crc32c::crc32c(&covered).to_be_bytes());
        out.extend(covered);
        out
    }
}
