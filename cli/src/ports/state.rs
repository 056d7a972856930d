use bytes::Bytes;
use tidegate_core::Result;
use tidegate_core::ports::{Document, Mark, Marks, StateStore, StoredHead, Swapped, Written};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{PipelineName, RandomId, RunNumber};
use tidegate_local::DirectoryState;

use super::behind;

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
        behind!(self, port => port.load_head(name, by).await)
    }

    async fn swap_head(
        &self,
        name: &PipelineName,
        expected: Option<u64>,
        bytes: Bytes,
        by: Deadline,
    ) -> Result<Swapped> {
        behind!(self, port => port.swap_head(name, expected, bytes, by).await)
    }

    async fn write(
        &self,
        name: &PipelineName,
        document: Document,
        bytes: Bytes,
        expires: Option<Millis>,
        by: Deadline,
    ) -> Result<Written> {
        behind!(self, port => port.write(name, document, bytes, expires, by).await)
    }

    async fn load(
        &self,
        name: &PipelineName,
        document: Document,
        by: Deadline,
    ) -> Result<Option<Bytes>> {
        behind!(self, port => port.load(name, document, by).await)
    }

    async fn expire(
        &self,
        name: &PipelineName,
        document: Document,
        at: Millis,
        by: Deadline,
    ) -> Result<()> {
        behind!(self, port => port.expire(name, document, at, by).await)
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
        behind!(self, port => port.mark(name, run, plan, mark, tasks, by).await)
    }

    async fn marks(
        &self,
        name: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        by: Deadline,
    ) -> Result<Marks> {
        behind!(self, port => port.marks(name, run, plan, by).await)
    }

    async fn hold(&self, name: &PipelineName, holder: RandomId, by: Deadline) -> Result<Hold> {
        match self {
            Self::Local(port) => port.hold(name, holder, by).await.map(Some),
            #[cfg(feature = "aws")]
            Self::Aws(port) => port.hold(name, holder, by).await.map(|()| None),
        }
    }

    async fn holder_lives(
        &self,
        name: &PipelineName,
        holder: RandomId,
        by: Deadline,
    ) -> Result<Option<bool>> {
        behind!(self, port => port.holder_lives(name, holder, by).await)
    }
}
