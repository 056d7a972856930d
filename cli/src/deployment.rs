//! What a command works on: the spec, and the state, destination and Kafka that it names.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate_core::spec::{Destination, Spec};
use tidegate_kafka::{KafkaOptions, KafkaSource};
use tidegate_local::{DirectoryObjects, DirectoryState};

use crate::exit::Failure;

/// The folder of the state below a destination on a directory.
const STATE_FOLDER: &str = "_state";
/// How long Kafka may be silent before one who only looks is told.
const LOOK_PATIENCE: Duration = Duration::from_secs(5);

/// A pipeline and its ports.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// The pipeline.
    pub(crate) spec: Spec,
    /// Its state.
    pub(crate) state: DirectoryState,
    /// Its destination.
    pub(crate) objects: DirectoryObjects,
    /// Its Kafka.
    pub(crate) log: KafkaSource,
}

impl Deployment {
    /// Reads the spec at `path` (`-`: standard input) and opens what it names. Nothing is
    /// written, and nothing is connected to.
    pub(crate) fn open(path: &str, state: Option<&str>) -> Result<Self, Failure> {
        Self::open_with(path, state, KafkaOptions::default())
    }

    /// The same for somebody who waits for an answer: a Kafka that is away is told soon.
    pub(crate) fn open_to_look(path: &str, state: Option<&str>) -> Result<Self, Failure> {
        let options = KafkaOptions {
            connect_timeout: LOOK_PATIENCE,
            request_timeout: LOOK_PATIENCE,
            retry_for: LOOK_PATIENCE,
            ..KafkaOptions::default()
        };
        Self::open_with(path, state, options)
    }

    fn open_with(path: &str, state: Option<&str>, options: KafkaOptions) -> Result<Self, Failure> {
        let text = read_spec(path)?;
        let at = |error: tidegate_core::Error| Failure::usage(format!("{path}: {error}"));
        let spec = Spec::from_json(&text).map_err(at)?;
        spec.check_supported().map_err(at)?;
        let Destination::Directory(destination) = &spec.destination else {
            return Err(Failure::usage(format!("{path}: destination: it is no directory")));
        };
        let state = state_directory(state, Path::new(destination))?;
        let log = KafkaSource::new(&spec.kafka, options).map_err(at)?;
        Ok(Self {
            state: DirectoryState::open(state)?,
            objects: DirectoryObjects::open(destination)?,
            log,
            spec,
        })
    }
}

fn read_spec(path: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = match path {
        "-" => std::io::stdin().lock().read_to_end(&mut bytes).map(drop),
        file => std::fs::read(file).map(|read| bytes = read),
    };
    read.map_err(|error| Failure::usage(format!("read spec {path}: {error}")))?;
    String::from_utf8(bytes)
        .map_err(|error| Failure::usage(format!("{path}: a spec is JSON in UTF-8: {error}")))
}

/// Where the state is: `--state`, else beside the files. Never guessed.
fn state_directory(flag: Option<&str>, destination: &Path) -> Result<PathBuf, Failure> {
    match flag {
        Some(flag) => directory("--state", flag),
        None => Ok(destination.join(STATE_FOLDER)),
    }
}

/// The directory that `text` names: a path, or a file:// URI.
fn directory(option: &str, text: &str) -> Result<PathBuf, Failure> {
    if text.starts_with("dynamodb://") {
        return Err(Failure::usage(format!(
            "{option}: {text}: dynamodb:// is not supported yet in this version: give a directory"
        )));
    }
    if text.starts_with("file://") {
        return match Destination::try_from(text.to_owned()) {
            Ok(Destination::Directory(path)) => Ok(path.into()),
            Ok(Destination::S3 { .. }) => {
                Err(Failure::usage(format!("{option}: {text} is no directory")))
            }
            Err(error) => Err(Failure::usage(format!("{option}: {error}"))),
        };
    }
    if text.is_empty() || text.contains("://") {
        return Err(Failure::usage(format!(
            "{option}: {text:?} is no place for the state: a directory, file:///directory or \
             dynamodb://table"
        )));
    }
    Ok(text.into())
}
