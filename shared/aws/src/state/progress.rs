//! A run's hints: one item, to which sets are added. Whoever completes them sets the mark that
//! the table's stream is filtered by.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde::Deserialize;
use serde::de::value::{self, StrDeserializer};
use tidegate_core::ports::{Mark, Marks};
use tidegate_core::time::Deadline;
use tidegate_core::words::{PipelineName, RandomId, RunNumber};
use tidegate_core::{ErrorKind, Result};

use super::DynamoState;
use super::item::{self, EXPIRES, Item};
use crate::call::within;
use crate::clock::now;

/// The tasks whose output stands.
const DONE: &str = "done";
/// The attempts that began, but for each task's first.
const BEGUN: &str = "begun";
/// The attempts that ended without one.
const FAILED: &str = "failed";
/// True once all tasks are done: what the stream's filter looks for.
const COMPLETE: &str = "complete";
/// How long the hints of a run stay.
const KEPT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The item of a run's hints.
pub(super) fn key(run: RunNumber, plan: RandomId) -> String {
    format!("run/{run}/{plan}/progress")
}

/// Leaves a hint, once or more than once.
pub(super) async fn mark(
    state: &DynamoState,
    pipeline: &PipelineName,
    item: &str,
    mark: Mark,
    tasks: u32,
    by: Deadline,
) -> Result<()> {
    let (set, hint) = match mark {
        Mark::Done { task } => (DONE, AttributeValue::Ns(vec![task.to_string()])),
        Mark::Begun { task, attempt } => {
            (BEGUN, AttributeValue::Ss(vec![format!("{task}.{attempt}")]))
        }
        Mark::Failed { task, attempt, kind } => {
            (FAILED, AttributeValue::Ss(vec![format!("{task}.{attempt}.{kind}")]))
        }
    };
    let names = [("#set", set), ("#e", EXPIRES)];
    let values = [(":hint", hint), (":e", item::expiry(now().after(KEPT)))];
    let expression = "ADD #set :hint SET #e = if_not_exists(#e, :e)";
    let after =
        update(state, pipeline, item, (expression, names.into(), values.into()), by).await?;
    let done = after.get(DONE).and_then(|value| value.as_ns().ok()).map_or(0, Vec::len);
    let complete = usize::try_from(tasks).is_ok_and(|tasks| done >= tasks);
    if complete && !after.contains_key(COMPLETE) {
        let values = HashMap::from([(":yes", AttributeValue::Bool(true))]);
        let names = HashMap::from([("#c", COMPLETE)]);
        update(state, pipeline, item, ("SET #c = :yes", names, values), by).await?;
    }
    Ok(())
}

type Update =
    (&'static str, HashMap<&'static str, &'static str>, HashMap<&'static str, AttributeValue>);

/// Updates the item, and answers what it is then.
async fn update(
    state: &DynamoState,
    pipeline: &PipelineName,
    item: &str,
    (expression, names, values): Update,
    by: Deadline,
) -> Result<Item> {
    let mut update = state
        .client
        .update_item()
        .table_name(&state.table)
        .set_key(Some(item::key(pipeline, item)))
        .update_expression(expression)
        .return_values(ReturnValue::AllNew);
    for (name, attribute) in names {
        update = update.expression_attribute_names(name, attribute);
    }
    for (name, value) in values {
        update = update.expression_attribute_values(name, value);
    }
    let doing = format!("mark {item} of {pipeline} in table {}", state.table);
    Ok(within(by, &doing, update.send()).await?.attributes.unwrap_or_default())
}

/// All hints of a run.
pub(super) async fn load(
    state: &DynamoState,
    pipeline: &PipelineName,
    item: &str,
    by: Deadline,
) -> Result<Marks> {
    let item = state.get(pipeline, item, by).await?.unwrap_or_default();
    let done = item.get(DONE).and_then(|value| value.as_ns().ok());
    let done = done.into_iter().flatten().filter_map(|task| task.parse().ok());
    let hints = |set| item.get(set).and_then(|value| value.as_ss().ok()).into_iter().flatten();
    let begun = hints(BEGUN).filter_map(|hint| begun_of(hint));
    let failed = hints(FAILED).filter_map(|hint| failed_of(hint));
    Ok(Marks { marks: done.map(|task| Mark::Done { task }).chain(begun).chain(failed).collect() })
}

/// None for what is no hint: it may be of a newer version.
fn begun_of(hint: &str) -> Option<Mark> {
    let (task, attempt) = hint.split_once('.')?;
    Some(Mark::Begun { task: task.parse().ok()?, attempt: attempt.parse().ok()? })
}

/// As for [`begun_of`].
fn failed_of(hint: &str) -> Option<Mark> {
    let mut words = hint.split('.');
    let task = words.next()?.parse().ok()?;
    let attempt = words.next()?.parse().ok()?;
    let kind = StrDeserializer::<value::Error>::new(words.next()?);
    let kind = ErrorKind::deserialize(kind).ok()?;
    words.next().is_none().then_some(Mark::Failed { task, attempt, kind })
}
