//! What `--to` says.

use std::sync::Arc;

use serde_json::Value;
use tidegate_core::planning::ResetTo;
use tidegate_core::spec::units::parse_time;

use super::distinct::Distinct;
use crate::exit::Failure;

/// A word, a time, or the name of a file of offsets.
pub(super) fn parse(text: &str) -> Result<ResetTo, Failure> {
    match text {
        "earliest" => Ok(ResetTo::Earliest),
        "latest" => Ok(ResetTo::Latest),
        path if has_extension(path) => read(path),
        time => parse_time(time).map(ResetTo::Time).map_err(|error| {
            Failure::usage(format!(
                "--to: {}; it is earliest, latest, a time such as 2026-11-25T18:00:00Z, or a \
                 file such as offsets.json",
                error.message()
            ))
        }),
    }
}

fn has_extension(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|found| found == "json")
}

fn read(path: &str) -> Result<ResetTo, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("--to: read {path}: {error}")))?;
    offsets(&text).map_err(|faults| {
        Failure::usage(format!(
            "--to: {path}: {}; write offsets such as {{\"topic\": {{\"0\": 42}}}}",
            faults.join("; ")
        ))
    })
}

/// Reads `{"topic": {"0": 42}}`; all that is wrong with it otherwise.
fn offsets(text: &str) -> Result<ResetTo, Vec<String>> {
    let topics: Value =
        serde_json::from_str(text).map_err(|error| vec![format!("it is no JSON: {error}")])?;
    serde_json::from_str(text).map(|Distinct| ()).map_err(|error| vec![error.to_string()])?;
    let Some(topics) = topics.as_object().filter(|topics| !topics.is_empty()) else {
        return Err(vec!["it names no topic".to_owned()]);
    };
    let (mut offsets, mut faults) = (Vec::new(), Vec::new());
    for (topic, partitions) in topics {
        let Some(partitions) = partitions.as_object().filter(|found| !found.is_empty()) else {
            faults.push(format!("{topic} names no partition"));
            continue;
        };
        let topic: Arc<str> = Arc::from(topic.as_str());
        for (partition, offset) in partitions {
            let index = partition.parse().ok();
            // A number has one spelling.
            let index = index.filter(|index: &i32| *index >= 0 && index.to_string() == *partition);
            match (index, offset.as_i64().filter(|offset| *offset >= 0)) {
                (Some(index), Some(offset)) => offsets.push((Arc::clone(&topic), index, offset)),
                (None, _) => faults.push(format!("{topic}: {partition:?} is no partition")),
                (_, None) => {
                    faults.push(format!("{topic}-{partition}: {offset} is no offset from 0 on"));
                }
            }
        }
    }
    offsets.sort();
    if faults.is_empty() { Ok(ResetTo::Offsets(offsets)) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_word_a_time_or_a_file() {
        assert!(matches!(parse("earliest"), Ok(ResetTo::Earliest)));
        assert!(matches!(parse("latest"), Ok(ResetTo::Latest)));
        assert!(matches!(parse("2026-11-25T18:00:00Z"), Ok(ResetTo::Time(_))));
        for bad in ["yesterday", "42", "", "-1", "nowhere.json"] {
            let failure = parse(bad).expect_err(bad);
            assert_eq!(failure.exit, crate::exit::Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn offsets_are_read_as_in_a_spec() {
        let read = offsets(r#"{"b": {"1": 7, "0": 42}, "a": {"0": 0}}"#).expect("good");
        let expected = [("a", 0, 0), ("b", 0, 42), ("b", 1, 7)];
        let expected = expected.map(|(topic, index, offset)| (Arc::from(topic), index, offset));
        assert_eq!(read, ResetTo::Offsets(expected.to_vec()));
    }

    #[test]
    fn all_that_is_wrong_is_named() {
        let text = r#"{"a": {"0": -1, "1": "7", "x": 1, "01": 2, "2": 1.5}, "b": {}, "c": 3}"#;
        let faults = offsets(text).expect_err("much is wrong").join("; ");
        for part in ["a-0: -1", "a-1: \"7\"", "\"x\"", "\"01\"", "a-2: 1.5", "b names", "c names"] {
            assert!(faults.contains(part), "{part}: {faults}");
        }
        for text in [r#"{"t": {"0": 6}, "t": {"1": 7}}"#, r#"{"t": {"0": 8, "0": 9}}"#] {
            let faults = offsets(text).expect_err("one of them would be passed over").join("; ");
            assert!(faults.contains("stands there twice at line 1"), "{faults}");
        }
        for text in ["", "[]", "{}", "7", "{"] {
            assert!(offsets(text).is_err(), "{text}");
        }
    }
}
