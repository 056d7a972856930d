use serde_json::json;

use super::super::judge::{Case, Judged, judge};
use super::*;
use crate::documents::StopCause;
use crate::planning::samples::{observed, offsets, seen, spec};
use crate::ports::{Cause, EpochEnd, ObservedPartition};
use crate::words::TopicId;

const NOW: Millis = Millis(7_000);

/// A partition without a leader.
fn leaderless() -> ObservedPartition {
    let message = "no leader".to_owned();
    let cause = Cause { kind: ErrorKind::Unavailable, message };
    ObservedPartition {
        offsets: Err(cause),
        vacant_epoch: Some(3),
        ..observed("t", 0, offsets(0, 0))
    }
}

fn judge_it(spec: &Spec, entry: Option<&CheckpointEntry>, seen: &ObservedPartition) -> Judged {
    let first_run = entry.is_none();
    judge(Case { spec, now: NOW, first_run, same_cluster: true, entry, observed: seen })
}

/// The entry after a first run without a leader, and what a later run makes of it.
fn later(start: serde_json::Value, at: PartitionOffsets) -> (CheckpointEntry, Judged) {
    let spec = spec(json!({ "start": start }));
    let first = judge_it(&spec, None, &leaderless());
    assert!(first.changed);
    let kept = first.entry.expect("a start that is kept");
    assert_eq!(kept.position(), None);
    // A spec that says otherwise later changes nothing.
    let later = self::spec(json!({"start": "earliest"}));
    let unchanged = judge_it(&later, Some(&kept), &leaderless());
    assert!(!unchanged.changed);
    let judged = judge_it(&later, Some(&kept), &observed("t", 0, at));
    (kept, judged)
}

#[test]
fn a_partition_without_leader_at_the_first_run_begins_where_start_said() {
    let mut at = offsets(3, 10);
    at.start_offset = Some(5);
    at.epoch_end = Some(EpochEnd { epoch: 2, end: 6 });
    let time = PartitionState::Unresolved { from: Some(Millis(1_767_225_600_000)) };
    let now = PartitionState::Unresolved { from: Some(NOW) };
    let given = PartitionState::Unresolved { from: None };
    for (start, state, offset) in [
        (json!("2026-01-01T00:00:00Z"), time, 5),
        (json!("latest"), now, 6),
        (json!({"t": {"0": 7}}), given, 7),
    ] {
        let (kept, judged) = later(start.clone(), at);
        assert_eq!(kept.state, state, "{start}");
        assert!(judged.changed);
        let entry = judged.entry.expect("an entry");
        assert_eq!((entry.offset, entry.state), (offset, PartitionState::Fine), "{start}");
        let pending = judged.standing.expect("it can be read").pending.expect("records");
        assert_eq!((pending.start(), pending.end()), (offset, 10), "{start}");
    }
}

/// The leader is there, and does not answer: then the time of the first run decides.
#[test]
fn latest_goes_by_time_where_no_epoch_tells() {
    let latest = spec(json!({"start": "latest"}));
    let silent = ObservedPartition { vacant_epoch: None, ..leaderless() };
    let kept = judge_it(&latest, None, &silent).entry.expect("kept");
    let mut at = offsets(3, 10);
    at.start_offset = Some(5);
    for (epoch_end, known) in [
        (None, kept.clone()),
        (Some(EpochEnd { epoch: -1, end: -1 }), {
            judge_it(&latest, None, &leaderless()).entry.expect("kept")
        }),
    ] {
        at.epoch_end = epoch_end;
        let judged = judge_it(&latest, Some(&known), &observed("t", 0, at));
        assert_eq!(judged.entry.map(|entry| entry.offset), Some(5));
    }
}

#[test]
fn what_begins_at_its_log_start_in_any_case_keeps_nothing() {
    for start in [json!("earliest"), json!({"t": {"1": 7}})] {
        let judged = judge_it(&spec(json!({ "start": start })), None, &leaderless());
        assert!(judged.entry.is_none() && !judged.changed);
    }
}

#[test]
fn a_start_that_turns_out_to_lie_elsewhere_is_a_loss_or_stops() {
    let stop = |judged: Judged| match judged.entry.map(|entry| entry.state) {
        Some(PartitionState::Stopped { stop, message }) => Some((stop, message)),
        _ => None,
    };
    let (_, before) = later(json!({"t": {"0": 1}}), offsets(3, 10));
    assert_eq!(stop(before).map(|(stop, _)| stop), Some(StopCause::Lost));
    let (_, beyond) = later(json!({"t": {"0": 11}}), offsets(3, 10));
    let (cause, message) = stop(beyond).expect("stopped");
    assert_eq!(cause, StopCause::Truncated);
    assert!(message.contains("ends at 10, before 11"), "{message}");
}

#[test]
fn a_topic_made_anew_before_it_was_ever_seen_appeared_later() {
    let latest = spec(json!({"start": "latest"}));
    let kept = judge_it(&latest, None, &leaderless()).entry.expect("kept");
    let mut anew = observed("t", 0, offsets(2, 10));
    anew.topic_id = Some(TopicId([2; 16]));
    let entry = judge_it(&latest, Some(&kept), &anew).entry.expect("an entry");
    assert_eq!((entry.offset, entry.topic_id), (2, anew.topic_id));
}

/// Offsets for a topic that may not be described are kept, since it is there perhaps.
#[test]
fn offsets_given_for_a_topic_that_cannot_be_seen_are_kept() {
    let spec = spec(json!({"start": {"t": {"0": 7}, "u": {"1": 3}, "v": {"0": 1}}}));
    let mut nothing = seen(vec![observed("v", 0, offsets(0, 5))]);
    let cause = |kind| Cause { kind, message: "no".to_owned() };
    nothing.topics_missing = vec![
        ("t".to_owned(), cause(ErrorKind::Denied)),
        ("u".to_owned(), cause(ErrorKind::Config)),
    ];
    let kept = keep_of_missing(&spec, &nothing);
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0].partition, kept[0].offset), (&TopicPartition::new("t", 0), 7));
}

#[test]
fn p10_p12_offsets_for_what_is_not_there_are_all_named_at_once() {
    let spec = spec(json!({"start": {
        "later": {"0": 5},
        "t": {"0": 11, "1": 10, "7": 0, "8": 0},
    }}));
    let seen = seen(vec![observed("t", 0, offsets(0, 10)), observed("t", 1, offsets(0, 10))]);
    let error = check(&spec, &seen, NOW).expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::Config);
    let message = error.message();
    for part in ["start.t.0: 11 lies beyond", "start.t.7: there is no", "start.t.8", "has 2"] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(!message.contains("start.t.1") && !message.contains("later"), "{message}");
    assert!(check(&self::spec(json!({"start": "latest"})), &seen, NOW).is_ok());
}

#[test]
fn p12_a_start_behind_the_end_is_refused() {
    let mut at = offsets(0, 10);
    at.end_offset = Some(5);
    let seen = seen(vec![observed("t", 0, at)]);
    let end = "1970-01-01T00:00:07Z";
    let check = |start| check(&spec(json!({ "start": start, "end": end })), &seen, NOW);
    assert!(check(json!({"t": {"0": 5}})).is_ok());
    let error = check(json!({"t": {"0": 6}})).expect_err("behind it");
    assert!(error.message().starts_with("start.t.0: 6 lies beyond the spec's end"), "{error}");
    let error = check(json!("latest")).expect_err("the end is past");
    assert!(error.message().contains("nothing lies between"), "{error}");
    let later = spec(json!({"start": "latest", "end": "1970-01-01T00:00:08Z"}));
    assert!(super::check(&later, &seen, NOW).is_ok());
}
