//! The hazards, each with its bound.

use tidegate_broker::{Answer, Api, BatchHeader, Codec, Rule, seal};
use tidegate_kafka::KafkaOptions;

use crate::{Came, KIB, MIB, batch, cluster, fetch, options, peak, read, slice, source};

/// A length as far as the type of the field goes.
const LIE: [u8; 4] = i32::MAX.to_be_bytes();
/// The same as a varint, in front of compact arrays.
const COMPACT_LIE: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];
/// What the broker, the connection and the tasks of a small fetch take.
const BESIDE: usize = 512 * KIB;

fn check(hazard: &str, (came, peak): &(Came, usize), bound: usize) {
    eprintln!("{hazard:<44} peak {:>6} KiB, bound {:>6} KiB", peak / KIB, bound / KIB);
    assert!(*peak <= bound, "{hazard}: {peak} bytes, {bound} are allowed: {came:?}");
}

/// Has a small log read, whose broker answers `api` so. It must come to an error.
async fn of_answer(hazard: &str, api: Api, answer: Answer, bound: usize) {
    let broker = cluster(1).await;
    broker.append("t", 0, &batch(5, b"v")).expect("appended");
    broker.script(Rule::new(api, answer).always());
    let measured = peak(read(&source(&broker, options()), &[slice(0, 0, 5)])).await;
    check(&format!("{api:?}: {hazard}"), &measured, bound);
    let of_fetch = matches!(api, Api::Fetch | Api::Metadata | Api::ApiVersions);
    assert_eq!(measured.0.rows == 0, of_fetch, "{api:?} {hazard}: {:?}", measured.0);
    broker.stop().await;
}

/// The usual body with these bytes in place of those at `at`.
fn patched<const N: usize>(at: usize, replaced: usize, with: [u8; N]) -> Answer {
    Answer::mangle(move |mut body| {
        body.splice(at..at + replaced, with);
        body
    })
}

/// The length of an answer: as far as it may go room is made at once, beyond it is refused.
pub(crate) async fn frames() {
    let apis =
        [Api::ApiVersions, Api::Metadata, Api::ListOffsets, Api::OffsetForLeaderEpoch, Api::Fetch];
    for api in apis {
        let raw = |length: usize| {
            Answer::Raw(i32::try_from(length).expect("an i32").to_be_bytes().to_vec())
        };
        of_answer("a length of 2 GiB", api, Answer::Raw(LIE.to_vec()), BESIDE).await;
        let max = if api == Api::ApiVersions { MIB } else { 2 * MIB };
        of_answer("just beyond the largest", api, raw(max + 1), BESIDE).await;
        of_answer("the largest, then silence", api, raw(max), max + BESIDE).await;
    }
}

/// Counts and lengths in the answers' own fields.
pub(crate) async fn arrays_and_texts() {
    // rskafka's reader of arrays makes room in blocks of 10 MiB.
    let versions = patched(2, 1, COMPACT_LIE);
    of_answer("2^31 items", Api::ApiVersions, versions, 11 * MIB).await;
    let lies = [
        ("2^31 brokers", Api::Metadata, patched(4, 1, COMPACT_LIE)),
        ("a host of 2^31 bytes", Api::Metadata, patched(9, 1, COMPACT_LIE)),
        ("2^31 topics", Api::ListOffsets, patched(4, 4, LIE)),
        ("a name of 32 KiB", Api::ListOffsets, patched(8, 2, [0x7f, 0xff])),
        ("2^31 partitions", Api::ListOffsets, patched(11, 4, LIE)),
        ("2^31 topics", Api::OffsetForLeaderEpoch, patched(4, 4, LIE)),
        ("2^31 partitions", Api::OffsetForLeaderEpoch, patched(11, 4, LIE)),
        ("2^31 topics", Api::Fetch, patched(10, 4, LIE)),
        ("a name of 32 KiB", Api::Fetch, patched(14, 2, [0x7f, 0xff])),
        ("2^31 partitions", Api::Fetch, patched(17, 4, LIE)),
        ("2^31 aborted transactions", Api::Fetch, patched(51, 4, LIE)),
        ("records of 2 GiB", Api::Fetch, patched(59, 4, LIE)),
    ];
    for (hazard, api, answer) in lies {
        of_answer(hazard, api, answer, BESIDE).await;
    }
    // Bytes enough that an item's size on the heap would count, and a lie about their number.
    let padded = Answer::mangle(|mut body| {
        body.splice(4..5, COMPACT_LIE);
        body.resize(MIB, 1);
        body
    });
    of_answer("2^31 brokers, 1 MiB of them", Api::Metadata, padded, 6 * MIB).await;
}

/// Fields of a batch's header.
pub(crate) async fn batches() {
    let field = |at: usize, sealed: bool| {
        Answer::records(move |_, _, mut records| {
            if records.len() > 61 {
                records[at..at + 4].copy_from_slice(&LIE);
                if sealed {
                    seal(&mut records).expect("a whole batch");
                }
            }
            records
        })
    };
    of_answer("a batch of 2 GiB", Api::Fetch, field(8, false), BESIDE).await;
    of_answer("2^31 records", Api::Fetch, field(57, true), BESIDE).await;
}

/// Lengths inside a record, under a right checksum and in each codec.
pub(crate) async fn records() {
    // 2^31 − 1, zig-zag.
    let lie = [0xfe, 0xff, 0xff, 0xff, 0x0f];
    // Attributes, two deltas, null key and value, then headers.
    let record = |body: &[u8]| {
        let length = u8::try_from(body.len() * 2).expect("a small record");
        [&[length][..], body].concat()
    };
    let lies = [
        ("a record of 2 GiB", [&lie[..], &[0, 0, 0, 1, 1, 0]].concat()),
        ("a key of 2 GiB", record(&[&[0, 0, 0][..], &lie, &[1, 0]].concat())),
        ("a value of 2 GiB", record(&[&[0, 0, 0, 1][..], &lie, &[0]].concat())),
        ("2^31 headers", record(&[&[0, 0, 0, 1, 1][..], &lie].concat())),
        ("a header's key of 2 GiB", record(&[&[0, 0, 0, 1, 1, 2][..], &lie].concat())),
    ];
    for (hazard, records) in lies {
        let broker = cluster(1).await;
        let header = BatchHeader { count: 1, ..BatchHeader::default() };
        let bytes = header.with_records(&records).expect("a batch");
        broker.append_raw("t", 0, bytes, 1).expect("appended");
        let measured = peak(fetch(&source(&broker, options()), &[slice(0, 0, 1)])).await;
        check(hazard, &measured, BESIDE);
        assert_eq!((measured.0.rows, measured.0.errors.len()), (0, 1), "{hazard}");
        broker.stop().await;
    }
}

/// 16 MiB in a few KiB: the largest batch that is decompressed bounds it. Only fetched: the
/// broker itself decompresses it where a time is looked up.
pub(crate) async fn bombs() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let broker = cluster(1).await;
        let bytes = batch(1, &vec![0; 16 * MIB]).codec(codec).encode().expect("a batch");
        let size = bytes.len();
        broker.append_raw("t", 0, bytes, 1).expect("appended");
        let options = KafkaOptions { answer_bytes_max: 2 * MIB, ..options() };
        let measured = peak(fetch(&source(&broker, options), &[slice(0, 0, 1)])).await;
        // The broker's copy, the answer, and the buffer.
        check(&format!("a bomb of 16 MiB, {codec:?}"), &measured, 2 * size + 3 * MIB + BESIDE);
        let error = format!("{:?}", measured.0.errors);
        assert!(measured.0.rows == 0 && error.contains("[bad_record]"), "{codec:?}: {error}");
        broker.stop().await;
    }
}

/// A batch that is too large to be decompressed whole: its records pass through a window.
pub(crate) async fn large_batches() {
    const RECORDS: i32 = 48 * 1024;
    // What is decompressed whole, before it turns out to be too much.
    const WHOLE: usize = 16 * MIB;
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let broker = cluster(1).await;
        let bytes = batch(RECORDS, &[7; KIB]).codec(codec).encode().expect("a batch");
        let size = bytes.len();
        broker.append_raw("t", 0, bytes, i64::from(RECORDS)).expect("appended");
        let options = KafkaOptions {
            answer_bytes_max: 8 * MIB,
            batch_bytes_max: 64 * MIB,
            request_timeout: std::time::Duration::from_secs(10),
            ..options()
        };
        let end = i64::from(RECORDS);
        let measured = peak(fetch(&source(&broker, options), &[slice(0, 0, end)])).await;
        check(&format!("48 MiB in one batch, {codec:?}"), &measured, 2 * size + WHOLE + 4 * MIB);
        assert_eq!((measured.0.rows, measured.0.errors.len()), (48 * 1024, 0), "{codec:?}");
        broker.stop().await;
    }
}

/// Each broker has an answer ready, and makes the next: what is held of them here is the budget,
/// however many brokers there are.
pub(crate) async fn many_brokers() {
    const NODES: i32 = 12;
    let broker = cluster(NODES).await;
    for partition in 0..NODES {
        (0..6).for_each(|_| {
            broker.append("t", partition, &batch(4, &[7; 256 * KIB])).expect("appended");
        });
    }
    let options = KafkaOptions { fetch_bytes: MIB, answers_bytes: 3 * MIB, ..options() };
    let options = KafkaOptions { answer_bytes_max: 2 * MIB, ..options };
    let slices: Vec<_> = (0..NODES).map(|partition| slice(partition, 0, 24)).collect();
    let measured = peak(fetch(&source(&broker, options), &slices)).await;
    assert_eq!((measured.0.rows, measured.0.errors.len()), (24 * 12, 0), "{:?}", measured.0);
    // A copy per node is the broker's; the budget; rows of a batch, with room to grow.
    check("12 brokers, 1 MiB each", &measured, 12 * (MIB + 64 * KIB) + 3 * MIB + 3 * MIB + BESIDE);
    broker.stop().await;
}

/// Single batches that are larger than all that may be held, and than what sockets take in: one
/// at a time. Without the budget there would be six.
pub(crate) async fn large_answers_of_many_brokers() {
    const NODES: i32 = 6;
    let broker = cluster(NODES).await;
    for partition in 0..NODES {
        (0..2).for_each(|_| {
            broker.append("t", partition, &batch(1, &vec![7; 4 * MIB])).expect("appended");
        });
    }
    let options = KafkaOptions {
        answer_bytes_max: 8 * MIB,
        batch_bytes_max: 8 * MIB,
        request_timeout: std::time::Duration::from_secs(10),
        ..options()
    };
    let slices: Vec<_> = (0..NODES).map(|partition| slice(partition, 0, 2)).collect();
    let measured = peak(fetch(&source(&broker, options), &slices)).await;
    assert_eq!((measured.0.rows, measured.0.errors.len()), (12, 0), "{:?}", measured.0);
    // A copy per node is the broker's; one answer; its rows.
    check("6 brokers, batches of 4 MiB", &measured, 6 * 4 * MIB + 4 * MIB + 5 * MIB + 2 * BESIDE);
    broker.stop().await;
}
