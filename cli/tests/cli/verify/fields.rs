//! Each field of manifests and layouts, edited: every scalar changed, every key dropped and one
//! added, every item of a list dropped or doubled.

use serde_json::{Value, json};

use super::good::Good;

/// A place in a document: keys and indexes.
type Place = Vec<String>;

/// All that can be done to a document at one place.
fn edits(value: &Value) -> Vec<(String, Value)> {
    let mut edits = Vec::new();
    walk(value, &mut Vec::new(), &mut |place, name, edit| {
        let mut edited = value.clone();
        edit(at(&mut edited, place));
        if edited != *value {
            edits.push((format!("{}: {name}", place.join(".")), edited));
        }
    });
    edits
}

fn at<'a>(value: &'a mut Value, place: &[String]) -> &'a mut Value {
    place.iter().fold(value, |value, step| match value {
        Value::Array(items) => &mut items[step.parse::<usize>().expect("an index")],
        value => &mut value[step.as_str()],
    })
}

type Edit<'a> = &'a dyn Fn(&mut Value);

fn walk(value: &Value, place: &mut Place, each: &mut impl FnMut(&Place, &str, Edit<'_>)) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                each(place, &format!("without {key}"), &|value| {
                    value.as_object_mut().expect("an object").remove(key);
                });
                place.push(key.clone());
                walk(inner, place, each);
                place.pop();
            }
            each(place, "with one more", &|value| value["more"] = json!(1));
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                let list = |value: &mut Value| value.as_array().cloned().expect("a list");
                each(place, &format!("without [{index}]"), &|value| {
                    let mut items = list(value);
                    items.remove(index);
                    *value = items.into();
                });
                each(place, &format!("with [{index}] twice"), &|value| {
                    let mut items = list(value);
                    items.insert(index, items[index].clone());
                    *value = items.into();
                });
                place.push(index.to_string());
                walk(inner, place, each);
                place.pop();
            }
            each(place, "emptied", &|value| *value = json!([]));
        }
        scalar => {
            for (name, other) in others(scalar) {
                each(place, &name, &|value| *value = other.clone());
            }
        }
    }
}

/// Other values in a scalar's place, of its type and of another.
fn others(scalar: &Value) -> Vec<(String, Value)> {
    let others = match scalar {
        Value::String(text) => {
            let mut changed = text.clone();
            let last = changed.pop();
            changed.push(if last == Some('1') { '2' } else { '1' });
            vec![json!(changed), json!(format!("{text}0")), json!(""), Value::Null]
        }
        Value::Number(number) => {
            let number = number.as_i64().expect("a whole number");
            vec![json!(number + 1), json!(number - 1), json!(number.to_string()), Value::Null]
        }
        Value::Bool(is) => vec![json!(!is), Value::Null],
        Value::Null => vec![json!(1), json!("AAAAAAAAAAAAAAAAAAAAAQ")],
        Value::Array(_) | Value::Object(_) => Vec::new(),
    };
    others.into_iter().map(|other| (other.to_string(), other)).collect()
}

async fn each_edit_is_named(paths: impl Fn(&str) -> bool) {
    let good = Good::new().await;
    let mut edited = 0;
    for path in good.records().into_iter().filter(|path| paths(path)) {
        let bytes = std::fs::read(good.at(&path)).expect("it stands");
        let document: Value = serde_json::from_slice(&bytes).expect("JSON");
        for (name, edit) in edits(&document) {
            let found = good.with(&path, Some(edit.to_string().as_bytes()), false).await;
            let named = found.findings.iter().any(|f| f.at == path || f.message.contains(&path));
            assert!(named, "{path}: {name} was not named: {:?}", found.findings);
            edited += 1;
        }
    }
    assert!(edited > 200, "only {edited} edits");
    assert_eq!(good.verify(true).await.findings, [], "all was put back");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_edited_field_of_a_manifest_is_named() {
    // With a loss and records without a time; with a transaction that was aborted.
    each_edit_is_named(|path| path.ends_with("02.json") || path.ends_with("03.json")).await;
}

/// All but the last layout are vouched for by the one behind them, the last by the state.
#[tokio::test(flavor = "multi_thread")]
async fn each_edited_field_of_a_layout_is_named() {
    let last = |path: &str| path.ends_with("2.next.json") || path.ends_with("4.next.json");
    each_edit_is_named(last).await;
}
