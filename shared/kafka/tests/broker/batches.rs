//! Batches that are broken, too large, cut off, or strange: right rows or the right error.

use tidegate_broker::{Answer, Api, Codec, Record, Rule, seal};
use tidegate_core::columns::Columns;
use tidegate_core::ports::{LogFetch, LogSource};
use tidegate_core::words::Isolation;
use tidegate_kafka::KafkaOptions;

use crate::lab::{self, batch, batch_of, broker, fetch, fetch_one, slice, source, within};

/// Batches that cannot be read end their slice with topic, partition and offset; what is before
/// them, and other slices, come.
#[tokio::test]
async fn a_bad_batch_ends_its_slice_behind_the_good_rows() {
    let good = || batch(5).encode().expect("a batch");
    let flipped = |at: usize| {
        let mut bytes = good();
        bytes[at] ^= 1;
        bytes
    };
    let sealed = |at: usize, value: u8| {
        let mut bytes = good();
        bytes[at] = value;
        seal(&mut bytes).expect("a whole batch");
        bytes
    };
    let table = [
        ("checksum", flipped(70)),
        ("Kafka 0.11", sealed(16, 1)),
        ("Kafka 0.11", sealed(16, 0)),
        ("unknown (magic 3)", sealed(16, 3)),
        ("unknown (magic 9)", sealed(16, 9)),
        ("codec 5", sealed(22, 5)),
        ("codec 6", sealed(22, 6)),
        ("codec 7", sealed(22, 7)),
        ("offset", sealed(26, 2)),
        ("record", sealed(60, 4)),
        ("records", sealed(60, 6)),
        ("gzip", sealed(22, 1)),
        ("snappy", sealed(22, 2)),
        ("lz4", sealed(22, 3)),
        ("zstd", sealed(22, 4)),
    ];
    for (words, bytes) in table {
        let broker = broker(2).await;
        broker.append("t", 0, &batch(5)).expect("appended");
        broker.append_raw("t", 0, bytes, 5).expect("appended");
        broker.append("t", 0, &batch(5)).expect("appended");
        broker.append("t", 1, &batch(5)).expect("appended");
        let slices = [slice(0, 0, 15), slice(1, 0, 5)];
        let (came, error) = fetch(&source(&broker), &slices, Isolation::ReadCommitted).await;
        assert!(error.is_none(), "{words}: {error:?}");
        assert_eq!(came[0].offsets, [0, 1, 2, 3, 4], "{words}");
        let ended = came[0].ended.as_deref().unwrap_or("it did not end");
        for part in ["[bad_record]", words, "offset 5", "topic t", "partition 0"] {
            assert!(ended.contains(part), "{words}: {part:?} is not in {ended}");
        }
        assert_eq!(came[1].offsets.len(), 5, "{words}");
    }
}

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Compressed data that ends early, under a checksum that is right: a bad record at its offset,
/// whatever the codec and wherever it ends.
#[tokio::test]
async fn compressed_data_that_ends_early_is_a_bad_record() {
    let broker = broker(2).await;
    let (good, source) = (batch(20), source(&broker));
    broker.append("t", 0, &batch(5)).expect("appended");
    for codec in CODECS {
        let whole = good.clone().codec(codec).encode().expect("a batch");
        for end in 61..whole.len() {
            let mut cut = whole[..end].to_vec();
            seal(&mut cut).expect("a whole header");
            let base = broker.append_raw("t", 0, cut, 20).expect("appended");
            broker.append("t", 0, &batch(1)).expect("appended");
            let came = fetch_one(&source, slice(0, base, base + 21)).await;
            let ended = came.ended.as_deref().unwrap_or("it did not end");
            let at = format!("offset {base} of topic t, partition 0");
            assert!(
                ended.contains("[bad_record]") && ended.contains(&at),
                "{codec:?} {end}: {ended}"
            );
            assert_eq!((came.next, came.offsets.len()), (base, 0), "{codec:?} {end}");
        }
    }
}

/// A batch of any codec that decompresses to more than is read, and an answer that is larger
/// than any that is taken: bad records, and the others of the same broker come.
#[tokio::test]
async fn what_is_too_large_ends_its_slice_only() {
    let broker = broker(6).await;
    for (partition, codec) in (0..4).zip(&CODECS[1..]) {
        let bomb = batch_of(10, &[0; 300_000]).codec(*codec);
        broker.append("t", partition, &bomb).expect("appended");
    }
    broker.append("t", 4, &batch_of(1, &[1; 3_000_000])).expect("appended");
    broker.append("t", 5, &batch(5)).expect("appended");
    let options = KafkaOptions {
        fetch_bytes: 100_000,
        answers_bytes: 200_000,
        answer_bytes_max: 1_000_000,
        batch_bytes_max: 2_000_000,
        ..lab::options()
    };
    let source = lab::source_with(&broker, options);
    let bombs = (0..4).map(|partition| slice(partition, 0, 10));
    let slices: Vec<_> = bombs.chain([slice(4, 0, 1), slice(5, 0, 5)]).collect();
    let (came, error) = fetch(&source, &slices, Isolation::ReadCommitted).await;
    assert!(error.is_none(), "{error:?}");
    let ended: Vec<&str> = came.iter().map(|came| came.ended.as_deref().unwrap_or("")).collect();
    for (partition, ended) in ended[..4].iter().enumerate() {
        let at = format!("offset 0 of topic t, partition {partition}");
        assert!(ended.contains("[bad_record]") && ended.contains(&at), "{ended}");
        assert!(ended.contains("larger than 2000000 bytes"), "{ended}");
    }
    assert!(ended[4].contains("[bad_record]") && ended[4].contains("too large"), "{ended:?}");
    assert_eq!(came[5].offsets.len(), 5);
}

/// A batch whose length field says more than is there: not waited for for ever.
#[tokio::test]
async fn a_length_that_never_comes_is_a_bad_record() {
    let lie = |length: i32| {
        Answer::records(move |_, partition, mut records| {
            if partition == 0 && records.len() > 12 {
                records[8..12].copy_from_slice(&length.to_be_bytes());
            }
            records
        })
    };
    for length in [i32::MAX, 100_000_000, 900_000, 5_000, 60, 48, 0, -1, i32::MIN] {
        let broker = broker(2).await;
        (0..2).for_each(|partition| {
            broker.append("t", partition, &batch(5)).expect("appended");
        });
        broker.script(Rule::new(Api::Fetch, lie(length)).always());
        let options = KafkaOptions { answer_bytes_max: 1_000_000, ..lab::options() };
        let source = lab::source_with(&broker, options);
        let slices = [slice(0, 0, 5), slice(1, 0, 5)];
        let (came, error) = fetch(&source, &slices, Isolation::ReadCommitted).await;
        assert!(error.is_none(), "{length}: {error:?}");
        let ended = came[0].ended.as_deref().unwrap_or("it did not end");
        let at = "offset 0 of topic t, partition 0";
        assert!(ended.contains("[bad_record]") && ended.contains(at), "{length}: {ended}");
        assert_eq!(came[1].offsets.len(), 5, "{length}");
        assert!(broker.count(Api::Fetch) < 40, "{length}: a few tries");
    }
}

/// An answer in which nothing but the front of a batch came: more is asked for.
#[tokio::test]
async fn a_cut_off_batch_is_asked_for_with_more_bytes() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch_of(100, &[5; 50_000])).expect("appended");
    // As a broker does that keeps to `max_bytes` whatever comes first.
    let cut = |keep: usize| {
        Answer::mangle(move |mut body| {
            // Version 11: the records' length stands 4 bytes before them.
            let at = body.len() - records_len(&body);
            let keep = keep.min(body.len() - at);
            body.truncate(at + keep);
            body[at - 4..at].copy_from_slice(&u32::try_from(keep).expect("small").to_be_bytes());
            body
        })
    };
    broker.script(Rule::new(Api::Fetch, cut(5)));
    broker.script(Rule::new(Api::Fetch, cut(1_000)));
    broker.script(Rule::new(Api::Fetch, cut(2_000_000)));
    let options = KafkaOptions { fetch_bytes: 1_000_000, ..lab::options() };
    let came = fetch_one(&lab::source_with(&broker, options), slice(0, 0, 100)).await;
    assert_eq!(came.offsets.len(), 100, "{:?}", came.ended);
    let asked: Vec<i32> = broker
        .requests()
        .iter()
        .filter_map(|request| Some(request.as_fetch()?.partitions[0].max_bytes))
        .collect();
    assert!(asked.is_sorted() && asked[1] > asked[0] && asked[3] >= 5_000_000, "{asked:?}");
}

/// How many bytes of records an answer with one partition ends with.
fn records_len(body: &[u8]) -> usize {
    // throttle, error, session, topics, "t", partitions; partition, error, three offsets, aborted
    // (none), replica: the length of the records follows.
    let at = 4 + 2 + 4 + 4 + 3 + 4 + 4 + 2 + 24 + 4 + 4;
    let length = body[at..at + 4].try_into().expect("four bytes");
    usize::try_from(u32::from_be_bytes(length)).expect("small")
}

/// N06 and hazards of headers: null values, keys that are no text, duplicates, in order.
#[tokio::test]
async fn n06_headers_come_raw() {
    let broker = broker(1).await;
    let headers: [tidegate_broker::Header<'_>; 4] =
        [(b"a", None), (b"a", Some(b"")), (b"\xff\xfe", Some(b"x")), (b"", None)];
    let record = Record { value: None, headers: &headers, ..Record::default() };
    let batch = tidegate_broker::BatchSpec::new().record(record.at(i64::MAX));
    broker.append("t", 0, &batch).expect("appended");
    let source = source(&broker);
    let slices = [slice(0, 0, 1)];
    let mut fetch =
        source.fetch(&slices, Isolation::ReadCommitted, within(5_000)).await.expect("begun");
    let mut rows = Columns::default();
    fetch.next(&mut rows, within(5_000)).await.expect("a row");
    let column = rows.headers();
    let read: Vec<_> = column
        .range(0)
        .map(|at| (column.keys().get(at).expect("never null"), column.values().get(at)))
        .collect();
    assert_eq!(read, headers);
    assert_eq!(rows.timestamps(), [i64::MAX]);
}
