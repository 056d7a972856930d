use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidegate_core::Result;
use tidegate_core::ports::{
    Clock, Document, Mark, Marks, StateStore, StoredHead, Swapped, Written,
};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{PipelineName, RandomId, RunNumber};
use tidegate_local::{DirectoryState, Hold, SystemClock};
use tidegate_sim::contract;

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    SwapsWhateverTheVersion,
    SwapsWhereOtherVersionsStand,
    TellsRivalsThatAllWon,
    LoadsTheHeadBefore,
    SharesTheHead,
    SaysOursOfWhatStands,
    AnswersTheLosersBytes,
    SharesThePlans,
    SharesTheTasks,
    CutsOffDocuments,
    ForgetsExpiries,
    ForgetsLaterExpiries,
    KeepsOneMarkOnly,
    ForgetsWhyAnAttemptFailed,
    HoldersNeverDie,
    HoldersNeverLive,
}

/// Each with the check that has to notice it first.
const TABLE: [(Wrong, &str); 16] = [
    (Wrong::SwapsWhateverTheVersion, "head::there_is_none_before_the_first_swap"),
    (Wrong::SwapsWhereOtherVersionsStand, "head::it_is_what_was_swapped_last"),
    (Wrong::TellsRivalsThatAllWon, "head::of_many_first_ones_one_stands"),
    (Wrong::LoadsTheHeadBefore, "head::it_is_what_was_swapped_last"),
    (Wrong::SharesTheHead, "head::there_is_none_before_the_first_swap"),
    (
        Wrong::SaysOursOfWhatStands,
        "documents::of_many_writers_one_wins_and_the_others_get_what_stands",
    ),
    (
        Wrong::AnswersTheLosersBytes,
        "documents::of_many_writers_one_wins_and_the_others_get_what_stands",
    ),
    (Wrong::SharesThePlans, "documents::a_document_that_was_never_written_is_absent"),
    (Wrong::SharesTheTasks, "documents::each_name_has_its_own_bytes"),
    (Wrong::CutsOffDocuments, "documents::a_document_may_be_empty_or_large"),
    (Wrong::ForgetsExpiries, "documents::one_with_an_expiry_is_absent_after_it"),
    (Wrong::ForgetsLaterExpiries, "documents::one_that_was_expired_is_absent"),
    (Wrong::KeepsOneMarkOnly, "progress::a_hint_is_left_once_or_more_than_once"),
    (Wrong::ForgetsWhyAnAttemptFailed, "progress::a_hint_is_left_once_or_more_than_once"),
    (Wrong::HoldersNeverDie, "progress::a_holder_lives_until_it_lets_go"),
    (Wrong::HoldersNeverLive, "progress::a_holder_lives_until_it_lets_go"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_state_is_noticed() {
    let mut otherwise = Vec::new();
    for (wrong, check) in TABLE {
        let dir = crate::in_memory();
        let right = DirectoryState::open(dir.path()).expect("a directory");
        // Where plans or heads are shared, some stand already.
        let (pipeline, by) = (shared(), Deadline(SystemClock.now().after(Duration::from_secs(60))));
        let document = Document::Output(RunNumber(7), RandomId(0), 3);
        let bytes = Bytes::from_static(b"0");
        right.swap_head(&pipeline, None, bytes.clone(), by).await.expect("a free disk");
        let store =
            WrongState { right, wrong, before: Mutex::default(), swapping: AtomicUsize::default() };
        if wrong == Wrong::SharesThePlans {
            store.write(&pipeline, document, bytes, None, by).await.expect("a free disk");
        }
        let noticed = contract::state_store(&store, &SystemClock).await;
        match noticed {
            Err(violation) if violation.check == check => {}
            Err(violation) => otherwise.push(format!("{wrong:?}: {violation}")),
            Ok(()) => otherwise.push(format!("{wrong:?} went unnoticed")),
        }
    }
    assert!(otherwise.is_empty(), "{otherwise:#?}");
}

struct WrongState {
    right: DirectoryState,
    wrong: Wrong,
    /// The head that was swapped away last.
    before: Mutex<Option<StoredHead>>,
    /// How many swap at this moment.
    swapping: AtomicUsize,
}

fn shared() -> PipelineName {
    PipelineName::try_from("shared".to_owned()).expect("a good name")
}

impl WrongState {
    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == wrong
    }

    fn head_of(&self, pipeline: &PipelineName) -> PipelineName {
        if self.is(Wrong::SharesTheHead) { shared() } else { pipeline.clone() }
    }

    fn documents_of(&self, pipeline: &PipelineName) -> PipelineName {
        if self.is(Wrong::SharesThePlans) { shared() } else { pipeline.clone() }
    }

    fn document(&self, document: Document) -> Document {
        let plan = |plan| if self.is(Wrong::SharesThePlans) { RandomId(0) } else { plan };
        let task = |task| if self.is(Wrong::SharesTheTasks) { 0 } else { task };
        match document {
            Document::Plan(run, id) => Document::Plan(run, plan(id)),
            Document::Task(run, id, number) => Document::Task(run, plan(id), task(number)),
            Document::Output(run, id, number) => Document::Output(run, plan(id), task(number)),
            Document::Checkpoint(run, id) => Document::Checkpoint(run, plan(id)),
        }
    }

    async fn swap_wrongly(
        &self,
        name: &PipelineName,
        expected: Option<u64>,
        bytes: Bytes,
        by: Deadline,
    ) -> Result<Swapped> {
        let before = self.right.load_head(name, by).await?;
        let standing = before.as_ref().map(|head| head.version);
        let expected = self.expects(standing, expected);
        let swapped = self.right.swap_head(name, expected, bytes, by).await?;
        if swapped != Swapped::Conflict {
            *self.before.lock().expect("no thread panics") = before;
        }
        Ok(swapped)
    }

    /// The version that is to be swapped away, if it is; otherwise the one that was expected.
    fn expects(&self, standing: Option<u64>, expected: Option<u64>) -> Option<u64> {
        match self.wrong {
            Wrong::SwapsWhateverTheVersion => standing,
            Wrong::SwapsWhereOtherVersionsStand if expected.is_some() => standing.or(expected),
            _ => expected,
        }
    }
}

impl StateStore for WrongState {
    type Hold = Hold;

    async fn load_head(&self, name: &PipelineName, by: Deadline) -> Result<Option<StoredHead>> {
        let before = self.before.lock().expect("no thread panics").clone();
        match before.filter(|_| self.is(Wrong::LoadsTheHeadBefore)) {
            Some(before) => Ok(Some(before)),
            None => self.right.load_head(&self.head_of(name), by).await,
        }
    }

    async fn swap_head(
        &self,
        name: &PipelineName,
        expected: Option<u64>,
        bytes: Bytes,
        by: Deadline,
    ) -> Result<Swapped> {
        let name = self.head_of(name);
        // Counted when the call begins, so that a race is one under any scheduler: rivals have
        // all begun before the first of them has waited for the disk.
        let rivals = self.swapping.fetch_add(1, Ordering::SeqCst);
        let swapped = self.swap_wrongly(&name, expected, bytes, by).await;
        self.swapping.fetch_sub(1, Ordering::SeqCst);
        match swapped? {
            Swapped::Conflict if self.is(Wrong::TellsRivalsThatAllWon) && rivals > 0 => {
                Ok(Swapped::Ours { version: expected.unwrap_or(0) + 1 })
            }
            swapped => Ok(swapped),
        }
    }

    async fn write(
        &self,
        name: &PipelineName,
        document: Document,
        bytes: Bytes,
        expires: Option<Millis>,
        by: Deadline,
    ) -> Result<Written> {
        const CUT: usize = 400_000;
        let cut = self.is(Wrong::CutsOffDocuments) && bytes.len() > CUT;
        let kept = if cut { bytes.slice(..CUT) } else { bytes.clone() };
        let expires = expires.filter(|_| !self.is(Wrong::ForgetsExpiries));
        let (name, document) = (self.documents_of(name), self.document(document));
        match self.right.write(&name, document, kept, expires, by).await? {
            Written::Stands(_) if self.is(Wrong::SaysOursOfWhatStands) => Ok(Written::Ours),
            Written::Stands(_) if self.is(Wrong::AnswersTheLosersBytes) => {
                Ok(Written::Stands(bytes))
            }
            right => Ok(right),
        }
    }

    async fn load(
        &self,
        name: &PipelineName,
        document: Document,
        by: Deadline,
    ) -> Result<Option<Bytes>> {
        self.right.load(&self.documents_of(name), self.document(document), by).await
    }

    async fn expire(
        &self,
        name: &PipelineName,
        document: Document,
        at: Millis,
        by: Deadline,
    ) -> Result<()> {
        if self.is(Wrong::ForgetsLaterExpiries) {
            return Ok(());
        }
        self.right.expire(name, self.document(document), at, by).await
    }

    async fn mark(
        &self,
        name: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        mark: Mark,
        tasks: u32,
        by: Deadline,
    ) -> Result<()> {
        self.right.mark(name, run, plan, mark, tasks, by).await
    }

    async fn marks(
        &self,
        name: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        by: Deadline,
    ) -> Result<Marks> {
        let mut marks = self.right.marks(name, run, plan, by).await?.marks;
        if self.is(Wrong::KeepsOneMarkOnly) {
            marks = marks.pop_last().into_iter().collect();
        }
        if self.is(Wrong::ForgetsWhyAnAttemptFailed) {
            marks.retain(|mark| matches!(mark, Mark::Done { .. }));
        }
        Ok(Marks { marks })
    }

    async fn hold(&self, name: &PipelineName, holder: RandomId, by: Deadline) -> Result<Hold> {
        self.right.hold(name, holder, by).await
    }

    async fn holder_lives(
        &self,
        name: &PipelineName,
        holder: RandomId,
        by: Deadline,
    ) -> Result<Option<bool>> {
        match self.wrong {
            Wrong::HoldersNeverDie => Ok(Some(true)),
            Wrong::HoldersNeverLive => Ok(Some(false)),
            _ => self.right.holder_lives(name, holder, by).await,
        }
    }
}
