//! With AWS: each of state, destination and secrets may be there, or here.

use tidegate_aws::{Clients, DynamoState, RemoteLog, S3Objects, secrets};
use tidegate_core::spec::{Destination, Spec};
use tidegate_core::use_cases::load_head;
use tidegate_kafka::KafkaSource;
use tidegate_local::{DirectoryObjects, DirectoryState};

use super::{Deployment, Place, Purpose, look_deadline, options};
use crate::exit::Failure;
use crate::ports::{Log, Objects, State};

impl Deployment {
    /// Opens what the environment's account, region and credentials give access to.
    pub(super) async fn on_aws(
        spec: Spec,
        place: Place,
        purpose: Purpose,
    ) -> Result<Self, Failure> {
        let clients = Clients::from_environment().await;
        let state = match place {
            Place::Directory(path) => State::Local(DirectoryState::open(path)?),
            Place::Table(table) => State::Aws(DynamoState::new(&clients, table)),
        };
        let objects = match &spec.destination {
            Destination::Directory(path) => Objects::Local(DirectoryObjects::open(path)?),
            Destination::S3 { bucket, prefix } => {
                Objects::Aws(S3Objects::new(&clients, bucket, prefix))
            }
        };
        let reader = match purpose {
            Purpose::Look => observer(&state, &spec).await?,
            Purpose::Read => None,
        };
        let log = match reader {
            Some(reader) => Log::Aws(RemoteLog::new(&clients, reader, &spec)),
            None => Log::Local(KafkaSource::with_secrets(
                &spec.kafka,
                options(purpose),
                secrets(&clients),
            )?),
        };
        Ok(Self { spec, state, objects, log })
    }
}

/// The function that observes Kafka for whoever is outside its network, if there is one.
async fn observer(state: &State, spec: &Spec) -> Result<Option<String>, Failure> {
    let State::Aws(table) = state else { return Ok(None) };
    let by = look_deadline();
    let head = load_head(table, &spec.pipeline, by).await?;
    Ok(head.and_then(|loaded| loaded.head.observer))
}
