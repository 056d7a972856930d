//! Zstandard, with a context that is reused.

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall;
use zstd::zstd_safe::{DCtx, get_error_name, get_frame_content_size, is_error_kind};

use super::Defect;
use super::codec::corrupt;
use super::scratch::Scratch;

/// Java's frames do not say how large they become: this is the first guess, times the input.
const GUESS: usize = 8;

/// The context: made when it is first needed.
#[derive(Default)]
pub(super) struct Zstd(Option<DCtx<'static>>);

impl std::fmt::Debug for Zstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Zstd")
    }
}

impl Zstd {
    /// Decompresses the frames of `input` to the end of `out`.
    ///
    /// In one shot, which is the fastest way, into all the room that former batches made; where
    /// that is not enough, again with twice as much, up to the buffer's bound.
    pub(super) fn decompress(&mut self, input: &[u8], out: &mut Scratch) -> Result<(), Defect> {
        let context = self.0.get_or_insert_with(DCtx::create);
        let mut want = wanted(input, out)?;
        loop {
            let room = out.all_room(want)?;
            let tried = room.len();
            match context.decompress(room, input) {
                Ok(filled) => {
                    out.advance(filled);
                    return Ok(());
                }
                Err(code) => {
                    if !is_error_kind(code, ZSTD_error_dstSize_tooSmall) {
                        return Err(corrupt("zstd", get_error_name(code)));
                    }
                    if tried >= out.max() {
                        return Err(out.too_large());
                    }
                    want = tried.saturating_mul(2);
                }
            }
        }
    }
}

/// How much room to begin with: what the frame says, if it says it and that is possible.
fn wanted(input: &[u8], out: &Scratch) -> Result<usize, Defect> {
    let guess = input.len().saturating_mul(GUESS).max(64 << 10);
    let says = get_frame_content_size(input).ok().flatten();
    match says.map(usize::try_from) {
        Some(Ok(says)) if says <= out.max() => Ok(says.clamp(1, guess)),
        Some(_) => Err(out.too_large()),
        None => Ok(guess),
    }
}
