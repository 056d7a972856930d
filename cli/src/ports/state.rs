use bytes::Bytes;
use tidegate_core::Result;
use tidegate_core::ports::{Document, Mark, Marks, StateStore, StoredHead, Swapped, Written};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{PipelineName, RandomId, RunNumber};
use tidegate_local::DirectoryState;

use super::awaited;

/// The state: a directory, or a DynamoDB table.
#[derive(Debug)]
pub(crate) enum State {
    Local(DirectoryState),
    #[cfg(feature = "aws")]
    Aws(tidegate_aws::DynamoState),
}

/// What keeps a holder alive: a file's lock, where there are files.
pub(crate) type Hold = Option<<DirectoryState as StateStore>::Hold>;

impl StateStore for State {
    type Hold = Hold;

    async fn load_head(&self, name: &PipelineName, by: Deadline) -> Result<Option<StoredHead>> {
        awaited!(self, port => port.load_head(name, by))
    }

    async fn swap_head(
        &self,
        name: &PipelineName,
        expected: Option<u64>,
        bytes: Bytes,
        by: Deadline,
    ) -> Result<Swapped> {
        awaited!(self, port => port.swap_head(name, expected, bytes, by))
    }

    async fn write(
        &self,
        name: &PipelineName,
        document: Document,
        bytes: Bytes,
        expires: Option<Millis>,
        by: Deadline,
    ) -> Result<Written> {
        awaited!(self, port => port.write(name, document, bytes, expires, by))
    }

    async fn load(
        &self,
        name: &PipelineName,
        document: Document,
        by: Deadline,
    ) -> Result<Option<Bytes>> {
        awaited!(self, port => port.load(name, document, by))
    }

    async fn expire(
        &self,
        name: &PipelineName,
        document: Document,
        at: Millis,
        by: Deadline,
    ) -> Result<()> {
        awaited!(self, port => port.expire(name, document, at, by))
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
        awaited!(self, port => port.mark(name, run, plan, mark, tasks, by))
    }

    async fn marks(
        &self,
        name: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        by: Deadline,
    ) -> Result<Marks> {
        awaited!(self, port => port.marks(name, run, plan, by))
    }

    async fn hold(&self, name: &PipelineName, holder: RandomId, by: Deadline) -> Result<Hold> {
        match self {
            Self::Local(port) => port.hold(name, holder, by).await.map(Some),
            #[cfg(feature = "aws")]
            Self::Aws(port) => Box::pin(port.hold(name, holder, by)).await.map(|()| None),
        }
    }

    async fn holder_lives(
        &self,
        name: &PipelineName,
        holder: RandomId,
        by: Deadline,
    ) -> Result<Option<bool>> {
        awaited!(self, port => port.holder_lives(name, holder, by))
    }
}
