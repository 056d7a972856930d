use bytes::Bytes;
use tidegate_core::error::Result;
use tidegate_core::ports::{
    Document, FinalizerEvent, Mark, Marks, StateStore, StoredHead, Swapped, Written,
};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{PipelineName, RandomId, RunNumber};

use crate::actor::{Call, Ports};
use crate::faults::Class::{Read, Write};
use crate::mail::Event;
use crate::sabotage::Sabotage;
use crate::table::Table;
use crate::world::{State, World};

impl State {
    fn table(&mut self, pipeline: &PipelineName) -> &mut Table {
        if !self.tables.contains_key(pipeline) {
            self.tables.insert(pipeline.clone(), Table::default());
        }
        self.tables.get_mut(pipeline).expect("it was made above")
    }

    fn swap_head(
        &mut self,
        pipeline: &PipelineName,
        expected: Option<u64>,
        bytes: &Bytes,
    ) -> Swapped {
        let mut expected = expected;
        let before = self.table(pipeline).head.clone();
        if self.sabotaged(Sabotage::SwapIgnoresVersion) {
            expected = before.as_ref().map(|head| head.version);
        }
        // An adapter that tries again finds its own bytes.
        if let Some(ours) = before.as_ref().filter(|head| head.bytes == *bytes) {
            return Swapped::Ours { version: ours.version };
        }
        let swapped = self.table(pipeline).swap(expected, bytes);
        if let Swapped::Ours { .. } = swapped {
            self.check_head(pipeline, before.as_ref().map(|head| &head.bytes), bytes);
        }
        swapped
    }

    fn write_document(
        &mut self,
        pipeline: &PipelineName,
        document: Document,
        bytes: &Bytes,
        expires: Option<Millis>,
    ) -> Written {
        let now = self.now;
        if self.sabotaged(Sabotage::WriteReplaces) {
            self.table(pipeline).overwrite(document, bytes);
            self.check_document(pipeline, document, bytes);
            return Written::Ours;
        }
        let written = self.table(pipeline).write(document, bytes, expires.map(|at| at.0), now);
        if written == Written::Ours {
            self.check_document(pipeline, document, bytes);
        }
        written
    }
}

/// Keeps a holder alive.
#[derive(Debug)]
pub struct SimHold {
    world: World,
    pipeline: PipelineName,
    holder: RandomId,
}

impl Drop for SimHold {
    fn drop(&mut self) {
        self.world.with(|state| state.table(&self.pipeline).holders.remove(&self.holder));
    }
}

impl StateStore for Ports {
    type Hold = SimHold;

    async fn load_head(
        &self,
        pipeline: &PipelineName,
        deadline: Deadline,
    ) -> Result<Option<StoredHead>> {
        let call = Call { class: Read, op: "load_head", detail: String::new, deadline };
        let pipeline = pipeline.clone();
        let actor = self.actor;
        self.call(call, move |state| {
            let shown = state.sabotaged(Sabotage::ClosedRunLooksOpen);
            let head = state.table(&pipeline).head.clone();
            if state.sabotaged(Sabotage::AbortIsNotSeen) {
                return Ok(head.map(|head| state.without_mark(head, actor)));
            }
            let forged = || state.table_head_as_opened(&pipeline, actor);
            Ok(if shown { forged().or(head) } else { head })
        })
        .await
    }

    async fn swap_head(
        &self,
        pipeline: &PipelineName,
        expected: Option<u64>,
        bytes: Bytes,
        deadline: Deadline,
    ) -> Result<Swapped> {
        let detail = || format!("from version {}", expected.unwrap_or(0));
        let call = Call { class: Write, op: "swap_head", detail, deadline };
        let pipeline = pipeline.clone();
        self.call(call, move |state| Ok(state.swap_head(&pipeline, expected, &bytes))).await
    }

    async fn write(
        &self,
        pipeline: &PipelineName,
        document: Document,
        bytes: Bytes,
        expires: Option<Millis>,
        deadline: Deadline,
    ) -> Result<Written> {
        let detail = || document.to_string();
        let call = Call { class: Write, op: "write", detail, deadline };
        let pipeline = pipeline.clone();
        self.call(call, move |state| Ok(state.write_document(&pipeline, document, &bytes, expires)))
            .await
    }

    async fn load(
        &self,
        pipeline: &PipelineName,
        document: Document,
        deadline: Deadline,
    ) -> Result<Option<Bytes>> {
        let detail = || document.to_string();
        let call = Call { class: Read, op: "load", detail, deadline };
        let pipeline = pipeline.clone();
        self.call(call, move |state| {
            let now = state.now;
            Ok(state.table(&pipeline).load(document, now))
        })
        .await
    }

    async fn expire(
        &self,
        pipeline: &PipelineName,
        document: Document,
        at: Millis,
        deadline: Deadline,
    ) -> Result<()> {
        let detail = || document.to_string();
        let call = Call { class: Write, op: "expire", detail, deadline };
        let pipeline = pipeline.clone();
        self.call(call, move |state| {
            state.table(&pipeline).expire(document, at.0);
            Ok(())
        })
        .await
    }

    async fn mark(
        &self,
        pipeline: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        mark: Mark,
        tasks: u32,
        deadline: Deadline,
    ) -> Result<()> {
        let detail = || format!("run {run} {mark:?} of {tasks}");
        let call = Call { class: Write, op: "mark", detail, deadline };
        let pipeline = pipeline.clone();
        self.call(call, move |state| {
            let completed = state.table(&pipeline).mark((run, plan), mark, tasks);
            if completed && state.settings.stream {
                let event =
                    FinalizerEvent { pipeline: pipeline.clone(), run, plan, set_aside: false };
                let now = state.now;
                state.mail.send(now, Event::Finalizer(event));
            }
            Ok(())
        })
        .await
    }

    async fn marks(
        &self,
        pipeline: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        deadline: Deadline,
    ) -> Result<Marks> {
        let detail = || format!("run {run}");
        let call = Call { class: Read, op: "marks", detail, deadline };
        let pipeline = pipeline.clone();
        self.call(call, move |state| {
            let marks = state.table(&pipeline).marks.get(&(run, plan)).cloned();
            Ok(Marks { marks: marks.unwrap_or_default() })
        })
        .await
    }

    async fn hold(
        &self,
        pipeline: &PipelineName,
        holder: RandomId,
        deadline: Deadline,
    ) -> Result<SimHold> {
        let call = Call { class: Read, op: "hold", detail: String::new, deadline };
        let (world, name) = (self.world.clone(), pipeline.clone());
        self.call(call, move |state| {
            state.table(&name).holders.insert(holder);
            Ok(SimHold { world: world.clone(), pipeline: name.clone(), holder })
        })
        .await
    }

    async fn holder_lives(
        &self,
        pipeline: &PipelineName,
        holder: RandomId,
        deadline: Deadline,
    ) -> Result<Option<bool>> {
        let call = Call { class: Read, op: "holder_lives", detail: String::new, deadline };
        let pipeline = pipeline.clone();
        self.call(call, move |state| {
            let known = state.settings.knows_holders;
            Ok(known.then(|| state.table(&pipeline).holders.contains(&holder)))
        })
        .await
    }
}
