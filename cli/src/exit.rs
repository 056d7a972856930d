//! Exit codes that mean something, and the errors that lead to them.

use std::error::Error as _;
use std::io;
use std::process::ExitCode;

use tidegate_core::{Error, ErrorKind};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done; also idle, busy, paused.
    Done,
    /// 1: failed. `verify`: something is wrong.
    Failed,
    /// 2: the arguments or the spec ask for what cannot be done.
    Usage,
    /// 3: done, but with losses, or stopped or quarantined partitions.
    DoneBut,
    /// 130: interrupted (as shells have it for Ctrl-C).
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::DoneBut => 3,
            Exit::Interrupted => 130,
        })
    }
}

/// An error that ends the command.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What happened.
    pub(crate) error: Error,
    /// How the process ends.
    pub(crate) exit: Exit,
}

impl Failure {
    /// Arguments that cannot be honoured.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { error: Error::config(message), exit: Exit::Usage }
    }

    /// What the operating system answered.
    pub(crate) fn io(doing: &str, error: io::Error) -> Self {
        let message = format!("{doing}: {error}");
        Self { error: Error::unavailable(message).with_source(error), exit: Exit::Failed }
    }

    /// A task that panicked.
    pub(crate) fn bug(error: &tokio::task::JoinError) -> Self {
        Self { error: bug("the command", error), exit: Exit::Failed }
    }
}

/// A panic as an error.
pub(crate) fn bug(who: &str, error: &tokio::task::JoinError) -> Error {
    Error::corrupt(format!("{who} ended by a bug in tidegate, please report it: {error}"))
}

impl From<Error> for Failure {
    /// `Config` is the spec's fault, unless the operating system said it: a spec cannot know
    /// that a file stands where its destination should be.
    fn from(error: Error) -> Self {
        let mut beneath = error.source();
        let mut answered = false;
        while let Some(cause) = beneath {
            answered |= cause.is::<io::Error>();
            beneath = cause.source();
        }
        let exit = match error.kind() {
            ErrorKind::Config if !answered => Exit::Usage,
            ErrorKind::Config
            | ErrorKind::Unavailable
            | ErrorKind::Conflict
            | ErrorKind::OutOfTime
            | ErrorKind::DataLoss
            | ErrorKind::BadRecord
            | ErrorKind::Denied
            | ErrorKind::Corrupt => Exit::Failed,
        };
        Self { error, exit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_s_fault_is_told_from_that_of_the_machine() {
        let spec = Error::config("destination: no").while_doing("tick");
        assert_eq!(Failure::from(spec).exit, Exit::Usage);
        let machine = Error::config("a file is in the way")
            .with_source(io::Error::from(io::ErrorKind::NotADirectory));
        assert_eq!(Failure::from(machine).exit, Exit::Failed);
        assert_eq!(Failure::from(Error::unavailable("no broker")).exit, Exit::Failed);
    }
}
