//! What a Kafka client needs of AWS: secrets in Secrets Manager, logins with a role.

use tidegate_core::Result;
use tidegate_core::spec::SecretRef;
use tidegate_kafka::{Secret, Secrets, read_secret};

use crate::clients::Clients;
use crate::msk::msk_token;
use crate::secret::secret;

/// Reads secrets wherever a spec may keep them, and proves this process's role to MSK.
pub fn secrets(clients: &Clients) -> Secrets {
    let (reading, signing) = (clients.clone(), clients.clone());
    Secrets::read_by(move |named| read(reading.clone(), named))
        .signed_by(move |host| sign(signing.clone(), host))
}

async fn read(clients: Clients, named: SecretRef) -> Result<Secret> {
    match named {
        SecretRef::Arn(arn) => secret(&clients, &arn).await.map(Secret::new),
        SecretRef::Env(_) | SecretRef::File(_) => read_secret(named).await,
    }
}

async fn sign(clients: Clients, host: String) -> Result<Secret> {
    msk_token(&clients, &host).await.map(Secret::new)
}
