//! The log sources of this process: one, as long as the spec says the same about Kafka.

use std::sync::{Mutex, PoisonError};

use tidegate_aws::Clients;
use tidegate_core::Result;
use tidegate_core::spec::{KafkaSpec, SecretRef, Spec};
use tidegate_kafka::{KafkaOptions, KafkaSource, Secret, Secrets, read_secret};

/// Keeps the source that was used last: its login and certificates are read once.
pub(crate) struct Sources {
    secrets: Secrets,
    last: Mutex<Option<(KafkaSpec, KafkaSource)>>,
}

impl Sources {
    pub(crate) fn new(clients: &Clients) -> Self {
        let clients = clients.clone();
        let secrets = Secrets::read_by(move |named| read(clients.clone(), named));
        Self { secrets, last: Mutex::default() }
    }

    /// The Kafka of `spec`. Nothing is connected to.
    pub(crate) fn of(&self, spec: &Spec) -> Result<KafkaSource> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((kafka, source)) = &*last
            && *kafka == spec.kafka
        {
            return Ok(source.clone());
        }
        let secrets = self.secrets.clone();
        let source = KafkaSource::with_secrets(&spec.kafka, KafkaOptions::default(), secrets)?;
        *last = Some((spec.kafka.clone(), source.clone()));
        Ok(source)
    }

    /// After an error: a secret may have been changed since it was read.
    pub(crate) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

async fn read(clients: Clients, named: SecretRef) -> Result<Secret> {
    match named {
        SecretRef::Arn(arn) => tidegate_aws::secret(&clients, &arn).await.map(Secret::new),
        SecretRef::Env(_) | SecretRef::File(_) => read_secret(named).await,
    }
}
