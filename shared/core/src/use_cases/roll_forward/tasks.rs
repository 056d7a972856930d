//! What the tasks of an open run need: decided from its head, its hints and the outputs that are
//! missing.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::ATTEMPTS_MAX;
use super::super::lease::Holder;
use crate::documents::OpenRun;
use crate::error::ErrorKind;
use crate::ports::{Mark, Marks};

/// What is to be done about the tasks of an open run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Todo {
    /// Tasks to be started again.
    pub(super) restart: Vec<u32>,
    /// Tasks to be abandoned.
    pub(super) abandon: Vec<u32>,
    /// Whether all other outputs stand.
    pub(super) complete: bool,
}

/// The tasks of an open run, as far as its head and its hints tell of them.
#[derive(Debug)]
pub(super) struct Tasks<'a> {
    open: &'a OpenRun,
    marks: &'a Marks,
    quarantined: BTreeSet<u32>,
}

impl<'a> Tasks<'a> {
    pub(super) fn new(open: &'a OpenRun, marks: &'a Marks) -> Self {
        Self { open, marks, quarantined: open.quarantined.iter().copied().collect() }
    }

    /// Whether the hints say that all outputs stand but those of quarantined partitions, so that
    /// it is worth to look at the outputs themselves although the reading lease holds.
    pub(super) fn worth_a_look(&self) -> bool {
        let may_lack = |task: u32| self.have_others() && self.quarantined.contains(&task);
        (0..self.open.tasks()).all(|task| self.is_done(task) || may_lack(task))
    }

    /// While the reading lease holds, only a task whose current attempt is marked failed is
    /// touched.
    pub(super) fn failed_ones(&self) -> Todo {
        let failed: Vec<u32> = (0..self.open.tasks())
            .filter(|task| !self.is_done(*task) && self.failed(*task).is_some())
            .collect();
        let (abandon, restart) = failed.into_iter().partition(|task| self.used_up(*task));
        Todo { restart, abandon, complete: false }
    }

    /// What to do about tasks whose output is missing.
    pub(super) fn todo(&self, missing: &[u32], reading: bool) -> Todo {
        let others_done =
            self.have_others() && missing.iter().all(|task| self.quarantined.contains(task));
        let mut todo = Todo::default();
        for task in missing.iter().copied() {
            let ended = !reading || self.failed(task).is_some();
            if others_done || (ended && self.used_up(task)) {
                todo.abandon.push(task);
            } else if ended {
                todo.restart.push(task);
            }
        }
        todo.complete = todo.abandon.len() == missing.len();
        todo
    }

    /// How the last attempt of a task that is given up ended: a kind, which decides whether its
    /// partitions are quarantined, and words for people. Of a first attempt, which only a
    /// quarantined task is given up after, nobody says that it began.
    pub(super) fn how_it_ended(&self, task: u32, reader: Holder) -> (ErrorKind, Cow<'static, str>) {
        let attempt = self.attempts(task);
        let begun = attempt == 1 || self.marks.marks.contains(&Mark::Begun { task, attempt });
        match (self.failed(task), reader) {
            (Some(kind), _) => (kind, format!("ended with an error ({kind})").into()),
            // Whoever killed the process meant no partition by it.
            (None, Holder::Dead) => (ErrorKind::Unavailable, "ended when its process did".into()),
            (None, Holder::Lives | Holder::TimeIsUp) if !begun => (
                ErrorKind::Unavailable,
                "never began: is there room for one more reader to run?".into(),
            ),
            (None, Holder::Lives | Holder::TimeIsUp) => (
                ErrorKind::OutOfTime,
                "ended without a word: its time or its memory was used up".into(),
            ),
        }
    }

    /// How often a task was started.
    pub(super) fn attempts(&self, task: u32) -> u32 {
        usize::try_from(task).ok().and_then(|at| self.open.attempts.get(at)).copied().unwrap_or(0)
    }

    /// Whether the run has tasks beside those of quarantined partitions: only these are not
    /// waited for.
    fn have_others(&self) -> bool {
        self.quarantined.len() < self.open.attempts.len()
    }

    fn is_done(&self, task: u32) -> bool {
        self.marks.marks.contains(&Mark::Done { task })
    }

    /// Whether the attempt of `task` that was started last said that it failed.
    fn failed(&self, task: u32) -> Option<ErrorKind> {
        let current = self.attempts(task);
        self.marks.marks.iter().find_map(|mark| match mark {
            Mark::Failed { task: t, attempt, kind } if (*t, *attempt) == (task, current) => {
                Some(*kind)
            }
            Mark::Failed { .. } | Mark::Begun { .. } | Mark::Done { .. } => None,
        })
    }

    fn used_up(&self, task: u32) -> bool {
        let attempts_max = if self.quarantined.contains(&task) { 1 } else { ATTEMPTS_MAX };
        self.attempts(task) >= attempts_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Lease;
    use crate::time::Millis;
    use crate::words::{RandomId, RunNumber};

    /// A run whose tasks were started so often.
    fn run(attempts: &[u32], quarantined: &[u32]) -> OpenRun {
        OpenRun {
            run: RunNumber(7),
            plan: RandomId(1),
            plan_hash: String::new(),
            opened_at: Millis(0),
            chain: 0,
            attempts: attempts.to_vec(),
            quarantined: quarantined.to_vec(),
            reading: Lease { holder: RandomId(2), until: Millis(0) },
            finalizing: None,
            finalizer_starts: 0,
            aborting: None,
        }
    }

    fn marks(marks: impl IntoIterator<Item = Mark>) -> Marks {
        Marks { marks: marks.into_iter().collect() }
    }

    #[test]
    fn what_is_missing_is_started_again_and_given_up_after_three_attempts() {
        let (open, none) = (run(&[1, 2, 3], &[]), Marks::default());
        let todo = Tasks::new(&open, &none).todo(&[0, 1, 2], false);
        assert_eq!(todo, Todo { restart: vec![0, 1], abandon: vec![2], complete: false });
        let failed = marks([
            Mark::Failed { task: 1, attempt: 2, kind: ErrorKind::Denied },
            Mark::Failed { task: 2, attempt: 2, kind: ErrorKind::Denied },
        ]);
        let tasks = Tasks::new(&open, &failed);
        let todo = tasks.todo(&[0, 1, 2], true);
        assert_eq!(todo, Todo { restart: vec![1], ..Todo::default() }, "the lease holds");
        assert_eq!(tasks.failed_ones(), todo, "an attempt before the last says nothing");
    }

    #[test]
    fn nobody_waits_for_quarantined_tasks_alone() {
        let (open, none) = (run(&[1, 1], &[1]), Marks::default());
        let tasks = Tasks::new(&open, &none);
        assert_eq!(tasks.todo(&[0, 1], true), Todo::default());
        let given_up = Todo { abandon: vec![1], complete: true, ..Todo::default() };
        assert_eq!(tasks.todo(&[1], true), given_up);
        assert!(!tasks.worth_a_look());
        let done = marks([Mark::Done { task: 0 }]);
        assert!(Tasks::new(&open, &done).worth_a_look());
    }

    #[test]
    fn an_attempt_that_never_began_is_no_partitions_fault() {
        let open = run(&[3, 3, 3, 1], &[3]);
        let left = marks([
            Mark::Begun { task: 0, attempt: 2 },
            Mark::Begun { task: 1, attempt: 3 },
            Mark::Begun { task: 2, attempt: 3 },
            Mark::Failed { task: 2, attempt: 3, kind: ErrorKind::Denied },
        ]);
        let tasks = Tasks::new(&open, &left);
        let kind = |task, reader| tasks.how_it_ended(task, reader).0;
        assert_eq!(kind(0, Holder::TimeIsUp), ErrorKind::Unavailable, "its third never began");
        assert_eq!(kind(1, Holder::TimeIsUp), ErrorKind::OutOfTime);
        assert_eq!(kind(1, Holder::Dead), ErrorKind::Unavailable);
        assert_eq!(kind(2, Holder::TimeIsUp), ErrorKind::Denied);
        assert_eq!(kind(3, Holder::Lives), ErrorKind::OutOfTime);
    }
}
