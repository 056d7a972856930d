//! LZ4 frames. Independent blocks, which is what Java writes, are decoded one by one straight
//! into the buffer; linked ones by the frame decoder.

use std::io::Read;

use lz4_flex::block::decompress_into;
use lz4_flex::frame::FrameDecoder;

use super::Defect;
use super::codec::corrupt;
use super::scratch::Scratch;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// Of a block's size: the block is stored as it is.
const STORED: u32 = 1 << 31;
/// How much is read at a time from the frame decoder.
const STEP: usize = 256 << 10;

/// What a frame's header says of its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    independent: bool,
    block_checksum: bool,
    content_checksum: bool,
    block_max: usize,
}

/// Decompresses the one frame that `input` is to the end of `out`.
pub(super) fn decompress(input: &[u8], out: &mut Scratch) -> Result<(), Defect> {
    let (frame, blocks) = header(input)?;
    if frame.independent { independent(frame, blocks, out) } else { linked(input, out) }
}

fn header(input: &[u8]) -> Result<(Frame, &[u8]), Defect> {
    let cut = || corrupt("lz4", "its frame header is cut off");
    let rest = input.strip_prefix(&MAGIC).ok_or_else(|| corrupt("lz4", "it is no lz4 frame"))?;
    let [flags, sizes, rest @ ..] = rest else { return Err(cut()) };
    if flags >> 6 != 1 {
        return Err(corrupt("lz4", format!("its frame version is {}", flags >> 6)));
    }
    if flags & 0x01 != 0 {
        return Err(corrupt("lz4", "it needs a dictionary"));
    }
    let block_max = match (sizes >> 4) & 0x07 {
        4 => 64 << 10,
        5 => 256 << 10,
        6 => 1 << 20,
        7 => 4 << 20,
        other => return Err(corrupt("lz4", format!("its block size has the number {other}"))),
    };
    let content_size = if flags & 0x08 != 0 { 8 } else { 0 };
    // Behind the content size stands the header's checksum. It is covered by the batch's CRC.
    let blocks = rest.get(content_size + 1..).ok_or_else(cut)?;
    let frame = Frame {
        independent: flags & 0x20 != 0,
        block_checksum: flags & 0x10 != 0,
        content_checksum: flags & 0x04 != 0,
        block_max,
    };
    Ok((frame, blocks))
}

fn independent(frame: Frame, mut rest: &[u8], out: &mut Scratch) -> Result<(), Defect> {
    loop {
        let word = take(&mut rest, 4)?.try_into().expect("four bytes were taken");
        let word = u32::from_le_bytes(word);
        if word == 0 {
            break;
        }
        let size = usize::try_from(word & !STORED).unwrap_or(usize::MAX);
        let block = take(&mut rest, size)?;
        if frame.block_checksum {
            take(&mut rest, 4)?;
        }
        if word & STORED != 0 {
            store(block, frame.block_max, out)?;
            continue;
        }
        let room = out.room(frame.block_max)?;
        let whole = room.len() == frame.block_max;
        match decompress_into(block, room) {
            Ok(filled) => out.advance(filled),
            Err(_) if !whole => return Err(out.too_large()),
            Err(error) => return Err(corrupt("lz4", error)),
        }
    }
    if frame.content_checksum {
        take(&mut rest, 4)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(corrupt("lz4", "bytes follow the frame")) }
}

fn store(block: &[u8], block_max: usize, out: &mut Scratch) -> Result<(), Defect> {
    if block.len() > block_max {
        return Err(corrupt("lz4", "a stored block is larger than the frame allows"));
    }
    if block.is_empty() {
        return Ok(());
    }
    match out.room(block.len())?.get_mut(..block.len()) {
        Some(room) => room.copy_from_slice(block),
        None => return Err(out.too_large()),
    }
    out.advance(block.len());
    Ok(())
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Defect> {
    let cut = || corrupt("lz4", "a block is cut off");
    let (taken, behind) = rest.split_at_checked(len).ok_or_else(cut)?;
    *rest = behind;
    Ok(taken)
}

fn linked(input: &[u8], out: &mut Scratch) -> Result<(), Defect> {
    let mut decoder = FrameDecoder::new(input);
    loop {
        let mut end = [0];
        let room = match out.room(STEP) {
            Ok(room) => room,
            // It is full: only the end may follow.
            Err(full) => match decoder.read(&mut end) {
                Ok(0) => break,
                Ok(_) => return Err(full),
                Err(error) => return Err(corrupt("lz4", error)),
            },
        };
        match decoder.read(room).map_err(|error| corrupt("lz4", error))? {
            0 => break,
            filled => out.advance(filled),
        }
    }
    if decoder.get_ref().is_empty() {
        return Ok(());
    }
    Err(corrupt("lz4", "bytes follow the frame"))
}
