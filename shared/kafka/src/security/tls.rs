//! TLS by rustls: how it is set up, and what its errors mean for somebody who has to mend them.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tidegate_core::error::{Error, Result};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Tls;
use super::pem::{Identity, certificates};
use crate::secrets::Secret;
use crate::transport::Endpoint;

/// The one provider of this build; named, since a second one in the same process would make the
/// default undecidable.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The authorities of a PEM text: these and no others are trusted.
pub(super) fn authorities(pem: &Secret) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for (at, certificate) in certificates(pem)?.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| {
            Error::config(format!("certificate {} in it cannot be used: {error}", at + 1))
        })?;
    }
    Ok(roots)
}

/// The authorities that the system trusts.
pub(super) async fn system_authorities() -> Result<RootCertStore> {
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let loaded = loaded
        .map_err(|error| Error::unavailable("reading certificates broke off").with_source(error))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(loaded.certs);
    if added == 0 {
        return Err(Error::config(
            "kafka.ca_certificate: the system has no certificates of authorities: install them \
             (on Debian: apt-get install ca-certificates), or give the PEM of those to be trusted",
        ));
    }
    Ok(roots)
}

/// A client that trusts `roots`, with TLS 1.2 and 1.3.
pub(super) fn config(roots: RootCertStore, identity: Option<Identity>) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::config(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots);
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            let advice = match error {
                rustls::Error::InconsistentKeys(_) => {
                    "its private key does not belong to its first certificate: put the client's \
                     certificate first, its chain behind it"
                }
                _ => {
                    "its private key cannot be used: RSA, ECDSA (P-256, P-384) and Ed25519 are \
                     supported"
                }
            };
            Error::config(format!("{advice} ({error})"))
        }),
    }
}

/// How TLS names a broker.
pub(crate) fn server_name(endpoint: &Endpoint) -> Result<ServerName<'static>> {
    ServerName::try_from(endpoint.host.clone()).map_err(|_| {
        Error::config(format!("{endpoint}: no certificate can be for a host of this name"))
    })
}

/// Whether what listens there speaks TLS, whomever it may be trusted by.
pub(crate) async fn speaks_tls(endpoint: &Endpoint, tcp: TcpStream) -> bool {
    let (Ok(name), Ok(config)) = (server_name(endpoint), config(RootCertStore::empty(), None))
    else {
        return false;
    };
    match TlsConnector::from(Arc::new(config)).connect(name, tcp).await {
        Ok(_) => true,
        // An answer in TLS: its certificate, or why it refuses to talk.
        Err(error) => tls_error(&error).is_some_and(|error| {
            matches!(
                error,
                rustls::Error::InvalidCertificate(_)
                    | rustls::Error::AlertReceived(_)
                    | rustls::Error::PeerIncompatible(_)
            )
        }),
    }
}

/// The TLS error in an error of a stream.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether a TLS error is for good.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Nothing but a change of the spec or of the broker helps.
    ForGood(Error),
    /// What came is no TLS, or the connection broke.
    Perhaps(String),
}

/// What a TLS error means, in a connection to `endpoint`.
pub(crate) fn translate(endpoint: &Endpoint, tls: &Tls, error: &rustls::Error) -> Refused {
    match error {
        rustls::Error::InvalidCertificate(fault) => {
            Refused::ForGood(bad_certificate(endpoint, tls, fault))
        }
        rustls::Error::AlertReceived(alert) => alerted(endpoint, tls, *alert),
        rustls::Error::PeerIncompatible(why) => Refused::ForGood(Error::config(format!(
            "{endpoint} speaks no TLS that is spoken here (1.2 and 1.3): {why:?}"
        ))),
        other => Refused::Perhaps(other.to_string()),
    }
}

fn bad_certificate(endpoint: &Endpoint, tls: &Tls, fault: &CertificateError) -> Error {
    let why = match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
            "has expired ({fault}): renew it on the broker; or this machine's clock is wrong"
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("is not valid yet ({fault}): this machine's clock may be wrong")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!(
                "is for another host ({fault}): name the broker by a host that stands in it, in \
                 kafka.bootstrap_servers and in the broker's advertised.listeners, or give the \
                 broker a certificate with {} as subject alternative name",
                endpoint.host
            )
        }
        CertificateError::UnknownIssuer => match &tls.authorities {
            Some(kept) => format!(
                "is not signed by an authority in kafka.ca_certificate ({kept}): put the \
                 certificate of the authority that signed it there"
            ),
            None => "is not signed by an authority that this system trusts: give the PEM of the \
                     authority that signed it as kafka.ca_certificate"
                .to_owned(),
        },
        other => format!("cannot be trusted: {other}"),
    };
    Error::config(format!("the certificate of {endpoint} {why}"))
}

fn alerted(endpoint: &Endpoint, tls: &Tls, alert: AlertDescription) -> Refused {
    use AlertDescription as Alert;
    let refused = match (alert, &tls.client) {
        (Alert::CertificateRequired | Alert::BadCertificate, None) => Error::denied(format!(
            "{endpoint} wants a client certificate: give its PEM, with its key, as \
             kafka.client_certificate (TLS alert {alert:?})"
        )),
        (
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied
            | Alert::DecryptError,
            Some(kept),
        ) => Error::denied(format!(
            "{endpoint} refuses the certificate in kafka.client_certificate ({kept}): it must be \
             valid and signed by an authority in the broker's truststore, with its chain behind \
             it (TLS alert {alert:?})"
        )),
        (
            Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity,
            client,
        ) => {
            let certificate = match client {
                None => ", or it wants a client certificate (kafka.client_certificate)",
                Some(_) => "",
            };
            Error::config(format!(
                "{endpoint} and this client have no TLS version and cipher suite in common: 1.2 \
                 and 1.3 are spoken here{certificate} (TLS alert {alert:?})"
            ))
        }
        // InternalError, CloseNotify and the like: a broker in trouble.
        _ => return Refused::Perhaps(format!("TLS alert {alert:?}")),
    };
    Refused::ForGood(refused)
}
