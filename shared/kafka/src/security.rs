//! What a connection needs beside an address: trust, a client certificate, a login.

mod credentials;
mod pem;
mod tls;

use std::sync::Arc;

use tidegate_core::error::{Error, Result};
use tidegate_core::spec::{KafkaSpec, SaslMechanism, SecretRef};
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

pub(crate) use credentials::Credentials;
pub(crate) use tls::{Refused, server_name, speaks_tls, tls_error, translate};

use crate::secrets::Secrets;

/// Everything that the secrets of a spec come to, read and checked.
#[derive(Debug)]
pub(crate) struct Security {
    pub(crate) tls: Option<Tls>,
    pub(crate) login: Option<Login>,
}

/// Encryption.
pub(crate) struct Tls {
    pub(crate) connector: TlsConnector,
    /// Where the trusted authorities are kept; none: they are the system's.
    pub(crate) authorities: Option<SecretRef>,
    /// Where the client's certificate is kept.
    pub(crate) client: Option<SecretRef>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("authorities", &self.authorities)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// How one logs in.
#[derive(Debug)]
pub(crate) enum Login {
    /// With a name and a password.
    Password(Password),
    /// With the role of this process (AWS_MSK_IAM): a token for each broker.
    Role(Secrets),
}

/// A login with a name and a password.
#[derive(Debug)]
pub(crate) struct Password {
    pub(crate) mechanism: SaslMechanism,
    pub(crate) credentials: Credentials,
    /// Where the credentials are kept.
    pub(crate) kept: SecretRef,
}

/// Refuses what this process cannot do.
pub(crate) fn check(spec: &KafkaSpec, secrets: &Secrets) -> Result<()> {
    if spec.sasl_mechanism == Some(SaslMechanism::AwsMskIam) && !secrets.can_sign() {
        return Err(Error::config(
            "kafka.sasl_mechanism: AWS_MSK_IAM logs in with a role of AWS, which this process \
             has none of",
        ));
    }
    Ok(())
}

impl Security {
    /// Reads the secrets of `spec`. `Config`, with the field, where one is not there or is not
    /// what the field wants.
    async fn read(spec: &KafkaSpec, secrets: &Secrets) -> Result<Self> {
        check(spec, secrets)?;
        let login = match (spec.sasl_mechanism, &spec.credentials) {
            (Some(SaslMechanism::AwsMskIam), _) => Some(Login::Role(secrets.clone())),
            (Some(mechanism), Some(kept)) if spec.security_protocol.has_sasl() => {
                let path = "kafka.credentials";
                let secret = secrets.read(path, kept).await?;
                let credentials = Credentials::parse(&secret)
                    .map_err(|error| error.while_doing(format!("{path}: {kept}")))?;
                Some(Login::Password(Password { mechanism, credentials, kept: kept.clone() }))
            }
            _ => None,
        };
        let tls = match spec.security_protocol.has_tls() {
            true => Some(Self::read_tls(spec, secrets).await?),
            false => None,
        };
        Ok(Self { tls, login })
    }

    async fn read_tls(spec: &KafkaSpec, secrets: &Secrets) -> Result<Tls> {
        let authorities = match &spec.ca_certificate {
            Some(kept) => {
                let path = "kafka.ca_certificate";
                let pem = secrets.read(path, kept).await?;
                tls::authorities(&pem)
                    .map_err(|error| error.while_doing(format!("{path}: {kept}")))?
            }
            None => tls::system_authorities().await?,
        };
        let config = match &spec.client_certificate {
            Some(kept) => {
                let path = "kafka.client_certificate";
                let pem = secrets.read(path, kept).await?;
                pem::identity(&pem)
                    .and_then(|identity| tls::config(authorities, Some(identity)))
                    .map_err(|error| error.while_doing(format!("{path}: {kept}")))?
            }
            None => tls::config(authorities, None)?,
        };
        Ok(Tls {
            connector: TlsConnector::from(Arc::new(config)),
            authorities: spec.ca_certificate.clone(),
            client: spec.client_certificate.clone(),
        })
    }
}

/// Reads the secrets when the first connection is opened, and not again: all connections of a
/// source have them in common. A broker that refuses them makes them forgotten, so that a
/// password that was changed is read by the next call.
#[derive(Debug, Default)]
pub(crate) struct SecurityOnce(Mutex<Option<Arc<Security>>>);

impl SecurityOnce {
    /// What was read, or is read now.
    pub(crate) async fn get(&self, spec: &KafkaSpec, secrets: &Secrets) -> Result<Arc<Security>> {
        let mut known = self.0.lock().await;
        if let Some(security) = known.as_ref() {
            return Ok(Arc::clone(security));
        }
        let security = Arc::new(Security::read(spec, secrets).await?);
        *known = Some(Arc::clone(&security));
        Ok(security)
    }

    /// A broker refused `security`.
    pub(crate) async fn forget(&self, security: &Arc<Security>) {
        let mut known = self.0.lock().await;
        known.take_if(|known| Arc::ptr_eq(known, security));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tidegate_core::spec::SecurityProtocol;
    use tidegate_core::words::Isolation;

    use super::*;
    use crate::secrets::Secret;

    fn spec() -> KafkaSpec {
        KafkaSpec {
            bootstrap_servers: vec!["kafka-1:9092".to_owned()],
            security_protocol: SecurityProtocol::SaslPlaintext,
            sasl_mechanism: Some(SaslMechanism::Plain),
            credentials: Some(SecretRef::Env("LOGIN".to_owned())),
            ca_certificate: None,
            client_certificate: None,
            isolation_level: Isolation::ReadCommitted,
        }
    }

    #[tokio::test]
    async fn secrets_are_read_once_and_again_after_they_were_refused() {
        let reads = Arc::new(AtomicU32::new(0));
        let counting = Arc::clone(&reads);
        let secrets = Secrets::read_by(move |_| {
            let count = counting.fetch_add(1, Ordering::Relaxed);
            let login = format!(r#"{{"username": "u", "password": "hunter{count}"}}"#);
            async move { Ok(Secret::new(login.into_bytes())) }
        });
        let (once, spec) = (SecurityOnce::default(), spec());
        let first = once.get(&spec, &secrets).await.expect("a login");
        let second = once.get(&spec, &secrets).await.expect("a login");
        assert!(Arc::ptr_eq(&first, &second));
        assert!(!format!("{first:?}").contains("hunter"), "{first:?}");
        once.forget(&first).await;
        let third = once.get(&spec, &secrets).await.expect("a login");
        // Who comes late with what was refused does not undo it.
        once.forget(&first).await;
        let fourth = once.get(&spec, &secrets).await.expect("a login");
        assert!(Arc::ptr_eq(&third, &fourth));
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_error_names_the_field_and_where_the_secret_is_kept() {
        let secrets = Secrets::read_by(|_| async { Ok(Secret::new(b"hunter2".to_vec())) });
        let error = SecurityOnce::default().get(&spec(), &secrets).await.expect_err("no JSON");
        let text = error.to_string();
        assert!(text.starts_with("kafka.credentials: env:LOGIN: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let mut tls = spec();
        (tls.security_protocol, tls.sasl_mechanism) = (SecurityProtocol::Ssl, None);
        tls.ca_certificate = Some(SecretRef::File("ca.pem".to_owned()));
        let error = SecurityOnce::default().get(&tls, &secrets).await.expect_err("no PEM");
        let text = error.to_string();
        assert!(text.starts_with("kafka.ca_certificate: file:ca.pem: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
