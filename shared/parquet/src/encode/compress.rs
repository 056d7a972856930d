//! Compression of pages, with contexts that are reused by all files of an encoder.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use tidegate_core::ports::Codec;
use tidegate_core::{Error, Result};

/// Beyond this a scratch buffer is given back once the large page is done.
const SCRATCH_KEPT_MAX: usize = 4 << 20;

/// The compressed form of a large page is held in pieces of this size: as one it would be copied
/// while it grows, and need room for the worst case.
const PIECE_BYTES: usize = 1 << 20;

/// Whether a codec's form of a page can be made piece by piece. The blocks of the others begin
/// with their size, or are made in one step.
pub(super) fn is_streamed(codec: Codec) -> bool {
    match codec {
        Codec::None | Codec::Zstd(_) | Codec::Gzip => true,
        Codec::Snappy | Codec::Lz4 => false,
    }
}

/// The compressed form of a page that is in several parts, in pieces. `codec` is one that
/// [`is_streamed`].
pub(super) fn in_pieces(codec: Codec, parts: &[&[u8]]) -> Result<Vec<Bytes>> {
    let mut pieces = Pieces::default();
    let done = match codec {
        Codec::Zstd(level) => zstd_pieces(level, parts, &mut pieces).map_err(|e| ("zstd", e)),
        Codec::Gzip => gzip_pieces(parts, &mut pieces).map_err(|e| ("gzip", e)),
        Codec::None | Codec::Snappy | Codec::Lz4 => {
            parts.iter().try_for_each(|part| pieces.write_all(part)).map_err(|e| ("none", e))
        }
    };
    done.map_err(|(codec, error)| failed(codec, error))?;
    Ok(pieces.finish())
}

fn zstd_pieces(level: i32, parts: &[&[u8]], pieces: &mut Pieces) -> std::io::Result<()> {
    let mut zstd = zstd::stream::write::Encoder::new(pieces, level)?;
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    zstd.set_pledged_src_size(Some(bytes as u64))?;
    if level == 1 {
        zstd.set_parameter(zstd::zstd_safe::CParameter::HashLog(HASH_LOG))?;
    }
    parts.iter().try_for_each(|part| zstd.write_all(part))?;
    zstd.finish().map(|_| ())
}

fn gzip_pieces(parts: &[&[u8]], pieces: &mut Pieces) -> std::io::Result<()> {
    let mut gzip = flate2::write::GzEncoder::new(pieces, flate2::Compression::default());
    parts.iter().try_for_each(|part| gzip.write_all(part))?;
    gzip.finish().map(|_| ())
}

/// What is written to it, in pieces.
#[derive(Debug, Default)]
struct Pieces {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Pieces {
    fn finish(mut self) -> Vec<Bytes> {
        self.open.shrink_to_fit();
        self.full.push(self.open.into());
        self.full
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.open.len() == PIECE_BYTES {
            self.full.push(std::mem::take(&mut self.open).into());
        }
        if self.open.capacity() == 0 {
            self.open.reserve_exact(PIECE_BYTES);
        }
        let written = bytes.len().min(PIECE_BYTES - self.open.len());
        self.open.extend_from_slice(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How the parquet crate names a codec.
pub(super) fn parquet_codec(codec: Codec) -> Result<Compression> {
    Ok(match codec {
        Codec::None => Compression::UNCOMPRESSED,
        Codec::Snappy => Compression::SNAPPY,
        Codec::Lz4 => Compression::LZ4_RAW,
        Codec::Zstd(level) => Compression::ZSTD(ZstdLevel::try_new(level).map_err(|error| {
            Error::config(format!("zstd has no level {level}: 1 to 22")).with_source(error)
        })?),
        Codec::Gzip => Compression::GZIP(GzipLevel::default()),
    })
}

/// The logarithm of zstd's hash table at level 1, so that it fits the processor's first cache.
/// Measured on JSON records: a tenth faster than the default 14, and no larger.
const HASH_LOG: u32 = 12;

/// Compressors that wait for work. A zstd context takes half a megabyte: one per thread that
/// compresses at a time, not one per column of every open file.
#[derive(Debug, Default)]
pub(super) struct Compressors {
    idle: Mutex<Vec<Compressor>>,
}

impl Compressors {
    /// Gives `work` the compressed form of `page`.
    pub(super) fn compress<T>(
        &self,
        codec: Codec,
        page: &[u8],
        work: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        if codec == Codec::None {
            return work(page);
        }
        let mut compressor = match self.take(codec) {
            Some(compressor) => compressor,
            None => Compressor::new(codec)?,
        };
        let done = work(compressor.run(page)?);
        if compressor.scratch.capacity() > SCRATCH_KEPT_MAX {
            compressor.scratch = Vec::new();
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(compressor);
        done
    }

    fn take(&self, codec: Codec) -> Option<Compressor> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().position(|compressor| compressor.codec == codec)?;
        Some(idle.swap_remove(at))
    }
}

struct Compressor {
    codec: Codec,
    zstd: Option<zstd::bulk::Compressor<'static>>,
    scratch: Vec<u8>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("codec", &self.codec).finish_non_exhaustive()
    }
}

impl Compressor {
    fn new(codec: Codec) -> Result<Self> {
        let zstd = match codec {
            Codec::Zstd(level) => Some(zstd_compressor(level).map_err(|e| failed("zstd", e))?),
            Codec::None | Codec::Snappy | Codec::Lz4 | Codec::Gzip => None,
        };
        Ok(Self { codec, zstd, scratch: Vec::new() })
    }

    /// The compressed form of `page`.
    fn run(&mut self, page: &[u8]) -> Result<&[u8]> {
        let bytes = match (self.codec, &mut self.zstd) {
            (Codec::Zstd(_), Some(zstd)) => {
                let bound = zstd::zstd_safe::compress_bound(page.len());
                let out = room(&mut self.scratch, bound);
                zstd.compress_to_buffer(page, out).map_err(|e| failed("zstd", e))?
            }
            (Codec::Snappy, _) => {
                let out = room(&mut self.scratch, snap::raw::max_compress_len(page.len()));
                let mut snappy = snap::raw::Encoder::new();
                snappy.compress(page, out).map_err(|e| failed("snappy", e))?
            }
            (Codec::Lz4, _) => {
                let bound = lz4_flex::block::get_maximum_output_size(page.len());
                let out = room(&mut self.scratch, bound);
                lz4_flex::block::compress_into(page, out).map_err(|e| failed("lz4", e))?
            }
            (Codec::Gzip, _) => {
                self.scratch.clear();
                let level = flate2::Compression::default();
                let mut gzip = flate2::write::GzEncoder::new(&mut self.scratch, level);
                gzip.write_all(page).map_err(|e| failed("gzip", e))?;
                gzip.finish().map_err(|e| failed("gzip", e))?.len()
            }
            (Codec::None | Codec::Zstd(_), _) => {
                room(&mut self.scratch, page.len()).copy_from_slice(page);
                page.len()
            }
        };
        Ok(&self.scratch[..bytes])
    }
}

fn zstd_compressor(level: i32) -> std::io::Result<zstd::bulk::Compressor<'static>> {
    let mut zstd = zstd::bulk::Compressor::new(level)?;
    if level == 1 {
        zstd.set_parameter(zstd::zstd_safe::CParameter::HashLog(HASH_LOG))?;
    }
    Ok(zstd)
}

/// The first `bytes` bytes of a buffer that only grows, so that it is not zeroed for each page.
fn room(scratch: &mut Vec<u8>, bytes: usize) -> &mut [u8] {
    if scratch.len() < bytes {
        scratch.resize(bytes, 0);
    }
    &mut scratch[..bytes]
}

fn failed(codec: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::bad_record(format!("{codec} cannot compress a page; set files.compression to another"))
        .with_source(error)
}
