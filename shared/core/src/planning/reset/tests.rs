use serde_json::json;

use super::*;
use crate::documents::{Quarantine, StopCause};
use crate::planning::samples::{checkpoint, entry, observed, offsets, seen, spec};
use crate::words::{RandomId, RunNumber, TopicId};

const OTHER: TopicId = TopicId([2; 16]);

fn scope(to: ResetTo) -> ResetScope {
    ResetScope { to, topics: Vec::new() }
}

fn to_offsets(offsets: &[(&str, i32, i64)]) -> ResetTo {
    ResetTo::Offsets(offsets.iter().map(|(t, p, o)| (Arc::from(*t), *p, *o)).collect())
}

/// One partition `t-0` at 10, in a log of [4, 20) whose last stable offset is 18, and whose first
/// record of the time asked for is at 7.
fn one(known: Option<CheckpointEntry>, to: ResetTo) -> Option<ResetChange> {
    let mut at = offsets(4, 20);
    (at.last_stable, at.start_offset, at.leader_epoch) = (18, Some(7), 3);
    let known = checkpoint(known.into_iter().collect());
    let seen = seen(vec![observed("t", 0, at)]);
    let mut changes = reset(&spec(json!({})), &known, &seen, &scope(to)).expect("all is there");
    assert!(changes.len() <= 1);
    changes.pop()
}

fn stopped(stop: StopCause) -> CheckpointEntry {
    let state = PartitionState::Stopped { stop, message: "why".to_owned() };
    CheckpointEntry { state, ..entry("t", 0, 10) }
}

#[test]
fn each_target_has_its_offset_and_tells_what_it_skips_and_repeats() {
    let known = || Some(entry("t", 0, 10));
    for (to, offset, lost, again) in [
        (ResetTo::Earliest, 4, 0, 6),
        (ResetTo::Latest, 18, 8, 0),
        (ResetTo::Time(Millis(5)), 7, 0, 3),
        (to_offsets(&[("t", 0, 20)]), 20, 10, 0),
        (to_offsets(&[("t", 0, 4)]), 4, 0, 6),
    ] {
        let change = one(known(), to.clone()).expect("it moves");
        assert_eq!((change.after.offset, change.lost(), change.again()), (offset, lost, again));
        assert_eq!((change.moves.from, change.moves.to), (Some(10), offset), "{to:?}");
        assert_eq!(change.after.leader_epoch, 3);
    }
    assert_eq!(one(known(), to_offsets(&[("t", 0, 10)])), None);
}

#[test]
fn a_time_behind_the_last_record_means_the_last_stable_offset() {
    let seen = seen(vec![observed("t", 0, offsets(0, 20))]);
    let known = checkpoint(vec![entry("t", 0, 3)]);
    let to = scope(ResetTo::Time(Millis(9)));
    let changes = reset(&spec(json!({})), &known, &seen, &to).expect("all is there");
    assert_eq!(changes[0].after.offset, 20);
}

/// `latest` never moves a partition back: what was read past an open transaction stays read.
#[test]
fn latest_does_not_repeat_what_was_read() {
    assert_eq!(one(Some(entry("t", 0, 19)), ResetTo::Latest), None);
}

/// X13: but a log that was cut back ends before it.
#[test]
fn x13_a_truncated_partition_goes_on_where_its_log_ends() {
    let cut = CheckpointEntry { offset: 30, ..stopped(StopCause::Truncated) };
    let change = one(Some(cut), ResetTo::Latest).expect("it moves");
    assert_eq!((change.after.offset, change.again()), (18, 12));
    assert_eq!(change.after.state, PartitionState::Fine);
}

#[test]
fn what_stands_still_is_freed_where_it_stands() {
    let cause = Cause { kind: ErrorKind::BadRecord, message: "bad".to_owned() };
    let quarantine =
        Quarantine { cause, failures: 3, retry_run: RunNumber(9), retry_at: Millis(9) };
    let quarantined =
        CheckpointEntry { state: PartitionState::Quarantined(quarantine), ..entry("t", 0, 10) };
    for known in [stopped(StopCause::Truncated), quarantined] {
        let change = one(Some(known), to_offsets(&[("t", 0, 10)])).expect("it is freed");
        assert_eq!((change.lost(), change.again()), (0, 0));
        assert_eq!(change.after.state, PartitionState::Fine);
        assert!(!moves(&change.moves));
    }
}

/// A partition that could not be observed at the first run begins where the operator says.
#[test]
fn a_start_that_is_not_resolved_yet_is_resolved() {
    let state = PartitionState::Unresolved { from: Some(Millis(5)) };
    let unresolved = CheckpointEntry { state, topic_id: None, ..entry("t", 0, 0) };
    let change = one(Some(unresolved), to_offsets(&[("t", 0, 9)])).expect("it begins");
    assert_eq!((change.moves.from, change.after.offset, change.lost()), (None, 9, 5));
    assert_eq!(change.after.state, PartitionState::Fine);
}

/// R06: nothing of the new topic was committed, whatever the offsets of the old one were.
#[test]
fn r06_a_topic_made_anew_begins_anew() {
    let known = || CheckpointEntry { topic_id: Some(OTHER), ..stopped(StopCause::Recreated) };
    for (to, lost) in [(ResetTo::Earliest, 0), (ResetTo::Latest, 14)] {
        let change = one(Some(known()), to).expect("it moves");
        assert_eq!((change.moves.from, change.lost(), change.again()), (None, lost, 0));
        assert_eq!(change.after.topic_id, Some(TopicId([1; 16])));
    }
}

#[test]
fn lost_records_are_skipped_with_those_that_the_operator_skips() {
    let known = CheckpointEntry { offset: 2, ..stopped(StopCause::Lost) };
    let change = one(Some(known), to_offsets(&[("t", 0, 6)])).expect("it moves");
    let skipped = change.skipped.expect("some are");
    assert_eq!((skipped.start, skipped.end), (2, 6));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let spec = spec(json!({"topics": {"pattern": "t.*"}}));
    let mut seen = seen(vec![observed("t", 0, offsets(4, 20)), observed("t", 1, offsets(4, 20))]);
    let cause = Cause { kind: ErrorKind::Unavailable, message: "t-2 has no leader".to_owned() };
    let mut leaderless = observed("t", 2, offsets(0, 0));
    leaderless.offsets = Err(cause);
    seen.partitions.push(leaderless);
    let wrong = [("t", 0, 3), ("t", 1, 21), ("t", 2, 1), ("t", 7, 1), ("tx", 0, 1), ("u", 0, 1)];
    let to = scope(to_offsets(&wrong));
    let error = reset(&spec, &checkpoint(Vec::new()), &seen, &to).expect_err("much is wrong");
    assert_eq!(error.kind(), ErrorKind::Config);
    for part in [
        "t-0: 3 is not in the log, which holds 4 to 20",
        "t-1: 21",
        "t-2 has no leader",
        "t-7 does not exist",
        "topic tx does not exist",
        "topic u is not among the topics of the spec",
    ] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    let only_leaderless = ResetScope { to: ResetTo::Latest, topics: vec!["t".into()] };
    let error = reset(&spec, &checkpoint(Vec::new()), &seen, &only_leaderless);
    assert_eq!(error.expect_err("one is away").kind(), ErrorKind::Unavailable);
}

#[test]
fn topics_that_are_not_chosen_stay() {
    let spec = spec(json!({}));
    let seen = seen(vec![observed("a", 0, offsets(0, 9)), observed("b", 0, offsets(0, 9))]);
    let known = checkpoint(vec![entry("a", 0, 4), entry("b", 0, 4)]);
    let scope = ResetScope { to: ResetTo::Latest, topics: vec!["b".into()] };
    let changes = reset(&spec, &known, &seen, &scope).expect("all is there");
    let topics: Vec<_> = changes.iter().map(|change| &*change.moves.topic).collect();
    assert_eq!(topics, ["b"]);
    let elsewhere = ResetScope { to: to_offsets(&[("a", 0, 1)]), ..scope };
    let error = reset(&spec, &known, &seen, &elsewhere).expect_err("a is not chosen");
    assert!(error.message().contains("--topic"), "{error}");
}

/// Without topic ids only the cluster's id tells one topic from another: all are reset, or none.
#[test]
fn another_cluster_without_topic_ids_is_reset_as_a_whole() {
    let spec = spec(json!({}));
    let nameless = |topic| CheckpointEntry { topic_id: None, ..entry(topic, 0, 4) };
    let mut seen = seen(vec![observed("a", 0, offsets(0, 9)), observed("b", 0, offsets(0, 9))]);
    seen.cluster_id = Some("another".to_owned());
    let known = checkpoint(vec![nameless("a"), nameless("b")]);
    let some = ResetScope { to: ResetTo::Earliest, topics: vec!["a".into()] };
    let error = reset(&spec, &known, &seen, &some).expect_err("b would be taken for its own");
    assert!(error.message().contains("b-0 has no topic id"), "{error}");
    let changes = reset(&spec, &known, &seen, &scope(ResetTo::Earliest)).expect("all of them");
    assert!(changes.iter().all(|change| change.moves.from.is_none()));
}

#[test]
fn the_plan_has_no_task_and_says_why() {
    let spec = spec(json!({}));
    let known = checkpoint(vec![entry("t", 0, 4)]);
    let seen = seen(vec![observed("t", 0, offsets(0, 9))]);
    let changes = reset(&spec, &known, &seen, &scope(ResetTo::Latest)).expect("all is there");
    let new = NewRun {
        birth_id: RandomId(1),
        run: RunNumber(7),
        plan: RandomId(2),
        now: Millis(5),
        base: None,
    };
    let planned = plan_reset(&spec, &seen, &new, "to skip a mistake", &changes);
    assert_eq!((planned.tasks.len(), planned.plan.tasks), (0, 0));
    assert_eq!(planned.plan.entries, [changes[0].after.clone()]);
    assert_eq!(planned.plan.losses.len(), 1);
    let record = planned.plan.reset.expect("it is a reset");
    assert_eq!((record.reason.as_str(), record.moves.len()), ("to skip a mistake", 1));
}
