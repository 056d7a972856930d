//! The state in one DynamoDB table, key (`pipeline`, `item`), both strings:
//!
//! ```text
//! head                                 version, body
//! run/<n>/<plan id>/plan               body                      | chunks, hash     expires
//! run/<n>/<plan id>/plan/<task>        body                      | chunks, hash     expires
//! run/<n>/<plan id>/output/<task>      …
//! run/<n>/<plan id>/checkpoint         …
//! run/<n>/<plan id>/…#<hash>/<chunk>   body                                         expires
//! run/<n>/<plan id>/progress           done (number set), failed (string set), complete, expires
//! ```
//!
//! A `body` is compressed with zstd; `bytes` says how large it was. `expires` is the table's
//! expiry attribute, in Unix seconds.

mod documents;
mod head;
mod item;
mod progress;

use aws_sdk_dynamodb::Client;
use bytes::Bytes;
use tidegate_core::Result;
use tidegate_core::ports::{Document, Mark, Marks, StateStore, StoredHead, Swapped, Written};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{PipelineName, RandomId, RunNumber};

use crate::clients::Clients;

/// The state in a DynamoDB table. All reads are strongly consistent.
#[derive(Clone, Debug)]
pub struct DynamoState {
    client: Client,
    table: String,
}

impl DynamoState {
    /// The state in the table `table`, which must exist. Nothing is asked yet.
    pub fn new(clients: &Clients, table: impl Into<String>) -> Self {
        Self { client: clients.dynamodb.clone(), table: table.into() }
    }
}

impl StateStore for DynamoState {
    /// A lease is held by its time alone.
    type Hold = ();

    async fn load_head(&self, name: &PipelineName, by: Deadline) -> Result<Option<StoredHead>> {
        head::load(self, name, by).await
    }

    async fn swap_head(
        &self,
        name: &PipelineName,
        expected: Option<u64>,
        bytes: Bytes,
        by: Deadline,
    ) -> Result<Swapped> {
        head::swap(self, name, expected, &bytes, by).await
    }

    async fn write(
        &self,
        name: &PipelineName,
        document: Document,
        bytes: Bytes,
        expires: Option<Millis>,
        by: Deadline,
    ) -> Result<Written> {
        documents::write(self, name, document, bytes, expires, by).await
    }

    async fn load(
        &self,
        name: &PipelineName,
        document: Document,
        by: Deadline,
    ) -> Result<Option<Bytes>> {
        documents::load(self, name, document, by).await
    }

    async fn expire(
        &self,
        name: &PipelineName,
        document: Document,
        at: Millis,
        by: Deadline,
    ) -> Result<()> {
        documents::expire(self, name, document, at, by).await
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
        progress::mark(self, name, &progress::key(run, plan), mark, tasks, by).await
    }

    async fn marks(
        &self,
        name: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        by: Deadline,
    ) -> Result<Marks> {
        progress::load(self, name, &progress::key(run, plan), by).await
    }

    async fn hold(&self, _name: &PipelineName, _holder: RandomId, _by: Deadline) -> Result<()> {
        Ok(())
    }

    async fn holder_lives(
        &self,
        _name: &PipelineName,
        _holder: RandomId,
        _by: Deadline,
    ) -> Result<Option<bool>> {
        Ok(None)
    }
}
