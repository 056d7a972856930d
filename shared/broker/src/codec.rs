//! The codecs, framed as Kafka's Java clients frame them.

use std::io::{self, Read, Write};

use crate::batch::attribute;

/// The largest decompressed batch that is looked into; a larger one is passed on unseen.
const DECOMPRESSED_MAX: u64 = 256 << 20;
/// What Java's snappy (xerial) puts before its blocks: magic, version 1, compatible with 1.
const XERIAL_HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// Bytes of a xerial block before compression.
const XERIAL_BLOCK: usize = 32 << 10;

/// How a batch's records are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// gzip, one member.
    Gzip,
    /// snappy in xerial's framing: blocks of 32 KiB.
    Snappy,
    /// An LZ4 frame of independent 64 KiB blocks, without checksums.
    Lz4,
    /// A zstd frame without content size.
    Zstd,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The number in bits 0–2 of a batch's attributes.
    pub(crate) fn bits(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec that a batch's attributes name.
    pub(crate) fn of_attributes(attributes: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.bits() == attributes & attribute::CODEC)
    }

    /// `plain` as a Java producer would compress it.
    pub(crate) fn compress(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(plain.to_vec()),
            Self::Gzip => {
                let level = flate2::Compression::default();
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
                gzip.write_all(plain)?;
                gzip.finish()
            }
            Self::Snappy => xerial(plain),
            Self::Lz4 => {
                let frame = lz4_flex::frame::FrameInfo::new()
                    .block_size(lz4_flex::frame::BlockSize::Max64KB)
                    .block_mode(lz4_flex::frame::BlockMode::Independent);
                let mut lz4 = lz4_flex::frame::FrameEncoder::with_frame_info(frame, Vec::new());
                lz4.write_all(plain)?;
                lz4.finish().map_err(io::Error::other)
            }
            Self::Zstd => {
                let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 3)?;
                zstd.include_contentsize(false)?;
                zstd.write_all(plain)?;
                zstd.finish()
            }
        }
    }

    /// The inverse, for batches whose records the broker has to look at.
    pub(crate) fn decompress(self, packed: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(packed.to_vec()),
            Self::Gzip => read_capped(flate2::read::GzDecoder::new(packed)),
            Self::Snappy => unsnappy(packed),
            Self::Lz4 => read_capped(lz4_flex::frame::FrameDecoder::new(packed)),
            Self::Zstd => read_capped(zstd::stream::read::Decoder::new(packed)?),
        }
    }
}

fn read_capped(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let read = reader.take(DECOMPRESSED_MAX + 1).read_to_end(&mut plain)?;
    if read as u64 > DECOMPRESSED_MAX {
        return Err(io::Error::other("the batch is too large when decompressed"));
    }
    Ok(plain)
}

fn xerial(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = XERIAL_HEADER.to_vec();
    let mut encoder = snap::raw::Encoder::new();
    for chunk in plain.chunks(XERIAL_BLOCK) {
        let block = encoder.compress_vec(chunk)?;
        let length = u32::try_from(block.len()).map_err(io::Error::other)?;
        packed.extend_from_slice(&length.to_be_bytes());
        packed.extend_from_slice(&block);
    }
    Ok(packed)
}

/// Xerial's framing, or one raw block as other clients write it.
fn unsnappy(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let Some(mut rest) = packed.strip_prefix(&XERIAL_HEADER[..]) else {
        unsnappy_block(packed, &mut plain)?;
        return Ok(plain);
    };
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(io::Error::other)?;
        let (block, after) = after.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        unsnappy_block(block, &mut plain)?;
        rest = after;
    }
    if rest.is_empty() { Ok(plain) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn unsnappy_block(block: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
    let more = snap::raw::decompress_len(block)?;
    if (plain.len() + more) as u64 > DECOMPRESSED_MAX {
        return Err(io::Error::other("the batch is too large when decompressed"));
    }
    plain.extend_from_slice(&snap::raw::Decoder::new().decompress_vec(block)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 kB: several blocks of each framing.
    fn sample() -> Vec<u8> {
        (0..20_000).flat_map(|n: u32| format!("ride {n:05}").into_bytes()).collect()
    }

    #[test]
    fn every_codec_gives_back_what_it_took() {
        for codec in Codec::ALL {
            for plain in [Vec::new(), vec![7], sample()] {
                let packed = codec.compress(&plain).expect("memory is enough");
                assert_eq!(codec.decompress(&packed).expect("our own"), plain, "{codec:?}");
            }
        }
    }

    #[test]
    fn frames_begin_as_javas_do() {
        let head = |codec: Codec, bytes: usize| {
            codec.compress(&sample()).expect("memory is enough")[..bytes].to_vec()
        };
        assert_eq!(head(Codec::Gzip, 3), [0x1f, 0x8b, 8]);
        assert_eq!(head(Codec::Snappy, 16), XERIAL_HEADER);
        // FLG 0x60 (version 1, independent blocks, no checksums), BD 0x40 (64 KiB).
        assert_eq!(head(Codec::Lz4, 7), [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
        let zstd = head(Codec::Zstd, 5);
        assert_eq!(zstd[..4], [0x28, 0xb5, 0x2f, 0xfd]);
        // Neither content size (bits 6–7), nor a single segment (bit 5, which implies one).
        assert_eq!(zstd[4] & 0b1110_0000, 0);
    }

    #[test]
    fn snappy_of_other_clients_is_read_and_garbage_is_refused() {
        let raw = snap::raw::Encoder::new().compress_vec(b"plain").expect("memory is enough");
        assert_eq!(Codec::Snappy.decompress(&raw).expect("one raw block"), b"plain");
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            assert!(codec.decompress(b"\xff\xff\xff\xff\xff\xff\xff").is_err(), "{codec:?}");
        }
    }
}
