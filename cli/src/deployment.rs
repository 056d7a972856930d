//! What a command works on: the spec, and the state, destination and Kafka that it names.

#[cfg(feature = "aws")]
mod aws;
mod place;

use std::io::Read;
use std::time::Duration;

use tidegate_core::Error;
use tidegate_core::ports::Clock;
use tidegate_core::spec::{Destination, Spec};
use tidegate_core::time::Deadline;
use tidegate_kafka::{KafkaOptions, KafkaSource};
use tidegate_local::{DirectoryObjects, DirectoryState, SystemClock};

use self::place::Place;
use crate::exit::Failure;
use crate::ports::{Log, Objects, State};

/// What a build without the SDK says.
#[cfg(not(feature = "aws"))]
const NO_AWS: &str = "this build of tidegate has no AWS: build it with --features aws";
/// How long Kafka may be silent before one who only looks is told.
const LOOK_PATIENCE: Duration = Duration::from_secs(5);

/// How long a look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(120);

/// When a look that begins now must have ended.
pub(crate) fn look_deadline() -> Deadline {
    Deadline(SystemClock.now().after(LOOK_TIMEOUT))
}

/// A pipeline and its ports.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// The pipeline.
    pub(crate) spec: Spec,
    /// Its state.
    pub(crate) state: State,
    /// Its destination.
    pub(crate) objects: Objects,
    /// Its Kafka.
    pub(crate) log: Log,
}

/// What a command wants of Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Its records.
    Read,
    /// Only what is there.
    Look,
}

impl Deployment {
    /// Reads the spec at `path` (`-`: standard input) and opens what it names. Nothing is
    /// written, and Kafka is not connected to.
    pub(crate) async fn open(path: &str, state: Option<&str>) -> Result<Self, Failure> {
        Self::open_for(Purpose::Read, path, state).await
    }

    /// The same for somebody who waits for an answer: a Kafka that is away is told soon, and on
    /// AWS a reader is asked, who can reach it.
    pub(crate) async fn open_to_look(path: &str, state: Option<&str>) -> Result<Self, Failure> {
        Self::open_for(Purpose::Look, path, state).await
    }

    async fn open_for(purpose: Purpose, path: &str, state: Option<&str>) -> Result<Self, Failure> {
        let text = read_spec(path)?;
        let at = |error: Error| Failure::usage(format!("{path}: {error}"));
        let spec = Spec::from_json(&text).map_err(at)?;
        #[cfg(not(feature = "aws"))]
        if let Some((field, why)) = spec.needs_aws() {
            return Err(at(Error::config(format!("{field}: {why}; {NO_AWS}"))));
        }
        match (Place::of(state, &spec.destination)?, spec.destination.clone()) {
            (Place::Directory(state), Destination::Directory(files))
                if spec.needs_aws().is_none() =>
            {
                let log = KafkaSource::new(&spec.kafka, options(purpose)).map_err(at)?;
                Ok(Self {
                    state: State::Local(DirectoryState::open(state)?),
                    objects: Objects::Local(DirectoryObjects::open(files)?),
                    log: Log::Local(log),
                    spec,
                })
            }
            #[cfg(feature = "aws")]
            (place, _) => Self::on_aws(spec, place, purpose).await,
            #[cfg(not(feature = "aws"))]
            _ => Err(Failure::usage(format!("--state: it is in DynamoDB; {NO_AWS}"))),
        }
    }
}

fn options(purpose: Purpose) -> KafkaOptions {
    match purpose {
        Purpose::Read => KafkaOptions::default(),
        Purpose::Look => KafkaOptions {
            connect_timeout: LOOK_PATIENCE,
            request_timeout: LOOK_PATIENCE,
            retry_for: LOOK_PATIENCE,
            ..KafkaOptions::default()
        },
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
