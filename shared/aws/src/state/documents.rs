//! Documents: written once, in one item or, where that is too small, in chunks that are named by
//! their content, and a header that is written last.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tidegate_core::documents;
use tidegate_core::ports::{Document, Written};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::PipelineName;
use tidegate_core::{Error, Result};

use super::DynamoState;
use super::item::{self, BODY, BYTES, CHUNKS, EXPIRES, HASH, ITEM, Item};
use crate::call::within;
use crate::clock::now;

/// Bytes of a body in one item. An item may have 400 KB in all, names and keys included.
const CHUNK_BYTES: usize = 350 * 1024;
/// Chunks that are written or read at once.
const CHUNKS_AT_ONCE: usize = 8;

/// Writes a document, if it is absent or expired.
pub(super) async fn write(
    state: &DynamoState,
    pipeline: &PipelineName,
    document: Document,
    bytes: Bytes,
    expires: Option<Millis>,
    by: Deadline,
) -> Result<Written> {
    let name = document.to_string();
    let compressed = item::compress(&bytes)?;
    let mut header = item::key(pipeline, &name);
    header.insert(BYTES.to_owned(), item::number(bytes.len()));
    if let Some(at) = expires {
        header.insert(EXPIRES.to_owned(), item::expiry(at));
    }
    if compressed.len() <= CHUNK_BYTES {
        header.insert(BODY.to_owned(), item::blob(compressed));
    } else {
        let hash = documents::hash(&compressed);
        let chunks: Vec<Vec<u8>> = compressed.chunks(CHUNK_BYTES).map(<[u8]>::to_vec).collect();
        header.insert(CHUNKS.to_owned(), item::number(chunks.len()));
        header.insert(HASH.to_owned(), AttributeValue::S(hash.clone()));
        write_chunks(state, pipeline, (&name, &hash), chunks, expires, by).await?;
    }
    match put_header(state, pipeline, &name, header, by).await? {
        None => Ok(Written::Ours),
        Some(standing) => {
            let standing = whole(state, pipeline, (&name, &standing), by).await?;
            // The same bytes: a try of ours whose answer was lost.
            Ok(if standing == bytes { Written::Ours } else { Written::Stands(standing) })
        }
    }
}

/// Puts the header; answers what stands if something does.
async fn put_header(
    state: &DynamoState,
    pipeline: &PipelineName,
    name: &str,
    header: Item,
    by: Deadline,
) -> Result<Option<Item>> {
    let put = state
        .client
        .put_item()
        .table_name(&state.table)
        .set_item(Some(header))
        .condition_expression("attribute_not_exists(#i) OR #e <= :now")
        .expression_attribute_names("#i", ITEM)
        .expression_attribute_names("#e", EXPIRES)
        .expression_attribute_values(":now", item::number(now().0.div_euclid(1_000)))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let doing = format!("write {name} of {pipeline} in table {}", state.table);
    let failed = match within(by, &doing, put.send()).await {
        Ok(_) => return Ok(None),
        Err(failed) => failed,
    };
    match failed.service {
        Some(PutItemError::ConditionalCheckFailedException(mut refused)) => {
            let standing = match refused.item.take() {
                Some(standing) => Some(standing),
                None => state.get(pipeline, name, by).await?,
            };
            // It expired in between: whoever tries again writes it.
            let gone = || Error::unavailable("what stood there is gone").while_doing(doing);
            standing.ok_or_else(gone).map(Some)
        }
        _ => Err(failed.error),
    }
}

/// The name of a chunk.
fn chunk_name((document, hash): (&str, &str), number: u64) -> String {
    format!("{document}#{hash}/{number}")
}

/// Writes chunks. Whoever else writes one of these names writes the same.
async fn write_chunks(
    state: &DynamoState,
    pipeline: &PipelineName,
    of: (&str, &str),
    chunks: Vec<Vec<u8>>,
    expires: Option<Millis>,
    by: Deadline,
) -> Result<()> {
    let writes = (0..).zip(chunks).map(|(number, chunk)| async move {
        let name = chunk_name(of, number);
        let mut item = item::key(pipeline, &name);
        item.insert(BODY.to_owned(), item::blob(chunk));
        if let Some(at) = expires {
            item.insert(EXPIRES.to_owned(), item::expiry(at));
        }
        let put = state.client.put_item().table_name(&state.table).set_item(Some(item));
        let doing = format!("write {name} of {pipeline} in table {}", state.table);
        within(by, &doing, put.send()).await?;
        Ok(())
    });
    stream::iter(writes).buffer_unordered(CHUNKS_AT_ONCE).try_collect().await
}

/// Reads a document; none if it is absent or expired.
pub(super) async fn load(
    state: &DynamoState,
    pipeline: &PipelineName,
    document: Document,
    by: Deadline,
) -> Result<Option<Bytes>> {
    let name = document.to_string();
    match state.get(pipeline, &name, by).await? {
        Some(header) if !item::has_expired(&header, now()) => {
            whole(state, pipeline, (&name, &header), by).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// All bytes of a document whose header is at hand.
async fn whole(
    state: &DynamoState,
    pipeline: &PipelineName,
    header: (&str, &Item),
    by: Deadline,
) -> Result<Bytes> {
    if !header.1.contains_key(CHUNKS) {
        let body = state.body_of(pipeline, header)?;
        return state.decompress(pipeline, header, &body);
    }
    let chunks = state.number_of(pipeline, header, CHUNKS)?;
    let hash = header.1.get(HASH).and_then(|value| value.as_s().ok());
    let hash =
        hash.ok_or_else(|| state.corrupt(pipeline, header.0, "it has chunks and no hash"))?;
    let reads = (0..chunks).map(|number| async move {
        let name = chunk_name((header.0, hash), number);
        let chunk = state.get(pipeline, &name, by).await?;
        let chunk = chunk.ok_or_else(|| state.corrupt(pipeline, &name, "it is missing"))?;
        state.body_of(pipeline, (&name, &chunk))
    });
    let bodies: Vec<Vec<u8>> = stream::iter(reads).buffered(CHUNKS_AT_ONCE).try_collect().await?;
    let compressed = bodies.concat();
    if documents::hash(&compressed) != *hash {
        return Err(state.corrupt(pipeline, header.0, "its chunks do not have its hash"));
    }
    state.decompress(pipeline, header, &compressed)
}

/// Gives a document an expiry, the header first: chunks never expire before it.
pub(super) async fn expire(
    state: &DynamoState,
    pipeline: &PipelineName,
    document: Document,
    at: Millis,
    by: Deadline,
) -> Result<()> {
    let name = document.to_string();
    let Some(header) = state.get(pipeline, &name, by).await? else { return Ok(()) };
    set_expiry(state, pipeline, &name, at, by).await?;
    let Some(hash) = header.get(HASH).and_then(|value| value.as_s().ok()) else { return Ok(()) };
    let chunks = state.number_of(pipeline, (&name, &header), CHUNKS)?;
    let sets = (0..chunks).map(|number| {
        let chunk = chunk_name((&name, hash), number);
        async move { set_expiry(state, pipeline, &chunk, at, by).await }
    });
    stream::iter(sets).buffer_unordered(CHUNKS_AT_ONCE).try_collect().await
}

/// Sets the expiry of an item that stands and has none.
async fn set_expiry(
    state: &DynamoState,
    pipeline: &PipelineName,
    name: &str,
    at: Millis,
    by: Deadline,
) -> Result<()> {
    let update = state
        .client
        .update_item()
        .table_name(&state.table)
        .set_key(Some(item::key(pipeline, name)))
        .update_expression("SET #e = :at")
        .condition_expression("attribute_exists(#i) AND attribute_not_exists(#e)")
        .expression_attribute_names("#i", ITEM)
        .expression_attribute_names("#e", EXPIRES)
        .expression_attribute_values(":at", item::expiry(at));
    let doing = format!("expire {name} of {pipeline} in table {}", state.table);
    match within(by, &doing, update.send()).await {
        Ok(_) => Ok(()),
        Err(failed) => match failed.service {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(failed.error),
        },
    }
}
