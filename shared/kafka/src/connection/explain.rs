//! Why a listener closed a connection: what does it speak? Kafka's brokers close without a word
//! when they are spoken to in another security protocol than the listener's, so it is found out by
//! speaking the others. Nothing secret is sent.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tidegate_core::error::Error;
use tidegate_core::spec::SecurityProtocol;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::channel::Broken;
use super::open::Opening;
use crate::login::UNSUPPORTED_MECHANISM;
use crate::requests::SaslHandshake;
use crate::security::{Refused, Tls, speaks_tls, tls_error, translate};
use crate::transport::{self, Endpoint};

/// How long a broker is waited for to say, over TLS, that it wants another certificate.
const ALERT_WITHIN: Duration = Duration::from_secs(1);
/// A mechanism that nobody offers: a listener with login answers with those that it does.
const NO_MECHANISM: &str = "NONE-OF-THESE";

/// How far a connection came before it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Connecting, with the handshake of TLS.
    Tls,
    /// The first request.
    Versions,
    /// Logging in.
    Login,
    /// The first request after that.
    Requests,
}

/// What a listener speaks, as far as it was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spoken {
    tls: bool,
    /// The mechanisms that are offered; `Some` of none: nobody logs in there.
    logins: Option<Vec<String>>,
}

/// An error that says what to do about it; none if nothing was found out.
pub(super) async fn explain(
    opening: &Opening<'_>,
    endpoint: &Endpoint,
    stage: Stage,
) -> Option<Error> {
    let tls = opening.security.tls.as_ref();
    let asked = asked_for(opening);
    let spoken = match (stage, tls) {
        (Stage::Tls, Some(_)) => {
            let logins = logins(opening, endpoint, None).await?;
            Spoken { tls: false, logins: Some(logins) }
        }
        (Stage::Versions, None) => {
            let tcp = transport::connect(endpoint).await.ok()?;
            if !speaks_tls(endpoint, tcp).await {
                return None;
            }
            Spoken { tls: true, logins: None }
        }
        (Stage::Versions, Some(tls)) => return alert(endpoint, tls).await,
        (Stage::Requests, tls) if !asked.has_sasl() => {
            let logins = logins(opening, endpoint, tls).await?;
            Spoken { tls: tls.is_some(), logins: Some(logins) }
        }
        (Stage::Tls, None) | (Stage::Login | Stage::Requests, _) => return None,
    };
    advice(endpoint, asked, &spoken)
}

fn asked_for(opening: &Opening<'_>) -> SecurityProtocol {
    match (opening.security.tls.is_some(), opening.security.login.is_some()) {
        (false, false) => SecurityProtocol::Plaintext,
        (true, false) => SecurityProtocol::Ssl,
        (false, true) => SecurityProtocol::SaslPlaintext,
        (true, true) => SecurityProtocol::SaslSsl,
    }
}

/// The mechanisms that a listener offers; empty if nobody logs in there. None if it does not
/// answer as a broker does.
async fn logins(
    opening: &Opening<'_>,
    endpoint: &Endpoint,
    tls: Option<&Tls>,
) -> Option<Vec<String>> {
    let received = Arc::new(AtomicU64::new(0));
    let mut channel = opening.channel(endpoint, tls, &received).await.ok()?;
    channel.learn_versions().await.ok()?;
    match channel.ask(&SaslHandshake { mechanism: NO_MECHANISM }).await {
        Ok(answer) if answer.error == UNSUPPORTED_MECHANISM => Some(answer.mechanisms),
        // Brokers refuse to shake hands where there is no login; some do not know how to.
        Ok(_) | Err(Broken::Known(_) | Broken::Closed(_)) => Some(Vec::new()),
    }
}

/// With TLS 1.3 a broker's refusal of the client's certificate comes after the handshake, and is
/// lost if the connection is reset before it was read. So a second connection only listens.
async fn alert(endpoint: &Endpoint, tls: &Tls) -> Option<Error> {
    let received = Arc::new(AtomicU64::new(0));
    let mut stream = transport::open(endpoint, Some(tls), &received).await.ok()?;
    let read = timeout(ALERT_WITHIN, stream.read_u8()).await.ok()?;
    let error = read.err()?;
    match translate(endpoint, tls, tls_error(&error)?) {
        Refused::ForGood(error) => Some(error),
        Refused::Perhaps(_) => None,
    }
}

/// What to set; none if that is what was asked for.
fn advice(endpoint: &Endpoint, asked: SecurityProtocol, spoken: &Spoken) -> Option<Error> {
    let (right, why) = match (spoken.tls, &spoken.logins) {
        (true, None) => {
            ("SSL, or SASL_SSL if one logs in there".to_owned(), "speaks TLS".to_owned())
        }
        (tls, Some(mechanisms)) => {
            let (plain, login) =
                if tls { ("SSL", "SASL_SSL") } else { ("PLAINTEXT", "SASL_PLAINTEXT") };
            let what = if tls { "speaks TLS" } else { "speaks no TLS" };
            match mechanisms.as_slice() {
                [] => (plain.to_owned(), what.to_owned()),
                some => (
                    format!("{login}, with kafka.sasl_mechanism and kafka.credentials"),
                    format!("{what} and wants a login ({})", some.join(", ")),
                ),
            }
        }
        (false, None) => return None,
    };
    let asked = asked.as_str();
    (right != asked).then(|| {
        Error::config(format!(
            "kafka.security_protocol: {endpoint} {why}, so {asked} does not fit: set {right}, or \
             name another listener in kafka.bootstrap_servers"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_that_fits_is_named() {
        use SecurityProtocol::{Plaintext, SaslPlaintext, SaslSsl, Ssl};
        let some = || Some(vec!["PLAIN".to_owned(), "SCRAM-SHA-512".to_owned()]);
        let none = || Some(Vec::new());
        let at = Endpoint::parse("kafka-1:9092").expect("an endpoint");
        for (asked, tls, logins, said) in [
            (Plaintext, false, some(), Some("set SASL_PLAINTEXT, with")),
            (Plaintext, true, None, Some("set SSL, or SASL_SSL")),
            (SaslPlaintext, true, None, Some("set SSL, or SASL_SSL")),
            (Ssl, false, none(), Some("set PLAINTEXT,")),
            (Ssl, false, some(), Some("(PLAIN, SCRAM-SHA-512)")),
            (Ssl, true, some(), Some("set SASL_SSL, with")),
            (SaslSsl, false, none(), Some("set PLAINTEXT,")),
            // It does speak what was asked for: the cause is another one.
            (Plaintext, false, none(), None),
            (Ssl, true, none(), None),
        ] {
            let error = advice(&at, asked, &Spoken { tls, logins });
            let text = error.map(|error| error.to_string());
            assert_eq!(text.is_some(), said.is_some(), "{asked:?}: {text:?}");
            let fits = text.iter().all(|text| {
                text.contains("kafka-1:9092") && said.is_some_and(|said| text.contains(said))
            });
            assert!(fits, "{asked:?}: {text:?}");
        }
    }
}
