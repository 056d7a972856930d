//! The one error type. A kind exists only if the caller would act differently.

use std::fmt;

/// What the caller must do about an error.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A peer did not answer, although the adapter retried within the deadline. The next tick
    /// tries again.
    Unavailable,
    /// Somebody else changed what the decision was based on. Reload and decide again.
    Conflict,
    /// The deadline passed, or no progress was made for too long. What is done is kept.
    OutOfTime,
    /// Records are gone, or the log is no longer the one that was planned.
    DataLoss,
    /// One record or batch cannot be read: corrupt, too large, of an unknown format.
    BadRecord,
    /// A login or a right is missing.
    Denied,
    /// The spec, or a setting of the cluster, asks for what cannot be done.
    Config,
    /// State or data is not what the protocol wrote. Stop, and tell a human.
    Corrupt,
}

impl ErrorKind {
    /// The kind as it stands in documents and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Conflict => "conflict",
            Self::OutOfTime => "out_of_time",
            Self::DataLoss => "data_loss",
            Self::BadRecord => "bad_record",
            Self::Denied => "denied",
            Self::Config => "config",
            Self::Corrupt => "corrupt",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error: what happened, where (the context), and what lies beneath it.
///
/// `Display` is one line: the verbs of the context from the outside in, then the message, so
/// that a chain reads "read task 3: put output: access denied".
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    /// Verbs, the innermost first.
    context: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`. The message says what happened, where, and what to do about it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), context: Vec::new(), source: None }))
    }

    /// A peer that does not answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }
    /// A decision that was overtaken.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }
    /// A deadline that passed.
    pub fn out_of_time(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::OutOfTime, message)
    }
    /// Records that are gone.
    pub fn data_loss(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::DataLoss, message)
    }
    /// A record that cannot be read.
    pub fn bad_record(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRecord, message)
    }
    /// A right that is missing.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Denied, message)
    }
    /// A setting that cannot be honoured.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }
    /// State or data that the protocol did not write.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Adds the error beneath this one.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds what was being done, as a verb: "put output of task 3".
    #[must_use]
    pub fn while_doing(mut self, verb: impl Into<String>) -> Self {
        self.0.context.push(verb.into());
        self
    }

    /// What the caller must do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without its context.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verb in self.0.context.iter().rev() {
            write!(f, "{verb}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.0.kind)?;
        let mut beneath = std::error::Error::source(self);
        while let Some(error) = beneath {
            write!(f, "\n  caused by: {error}")?;
            beneath = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_ref()?;
        Some(source.as_ref())
    }
}

/// Adds what was being done to the error of a result.
pub trait Context<T> {
    /// See [`Error::while_doing`].
    fn while_doing(self, verb: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn while_doing(self, verb: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| error.while_doing(verb()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_reads_from_the_outside_in() {
        let error = Error::denied("access denied").while_doing("put output");
        let error = error.while_doing("read task 3");
        assert_eq!(error.to_string(), "read task 3: put output: access denied");
        assert_eq!(format!("{error:?}"), "[denied] read task 3: put output: access denied");
    }
}
