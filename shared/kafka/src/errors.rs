//! What Kafka's error codes mean for a reader (`org.apache.kafka.common.protocol.Errors`).

use std::num::NonZeroI16;

use rskafka::protocol::error::Error as Named;
use tidegate_core::error::{Error, ErrorKind};

/// What may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Nothing.
    Never,
    /// The same question to the same broker, a little later.
    Again,
    /// New metadata: perhaps another broker leads.
    Refresh,
}

/// What to do about an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remedy {
    /// What may help.
    pub(crate) retry: Retry,
    /// How often that is worth it; time bounds it, too.
    pub(crate) tries: u32,
    /// What it comes to if nothing helps.
    pub(crate) kind: ErrorKind,
}

impl Remedy {
    const fn never(kind: ErrorKind) -> Self {
        Self { retry: Retry::Never, tries: 0, kind }
    }

    const fn often(retry: Retry, kind: ErrorKind) -> Self {
        Self { retry, tries: u32::MAX, kind }
    }

    /// Of a connection that is not to be had.
    pub(crate) const REFUSED: Self = Self::never(ErrorKind::Denied);

    /// Of a connection that was lost.
    pub(crate) const LOST: Self = Self::often(Retry::Refresh, ErrorKind::Unavailable);

    /// Of an answer that is none to what was asked.
    pub(crate) const NONSENSE: Self =
        Self { retry: Retry::Refresh, tries: 3, kind: ErrorKind::Unavailable };
}

/// The remedy for an error code other than 0.
pub(crate) fn remedy(code: i16) -> Remedy {
    match code {
        1 => Remedy::never(ErrorKind::DataLoss),
        2 => Remedy { retry: Retry::Again, tries: 1, kind: ErrorKind::Corrupt },
        3 | 100 | 103 => Remedy::often(Retry::Refresh, ErrorKind::Config),
        // 75, UNKNOWN_LEADER_EPOCH: either this broker knows less than the one that gave the
        // metadata, or the topic was created anew and counts from 0 again, which metadata tells.
        5 | 6 | 9 | 13 | 56 | 72 | 74 | 75 => Remedy::often(Retry::Refresh, ErrorKind::Unavailable),
        7 | 78 | 89 => Remedy::often(Retry::Again, ErrorKind::Unavailable),
        10 | 87 => Remedy::never(ErrorKind::BadRecord),
        17 | 35 | 42 | 43 | 76 => Remedy::never(ErrorKind::Config),
        29 | 31 | 33 | 34 | 58 => Remedy::never(ErrorKind::Denied),
        // UNKNOWN_SERVER_ERROR, and whatever later brokers may say.
        _ => Remedy { retry: Retry::Again, tries: 3, kind: ErrorKind::Unavailable },
    }
}

/// The code with its name.
pub(crate) fn name(code: i16) -> String {
    match NonZeroI16::new(code).and_then(|code| Named::new(code.get())) {
        Some(Named::Unknown(code)) => format!("error {code}"),
        Some(named) => format!("error {code} ({named:?})"),
        None => "no error".to_owned(),
    }
}

/// The error that code `code` comes to, said of `what` ("offsets of rides-0").
pub(crate) fn error(code: i16, what: &str) -> Error {
    let advice = match remedy(code).kind {
        ErrorKind::Denied => ": give the principal the right to describe and read it",
        ErrorKind::Config if matches!(code, 3 | 100 | 103) => ": it does not exist (any more)",
        ErrorKind::DataLoss => {
            ": the offset is not in the log; retention or DeleteRecords removed it, or the log \
             was cut back or created anew"
        }
        ErrorKind::Unavailable
        | ErrorKind::Conflict
        | ErrorKind::OutOfTime
        | ErrorKind::BadRecord
        | ErrorKind::Config
        | ErrorKind::Corrupt => "",
    };
    Error::new(remedy(code).kind, format!("{what}: Kafka answered {}{advice}", name(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_remedy() {
        let table = [
            (1, Retry::Never, ErrorKind::DataLoss),
            (2, Retry::Again, ErrorKind::Corrupt),
            (3, Retry::Refresh, ErrorKind::Config),
            (6, Retry::Refresh, ErrorKind::Unavailable),
            (29, Retry::Never, ErrorKind::Denied),
            (74, Retry::Refresh, ErrorKind::Unavailable),
            (75, Retry::Refresh, ErrorKind::Unavailable),
            (78, Retry::Again, ErrorKind::Unavailable),
            (76, Retry::Never, ErrorKind::Config),
            (-1, Retry::Again, ErrorKind::Unavailable),
            (999, Retry::Again, ErrorKind::Unavailable),
        ];
        for (code, retry, kind) in table {
            let found = remedy(code);
            assert_eq!((found.retry, found.kind), (retry, kind), "code {code}");
            assert_eq!(found.tries == 0, retry == Retry::Never, "code {code}");
        }
    }

    #[test]
    fn messages_name_the_code_and_what_was_asked() {
        let text = error(29, "offsets of rides-0").to_string();
        assert!(
            text.contains("29 (TopicAuthorizationFailed)") && text.contains("rides-0"),
            "{text}"
        );
        assert!(name(999).contains("999"));
    }
}
