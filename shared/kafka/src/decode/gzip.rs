//! Gzip.

use flate2::{Decompress, FlushDecompress, Status};

use super::Defect;
use super::codec::corrupt;
use super::scratch::Scratch;

/// The largest window that the format knows.
const WINDOW_BITS: u8 = 15;
/// Room is made in such steps.
const STEP: usize = 256 << 10;

/// Decompresses the members of `input` to the end of `out`. Java writes one.
pub(super) fn decompress(input: &[u8], out: &mut Scratch) -> Result<(), Defect> {
    let mut rest = input;
    loop {
        rest = member(rest, out)?;
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// Decompresses the first member, and answers what follows it.
fn member<'a>(input: &'a [u8], out: &mut Scratch) -> Result<&'a [u8], Defect> {
    // The library can reset an inflater, but not to this format.
    let mut inflater = Decompress::new_gzip(WINDOW_BITS);
    let mut rest = input;
    loop {
        let mut spare = [0];
        let (room, full) = match out.room(STEP) {
            Ok(room) => (room, None),
            // Only the end may follow, which needs no room.
            Err(too_large) => (&mut spare[..], Some(too_large)),
        };
        let (read, filled, status) = step(&mut inflater, rest, room)?;
        rest = rest.get(read..).unwrap_or_default();
        match full {
            Some(too_large) if filled > 0 => return Err(too_large),
            Some(_) => {}
            None => out.advance(filled),
        }
        match status {
            Status::StreamEnd => return Ok(rest),
            Status::Ok | Status::BufError if read == 0 && filled == 0 => {
                return Err(corrupt("gzip", "it is cut off"));
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// How many bytes were read, how many filled, and how it stands.
fn step(
    inflater: &mut Decompress,
    input: &[u8],
    room: &mut [u8],
) -> Result<(usize, usize, Status), Defect> {
    let (read, filled) = (inflater.total_in(), inflater.total_out());
    let status = inflater
        .decompress(input, room, FlushDecompress::None)
        .map_err(|error| corrupt("gzip", error))?;
    let moved = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
    Ok((moved(inflater.total_in(), read), moved(inflater.total_out(), filled), status))
}
