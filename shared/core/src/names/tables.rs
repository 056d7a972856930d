use std::fmt;

use serde::{Deserialize, Serialize};

use super::{component_fault, needs_no_escape, split_key};
use crate::error::{Error, Result};

/// What stands for the topic's name in a spec's `table`.
const TOPIC: &str = "{topic}";

/// A spec's `table`: the folder of a topic's files, with `{topic}` for its name. Slashes nest
/// folders. Several topics may share one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableTemplate(String);

impl TableTemplate {
    /// Checks all of `text` that does not depend on a topic. `Config` where it cannot be
    /// honoured.
    pub fn parse(text: &str) -> Result<Self> {
        let literal = text.replace(TOPIC, "");
        if let Some(c) = literal.chars().find(|c| matches!(c, '{' | '}')) {
            return Err(Error::config(format!(
                "{text:?} has a {c:?} that is not part of {TOPIC}, the only placeholder there is"
            )));
        }
        if let Some(c) = literal.chars().find(|c| !needs_no_escape(*c) && !matches!(c, '=' | '/')) {
            return Err(Error::config(format!(
                "{text:?} contains {c:?}: allowed are {TOPIC}, a-z, A-Z, 0-9, - _ . = and / \
                 between folders"
            )));
        }
        let template = Self(text.to_owned());
        // A name that is always good: what is wrong with its folder is wrong with every topic's.
        match template.fault("topic") {
            None => Ok(template),
            Some(fault) => Err(Error::config(format!(
                "{text:?} makes no folder: {fault}. Write one such as {TOPIC} or raw/{TOPIC}"
            ))),
        }
    }

    /// The template as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder of `topic`'s files: components joined by `/`. `Config`, with the cause, where
    /// the topic's name does not make a good one.
    pub fn folder_of(&self, topic: &str) -> Result<String> {
        let folder = self.0.replace(TOPIC, topic);
        match self.fault(topic) {
            None => Ok(folder),
            Some(fault) => Err(Error::config(format!(
                "the folder of topic {topic:?} would be {folder:?}, but {fault}: set table to one \
                 such as \"topic-{TOPIC}\""
            ))),
        }
    }

    /// The keys of its folders (`key=value`), as they are written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter_map(|folder| folder.split_once('=')).map(|(key, _)| key)
    }

    fn fault(&self, topic: &str) -> Option<String> {
        self.0.replace(TOPIC, topic).split('/').find_map(|folder| {
            component_fault(folder).or_else(|| match split_key(folder) {
                Err(fault) => Some(fault),
                Ok((Some(_), value)) if value.contains('=') => {
                    Some(format!("{folder:?} has more than one ="))
                }
                Ok(_) => None,
            })
        })
    }
}

impl TryFrom<String> for TableTemplate {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<TableTemplate> for String {
    fn from(template: TableTemplate) -> Self {
        template.0
    }
}

impl fmt::Display for TableTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P18: topic names with periods, dashes and file-like extensions.
    #[test]
    fn p18_a_topics_folder_follows_from_the_template() {
        let table = [
            ("{topic}", "orders", Some("orders")),
            ("{topic}", "eu.orders-v2.parquet", Some("eu.orders-v2.parquet")),
            ("raw/{topic}", "orders", Some("raw/orders")),
            ("raw-{topic}", "_private", Some("raw-_private")),
            ("events", "orders", Some("events")),
            ("{topic}/{topic}", "a", Some("a/a")),
            ("source=kafka/{topic}", "a", Some("source=kafka/a")),
            ("{topic}", "_private", None),
            ("{topic}", "__consumer_offsets", None),
            ("{topic}", ".hidden", None),
            ("raw/{topic}", "_private", None),
        ];
        for (template, topic, expected) in table {
            let template = TableTemplate::parse(template).expect(template);
            assert_eq!(template.folder_of(topic).ok().as_deref(), expected, "{template} {topic}");
        }
        let long = "x".repeat(249);
        assert!(TableTemplate::parse("{topic}").expect("good").folder_of(&long).is_ok());
        assert!(TableTemplate::parse("topic--{topic}").expect("good").folder_of(&long).is_err());
    }

    #[test]
    fn templates_that_no_topic_could_use_are_refused() {
        let bad = [
            "",
            "/",
            "/{topic}",
            "{topic}/",
            "a//b",
            "..",
            "a/../b",
            "a/./b",
            "_runs",
            ".a",
            "a/_b",
            "{Topic}",
            "{topic",
            "topic}",
            "{{topic}}",
            "a b",
            "a%2Fb",
            "tägl",
            "a\\b",
            "=a",
            "a=",
            "a=b=c",
            "offset=7",
            "x/Key={topic}",
            "{topic}=1",
        ];
        for template in bad {
            let error = TableTemplate::parse(template).expect_err(template);
            assert_eq!(error.kind(), crate::ErrorKind::Config, "{template}");
        }
    }
}
