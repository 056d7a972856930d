use std::io;
use std::path::Path;

use tidegate_core::{Error, ErrorKind};

/// The one translation of what the file system says: what was being done, to which path, what it
/// answered, and what to do about it.
pub(crate) fn failed(doing: &str, path: &Path, error: io::Error) -> Error {
    let (kind, advice) = judge(error.kind());
    let message = format!("{doing} {}: {error}: {advice}", path.display());
    Error::new(kind, message).with_source(error)
}

fn judge(kind: io::ErrorKind) -> (ErrorKind, &'static str) {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Unavailable, "free some space; the next run goes on from here")
        }
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::Denied, "let the user that runs tidegate read and write there")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Denied, "mount it for writing, or choose another directory")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => (
            ErrorKind::Config,
            "a file stands where a directory must be, or the other way round: move it away, or \
             choose another directory",
        ),
        io::ErrorKind::InvalidFilename => {
            (ErrorKind::Config, "the file system takes no name that long: shorten it")
        }
        io::ErrorKind::CrossesDevices => {
            (ErrorKind::Config, "all of it must be on one file system")
        }
        io::ErrorKind::Unsupported => {
            (ErrorKind::Config, "a file system with hard links and locks (flock) is needed")
        }
        io::ErrorKind::NotFound => {
            (ErrorKind::Unavailable, "somebody removed it meanwhile; the next tick tries again")
        }
        _ => (ErrorKind::Unavailable, "the next tick tries again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux's numbers, which are what the file system really answers.
    #[test]
    #[cfg(target_os = "linux")]
    fn every_answer_of_the_file_system_has_its_kind() {
        let table = [
            (28, "ENOSPC", ErrorKind::Unavailable),
            (122, "EDQUOT", ErrorKind::Unavailable),
            (5, "EIO", ErrorKind::Unavailable),
            (24, "EMFILE", ErrorKind::Unavailable),
            (2, "ENOENT", ErrorKind::Unavailable),
            (13, "EACCES", ErrorKind::Denied),
            (1, "EPERM", ErrorKind::Denied),
            (30, "EROFS", ErrorKind::Denied),
            (20, "ENOTDIR", ErrorKind::Config),
            (21, "EISDIR", ErrorKind::Config),
            (36, "ENAMETOOLONG", ErrorKind::Config),
            (18, "EXDEV", ErrorKind::Config),
            (95, "EOPNOTSUPP", ErrorKind::Config),
        ];
        for (number, name, kind) in table {
            let error = failed("write", Path::new("/data/x"), io::Error::from_raw_os_error(number));
            assert_eq!(error.kind(), kind, "{name}");
            assert!(error.message().starts_with("write /data/x: "), "{name}: {error}");
            assert!(std::error::Error::source(&error).is_some(), "{name}");
        }
    }
}
