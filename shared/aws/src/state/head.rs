//! The head: one item, replaced whole, on the condition of its version.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use bytes::Bytes;
use tidegate_core::Result;
use tidegate_core::ports::{StoredHead, Swapped};
use tidegate_core::time::Deadline;
use tidegate_core::words::PipelineName;

use super::DynamoState;
use super::item::{self, BODY, BYTES, Item, VERSION};
use crate::call::within;

const HEAD: &str = "head";

/// The head; none if the pipeline has none.
pub(super) async fn load(
    state: &DynamoState,
    pipeline: &PipelineName,
    by: Deadline,
) -> Result<Option<StoredHead>> {
    let item = state.get(pipeline, HEAD, by).await?;
    item.map(|item| read(state, pipeline, &item)).transpose()
}

fn read(state: &DynamoState, pipeline: &PipelineName, item: &Item) -> Result<StoredHead> {
    let version = state.number_of(pipeline, (HEAD, item), VERSION)?;
    let body = state.body_of(pipeline, (HEAD, item))?;
    let bytes = state.decompress(pipeline, (HEAD, item), &body)?;
    Ok(StoredHead { version, bytes })
}

/// Replaces the head if its version is `expected`.
pub(super) async fn swap(
    state: &DynamoState,
    pipeline: &PipelineName,
    expected: Option<u64>,
    bytes: &Bytes,
    by: Deadline,
) -> Result<Swapped> {
    let version = expected.unwrap_or(0) + 1;
    let mut item = item::key(pipeline, HEAD);
    item.insert(VERSION.to_owned(), item::number(version));
    item.insert(BYTES.to_owned(), item::number(bytes.len()));
    item.insert(BODY.to_owned(), item::blob(item::compress(bytes)?));

    let put = state
        .client
        .put_item()
        .table_name(&state.table)
        .set_item(Some(item))
        .expression_attribute_names("#v", VERSION)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let put = match expected {
        None => put.condition_expression("attribute_not_exists(#v)"),
        Some(expected) => put
            .condition_expression("#v = :v")
            .expression_attribute_values(":v", item::number(expected)),
    };
    let doing = format!("swap the head of {pipeline} in table {}", state.table);
    let failed = match within(by, &doing, put.send()).await {
        Ok(_) => return Ok(Swapped::Ours { version }),
        Err(failed) => failed,
    };
    let Some(PutItemError::ConditionalCheckFailedException(refused)) = &failed.service else {
        return Err(failed.error);
    };
    // A try of ours whose answer was lost made the condition of the next one fail.
    let standing = refused.item().map(|item| read(state, pipeline, item)).transpose()?;
    let ours = StoredHead { version, bytes: bytes.clone() };
    Ok(if standing == Some(ours) { Swapped::Ours { version } } else { Swapped::Conflict })
}

impl DynamoState {
    /// Reads an item, strongly consistent.
    pub(super) async fn get(
        &self,
        pipeline: &PipelineName,
        item: &str,
        by: Deadline,
    ) -> Result<Option<Item>> {
        let get = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::key(pipeline, item)))
            .consistent_read(true);
        let doing = format!("read {item} of {pipeline} in table {}", self.table);
        Ok(within(by, &doing, get.send()).await?.item)
    }
}
