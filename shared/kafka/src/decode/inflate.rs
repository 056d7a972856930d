//! The codecs as streams, for batches that are too large to be decompressed whole.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use zstd::stream::read::Decoder;

use super::Defect;
use super::codec::{corrupt, unknown};
use super::snappy::Blocks;

/// log2 of the largest window that a zstd frame may want: 32 MiB. Java's levels want 8 MiB at
/// most, but for the "ultra" ones.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

type Input = io::Cursor<Bytes>;

/// Compressed bytes, being decompressed.
pub(super) enum Inflate {
    Gzip(Box<MultiGzDecoder<Input>>),
    Snappy(Box<Blocks>),
    Lz4(Box<FrameDecoder<Input>>),
    Zstd(Box<Decoder<'static, Input>>),
}

impl std::fmt::Debug for Inflate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Inflate {
    /// Decompresses `bytes`, of Kafka's codec `codec`.
    pub(super) fn open(codec: i16, bytes: Bytes) -> Result<Self, Defect> {
        match codec {
            1 => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(Input::new(bytes))))),
            2 => Ok(Self::Snappy(Box::new(Blocks::new(bytes)?))),
            3 => Ok(Self::Lz4(Box::new(FrameDecoder::new(Input::new(bytes))))),
            4 => {
                let decoder = Decoder::with_buffer(Input::new(bytes)).and_then(|mut decoder| {
                    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                    Ok(decoder)
                });
                let decoder = decoder.map_err(|error| corrupt("zstd", error))?;
                Ok(Self::Zstd(Box::new(decoder)))
            }
            other => Err(unknown(other)),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip",
            Self::Snappy(_) => "snappy",
            Self::Lz4(_) => "lz4",
            Self::Zstd(_) => "zstd",
        }
    }

    /// Fills `out` with some bytes; none at the end.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Defect> {
        let name = self.name();
        let read = match self {
            Self::Gzip(decoder) => decoder.read(out),
            Self::Snappy(blocks) => return blocks.read(out),
            Self::Lz4(decoder) => {
                let read = decoder.read(out);
                let input = decoder.get_ref();
                let used_up = usize::try_from(input.position()) == Ok(input.get_ref().len());
                if matches!(read, Ok(0)) && !used_up {
                    return Err(corrupt(name, "bytes follow the frame"));
                }
                read
            }
            Self::Zstd(decoder) => decoder.read(out),
        };
        read.map_err(|error| corrupt(name, error))
    }
}
