//! Bytes of an answer that are changed on the way: right rows or the end of the slice, never a
//! wrong row, never one less without an error.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tidegate_broker::{Answer, Api, BatchSpec, Broker, Codec, Record, Rule, seal};
use tidegate_kafka::{KafkaOptions, KafkaSource};

use crate::lab::{self, Came, batches_of, broker, fetch_one, slice};

/// Bytes of a batch's header.
const HEADER: usize = 61;
/// Of the base offset: no checksum covers it.
const BASE: std::ops::Range<usize> = 0..8;

/// Three batches of five records in the codec, whose values tell their offset.
async fn three(codec: Codec) -> (Broker, KafkaSource) {
    let broker = broker(1).await;
    for first in [0_i64, 5, 10] {
        let mut batch = BatchSpec::new().codec(codec);
        for offset in first..first + 5 {
            let value = offset.to_be_bytes();
            batch.push(Record { value: Some(&value), ..Record::default() });
        }
        broker.append("t", 0, &batch).expect("appended");
    }
    let options = KafkaOptions { answer_bytes_max: 1 << 20, ..lab::options() };
    let source = lab::source_with(&broker, options);
    (broker, source)
}

/// Changes the three batches, as often as they are asked for.
fn change(broker: &Broker, change: impl Fn(&mut [Vec<u8>]) + Send + Sync + 'static) {
    let answer = Answer::records(move |_, _, records| {
        let mut batches = batches_of(&records);
        change(&mut batches);
        batches.concat()
    });
    broker.clear_script();
    broker.script(Rule::new(Api::Fetch, answer).always());
}

/// The batch that begins there, if the answer has it.
fn at_base(batches: &mut [Vec<u8>], base: u8) -> Option<&mut Vec<u8>> {
    batches.iter_mut().find(|batch| batch[BASE] == i64::from(base).to_be_bytes())
}

/// Whether the rows are the first so many, each with its own value, and nothing is taken for a
/// hole.
fn are_the_first(came: &Came, rows: usize) -> bool {
    let offsets = 0..i64::try_from(rows).expect("small");
    let values: Vec<_> = offsets.clone().map(|offset| offset.to_be_bytes().to_vec()).collect();
    came.offsets == offsets.collect::<Vec<_>>() && came.values == values && came.compacted == 0
}

/// All rows and no end, or the batches before the bad one and its cause.
fn is_right(came: &Came) -> bool {
    match &came.ended {
        None => are_the_first(came, 15),
        Some(ended) => {
            let said = ended.contains("[bad_record]") || ended.contains("[unavailable]");
            said && ended.contains("offset") && [0, 5, 10].iter().any(|n| are_the_first(came, *n))
        }
    }
}

/// Each byte of a header, changed without its checksum: nothing but the leader epoch may differ
/// unnoticed.
#[tokio::test]
async fn each_byte_of_a_header_is_guarded() {
    let (broker, source) = three(Codec::None).await;
    for at in 0..HEADER {
        for bits in [0x01, 0x80, 0xff] {
            change(&broker, move |batches| {
                if let Some(second) = at_base(batches, 5) {
                    second[at] ^= bits;
                }
            });
            let came = fetch_one(&source, slice(0, 0, 15)).await;
            assert!(is_right(&came), "byte {at}, bits {bits:02x}: {came:?}");
            let free = (12..16).contains(&at);
            assert_eq!(came.ended.is_none(), free, "byte {at}, bits {bits:02x}: {came:?}");
        }
    }
}

/// Fields that contradict the records, under a checksum that is right.
#[tokio::test]
async fn fields_that_contradict_the_records_are_refused() {
    let (broker, source) = three(Codec::None).await;
    let numbers = [0, 1, 3, 6, 1_000, i32::MAX, -1, i32::MIN];
    // Last offset delta and count. A delta beyond the records reaches into the next batch.
    for at in [23, 57] {
        for number in numbers {
            change(&broker, move |batches| {
                if let Some(second) = at_base(batches, 5) {
                    second[at..at + 4].copy_from_slice(&number.to_be_bytes());
                    seal(second).expect("a whole batch");
                }
            });
            let came = fetch_one(&source, slice(0, 0, 15)).await;
            let ended = came.ended.as_deref().unwrap_or("it did not end");
            assert!(are_the_first(&came, 5), "{at} {number}: {came:?}");
            let said = ended.contains("[bad_record]") && ended.contains("offset 5 of topic t");
            assert!(said, "{at} {number}: {ended}");
        }
    }
}

/// Any bytes changed, and any bytes lost at the end, in any codec.
#[test]
fn no_change_of_bytes_makes_a_wrong_row() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let (broker, source) = runtime.block_on(three(codec));
        let changes = proptest::collection::vec((0..3_u8, any::<usize>(), 1..=u8::MAX), 1..6);
        let strategy = (changes, proptest::option::weighted(0.3, any::<prop::sample::Index>()));
        let mut runner = TestRunner::new(Config::with_cases(40));
        let checked = runner.run(&strategy, |(changes, cut)| {
            let changes = Arc::new(changes);
            let told = Arc::clone(&changes);
            let mangled = Answer::records(move |_, _, records| {
                let mut batches = batches_of(&records);
                for (batch, at, bits) in changes.iter() {
                    let Some(batch) = at_base(&mut batches, 5 * *batch) else { continue };
                    let at = BASE.end + at % (batch.len() - BASE.end);
                    batch[at] ^= bits;
                }
                let mut records = batches.concat();
                let len = records.len();
                records.truncate(cut.map_or(len, |cut| cut.index(len + 1)));
                records
            });
            broker.clear_script();
            broker.script(Rule::new(Api::Fetch, mangled).times(6));
            let came = runtime.block_on(fetch_one(&source, slice(0, 0, 15)));
            if is_right(&came) {
                return Ok(());
            }
            Err(TestCaseError::fail(format!("{codec:?} {told:?} {cut:?}: {came:?}")))
        });
        checked.expect("right rows or an error");
        runtime.block_on(broker.stop());
    }
}
