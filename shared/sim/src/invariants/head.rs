//! Each change of the head.

use bytes::Bytes;
use tidegate_core::documents::{self, Head, OpenRun};
use tidegate_core::ports::{Document, StoredHead};
use tidegate_core::words::PipelineName;

use crate::mail::Event;
use crate::world::State;

impl State {
    /// After the head was swapped from `before` to `after`.
    pub(crate) fn check_head(
        &mut self,
        pipeline: &PipelineName,
        before: Option<&Bytes>,
        after: &Bytes,
    ) {
        if !self.settings.watched {
            return;
        }
        let before = before.and_then(|bytes| decode(bytes).ok());
        match decode(after) {
            Err(wrong) => self.watch.violated(wrong),
            Ok(after) => {
                if let Err(wrong) = self.judge_head(pipeline, before.as_ref(), &after) {
                    self.watch.violated(format!("the head: {wrong}"));
                }
                self.watch.head = Some(after);
            }
        }
    }

    fn judge_head(
        &mut self,
        pipeline: &PipelineName,
        before: Option<&Head>,
        after: &Head,
    ) -> Result<(), String> {
        let open_before = before.and_then(|head| head.open.as_ref());
        match (open_before, &after.open) {
            (None, None) => same_checkpoint(before, after),
            (None, Some(open)) => {
                same_checkpoint(before, after)?;
                self.judge_opened(pipeline, before, open)
            }
            (Some(was), Some(open)) => {
                if (was.run, was.plan, &was.plan_hash) != (open.run, open.plan, &open.plan_hash) {
                    return Err(format!(
                        "run {} with plan {} was replaced by run {} with plan {}",
                        was.run, was.plan, open.run, open.plan
                    ));
                }
                self.judge_mark(was, open)?;
                same_checkpoint(before, after)
            }
            (Some(was), None) => self.judge_closed(pipeline, was, after),
        }?;
        let last = before.map_or(0, |head| head.last_run.0);
        if after.last_run.0 < last { Err("the last run's number fell".to_owned()) } else { Ok(()) }
    }

    /// A run is opened under the next number, with a plan that stands.
    fn judge_opened(
        &mut self,
        pipeline: &PipelineName,
        before: Option<&Head>,
        open: &OpenRun,
    ) -> Result<(), String> {
        let (run, last) = (open.run, before.map_or(0, |head| head.last_run.0));
        if run.0 != last + 1 || self.watch.closed.contains(&run) {
            return Err(format!("run {run} was opened after run {last}"));
        }
        let plan = self.document(pipeline, Document::Plan(run, open.plan));
        if plan.is_none_or(|bytes| documents::hash(&bytes) != open.plan_hash) {
            return Err(format!("run {run} was opened without its plan"));
        }
        self.watch.opened.insert((run, open.plan));
        if last == 0 && !self.watch.from_earliest {
            let logs = self.kafka.topics().flat_map(|(_, topic)| {
                (0..).zip(&topic.partitions).map(|(index, log)| ((topic.id, index), log))
            });
            self.watch.begun = logs.map(|(place, log)| (place, log.high_watermark())).collect();
        }
        Ok(())
    }

    /// A run is closed once; if it was laid out, with its layout.
    fn judge_closed(
        &mut self,
        pipeline: &PipelineName,
        was: &OpenRun,
        after: &Head,
    ) -> Result<(), String> {
        let run = was.run;
        if !self.watch.closed.insert(run) {
            return Err(format!("run {run} was closed twice"));
        }
        if let Some((_, hash)) = self.watch.layouts.get(&run)
            && after.layout.as_ref().is_none_or(|layout| layout.hash != *hash)
        {
            return Err(format!("run {run} was closed without its layout"));
        }
        if was.aborting.is_some() {
            let judged = self.judge_aborted(pipeline, was, after);
            return judged.map_err(|wrong| format!("run {run}, aborted: {wrong}"));
        }
        self.judge_commit(pipeline, was, after).map_err(|wrong| format!("run {run}: {wrong}"))
    }

    /// The head as a finalizer sees it that is blind to the mark of an abort.
    pub(crate) fn without_mark(&self, stored: StoredHead, actor: usize) -> StoredHead {
        let finalizer = matches!(self.actors[actor].event, Some(Event::Finalizer(_)));
        let Ok(mut head) = decode(&stored.bytes) else { return stored };
        match &mut head.open {
            Some(open) if finalizer => open.aborting = None,
            Some(_) | None => return stored,
        }
        StoredHead { bytes: documents::encode(&head), ..stored }
    }

    /// The head as it was when the run of `actor`'s event was open, under the version of now:
    /// what rule 2 is broken with.
    pub(crate) fn table_head_as_opened(
        &self,
        pipeline: &PipelineName,
        actor: usize,
    ) -> Option<StoredHead> {
        let Some(Event::Finalizer(event)) = &self.actors[actor].event else { return None };
        let table = self.tables.get(pipeline)?;
        let version = table.head.as_ref()?.version;
        let opened = |bytes: &&Bytes| {
            let open = decode(bytes).ok().and_then(|head| head.open);
            open.is_some_and(|open| (open.run, open.plan) == (event.run, event.plan))
        };
        let bytes = table.heads.iter().rev().find(opened)?.clone();
        Some(StoredHead { version, bytes })
    }
}

fn decode(bytes: &[u8]) -> Result<Head, String> {
    documents::decode(bytes, "the head").map_err(|error| error.to_string())
}

fn same_checkpoint(before: Option<&Head>, after: &Head) -> Result<(), String> {
    let same = before.and_then(|head| head.checkpoint.as_ref()) == after.checkpoint.as_ref();
    if same { Ok(()) } else { Err("the checkpoint changed without a commit".to_owned()) }
}
