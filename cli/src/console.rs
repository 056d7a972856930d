//! Standard output for what was asked for, standard error for everything else.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tracing::Level;

/// Whether something that was to be printed is lost, though somebody waits for it.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line. That nobody reads it (a closed pipe) must not end the work, nor that it cannot
/// be written.
pub(crate) fn say(line: &str) {
    if let Err(error) = writeln!(io::stdout().lock(), "{line}")
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        lost(&error);
    }
}

/// Prints an object as a line of JSON.
pub(crate) fn say_json(object: &impl Serialize) {
    match serde_json::to_string(object) {
        Ok(line) => say(&line),
        Err(error) => lost(&error),
    }
}

/// The first loss is told of; that there was one, the exit code says.
fn lost(error: &impl std::fmt::Display) {
    if !LOST.swap(true, Ordering::Relaxed) {
        complain(&format!("write to standard output: {error}"));
    }
}

/// Whether all that was to be printed is.
pub(crate) fn said_all() -> bool {
    !LOST.load(Ordering::Relaxed)
}

/// Prints an object as a line of JSON that begins with its type.
pub(crate) fn say_typed<T: Serialize>(kind: &'static str, object: &T) {
    #[derive(Serialize)]
    struct Typed<'a, T> {
        r#type: &'static str,
        #[serde(flatten)]
        object: &'a T,
    }
    say_json(&Typed { r#type: kind, object });
}

/// Tells what went wrong, on standard error. There is nobody to tell that this failed.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr().lock(), "tidegate: {message}");
}

/// Logs go to standard error: warnings, with -v what is done, with -vv each request.
pub(crate) fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        _ => Level::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(verbose > 1)
        .init();
}
