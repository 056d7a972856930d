use serde_json::json;

use super::*;
use crate::documents::Quarantine;
use crate::error::ErrorKind;
use crate::planning::samples::{entry, observed, offsets, spec};
use crate::ports::{Cause, EpochEnd};
use crate::words::{RunNumber, TopicId};

fn judge_it(spec: &Spec, entry: Option<&CheckpointEntry>, observed: &ObservedPartition) -> Judged {
    judge(case(spec, entry, observed))
}

fn case<'a>(
    spec: &'a Spec,
    entry: Option<&'a CheckpointEntry>,
    observed: &'a ObservedPartition,
) -> Case<'a> {
    let first_run = entry.is_none();
    Case { spec, now: Millis(7_000), first_run, same_cluster: true, entry, observed }
}

fn pending(judged: &Judged) -> Option<(i64, i64)> {
    let standing = judged.standing.as_ref().expect("it can be read");
    standing.pending.map(|range| (range.start(), range.end()))
}

fn stop_cause(judged: &Judged) -> Option<StopCause> {
    match judged.entry.as_ref().map(|entry| &entry.state) {
        Some(PartitionState::Stopped { stop, .. }) => Some(*stop),
        Some(
            PartitionState::Fine
            | PartitionState::Quarantined(_)
            | PartitionState::Unresolved { .. },
        )
        | None => None,
    }
}

#[test]
fn p15_without_a_checkpoint_the_first_run_starts_at_the_log_start() {
    let judged = judge_it(&spec(json!({})), None, &observed("t", 0, offsets(3, 10)));
    assert_eq!(pending(&judged), Some((3, 10)));
    assert!(judged.changed);
}

#[test]
fn starts_are_resolved_as_the_spec_has_it() {
    let mut at = offsets(3, 10);
    at.last_stable = 8;
    at.start_offset = Some(5);
    for (start, expected) in [
        (json!("latest"), 8),
        (json!("2026-01-01T00:00:00Z"), 5),
        // P17: the others start at the log start, not at 0.
        (json!({"t": {"1": 7}}), 3),
        (json!({"t": {"0": 7}}), 7),
    ] {
        let spec = spec(json!({"start": start.clone()}));
        let judged = judge_it(&spec, None, &observed("t", 0, at));
        assert_eq!(judged.entry.map(|e| e.offset), Some(expected), "{start}");
    }
}

#[test]
fn t03_a_start_time_without_a_match_means_the_last_stable_offset() {
    let mut at = offsets(3, 10);
    at.last_stable = 8;
    let spec = spec(json!({"start": "2099-01-01T00:00:00Z"}));
    let judged = judge_it(&spec, None, &observed("t", 0, at));
    assert_eq!(judged.entry.as_ref().map(|e| e.offset), Some(8));
    assert_eq!(pending(&judged), None);
}

#[test]
fn r01_r08_what_appears_later_starts_at_its_log_start() {
    let spec = spec(json!({"start": "latest"}));
    let seen = observed("t", 5, offsets(3, 10));
    let judged = judge(Case { first_run: false, ..case(&spec, None, &seen) });
    assert_eq!(pending(&judged), Some((3, 10)));
}

#[test]
fn x01_nothing_at_or_past_the_last_stable_offset_is_planned() {
    let mut at = offsets(0, 10);
    at.last_stable = 6;
    let seen = observed("t", 0, at);
    assert_eq!(pending(&judge_it(&spec(json!({})), Some(&entry("t", 0, 2)), &seen)), Some((2, 6)));
    let all = spec(json!({"kafka": {
        "bootstrap_servers": ["localhost:9092"],
        "isolation_level": "read_uncommitted",
    }}));
    assert_eq!(pending(&judge_it(&all, Some(&entry("t", 0, 2)), &seen)), Some((2, 10)));
}

#[test]
fn t01_t04_an_end_time_bounds_what_is_planned_and_the_lag() {
    let spec = spec(json!({"end": "2026-01-01T00:00:00Z"}));
    let mut at = offsets(0, 10);
    at.end_offset = Some(4);
    let judged = judge_it(&spec, Some(&entry("t", 0, 2)), &observed("t", 0, at));
    assert_eq!(pending(&judged), Some((2, 4)));
    assert_eq!(judged.end.map(|end| end.high_watermark), Some(4));
    at.end_offset = None;
    let judged = judge_it(&spec, Some(&entry("t", 0, 2)), &observed("t", 0, at));
    assert_eq!(pending(&judged), Some((2, 10)));
}

#[test]
fn x09_records_that_are_gone_stop_the_partition() {
    let judged =
        judge_it(&spec(json!({})), Some(&entry("t", 0, 2)), &observed("t", 0, offsets(5, 10)));
    assert_eq!(stop_cause(&judged), Some(StopCause::Lost));
    assert_eq!(judged.entry.as_ref().map(|e| e.offset), Some(2));
    let message = judged.standing.expect_err("stopped").message;
    assert!(message.contains("[2, 5) of t-0"), "{message}");
}

#[test]
fn x10_with_skip_the_loss_is_recorded_and_the_rest_read_once() {
    let spec = spec(json!({"on_data_loss": "skip"}));
    let seen = observed("t", 0, offsets(5, 10));
    let judged = judge_it(&spec, Some(&entry("t", 0, 2)), &seen);
    assert_eq!(pending(&judged), Some((5, 10)));
    let loss = judged.loss.expect("a loss");
    assert_eq!((loss.start, loss.end), (2, 5));
    assert!(judged.changed);
    // A partition that the other policy stopped goes on once the policy is changed.
    let stop = Spec { on_data_loss: OnDataLoss::Stop, ..spec.clone() };
    let stopped = judge_it(&stop, Some(&entry("t", 0, 2)), &seen).entry.expect("an entry");
    let judged = judge_it(&spec, Some(&stopped), &seen);
    assert_eq!(pending(&judged), Some((5, 10)));
    assert_eq!(judged.entry.map(|e| e.state), Some(PartitionState::Fine));
    // And stays stopped while it is not.
    let judged = judge_it(&stop, Some(&stopped), &seen);
    assert!(!judged.changed);
    assert_eq!(judged.standing.expect_err("stopped").why, Why::Stopped);
}

#[test]
fn x13_a_checkpoint_past_the_end_is_truncation() {
    let seen = observed("t", 0, offsets(0, 10));
    let judged = judge_it(&spec(json!({"on_data_loss": "skip"})), Some(&entry("t", 0, 11)), &seen);
    assert_eq!(stop_cause(&judged), Some(StopCause::Truncated));
    assert!(judged.changed);
}

#[test]
fn a_log_that_was_cut_back_and_grew_again_is_told_by_its_epoch() {
    for (epoch, end, truncated) in [(0, 9, false), (0, 8, false), (0, 7, true), (-1, -1, true)] {
        let mut at = offsets(0, 20);
        at.epoch_end = Some(EpochEnd { epoch, end });
        let seen = observed("t", 0, at);
        let judged = judge_it(&spec(json!({})), Some(&entry("t", 0, 8)), &seen);
        let expected = truncated.then_some(StopCause::Truncated);
        assert_eq!(stop_cause(&judged), expected, "{epoch} {end}");
    }
}

#[test]
fn an_epoch_that_retention_removed_is_a_loss_and_no_truncation() {
    let mut at = offsets(50, 60);
    at.epoch_end = Some(EpochEnd { epoch: -1, end: -1 });
    let judged = judge_it(&spec(json!({})), Some(&entry("t", 0, 8)), &observed("t", 0, at));
    assert_eq!(stop_cause(&judged), Some(StopCause::Lost));
}

#[test]
fn r03_r06_a_topic_made_anew_is_told_by_its_id_whatever_its_offsets() {
    for end in [1, 100] {
        let mut seen = observed("t", 0, offsets(0, end));
        seen.topic_id = Some(TopicId([2; 16]));
        let skip = spec(json!({"on_data_loss": "skip"}));
        let judged = judge_it(&skip, Some(&entry("t", 0, 8)), &seen);
        assert_eq!(stop_cause(&judged), Some(StopCause::Recreated), "{end}");
    }
}

#[test]
fn a_partition_that_was_stopped_on_the_wrong_cluster_goes_on_when_its_topic_is_back() {
    let spec = spec(json!({}));
    let mut wrong = observed("t", 0, offsets(0, 100));
    wrong.topic_id = Some(TopicId([2; 16]));
    let stopped = judge_it(&spec, Some(&entry("t", 0, 8)), &wrong).entry.expect("an entry");
    let right = observed("t", 0, offsets(0, 10));
    let judged = judge_it(&spec, Some(&stopped), &right);
    assert_eq!(pending(&judged), Some((8, 10)));
    assert_eq!(judged.entry.map(|e| e.state), Some(PartitionState::Fine));
}

#[test]
fn a_topic_id_that_becomes_known_is_adopted_on_the_same_cluster_only() {
    let mut known = entry("t", 0, 8);
    known.topic_id = None;
    let seen = observed("t", 0, offsets(0, 10));
    let spec = spec(json!({}));
    let judged = judge_it(&spec, Some(&known), &seen);
    assert_eq!(judged.entry.as_ref().and_then(|e| e.topic_id), Some(TopicId([1; 16])));
    assert!(judged.changed);
    let other = Case { same_cluster: false, ..case(&spec, Some(&known), &seen) };
    assert_eq!(stop_cause(&judge(other)), Some(StopCause::Recreated));
}

#[test]
fn a_partition_that_cannot_be_observed_is_left_out_and_keeps_its_entry() {
    let cause = Cause { kind: ErrorKind::Unavailable, message: "no leader".to_owned() };
    let mut seen = observed("t", 0, offsets(0, 10));
    seen.offsets = Err(cause.clone());
    let judged = judge_it(&spec(json!({})), Some(&entry("t", 0, 8)), &seen);
    assert_eq!(judged.standing.expect_err("left out").why, Why::Unobserved(cause));
    assert_eq!(judged.entry, Some(entry("t", 0, 8)));
    assert!(!judged.changed);
}

#[test]
fn a_log_that_was_cut_back_before_anything_was_read_is_told_too() {
    let mut at = offsets(0, 9);
    at.leader_epoch = 4;
    let latest = spec(json!({"start": "latest"}));
    let begun = judge_it(&latest, None, &observed("t", 0, at)).entry.expect("an entry");
    assert_eq!((begun.offset, begun.leader_epoch), (9, 4));
    let mut at = offsets(0, 20);
    at.epoch_end = Some(EpochEnd { epoch: 3, end: 5 });
    let judged = judge_it(&latest, Some(&begun), &observed("t", 0, at));
    assert_eq!(stop_cause(&judged), Some(StopCause::Truncated));
}

/// The log start passes the checkpoint exactly to the end: everything left is lost, and only that.
#[test]
fn x10_a_loss_may_reach_to_the_end_of_the_log() {
    let skip = spec(json!({"on_data_loss": "skip"}));
    let judged = judge_it(&skip, Some(&entry("t", 0, 4)), &observed("t", 0, offsets(10, 10)));
    assert_eq!(pending(&judged), None);
    assert_eq!(judged.loss.map(|loss| (loss.start, loss.end)), Some((4, 10)));
    assert_eq!(judged.entry.map(|entry| entry.offset), Some(10));
    let judged = judge_it(&skip, Some(&entry("t", 0, 10)), &observed("t", 0, offsets(10, 10)));
    assert!(judged.loss.is_none() && !judged.changed);
}

#[test]
fn a_skipped_loss_ends_a_quarantine_and_takes_the_epoch_of_its_leader() {
    let cause = Cause { kind: ErrorKind::BadRecord, message: "bad".to_owned() };
    let mut bad = entry("t", 0, 4);
    bad.state = PartitionState::Quarantined(Quarantine {
        cause,
        failures: 9,
        retry_run: RunNumber(500),
        retry_at: Millis(i64::MAX),
    });
    let mut at = offsets(6, 10);
    at.leader_epoch = 3;
    let skip = spec(json!({"on_data_loss": "skip"}));
    let judged = judge_it(&skip, Some(&bad), &observed("t", 0, at));
    let after = judged.entry.expect("an entry");
    assert_eq!((after.state, after.offset, after.leader_epoch), (PartitionState::Fine, 6, 3));
}

#[test]
fn t01_an_end_that_was_reached_stays_whatever_becomes_of_its_record() {
    let spec = spec(json!({"end": "2026-01-01T00:00:00Z"}));
    let mut at = offsets(0, 10);
    at.end_offset = Some(4);
    let judged = judge_it(&spec, Some(&entry("t", 0, 2)), &observed("t", 0, at));
    assert!(judged.changed);
    let found = judged.entry.expect("an entry");
    // Retention takes what is left: no loss before offset 4 is one, and the lag stays 0.
    for (at_offset, loss) in [(4, None), (2, Some((2, 4)))] {
        let known = CheckpointEntry { offset: at_offset, ..found.clone() };
        let mut later = offsets(8, 20);
        later.end_offset = Some(15);
        let skip = Spec { on_data_loss: OnDataLoss::Skip, ..spec.clone() };
        let judged = judge_it(&skip, Some(&known), &observed("t", 0, later));
        assert_eq!(pending(&judged), None);
        assert_eq!(judged.loss.map(|loss| (loss.start, loss.end)), loss);
        assert_eq!(judged.end.map(|end| (end.end, end.high_watermark)), Some((4, 4)));
        assert_eq!(judged.entry.map(|entry| entry.offset), Some(4));
    }
    // Another `end` is looked up anew.
    let other = self::spec(json!({"end": "2027-01-01T00:00:00Z"}));
    let mut later = offsets(0, 20);
    later.end_offset = Some(15);
    let known = CheckpointEntry { offset: 4, ..found };
    assert_eq!(pending(&judge_it(&other, Some(&known), &observed("t", 0, later))), Some((4, 15)));
}
