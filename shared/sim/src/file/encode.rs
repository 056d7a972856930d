use std::ops::Range;

use bytes::Bytes;
use tidegate_core::columns::{Columns, timestamp_or_null};
use tidegate_core::error::Result;
use tidegate_core::ports::{EncodeSettings, Encoder, FileEncoder};

use super::{FINGERPRINT, FileRow, Footer, MAGIC, no_file};

/// The encoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimEncoder;

impl Encoder for SimEncoder {
    type File = SimFileEncoder;

    fn open(&self, settings: EncodeSettings) -> Result<SimFileEncoder> {
        Ok(SimFileEncoder {
            row_group_bytes: settings.row_group_bytes,
            ready: vec![Bytes::from_static(MAGIC)],
            taken: 0,
            open: Vec::new(),
            open_payload: 0,
            ready_end: u64::try_from(MAGIC.len()).unwrap_or(u64::MAX),
            footer: Footer::default(),
        })
    }

    fn fingerprint(&self) -> String {
        FINGERPRINT.to_owned()
    }
}

/// A file in the making.
#[derive(Debug)]
pub struct SimFileEncoder {
    row_group_bytes: usize,
    ready: Vec<Bytes>,
    taken: u64,
    open: Vec<u8>,
    open_payload: u64,
    /// Where the open region begins in the file.
    ready_end: u64,
    footer: Footer,
}

impl FileEncoder for SimFileEncoder {
    fn append(
        &mut self,
        topic: &str,
        partition: i32,
        rows: &Columns,
        ranges: &[Range<usize>],
    ) -> Result<()> {
        for index in ranges.iter().cloned().flatten() {
            write_row(&mut self.open, topic, partition, rows, index);
            self.footer.rows += 1;
            self.open_payload += rows.payload_bytes(index..index + 1);
            if usize::try_from(self.open_payload).unwrap_or(usize::MAX) >= self.row_group_bytes {
                self.close_row_group()?;
            }
        }
        Ok(())
    }

    fn close_row_group(&mut self) -> Result<()> {
        if !self.open.is_empty() {
            let region = std::mem::take(&mut self.open);
            let end = self.ready_end + u64::try_from(region.len()).unwrap_or(u64::MAX);
            self.footer.regions.push((self.ready_end, end));
            self.ready_end = end;
            self.ready.push(region.into());
            self.open_payload = 0;
        }
        Ok(())
    }

    fn take_ready(&mut self) -> Vec<Bytes> {
        self.taken = self.ready_end;
        std::mem::take(&mut self.ready)
    }

    fn held_bytes(&self) -> usize {
        self.ready.iter().map(Bytes::len).sum::<usize>() + self.open.len()
    }

    fn file_bytes(&self) -> u64 {
        self.ready_end + u64::try_from(self.open.len()).unwrap_or(u64::MAX)
    }

    fn rows(&self) -> u64 {
        self.footer.rows
    }

    fn finish(mut self, metadata: &[(String, String)]) -> Result<Vec<Bytes>> {
        self.close_row_group()?;
        self.footer.metadata = metadata.to_vec();
        let footer = self.footer.to_bytes()?;
        let mut rest = self.ready;
        rest.push(footer);
        Ok(rest)
    }
}

fn write_row(out: &mut Vec<u8>, topic: &str, partition: i32, rows: &Columns, index: usize) {
    write_bytes(out, Some(topic.as_bytes()));
    out.extend_from_slice(&partition.to_le_bytes());
    out.extend_from_slice(&rows.offsets()[index].to_le_bytes());
    let timestamp = timestamp_or_null(rows.timestamps()[index]).unwrap_or(i64::MIN);
    out.extend_from_slice(&timestamp.to_le_bytes());
    write_bytes(out, rows.keys().get(index));
    write_bytes(out, rows.values().get(index));
    let headers = rows.headers().range(index);
    out.extend_from_slice(&u32::try_from(headers.len()).unwrap_or(u32::MAX).to_le_bytes());
    for header in headers {
        write_bytes(out, rows.headers().keys().get(header));
        write_bytes(out, rows.headers().values().get(header));
    }
}

/// Null is the length `u32::MAX`.
fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let len = bytes.map_or(u32::MAX, |bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// Reads the rows of a region.
pub(super) fn read_rows(region: &[u8], rows: &mut Vec<FileRow>) -> Result<()> {
    let mut rest = region;
    while !rest.is_empty() {
        let topic = take_bytes(&mut rest)?.unwrap_or_default();
        let partition = i32::from_le_bytes(take(&mut rest)?);
        let offset = i64::from_le_bytes(take(&mut rest)?);
        take::<8>(&mut rest)?;
        let key = take_bytes(&mut rest)?.map(<[u8]>::to_vec);
        take_bytes(&mut rest)?;
        for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
            take_bytes(&mut rest)?;
            take_bytes(&mut rest)?;
        }
        let topic = String::from_utf8_lossy(topic).into_owned();
        rows.push(FileRow { topic, partition, offset, key });
    }
    Ok(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, left) = rest.split_first_chunk().ok_or_else(|| no_file("a row is cut off"))?;
    *rest = left;
    Ok(*taken)
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>> {
    let len = u32::from_le_bytes(take(rest)?);
    if len == u32::MAX {
        return Ok(None);
    }
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let (taken, left) = rest.split_at_checked(len).ok_or_else(|| no_file("a row is cut off"))?;
    *rest = left;
    Ok(Some(taken))
}
