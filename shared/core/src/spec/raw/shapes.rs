//! Objects, words and alternatives, as strict as a spec wants them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::numbers::Offset;
use crate::spec::units::parse_time;
use crate::spec::{SecretRef, TopicPattern, secret};
use crate::time::Millis;

/// An object. (serde reads a struct from a list, too, field by field.)
pub(in crate::spec) struct Object<T>(pub(in crate::spec) T);

impl<T: Default> Default for Object<T> {
    fn default() -> Self {
        Self(T::default())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

/// One of an enum's words. (serde reads `{"word": null}` as one, too.)
pub(in crate::spec) fn word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    let parse = |text: String| {
        let text: StringDeserializer<D::Error> = text.into_deserializer();
        T::deserialize(text)
    };
    text.map(parse).transpose()
}

/// Where a secret is kept. What was given is never repeated, as serde does with a number: it
/// may be the secret itself.
pub(in crate::spec) fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretRef>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => SecretRef::try_from(text).map(Some).map_err(D::Error::custom),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(D::Error::custom(secret::EXPECTED))
        }
    }
}

/// An RFC 3339 time.
pub(in crate::spec) fn time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Millis>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parse_time(&text).map_err(D::Error::custom)).transpose()
}

/// `kafka.bootstrap_servers`.
pub(in crate::spec) struct RawServers(pub(in crate::spec) Vec<String>);

impl<'de> Deserialize<'de> for RawServers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ServersVisitor;

        impl<'de> Visitor<'de> for ServersVisitor {
            type Value = Vec<String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of \"host:port\"")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<String>, A::Error> {
                texts(list)
            }
        }

        deserializer.deserialize_seq(ServersVisitor).map(Self)
    }
}

/// The items of a list of texts.
fn texts<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Vec<String>, A::Error> {
    let mut texts = Vec::new();
    while let Some(text) = list.next_element()? {
        texts.push(text);
    }
    Ok(texts)
}

/// `topics`: a list of names, or a pattern.
pub(in crate::spec) enum RawTopics {
    Names(Vec<String>),
    Pattern(RawPattern),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct RawPattern {
    pub(in crate::spec) pattern: Option<TopicPattern>,
    pub(in crate::spec) exclude: Option<TopicPattern>,
}

impl<'de> Deserialize<'de> for RawTopics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TopicsVisitor;

        impl<'de> Visitor<'de> for TopicsVisitor {
            type Value = RawTopics;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of topic names, or an object of pattern and exclude")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<RawTopics, A::Error> {
                texts(list).map(RawTopics::Names)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawTopics, A::Error> {
                RawPattern::deserialize(MapAccessDeserializer::new(map)).map(RawTopics::Pattern)
            }
        }

        deserializer.deserialize_any(TopicsVisitor)
    }
}

/// `start`: a word or time, or offsets.
pub(in crate::spec) enum RawStart {
    Text(String),
    Offsets(Vec<(String, RawPartitions)>),
}

impl<'de> Deserialize<'de> for RawStart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StartVisitor;

        impl<'de> Visitor<'de> for StartVisitor {
            type Value = RawStart;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"earliest\", \"latest\", an RFC 3339 time, or offsets such as \
                     {\"topic\": {\"0\": 42}}",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawStart, E> {
                Ok(RawStart::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawStart, A::Error> {
                entries(map).map(RawStart::Offsets)
            }
        }

        deserializer.deserialize_any(StartVisitor)
    }
}

/// Partition to offset, the partition still as text.
pub(in crate::spec) struct RawPartitions(pub(in crate::spec) Vec<(String, Offset)>);

impl<'de> Deserialize<'de> for RawPartitions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartitionsVisitor;

        impl<'de> Visitor<'de> for PartitionsVisitor {
            type Value = RawPartitions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of partitions and offsets such as {\"0\": 42}")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawPartitions, A::Error> {
                entries(map).map(RawPartitions)
            }
        }

        deserializer.deserialize_any(PartitionsVisitor)
    }
}

/// The entries of an object; a key that stands there twice is refused.
///
/// # Errors
/// What is wrong with the JSON, that a key stands there twice included.
pub fn entries<'de, A, T>(mut map: A) -> Result<Vec<(String, T)>, A::Error>
where
    A: MapAccess<'de>,
    T: Deserialize<'de>,
{
    let mut entries = BTreeMap::new();
    while let Some(key) = map.next_key::<String>()? {
        if entries.contains_key(&key) {
            return Err(A::Error::custom(format!("{key:?} stands there twice")));
        }
        entries.insert(key, map.next_value()?);
    }
    Ok(entries.into_iter().collect())
}
