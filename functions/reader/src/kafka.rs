//! The log sources of this process: one, as long as the spec says the same about Kafka.

use std::sync::{Mutex, PoisonError};

use tidegate_aws::{Clients, secrets};
use tidegate_core::Result;
use tidegate_core::spec::{KafkaSpec, Spec};
use tidegate_kafka::{KafkaOptions, KafkaSource, Secrets};

/// Keeps the source that was used last: its login and certificates are read once, and again
/// when a broker refuses them.
pub(crate) struct Sources {
    secrets: Secrets,
    last: Mutex<Option<(KafkaSpec, KafkaSource)>>,
}

impl Sources {
    pub(crate) fn new(clients: &Clients) -> Self {
        Self { secrets: secrets(clients), last: Mutex::default() }
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
}
