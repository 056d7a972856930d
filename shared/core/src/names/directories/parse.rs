//! Reading one folder of a template. The errors are what is wrong with it.

use super::{Component, Field, Part};
use crate::names::{component_fault, needs_no_escape, split_key};

/// The longest folder of a template, in bytes: what it becomes is at most twice as long (`%Y`),
/// or its key and the default partition, and stays below a component's limit.
const FOLDER_BYTES_MAX: usize = 120;

/// Reads one folder of a template.
pub(super) fn component(text: &str) -> Result<Component, String> {
    if let Some(fault) = component_fault(text) {
        return Err(fault);
    }
    if text.len() > FOLDER_BYTES_MAX {
        return Err(format!("{text:?} is longer than {FOLDER_BYTES_MAX} bytes"));
    }
    let (key, value) = split_key(text)?;
    let key = key.map(|key| format!("{key}=")).unwrap_or_default();
    Ok(Component { key, parts: parts(value)? })
}

fn parts(value: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            if !needs_no_escape(c) {
                return Err(format!("{c:?} in {value:?} is not allowed"));
            }
            literal.push(c);
            continue;
        }
        let field = match chars.next() {
            Some('Y') => Field::Year,
            Some('m') => Field::Month,
            Some('d') => Field::Day,
            Some('H') => Field::Hour,
            Some(other) => return Err(format!("%{other} is not known")),
            None => return Err("it ends in a single %".to_owned()),
        };
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Time(field));
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}
