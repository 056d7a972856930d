//! Figures as people read them.

use bytesize::ByteSize;
use tidegate_core::planning::Lag;
use tidegate_core::words::plural;

use crate::report::RunLine;

const HEADS: [&str; 8] = ["run", "outcome", "rows", "read", "written", "files", "lag", "seconds"];
const WIDTHS: [usize; 8] = [6, 10, 12, 10, 10, 6, 34, 8];

/// Runs as a table that grows while they come: the head first, then a line for each.
#[derive(Debug, Default)]
pub(crate) struct RunTable {
    begun: bool,
}

impl RunTable {
    /// The lines that are to be printed for `line`.
    pub(crate) fn add(&mut self, line: &RunLine) -> Vec<String> {
        let mut lines = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            lines.push(row(&HEADS.map(str::to_owned)));
        }
        lines.push(row(&[
            line.run.map_or_else(|| "-".to_owned(), |run| run.to_string()),
            line.outcome.as_str().to_owned(),
            count(line.rows),
            bytes(line.bytes_read),
            bytes(line.bytes_written),
            count(line.files),
            format!("{} -> {}", lag(line.lag_before), lag(line.lag_after)),
            format!("{:.1}", line.seconds),
        ]));
        lines
    }
}

fn row(cells: &[String; 8]) -> String {
    let cells = cells.iter().zip(WIDTHS).map(|(cell, width)| format!("{cell:>width$}"));
    cells.collect::<Vec<_>>().join("  ")
}

/// A table under `heads`; the columns `right` are aligned there.
pub(crate) fn grid<const N: usize, const R: usize>(
    heads: [&str; N],
    right: [usize; R],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(heads);
    for row in rows {
        table.add_row(row);
    }
    for at in right {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// A topic, or one of its partitions.
pub(crate) fn place(topic: &str, partition: Option<i32>) -> String {
    partition.map_or_else(|| topic.to_owned(), |partition| format!("{topic}-{partition}"))
}

/// A count with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun, which agree: "1 file", "1,200 files".
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {}", count(number), plural(number, noun))
}

/// Bytes in a unit that fits.
pub(crate) fn bytes(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

/// A lag in records and time.
pub(crate) fn lag(lag: Option<Lag>) -> String {
    match lag {
        None => "unknown".to_owned(),
        Some(Lag { records: 0, .. }) => "0".to_owned(),
        Some(Lag { records, seconds }) => format!("{} ({})", count(records), span(seconds)),
    }
}

/// Seconds in the two largest units that fit.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let table = [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")];
        for (number, text) in table {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let table = [(0, "0s"), (59, "59s"), (61, "1m01s"), (3_660, "1h01m"), (90_000, "1d01h")];
        for (seconds, text) in table {
            assert_eq!(span(seconds), text);
        }
    }
}
