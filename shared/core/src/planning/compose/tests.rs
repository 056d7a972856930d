use serde_json::json;

use super::*;
use crate::documents::{CheckpointEntry, Quarantine, Why};
use crate::error::ErrorKind;
use crate::planning::samples::{checkpoint, entry, observed, offsets, seen, spec};
use crate::ports::{Cause, ObservedPartition};
use crate::words::TopicId;

fn new_run(base: bool) -> NewRun {
    let base =
        base.then(|| CheckpointRef { run: RunNumber(1), plan: RandomId(1), hash: "00".to_owned() });
    NewRun {
        birth_id: RandomId(7),
        run: RunNumber(2),
        plan: RandomId(2),
        now: Millis(1_000_000),
        base,
    }
}

/// Plans over partitions (topic, partition, committed offset, end).
fn plan_over(spec: &Spec, partitions: &[(&str, i32, i64, i64)]) -> PlannedRun {
    let entries = partitions.iter().map(|(t, p, at, _)| entry(t, *p, *at)).collect();
    let ends = partitions.iter().map(|(t, p, _, end)| observed(t, *p, offsets(0, *end)));
    plan(spec, &checkpoint(entries), &seen(ends.collect()), &new_run(true)).expect("planned")
}

/// The slices of all tasks: (partition, start, end, leads).
fn slices(planned: &PlannedRun) -> Vec<Vec<(String, i64, i64, bool)>> {
    let slice = |s: &crate::documents::PlannedSlice| {
        (s.partition.to_string(), s.range.start(), s.range.end(), s.leads)
    };
    planned.tasks.iter().map(|task| task.slices.iter().map(slice).collect()).collect()
}

#[test]
fn p01_p02_what_is_pending_becomes_one_slice_each_and_nothing_else_does() {
    let planned = plan_over(&spec(json!({})), &[("a", 0, 1, 5), ("a", 1, 7, 7), ("b", 0, 0, 2)]);
    let expected = [("a-0".to_owned(), 1, 5, true), ("b-0".to_owned(), 0, 2, true)];
    assert_eq!(slices(&planned), [expected]);
    assert_eq!(planned.plan.ends.len(), 3);
    assert!(!planned.plan.backlog);
}

#[test]
fn c12_p24_nothing_new_is_an_idle_run() {
    let planned = plan_over(&spec(json!({})), &[("a", 0, 5, 5)]);
    assert!(planned.is_idle());
}

#[test]
fn a_first_run_that_finds_nothing_still_keeps_where_it_starts() {
    let latest = spec(json!({"start": "latest"}));
    let ends = seen(vec![observed("a", 0, offsets(0, 9))]);
    let first = plan(&latest, &checkpoint(vec![]), &ends, &new_run(false)).expect("planned");
    assert!(first.tasks.is_empty());
    assert!(!first.is_idle());
    assert_eq!(first.plan.entries.iter().map(|e| e.offset).collect::<Vec<_>>(), [9]);
}

/// A pattern that nothing matches yet: what comes to match it later has appeared later.
#[test]
fn a_first_run_that_finds_no_partition_is_remembered_if_start_depends_on_it() {
    let nothing = seen(Vec::new());
    for (start, base, idle) in
        [("latest", false, false), ("latest", true, true), ("earliest", false, true)]
    {
        let spec = spec(json!({ "start": start }));
        let planned = plan(&spec, &checkpoint(vec![]), &nothing, &new_run(base)).expect("planned");
        assert_eq!(planned.is_idle(), idle, "{start} {base}");
    }
}

/// P13: a start is a number before a partition is split.
#[test]
fn p13_a_start_is_resolved_before_it_is_split() {
    let small = spec(json!({"limits": {"bytes_per_task": 10 * 1024}}));
    let ends = seen(vec![observed("a", 0, offsets(5, 25))]);
    let planned = plan(&small, &checkpoint(vec![]), &ends, &new_run(false)).expect("planned");
    let name = || "a-0".to_owned();
    assert_eq!(slices(&planned).concat(), [(name(), 5, 15, true), (name(), 15, 25, false)]);
}

/// What gives nothing whenever it is tried must not take a capped run's share for ever.
#[test]
fn a_partition_that_gave_nothing_gets_one_offset_while_others_wait() {
    let capped = spec(json!({"limits": {"records_per_run": 100}}));
    let ends = || seen((0..2).map(|p| observed("a", p, offsets(0, 500))).collect());
    let mut entries = vec![entry("a", 0, 0), entry("a", 1, 0)];
    entries[0].last_tried = Some(Millis(900));
    entries[1].last_read = Some(Millis(800));
    let planned =
        plan(&capped, &checkpoint(entries.clone()), &ends(), &new_run(true)).expect("planned");
    let expected = [("a-0".to_owned(), 0, 1, true), ("a-1".to_owned(), 0, 99, true)];
    assert_eq!(slices(&planned), [expected]);
    assert!(planned.plan.backlog);
    // It does not come first either, though it was never read.
    let one = spec(json!({"limits": {"records_per_run": 1}}));
    let planned = plan(&one, &checkpoint(entries.clone()), &ends(), &new_run(true));
    assert_eq!(slices(&planned.expect("planned")), [[("a-1".to_owned(), 0, 1, true)]]);
    // If all of them gave nothing, as when Kafka was away, nothing is held back.
    entries[1].last_tried = Some(Millis(900));
    let planned = plan(&capped, &checkpoint(entries), &ends(), &new_run(true)).expect("planned");
    let expected = [("a-0".to_owned(), 0, 50, true), ("a-1".to_owned(), 0, 50, true)];
    assert_eq!(slices(&planned), [expected]);
}

#[test]
fn c01_a_cap_leaves_a_backlog() {
    let capped = spec(json!({"limits": {"records_per_run": 5}}));
    let planned = plan_over(&capped, &[("a", 0, 0, 15)]);
    assert_eq!(slices(&planned), [[("a-0".to_owned(), 0, 5, true)]]);
    assert!(planned.plan.backlog);
}

#[test]
fn where_a_cap_is_smaller_than_the_partitions_the_longest_waiting_go_first() {
    let capped = spec(json!({"limits": {"records_per_run": 1}}));
    let mut entries = vec![entry("a", 0, 0), entry("a", 1, 0)];
    entries[0].last_read = Some(Millis(500));
    entries[1].last_read = Some(Millis(400));
    let ends = seen(vec![observed("a", 0, offsets(0, 9)), observed("a", 1, offsets(0, 9))]);
    let planned = plan(&capped, &checkpoint(entries), &ends, &new_run(true)).expect("planned");
    assert_eq!(slices(&planned), [[("a-1".to_owned(), 0, 1, true)]]);
    let out: Vec<_> = planned.plan.left_out.iter().map(|l| (l.partition, &l.why)).collect();
    assert_eq!(out, [(Some(0), &Why::Capped)]);
}

#[test]
fn a_hot_partition_is_split_and_only_its_first_slice_leads() {
    let small = spec(json!({"limits": {"bytes_per_task": 10 * 1024, "readers": 3}}));
    let planned = plan_over(&small, &[("a", 0, 0, 30)]);
    let mut all = slices(&planned).concat();
    all.sort();
    let name = || "a-0".to_owned();
    assert_eq!(all, [(name(), 0, 10, true), (name(), 10, 20, false), (name(), 20, 30, false)]);
    assert!(planned.tasks.iter().flat_map(|t| &t.slices).all(|s| s.bytes_max.is_none()));
}

#[test]
fn a_topic_that_cannot_be_a_folder_is_left_out_and_the_others_go_on() {
    let planned = plan_over(&spec(json!({})), &[("_hidden", 0, 0, 5), ("a", 0, 0, 5)]);
    assert_eq!(slices(&planned), [[("a-0".to_owned(), 0, 5, true)]]);
    assert_eq!(planned.plan.left_out[0].why, Why::Table);
}

fn quarantined(retry_run: u64, retry_at: i64) -> CheckpointEntry {
    let mut entry = entry("a", 0, 3);
    entry.state = PartitionState::Quarantined(Quarantine {
        cause: Cause { kind: ErrorKind::BadRecord, message: "bad".to_owned() },
        failures: 2,
        retry_run: RunNumber(retry_run),
        retry_at: Millis(retry_at),
    });
    entry
}

#[test]
fn a_quarantined_partition_is_tried_with_the_smallest_cap_in_a_task_of_its_own() {
    let ends = seen(vec![observed("a", 0, offsets(0, 9)), observed("b", 0, offsets(0, 9))]);
    let due = checkpoint(vec![quarantined(2, i64::MAX), entry("b", 0, 0)]);
    let planned = plan(&spec(json!({})), &due, &ends, &new_run(true)).expect("planned");
    let expected = [[("b-0".to_owned(), 0, 9, true)], [("a-0".to_owned(), 3, 4, true)]];
    assert_eq!(slices(&planned), expected);
    assert_eq!(planned.quarantined, [1]);
}

#[test]
fn a_quarantined_partition_waits_for_its_run_or_its_time() {
    let ends = seen(vec![observed("a", 0, offsets(0, 9))]);
    for (run, at, tried) in [(3, 1_000_001, false), (2, 1_000_001, true), (3, 1_000_000, true)] {
        let checkpoint = checkpoint(vec![quarantined(run, at)]);
        let planned = plan(&spec(json!({})), &checkpoint, &ends, &new_run(true)).expect("planned");
        assert_eq!(!planned.tasks.is_empty(), tried, "{run} {at}");
    }
}

/// R03, R04, R09: what is no longer there is told of, a topic once, and the others go on.
#[test]
fn r03_r04_r09_what_vanished_is_left_out_with_its_cause() {
    let entries =
        vec![entry("a", 0, 3), entry("a", 1, 3), entry("gone", 0, 3), entry("gone", 1, 3)];
    let mut ends = seen(vec![observed("a", 0, offsets(0, 9))]);
    let no_topic = Cause { kind: ErrorKind::Config, message: "there is no topic".to_owned() };
    ends.topics_missing = vec![("gone".to_owned(), no_topic)];
    let planned =
        plan(&spec(json!({})), &checkpoint(entries), &ends, &new_run(true)).expect("planned");
    assert_eq!(slices(&planned), [[("a-0".to_owned(), 3, 9, true)]]);
    let out: Vec<_> = planned.plan.left_out.iter().map(|l| (&*l.topic, l.partition)).collect();
    assert_eq!(out, [("a", Some(1)), ("gone", None)]);
    assert!(planned.plan.left_out[1].message.contains("was deleted"), "{:?}", planned.plan);
}

/// R03: a topic made anew with fewer partitions: the others are told of until all that is left of
/// it was reset.
#[test]
fn r03_vanished_partitions_are_settled_by_a_reset_of_the_others() {
    let id = |number: u8| Some(TopicId([number; 16]));
    let found = |partition| ObservedPartition {
        topic_id: id(2),
        ..observed("a", partition, offsets(0, 9))
    };
    let ends = seen(vec![found(0), found(1)]);
    for (ids, told) in [
        ([id(1), id(1), id(1)], true),
        ([id(2), id(1), id(1)], true),
        ([id(2), id(2), id(1)], false),
        ([id(2), id(2), None], true),
    ] {
        let known = |(partition, topic_id): (i32, Option<TopicId>)| CheckpointEntry {
            topic_id,
            ..entry("a", partition, 9)
        };
        let entries = (0..).zip(ids).map(known).collect();
        let planned =
            plan(&spec(json!({})), &checkpoint(entries), &ends, &new_run(true)).expect("planned");
        let mut out = planned.plan.left_out.iter().map(|left| left.partition);
        assert_eq!(out.any(|partition| partition == Some(2)), told, "{ids:?}");
    }
}

#[test]
fn a_topic_whose_other_partitions_were_read_waits_for_its_batch() {
    let batching = spec(json!({"batching": {"min_bytes": "1MiB", "max_wait": "10m"}}));
    let mut entries = vec![entry("a", 0, 9), entry("a", 1, 3)];
    entries[0].last_read = Some(Millis(999_000));
    let ends = seen(vec![observed("a", 0, offsets(0, 9)), observed("a", 1, offsets(0, 9))]);
    let planned = plan(&batching, &checkpoint(entries), &ends, &new_run(true)).expect("planned");
    assert!(planned.tasks.is_empty());
    assert_eq!(planned.plan.left_out[0].why, Why::Batching);
}

#[test]
fn planning_ten_thousand_partitions_keeps_every_cap() {
    let capped = spec(json!({"limits": {"records_per_run": 25_000, "readers": 16}}));
    let names: Vec<_> = (0..50).map(|t| format!("topic-{t:02}")).collect();
    let partitions: Vec<_> = (0..10_000_i32)
        .map(|p| (names[usize::try_from(p % 50).expect("small")].as_str(), p / 50, 0, 1_000))
        .collect();
    let planned = plan_over(&capped, &partitions);
    let offsets: u64 =
        planned.tasks.iter().flat_map(|task| &task.slices).map(|s| s.range.count()).sum();
    assert_eq!(offsets, 25_000);
    assert!(planned.tasks.len() <= 16);
}
