//! Every path below the destination, in one place: a parser beside each formatter (design:
//! "Objects, below the destination").
//!
//! What a run publishes and what it keeps for itself are told apart by the first component:
//! `_runs` and `_staging` begin with an underscore, and no table may (nor with a dot), so that
//! query engines pass over both and no topic can write into them.

mod directories;
mod objects;
mod tables;

pub use directories::{DEFAULT_PARTITION, DirectoryTemplate};
pub use objects::{
    DataFile, LayoutFile, ManifestFile, StagedFile, data_folder, runs_prefix, staging_prefix,
    staging_prefix_of_run,
};
pub use tables::TableTemplate;

/// The longest component of a path, in bytes: that of the usual file systems.
const COMPONENT_BYTES_MAX: usize = 255;

/// Whether `c` means itself in every store and query engine: in a path, a URL and a Hive
/// partition. (`=` is one more, where it has its meaning.)
fn needs_no_escape(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Why `component` cannot be a folder's name, if it cannot: it would be no folder of its own,
/// or query engines would pass over it.
fn component_fault(component: &str) -> Option<String> {
    if component.is_empty() {
        return Some("a folder may not be empty".to_owned());
    }
    if component.starts_with(['_', '.']) {
        return Some(format!("{component:?} starts with _ or ., which query engines pass over"));
    }
    if component.len() > COMPONENT_BYTES_MAX {
        return Some(format!("{component:?} is longer than {COMPONENT_BYTES_MAX} bytes"));
    }
    None
}

/// The columns of a raw table: a directory's key of the same name would hide one of them.
const COLUMNS: [&str; 8] =
    ["key", "value", "topic", "partition", "offset", "timestamp", "timestampType", "headers"];

/// Why `key` cannot be a folder's key (`key=value`), if it cannot.
fn key_fault(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some("a key may not be empty".to_owned());
    }
    if !key.chars().all(needs_no_escape) {
        return Some(format!("the key {key:?} has other characters than a-z A-Z 0-9 - _ ."));
    }
    let hidden = COLUMNS.iter().find(|column| column.eq_ignore_ascii_case(key))?;
    Some(format!("the key {key:?} would hide the column {hidden}"))
}

/// The key and the value of a folder `key=value`; without a key all of it is the value. The error is
/// what is wrong with it.
fn split_key(folder: &str) -> Result<(Option<&str>, &str), String> {
    let Some((key, value)) = folder.split_once('=') else { return Ok((None, folder)) };
    match key_fault(key) {
        Some(fault) => Err(fault),
        None if value.is_empty() => Err(format!("{folder:?} has no value")),
        None => Ok((Some(key), value)),
    }
}
