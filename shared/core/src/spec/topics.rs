//! Which topics take part in a pipeline.

use std::fmt;
use std::sync::Arc;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What the name of an internal topic begins with (`__consumer_offsets`, `__transaction_state`).
const INTERNAL_PREFIX: &str = "__";

/// A regular expression over the whole of a topic's name, compiled once. Two are equal if their
/// texts are. Syntax: that of the crate `regex-lite` (no look-around, no back-references), whose
/// time to match is linear in the name.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern {
    text: Arc<str>,
    regex: Regex,
}

impl TopicPattern {
    /// Compiles `text`. `Config` where it is empty or no regular expression.
    pub fn new(text: &str) -> Result<Self> {
        let broken = |error: regex_lite::Error| {
            Error::config(format!("{text:?} is no regular expression: {error}"))
        };
        if text.is_empty() {
            return Err(Error::config(
                "an empty regular expression matches no topic: give one such as \"orders.*\"",
            ));
        }
        // Alone first: `a)|(b` would be well-formed inside the group below.
        Regex::new(text).map_err(broken)?;
        let regex = Regex::new(&format!(r"\A(?:{text})\z")).map_err(broken)?;
        Ok(Self { text: text.into(), regex })
    }

    /// The expression as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole of `name`.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }
}

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TopicPattern {}

impl fmt::Debug for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl TryFrom<String> for TopicPattern {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(&text)
    }
}

impl From<TopicPattern> for String {
    fn from(pattern: TopicPattern) -> Self {
        pattern.text.as_ref().to_owned()
    }
}

/// Which topics take part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicSelection {
    /// These, each of which must exist.
    Names(Vec<Arc<str>>),
    /// Those whose whole name matches `pattern` and not `exclude`; internal topics never.
    Pattern {
        /// A regular expression over the whole name.
        pattern: TopicPattern,
        /// Likewise; wins over `pattern`.
        exclude: Option<TopicPattern>,
    },
}

impl TopicSelection {
    /// The topics whose whole name matches `pattern` and not `exclude`. `Config` where one of
    /// them is no regular expression.
    pub fn pattern(pattern: &str, exclude: Option<&str>) -> Result<Self> {
        let exclude = exclude.map(TopicPattern::new).transpose()?;
        Ok(Self::Pattern { pattern: TopicPattern::new(pattern)?, exclude })
    }

    /// Whether the topic of this name takes part.
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| &**name == topic),
            Self::Pattern { pattern, exclude } => {
                !topic.starts_with(INTERNAL_PREFIX)
                    && pattern.matches(topic)
                    && !exclude.as_ref().is_some_and(|exclude| exclude.matches(topic))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R10: exclude wins where both match.
    #[test]
    fn r10_a_pattern_is_matched_against_the_whole_name_and_exclude_wins() {
        let table = [
            (".*", None, "orders", true),
            (".*", None, "__consumer_offsets", false),
            ("__.*", None, "__consumer_offsets", false),
            ("_private", None, "_private", true),
            ("order", None, "orders", false),
            ("a|b", None, "ab", false),
            ("a|ab", None, "ab", true),
            ("(?i)ORDERS", None, "orders", true),
            ("orders.*", Some(".*-dlq"), "orders-dlq", false),
            ("orders.*", Some("dlq"), "orders-dlq", true),
            ("orders", Some("orders"), "orders", false),
            (r"eu\.orders", None, "eu.orders", true),
            (r"eu\.orders", None, "euxorders", false),
            ("orders$", None, "orders\n", false),
        ];
        for (pattern, exclude, topic, expected) in table {
            let selection = TopicSelection::pattern(pattern, exclude).expect("a good pattern");
            assert_eq!(selection.matches(topic), expected, "{pattern} {exclude:?} {topic}");
        }
    }

    #[test]
    fn names_match_exactly() {
        let names = TopicSelection::Names(vec!["a.b".into(), "__internal".into()]);
        assert!(names.matches("a.b"));
        assert!(names.matches("__internal"));
        assert!(!names.matches("axb"));
    }

    /// R10, R11: what is no regular expression is refused.
    #[test]
    fn r11_broken_and_empty_patterns_are_refused() {
        for bad in ["", "(", "a)|(b", "[z-a]", "*a", "(?=a)", r"\1", "(a{999}){999}"] {
            let error = TopicSelection::pattern(bad, None).expect_err(bad);
            assert_eq!(error.kind(), crate::ErrorKind::Config, "{bad}");
            assert!(TopicSelection::pattern(".*", Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn selections_survive_their_json() {
        for text in [
            r#"{"names":["a","b"]}"#,
            r#"{"pattern":{"pattern":"a.*","exclude":null}}"#,
            r#"{"pattern":{"pattern":"a.*","exclude":"ab"}}"#,
        ] {
            let selection: TopicSelection = serde_json::from_str(text).expect(text);
            assert_eq!(serde_json::to_string(&selection).expect("JSON"), text);
        }
        assert!(
            serde_json::from_str::<TopicSelection>(r#"{"pattern":{"pattern":"("}}"#).is_err(),
            "a broken pattern gets past the door"
        );
    }
}
