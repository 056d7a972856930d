//! Progress on long work, where there is a terminal to show it.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tidegate_core::words::RunNumber;

const TEMPLATE: &str =
    "{msg} [{bar:30}] {human_pos}/{human_len} rows, {per_sec}, {elapsed} elapsed";
const REDRAW: Duration = Duration::from_millis(200);

/// A progress bar, or nothing. Clones are one bar.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar on standard error, if that is a terminal.
    pub(crate) fn on_terminal() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::hidden();
        }
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// Nothing.
    pub(crate) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// Whether anybody sees it.
    pub(crate) fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// A run's readers begin to cross `offsets` offsets.
    pub(crate) fn begin(&self, run: RunNumber, offsets: u64) {
        self.bar.reset();
        self.bar.set_length(offsets);
        self.bar.set_message(format!("run {run}: reading"));
        self.bar.enable_steady_tick(REDRAW);
    }

    /// Rows and payload bytes were staged.
    pub(crate) fn read(&self, rows: u64, _payload_bytes: u64) {
        self.bar.inc(rows);
    }

    /// The finalizer begins.
    pub(crate) fn publish(&self, run: RunNumber) {
        self.bar.set_message(format!("run {run}: publishing"));
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
