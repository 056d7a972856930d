use std::ops::Range;

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use tidegate_core::columns::Row;
use tidegate_core::ports::{
    Codec, EncodeSettings, Encoder, FileEncoder, FileFooter, FileReadBack, FooterRead, Joiner,
    ReadBack, RowGroupBounds,
};
use tidegate_core::{Columns, Result};

use super::ParquetReadBack;
use crate::{ParquetJoiner, RawEncoder};

/// A row as it is read back: topic, partition, offset, timestamp.
type Id = (String, i32, i64, Option<i64>);

fn file(codec: Codec, row_group_bytes: usize, offsets: Range<i64>) -> Bytes {
    let settings = EncodeSettings { codec, row_group_bytes };
    let mut file = RawEncoder::default().open(settings).expect("a file");
    let mut rows = Columns::default();
    for offset in offsets {
        let value = format!("value {offset}");
        let value = Some(value.as_bytes());
        let timestamp = if offset % 7 == 0 { -1 } else { 1_000 + offset };
        rows.push(Row { offset, timestamp, append_time: false, key: Some(b"key"), value });
    }
    let mut bytes = Vec::new();
    for (topic, partition) in [("a", 0), ("a", 1), ("b", 0)] {
        let all = std::iter::once(0..rows.len()).collect::<Vec<_>>();
        file.append(topic, partition, &rows, &all).expect("appended");
        bytes.extend(file.take_ready());
    }
    let metadata = [("tidegate.layout".to_owned(), "a hash".to_owned())];
    bytes.extend(file.finish(&metadata).expect("finished"));
    bytes.concat().into()
}

fn footer(file: &Bytes) -> Result<FileFooter> {
    match ParquetJoiner.footer(file, file.len() as u64)? {
        FooterRead::Footer(footer) => Ok(footer),
        FooterRead::NeedsTail(more) => panic!("all of it was given, and {more} are wanted"),
    }
}

/// All that a look at a file tells: rows, metadata, bounds, and each row.
type Seen = (u64, Vec<(String, String)>, Vec<RowGroupBounds>, Vec<Id>);

fn read(file: &Bytes) -> Result<Seen> {
    let footer = footer(file)?;
    let mut open = ParquetReadBack.open(&footer)?;
    let mut ids = Vec::new();
    while let Some(Range { start, end }) = open.wanted() {
        let piece = file.slice(start as usize..end as usize);
        open.accept(&piece, &mut |run| {
            for (offset, timestamp) in run.offsets.iter().zip(run.timestamps) {
                ids.push((run.topic.to_owned(), run.partition, *offset, *timestamp));
            }
        })?;
    }
    Ok((footer.rows, footer.metadata, open.bounds().to_vec(), ids))
}

#[test]
fn rows_tell_where_they_come_from_and_footers_between_what_values_they_are() {
    for codec in [Codec::None, Codec::Zstd(1), Codec::Snappy] {
        let (rows, _, bounds, ids) = read(&file(codec, 2_000, 0..9_000)).expect("our own file");
        assert_eq!((rows, ids.len()), (27_000, 27_000));
        assert_eq!(ids[0], ("a".to_owned(), 0, 0, None));
        assert_eq!(ids[9_001], ("a".to_owned(), 1, 1, Some(1_001)));
        assert_eq!(ids[26_999], ("b".to_owned(), 0, 8_999, Some(9_999)));
        assert!(bounds.len() > 3, "several row groups");
        assert_eq!(bounds.iter().map(|group| group.rows).sum::<u64>(), 27_000);
        let nulls: u64 = bounds.iter().map(|group| group.timestamps_null).sum();
        assert_eq!(nulls, 3 * 1_286);
        let last = bounds.last().expect("a row group");
        assert_eq!((&*last.topic.1, last.partition.1, last.offset.1), ("b", 0, 8_999));
    }
}

/// Memory: no piece is much larger than it must be, and together they are all of the file.
#[test]
fn a_file_is_read_once_in_pieces_of_some_megabytes() {
    let settings = EncodeSettings { codec: Codec::None, row_group_bytes: 64 << 20 };
    let mut file = RawEncoder::default().open(settings).expect("a file");
    let value = vec![7_u8; 100_000];
    let mut rows = Columns::default();
    for offset in 0..400 {
        rows.push(Row { offset, timestamp: 1, append_time: false, key: None, value: Some(&value) });
    }
    let all = std::iter::once(0..rows.len()).collect::<Vec<_>>();
    file.append("t", 0, &rows, &all).expect("appended");
    let mut bytes = file.take_ready();
    bytes.extend(file.finish(&[]).expect("finished"));
    let file: Bytes = bytes.concat().into();
    let footer = footer(&file).expect("our own");
    let mut open = ParquetReadBack.open(&footer).expect("our own");
    let mut at = 0;
    let mut pieces = 0;
    while let Some(range) = open.wanted() {
        assert_eq!(range.start, at, "in the file's order");
        assert!(range.end - range.start <= 9 << 20, "{range:?}");
        at = range.end;
        pieces += 1;
        let piece = file.slice(range.start as usize..range.end as usize);
        open.accept(&piece, &mut |_| ()).expect("our own");
    }
    assert!(pieces >= 5 && at > 40_000_000, "{pieces} pieces up to {at}");
}

/// What a reader of the whole file sees: schema and all rows.
fn content(file: &Bytes) -> Option<String> {
    let reader = SerializedFileReader::new(file.clone()).ok()?;
    let mut text = format!("{:?}", reader.metadata().file_metadata().schema());
    for row in reader.get_row_iter(None).ok()? {
        text.push_str(&row.ok()?.to_string());
    }
    Some(text)
}

/// Each byte of a file is altered. In pages and their indexes that is noticed. The footer has no
/// checksum: there it is noticed, or no row that anybody reads becomes another one.
#[test]
fn a_byte_that_was_altered_is_noticed_or_changes_nothing_that_is_read() {
    let file = file(Codec::Zstd(1), 2_000, 0..40);
    let (whole, seen) = (read(&file).expect("our own"), content(&file).expect("our own"));
    let footer_bytes =
        u32::from_le_bytes(*file[..file.len() - 4].last_chunk().expect("it ends so"));
    let footer_start = file.len() - 8 - footer_bytes as usize;
    for at in 0..file.len() {
        for flip in [0x01, 0x10, 0x80, 0xFF] {
            let mut altered = file.to_vec();
            altered[at] ^= flip;
            let altered = Bytes::from(altered);
            if read(&altered).is_ok_and(|read| read == whole) {
                assert!(at >= footer_start, "byte {at} of {footer_start}, flipped by {flip:#x}");
                let other = std::panic::catch_unwind(|| content(&altered));
                let same = other.as_ref().is_ok_and(|other| other.as_ref() == Some(&seen));
                assert!(same, "byte {at} of {}, flipped by {flip:#x}", file.len());
            }
        }
    }
}

#[test]
fn what_is_no_raw_file_is_refused() {
    assert!(footer(&Bytes::from_static(b"PAR1")).is_err());
    let whole = file(Codec::None, 2_000, 0..10);
    for cut in [1, 8, whole.len() / 2] {
        assert!(read(&whole.slice(..whole.len() - cut)).is_err());
    }
}
