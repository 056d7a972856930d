use super::header::HEADER_LEN;
use super::*;
use crate::wire::Reader;

/// A record as [`decode`] finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Decoded {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn nullable(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let length = reader.varint().expect("a length");
    let length = usize::try_from(length).ok()?;
    Some(reader.take(length).expect("as many bytes").to_vec())
}

fn decode(batch: &[u8]) -> Vec<Decoded> {
    let header = BatchHeader::parse(batch).expect("a batch");
    let (payload, spans) = spans(&header, batch).expect("readable records");
    let decode = |span: &Span| {
        let mut reader = Reader::new(&payload[span.bytes.clone()]);
        reader.varint().expect("length");
        reader.i8().expect("attributes");
        reader.varint().expect("timestamp delta");
        reader.varint().expect("offset delta");
        let (key, value) = (nullable(&mut reader), nullable(&mut reader));
        let count = reader.varint().expect("a count");
        let headers = (0..count)
            .map(|_| (nullable(&mut reader).expect("never null"), nullable(&mut reader)))
            .collect();
        assert!(reader.rest().is_empty());
        Decoded { offset: span.offset, timestamp: span.timestamp, key, value, headers }
    };
    spans.iter().map(decode).collect()
}

/// Byte by byte as Kafka's message format has it.
#[test]
fn a_batch_is_laid_out_as_kafka_lays_it_out() {
    let batch = BatchSpec::new()
        .producer(7, 3)
        .record(Record { headers: &[(b"h", None)], ..Record::new(b"k", b"vv").at(1000) })
        .hole(1)
        .record(Record { key: None, value: None, timestamp: 998, headers: &[] })
        .encode()
        .expect("a batch");
    let records: &[u8] = &[
        // length 12: attributes, timestamp delta 0, offset delta 0, key, value, one header
        24, 0, 0, 0, 2, b'k', 4, b'v', b'v', 2, 2, b'h', 1,
        // length 6: attributes, timestamp delta −2, offset delta 2, null, null, no header
        12, 0, 3, 4, 1, 1, 0,
    ];
    let mut expected = Vec::new();
    expected.extend_from_slice(&0i64.to_be_bytes()); // base offset
    expected.extend_from_slice(&(49 + 20i32).to_be_bytes()); // length
    expected.extend_from_slice(&[0, 0, 0, 0, 2]); // leader epoch, magic
    let mut covered = vec![0, 0, 0, 0, 0, 2]; // attributes, last offset delta
    covered.extend_from_slice(&1000i64.to_be_bytes()); // base timestamp
    covered.extend_from_slice(&1000i64.to_be_bytes()); // max timestamp
    covered.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 7, 0, 3]); // producer id, epoch
    covered.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 2]); // base sequence, count
    covered.extend_from_slice(records);
    expected.extend_from_slice(&crc32c::crc32c(&covered).to_be_bytes());
    expected.extend_from_slice(&covered);
    assert_eq!(batch, expected);
}

#[test]
fn a_marker_is_laid_out_as_kafka_lays_it_out() {
    let batch = control_batch(Marker::Commit, 9, 5).expect("a batch");
    assert_eq!(batch.len(), 78);
    let header = BatchHeader::parse(&batch).expect("a header");
    assert_eq!((header.attributes, header.count, header.producer_id), (0x30, 1, 9));
    assert_eq!((header.base_sequence, header.last_offset_delta), (-1, 0));
    let record = [32, 0, 0, 0, 8, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(batch[HEADER_LEN..], record);
    for marker in [Marker::Commit, Marker::Abort] {
        let batch = control_batch(marker, 9, 5).expect("a batch");
        assert_eq!(marker_of(&header, &batch), Some(marker));
    }
    assert_eq!(marker_of(&BatchHeader { count: 0, ..header }, &batch), None);
}

#[test]
fn records_come_back_from_every_codec() {
    let headers: &[Header<'_>] = &[(b"h", Some(b"1")), (b"h", None), (b"", Some(b""))];
    let value = vec![b'x'; 100_000];
    let records = [
        Record { headers, ..Record::new(b"key", &value).at(50) },
        Record { key: None, value: None, timestamp: i64::MIN, headers: &[] },
        Record { key: Some(b""), value: Some(b""), timestamp: i64::MAX, headers: &[] },
        Record { timestamp: -1, ..Record::default() },
    ];
    for codec in Codec::ALL {
        let mut spec = BatchSpec::new().codec(codec);
        records.iter().for_each(|record| spec.push(*record));
        let batch = spec.encode().expect("a batch");
        let header = BatchHeader::parse(&batch).expect("a header");
        assert_eq!(header.attributes, codec.bits());
        assert_eq!(header.max_timestamp, i64::MAX);
        assert_eq!(header.crc, crc32c::crc32c(&batch[21..]));
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let expected: Vec<_> = (0..)
            .zip(&records)
            .map(|(offset, record)| Decoded {
                offset,
                timestamp: record.timestamp,
                key: owned(record.key),
                value: owned(record.value),
                headers: record.headers.iter().map(|(k, v)| (k.to_vec(), owned(*v))).collect(),
            })
            .collect();
        assert_eq!(decode(&batch), expected, "{codec:?}");
    }
}

#[test]
fn a_batch_without_offsets_is_refused_and_one_without_records_is_not() {
    assert!(BatchSpec::new().encode().is_err());
    let empty = BatchSpec::new().codec(Codec::Gzip).hole(3).encode().expect("a batch");
    assert_eq!(empty.len(), HEADER_LEN);
    let header = BatchHeader::parse(&empty).expect("a header");
    assert_eq!((header.next_offset(), header.attributes), (3, 0));
}

#[test]
fn what_the_broker_writes_leaves_a_broken_batch_broken() {
    let mut batch = BatchSpec::new().record(Record::new(b"k", b"v")).encode().expect("a batch");
    let last = batch.len() - 1;
    batch[last] ^= 1;
    let patch = Patch { base_offset: 40, leader_epoch: 2, ..Patch::default() };
    patch.apply(&mut batch).expect("a batch");
    let header = BatchHeader::parse(&batch).expect("a header");
    assert_eq!((header.base_offset, header.leader_epoch), (40, 2));
    assert_ne!(header.crc, crc32c::crc32c(&batch[21..]));

    let patch = Patch { append_time: Some(77), base_sequence: Some(5), ..patch };
    patch.apply(&mut batch).expect("a batch");
    let header = BatchHeader::parse(&batch).expect("a header");
    assert_eq!((header.max_timestamp, header.base_sequence, header.attributes), (77, 5, 0x08));
    assert_eq!(header.crc, crc32c::crc32c(&batch[21..]));
}

#[test]
fn cut_off_batches_are_no_panic() {
    let spec = BatchSpec::new().codec(Codec::Zstd).record(Record::new(b"key", b"value"));
    let batch = spec.encode().expect("a batch");
    let header = BatchHeader::parse(&batch).expect("a header");
    for end in 0..batch.len() {
        let cut = &batch[..end];
        assert_eq!(BatchHeader::parse(cut).is_some(), end >= HEADER_LEN);
        assert!(spans(&header, cut).is_err(), "{end}");
        let mut copy = cut.to_vec();
        Patch::default().apply(&mut copy).expect("nothing to seal");
    }
}
