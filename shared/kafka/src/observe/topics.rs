//! Which topics there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::error::{Error, ErrorKind, Result};
use tidegate_core::ports::Cause;
use tidegate_core::spec::TopicSelection;
use tidegate_core::time::Deadline;

use crate::clock::{backoff, now, remaining};
use crate::errors::{self, Retry, remedy};
use crate::requests::{Metadata, TopicMetadata};
use crate::session::Session;

/// The topics of a selection.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) cluster_id: Option<String>,
    /// Those that can be looked at, by name.
    pub(super) topics: BTreeMap<Arc<str>, TopicMetadata>,
    /// The others, with their cause, in order.
    pub(super) missing: Vec<(String, Cause)>,
}

/// Finds the topics of `selection`. Those with an error that may pass, like a topic that was
/// just created and is not known everywhere, are asked for again for a while. For `patience` it
/// is tried to reach a broker at all.
pub(super) async fn find(
    session: &Session,
    selection: &TopicSelection,
    patience: Duration,
    deadline: Deadline,
) -> Result<Found> {
    let mut names = match selection {
        TopicSelection::Names(names) => Some(names.clone()),
        TopicSelection::Pattern { .. } => None,
    };
    let mut found = Found::default();
    let mut give_up = None;
    let mut failures = 0;
    loop {
        let request = Metadata { topics: names.clone() };
        let answer = session.metadata_persistently(&request, patience, deadline).await?;
        found.cluster_id = answer.cluster_id;
        let mut left = found.take(selection, answer.topics);
        left.extend(found.unanswered(names.as_deref().unwrap_or_default(), &left));
        if left.is_empty() {
            break;
        }
        let patience = session.options().topic_retry_for;
        let give_up = *give_up.get_or_insert_with(|| Deadline(now().after(patience)).min(deadline));
        failures += 1;
        let wait = backoff(failures);
        if wait >= remaining(give_up) {
            found.missing.extend(left.iter().map(Left::missing));
            break;
        }
        tokio::time::sleep(wait).await;
        names = Some(left.into_iter().map(|topic| topic.name).collect());
    }
    found.missing.sort();
    Ok(found)
}

/// A topic that may yet come.
struct Left {
    name: Arc<str>,
    /// What it is missing for, if it does not.
    error: Error,
}

impl Left {
    fn missing(&self) -> (String, Cause) {
        (self.name.as_ref().to_owned(), Cause::from(&self.error))
    }
}

impl Found {
    /// Sorts an answer's topics into found and missing; answers those that may yet come.
    fn take(&mut self, selection: &TopicSelection, topics: Vec<TopicMetadata>) -> Vec<Left> {
        let mut left = Vec::new();
        for topic in topics {
            let named = matches!(selection, TopicSelection::Names(_));
            if (!named && topic.internal) || !selection.matches(&topic.name) {
                continue;
            }
            if topic.error == 0 {
                self.topics.insert(Arc::clone(&topic.name), topic);
                continue;
            }
            let one = Left { error: error_of(&topic), name: topic.name };
            match remedy(topic.error).retry {
                Retry::Never => self.missing.push(one.missing()),
                Retry::Again | Retry::Refresh => left.push(one),
            }
        }
        left
    }

    /// Topics that were asked for, and of which nothing was said: not even that they are not
    /// there.
    fn unanswered(&self, names: &[Arc<str>], left: &[Left]) -> Vec<Left> {
        let said = |name: &Arc<str>| {
            self.topics.contains_key(name)
                || left.iter().any(|topic| topic.name == *name)
                || self.missing.iter().any(|(missing, _)| **missing == **name)
        };
        let unanswered = names.iter().filter(|name| !said(name));
        let left = unanswered.map(|name| {
            let error =
                format!("the broker that was asked about topic {name:?} said nothing of it");
            Left { name: Arc::clone(name), error: Error::unavailable(error) }
        });
        left.collect()
    }
}

fn error_of(topic: &TopicMetadata) -> Error {
    match (remedy(topic.error).kind, topic.error) {
        (ErrorKind::Config, 3) => Error::config(format!(
            "there is no topic {:?}: create it, or correct the spec's topics",
            topic.name
        )),
        _ => errors::error(topic.error, &format!("topic {:?}", topic.name)),
    }
}
