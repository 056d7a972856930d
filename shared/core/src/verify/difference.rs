//! Where two JSON documents differ.

use serde_json::Value;

/// So many places are told of.
const PLACES_MAX: usize = 8;
/// A value is shown up to this length.
const SHOWN_BYTES_MAX: usize = 120;

/// The places where `found` is not `expected`, in words; empty if they are equal. `source` is
/// who says what is expected.
pub(super) fn differences(expected: &Value, found: &Value, source: &str) -> Vec<String> {
    let mut places = Vec::new();
    compare(expected, found, &mut String::new(), source, &mut places);
    let more = places.len().saturating_sub(PLACES_MAX);
    places.truncate(PLACES_MAX);
    if more > 0 {
        places.push(format!("and it differs in {more} more"));
    }
    places
}

fn compare(
    expected: &Value,
    found: &Value,
    path: &mut String,
    source: &str,
    places: &mut Vec<String>,
) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                let at = enter(path, key);
                match found.get(key) {
                    Some(found) => compare(value, found, path, source, places),
                    None => places.push(format!("\"{path}\" is missing")),
                }
                path.truncate(at);
            }
            for key in found.keys().filter(|key| !expected.contains_key(*key)) {
                let at = enter(path, key);
                places.push(format!("\"{path}\" does not belong there"));
                path.truncate(at);
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            if expected.len() != found.len() {
                let (has, should) = (found.len(), expected.len());
                places.push(format!("\"{path}\" has {has} of {should} that {source} names"));
            }
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                let at = path.len();
                path.push_str(&format!("[{index}]"));
                compare(expected, found, path, source, places);
                path.truncate(at);
            }
        }
        (expected, found) if expected == found => {}
        (expected, found) => places.push(format!(
            "\"{path}\" is {}, and {source} says {}",
            shown(found),
            shown(expected)
        )),
    }
}

/// Goes into a field; answers what to cut the path back to.
fn enter(path: &mut String, key: &str) -> usize {
    let at = path.len();
    if at > 0 {
        path.push('.');
    }
    path.push_str(key);
    at
}

fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    if text.len() > SHOWN_BYTES_MAX {
        let end = (0..=SHOWN_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_difference_is_named() {
        let whole = json!({"a": 1, "b": {"c": [1, {"d": "x"}]}});
        let table = [
            (whole.clone(), None),
            (json!({"a": 2, "b": {"c": [1, {"d": "x"}]}}), Some("\"a\" is 2, and L says 1")),
            (json!({"b": {"c": [1, {"d": "x"}]}}), Some("\"a\" is missing")),
            (json!({"a": 1, "b": {"c": [1, {"d": null}]}}), Some("\"b.c[1].d\" is null")),
            (json!({"a": 1, "b": {"c": [1]}}), Some("\"b.c\" has 1 of 2 that L names")),
            (json!({"a": 1, "b": {"c": [1, {"d": "x"}], "e": 0}}), Some("\"b.e\" does not")),
            (json!({"a": 1, "b": 3}), Some("\"b\" is 3")),
        ];
        for (found, named) in table {
            let said = differences(&whole, &found, "L");
            match named {
                None => assert_eq!(said, [""; 0]),
                Some(named) => assert!(said.len() == 1 && said[0].starts_with(named), "{said:?}"),
            }
        }
    }

    #[test]
    fn long_values_and_many_places_are_cut_short() {
        let expected = json!((0..50).collect::<Vec<_>>());
        let found = json!((1..51).collect::<Vec<_>>());
        let said = differences(&expected, &found, "L");
        assert_eq!(said.len(), PLACES_MAX + 1);
        assert!(said[PLACES_MAX].contains("42 more"));
        let said = differences(&json!(["ü".repeat(200)]), &json!([1]), "L");
        assert!(said[0].len() < 200, "{}", said[0]);
    }
}
