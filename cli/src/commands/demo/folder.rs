//! The demo's folder.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::exit::Failure;

/// Tells a demo's folder from any other.
const MARKER: &str = ".tidegate-demo";

/// The demo's folder.
#[derive(Debug)]
pub(super) struct Folder {
    /// As it was given.
    shown: PathBuf,
    absolute: PathBuf,
}

impl Folder {
    /// Makes the folder. That of a former demo is emptied first; any other that holds something
    /// is refused.
    pub(super) fn make(dir: &Path) -> Result<Self, Failure> {
        let io = |error| Failure::io(&format!("make the demo's folder {}", dir.display()), error);
        let absolute = std::path::absolute(dir).map_err(io)?;
        match std::fs::read_dir(&absolute).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) if absolute.join(MARKER).is_file() => {
                std::fs::remove_dir_all(&absolute).map_err(io)?;
            }
            Ok(false) => {
                return Err(Failure::usage(format!(
                    "{} is there, and no former demo's: choose another folder with --dir",
                    dir.display()
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        std::fs::create_dir_all(&absolute).map_err(io)?;
        std::fs::write(absolute.join(MARKER), "made by `tidegate demo`, which may remove it\n")
            .map_err(io)?;
        Ok(Self { shown: dir.to_owned(), absolute })
    }

    /// The destination, as a URI.
    pub(super) fn destination(&self) -> String {
        // Percent signs have a meaning in a URI.
        let lake = self.lake().display().to_string().replace('%', "%25");
        format!("file://{lake}")
    }

    /// The destination.
    pub(super) fn lake(&self) -> PathBuf {
        self.absolute.join("lake")
    }

    /// The destination, as it is shown.
    pub(super) fn shown_lake(&self) -> PathBuf {
        self.shown.join("lake")
    }

    /// The spec.
    pub(super) fn spec(&self) -> PathBuf {
        self.absolute.join("spec.json")
    }

    /// The spec, as it is shown.
    pub(super) fn shown_spec(&self) -> PathBuf {
        self.shown.join("spec.json")
    }

    /// Writes the spec.
    pub(super) fn write_spec(&self, spec: &Value) -> Result<(), Failure> {
        let written = std::fs::write(self.spec(), format!("{spec:#}\n"));
        written.map_err(|error| Failure::io("write the demo's spec", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_former_demo_is_overwritten() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (mine, demo) = (dir.path().join("mine"), dir.path().join("demo"));
        std::fs::create_dir(&mine).expect("made");
        std::fs::write(mine.join("thesis.txt"), "years of work").expect("written");
        assert!(Folder::make(&mine).is_err());
        assert!(mine.join("thesis.txt").is_file());
        let folder = Folder::make(&demo).expect("a new folder");
        std::fs::create_dir_all(folder.lake()).expect("made");
        let again = Folder::make(&demo).expect("a former demo's");
        assert!(!again.lake().exists());
    }
}
