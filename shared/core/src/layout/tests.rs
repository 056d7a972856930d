mod samples;

use std::sync::Arc;

use super::count::count;
use super::*;
use crate::documents::{PartitionState, StagedFile, StagedSlice};
use crate::error::ErrorKind;
use crate::planning::samples::{checkpoint, entry};
use crate::ports::Cause;
use crate::time::Millis;
use crate::words::RunNumber;
use samples::*;

#[test]
fn c15_what_was_read_behind_a_hole_does_not_count() {
    let slices =
        |s: &[(i64, i64)]| s.iter().map(|(a, b)| slice(0, *a, *b, *a == 0)).collect::<Vec<_>>();
    let results = [
        result(0, slices(&[(0, 10)]), &[6]),
        result(1, slices(&[(10, 20)]), &[20]),
        result(2, vec![slice(1, 0, 5, true)], &[5]),
    ];
    let layout = laid_out(&results, 1_000);
    let counted: Vec<_> =
        layout.slices.iter().map(|s| (s.partition.partition, s.start, s.reached)).collect();
    assert_eq!(counted, [(0, 0, 6), (1, 0, 5)]);
    assert_eq!(entry_of(&layout.entries, 0).offset, 6);
    let staged: Vec<_> = layout.files.iter().flat_map(|file| &file.staged).cloned().collect();
    assert_eq!(staged, [staged_path(0, 0), staged_path(2, 0)]);
}

#[test]
fn w11_a_task_that_is_set_aside_moves_nothing_and_the_others_commit() {
    let mut results = vec![
        result(0, vec![slice(0, 0, 10, true)], &[10]),
        result(1, vec![slice(1, 0, 5, true)], &[5]),
    ];
    let cause = Cause { kind: ErrorKind::Unavailable, message: "a file is gone".to_owned() };
    results[0].set_aside = Some(Aside { cause, slices: Vec::new() });
    let layout = laid_out(&results, 1_000);
    assert_eq!(layout.slices.len(), 1);
    assert_eq!(layout.set_aside.len(), 1);
    assert_eq!(layout.files.iter().map(|file| file.rows).sum::<u64>(), 5);
}

/// Who is to blame for a task that is set aside is quarantined, so that the others get through.
#[test]
fn a_slice_that_does_not_add_up_quarantines_its_partition_alone() {
    let mut results = vec![result(0, vec![slice(0, 0, 9, true), slice(1, 0, 9, true)], &[9, 9])];
    let cause = Cause { kind: ErrorKind::Corrupt, message: "8 accounted for".to_owned() };
    results[0].set_aside = Some(Aside { cause, slices: vec![1] });
    let layout = laid_out(&results, 1_000);
    assert!(layout.slices.is_empty());
    assert_eq!(layout.entries.len(), 1);
    assert_eq!(entry_of(&layout.entries, 1).state.name(), "quarantined");
}

#[test]
fn m06_files_are_joined_towards_the_target() {
    let slices: Vec<_> = (0..10).map(|p| slice(p, 0, 4, true)).collect();
    let results = [result(0, slices, &[4; 10])];
    for (target, files) in [(1, 10), (100, 10), (101, 5), (250, 4), (10_000, 1)] {
        let layout = laid_out(&results, target);
        assert_eq!(layout.files.len(), files, "{target}");
        assert_eq!(layout.files.iter().map(|file| file.rows).sum::<u64>(), 40);
    }
    let layout = laid_out(&results, 10_000);
    assert_eq!(layout.files[0].path, "t/dt=2026-01-01/p-0000000002-1.parquet");
    assert_eq!(layout.files[0].slices.len(), 10);
}

/// Staged files that share a partition follow its offsets, whichever task and number they have:
/// the leading slice of partition 1 shares its files with partition 0, and is rolled over.
#[test]
fn rows_of_a_partition_stay_in_offset_order_across_staged_files() {
    let mut first = result(5, vec![slice(0, 0, 4, true), slice(1, 0, 8, true)], &[4, 8]);
    let staged =
        |slice, start, end: i64| StagedSlice { slice, start, end, rows: end.abs_diff(start) };
    let file = first.output.files[0].clone();
    first.output.files = vec![
        StagedFile { slices: vec![staged(1, 0, 6)], rows: 6, ..file.clone() },
        StagedFile {
            number: 1,
            path: staged_path(5, 1),
            slices: vec![staged(0, 0, 4), staged(1, 6, 8)],
            rows: 6,
            ..file
        },
    ];
    let later = result(0, vec![slice(1, 8, 12, false)], &[12]);
    assert_eq!(check_output(&pipeline(), RunNumber(2), &first.task, &first.output), Ok(()));
    let layout = laid_out(&[later, first], 10_000);
    assert_eq!(layout.files.len(), 1);
    assert_eq!(layout.files[0].staged, [staged_path(5, 0), staged_path(5, 1), staged_path(0, 0)]);
}

#[test]
fn a_run_that_moves_nothing_and_tells_nothing_needs_no_layout() {
    let nothing = [abandoned(0, vec![slice(0, 0, 5, true)], ErrorKind::Denied)];
    let Settled::Nothing { entries } = settle(&plan(1), &base(), &nothing) else {
        panic!("nothing moved")
    };
    // That it was tried is kept, for those who wait longer, and is nobody else's business.
    assert_eq!(entries[0].last_tried, Some(Millis(1_000)));
    assert!(!entries[0].untold);
    let mut part = result(0, vec![slice(0, 0, 5, true)], &[0]);
    part.output.slices[0].cause =
        Some(Cause { kind: ErrorKind::Denied, message: "no right".to_owned() });
    let denied = settle(&plan(1), &base(), &[part]);
    assert!(matches!(denied, Settled::Nothing { entries } if entries[0].last_tried.is_some()));
    let moved = [result(0, vec![slice(0, 0, 5, true)], &[1])];
    assert_eq!(settle(&plan(1), &base(), &moved), Settled::NeedsLayout);
}

#[test]
fn starts_that_were_resolved_are_kept_whatever_becomes_of_the_run_and_told_later() {
    let mut first = plan(1);
    first.entries = vec![entry("t", 0, 0)];
    let nothing = [abandoned(0, vec![slice(0, 0, 5, true)], ErrorKind::Denied)];
    let settled = settle(&first, &checkpoint(vec![]), &nothing);
    let Settled::Nothing { entries } = settled else { panic!("nothing moved") };
    assert!(entries[0].untold);
    let base = checkpoint(entries);
    let results = [result(0, vec![slice(1, 0, 5, true)], &[5])];
    let situation = Situation {
        previous_layout: None,
        previous_manifest: None,
        now: Millis(2_000),
        target_bytes: 1,
    };
    let layout = lay_out(&plan(1), &base, &results, &situation);
    assert!(!entry_of(&layout.entries, 0).untold);
}

#[test]
fn a_bad_record_quarantines_its_partition_until_it_succeeds_once() {
    let mut bad = result(0, vec![slice(0, 0, 10, true)], &[4]);
    let cause = Cause { kind: ErrorKind::BadRecord, message: "bad".to_owned() };
    bad.output.slices[0].cause = Some(cause.clone());
    let layout = laid_out(&[bad.clone()], 1);
    let after = entry_of(&layout.entries, 0).clone();
    assert_eq!(after.offset, 4);
    let PartitionState::Quarantined(quarantine) = &after.state else { panic!("quarantined") };
    assert_eq!((quarantine.failures, quarantine.retry_run), (1, RunNumber(3)));

    let base = checkpoint(vec![after]);
    let mut again = result(0, vec![slice(0, 4, 5, true)], &[4]);
    again.output.slices[0].cause = Some(cause);
    let entries = entries::changed(&plan(1), &base, &count(&[again]));
    let PartitionState::Quarantined(quarantine) = &entries[0].state else { panic!("quarantined") };
    assert_eq!((quarantine.failures, quarantine.retry_run), (2, RunNumber(4)));
    assert_eq!(entries[0].last_tried, Some(Millis(1_000)));
    let base = checkpoint(entries);
    let fine = [result(0, vec![slice(0, 4, 5, true)], &[5])];
    let entries = entries::changed(&plan(1), &base, &count(&fine));
    assert_eq!((&entries[0].state, entries[0].last_tried), (&PartitionState::Fine, None));
}

#[test]
fn only_a_cause_of_its_own_quarantines_a_partition() {
    for (kind, own) in [
        (ErrorKind::Unavailable, false),
        (ErrorKind::Denied, false),
        (ErrorKind::OutOfTime, true),
        (ErrorKind::Corrupt, true),
    ] {
        let results = [abandoned(0, vec![slice(0, 0, 5, true)], kind)];
        let entries = entries::changed(&plan(1), &base(), &count(&results));
        let quarantined = matches!(entries[0].state, PartitionState::Quarantined(_));
        assert_eq!(quarantined, own, "{kind}");
        assert_eq!((entries[0].last_read, entries[0].last_tried), (None, Some(Millis(1_000))));
    }
    // Time that ran out in the middle is no fault of the partition.
    let mut late = result(0, vec![slice(0, 0, 10, true)], &[4]);
    late.output.slices[0].cause =
        Some(Cause { kind: ErrorKind::OutOfTime, message: "late".to_owned() });
    let entries = entries::changed(&plan(1), &base(), &count(&[late]));
    assert_eq!(entries[0].state, PartitionState::Fine);
}

/// A02: an output that does not account for every offset and every row is refused.
#[test]
fn a02_an_output_that_does_not_add_up_is_refused() {
    let good = result(0, vec![slice(0, 0, 10, true), slice(1, 3, 8, true)], &[10, 8]);
    let check = |r: &TaskResult| check_output(&pipeline(), RunNumber(2), &r.task, &r.output);
    assert_eq!(check(&good), Ok(()));
    type Sabotage = fn(&mut TaskResult);
    let sabotages: [(&str, Sabotage); 9] = [
        ("10 offsets up to 10 were crossed, and 9", |r| {
            r.output.slices[0].accounting.rows -= 1;
            r.output.files[0].rows -= 1;
            r.output.files[0].slices[0].rows -= 1;
        }),
        ("9 rows were read, and 10 are in", |r| {
            r.output.slices[0].accounting.rows -= 1;
            r.output.slices[0].accounting.compacted += 1;
        }),
        ("5 rows were read, and 0 are in", |r| {
            r.output.files.pop();
        }),
        ("its slices have 10 rows, and it has 9", |r| r.output.files[0].rows -= 1),
        ("it reached 11", |r| {
            r.output.slices[0].reached = 11;
            r.output.slices[0].accounting.markers += 1;
        }),
        ("its name is not one of this task", |r| r.output.files[0].path = staged_path(1, 0)),
        ("it holds slice 7", |r| r.output.files[0].slices[0].slice = 7),
        ("it reports 1 slices", |r| {
            r.output.slices.pop();
        }),
        ("its rows are for t", |r| r.output.files[0].table = Arc::from("u")),
    ];
    for (fault, sabotage) in sabotages {
        let mut bad = good.clone();
        sabotage(&mut bad);
        let found = check(&bad).expect_err(fault);
        assert!(found.message.contains(fault), "{found:?}");
    }
}

#[test]
fn a_slice_that_does_not_lead_has_files_of_its_own() {
    let mut shared = result(0, vec![slice(0, 0, 4, true), slice(1, 4, 8, false)], &[4, 8]);
    shared.output.files[1].group = 0;
    let found = check_output(&pipeline(), RunNumber(2), &shared.task, &shared.output);
    assert!(found.expect_err("it shares").message.contains("may not hold rows"));
}
