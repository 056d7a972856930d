//! Logging in: SaslHandshake, then the mechanism's tokens in SaslAuthenticate requests.
//!
//! The mechanisms with passwords are rsasl's. rskafka has a login of its own, which keeps the
//! broker's explanation to itself and takes any number of iterations from whoever answers.
//! AWS_MSK_IAM is one token (<https://github.com/aws/aws-msk-iam-auth>, "Details").

use std::io::Cursor;

use rsasl::mechname::Mechname;
use rsasl::prelude::{SASLClient, SASLConfig, Session};
use rsasl::validate::NoValidation;
use tidegate_core::error::{Error, Result};
use tidegate_core::spec::{SaslMechanism, SecurityProtocol};
use zeroize::Zeroizing;

use crate::connection::{Broken, Channel};
use crate::errors;
use crate::requests::{AuthenticateAnswer, HandshakeAnswer, SaslAuthenticate, SaslHandshake};
use crate::secrets::Secrets;
use crate::security::{Login, Password};
use crate::transport::Endpoint;

/// UNSUPPORTED_SASL_MECHANISM.
pub(crate) const UNSUPPORTED_MECHANISM: i16 = 33;
/// ILLEGAL_SASL_STATE: of a handshake on a listener without login.
pub(crate) const ILLEGAL_STATE: i16 = 34;

/// Fewer rounds of SCRAM would make the password easy to guess for whoever poses as the broker
/// (Kafka allows no less); more would cost seconds of CPU (it allows 16,384).
const ITERATIONS: std::ops::RangeInclusive<u32> = 4_096..=1_000_000;

/// Logs in on a connection that has learned the broker's versions.
pub(crate) async fn log_in(channel: &Channel<'_>, login: &Login) -> Result<(), Broken> {
    match login {
        Login::Password(login) => with_password(channel, login).await,
        Login::Role(secrets) => with_role(channel, secrets).await,
    }
}

async fn shake_hands(channel: &Channel<'_>, mechanism: SaslMechanism) -> Result<(), Broken> {
    let mechanism = mechanism.as_str();
    let answer = channel.ask(&SaslHandshake { mechanism }).await?;
    Ok(check_handshake(channel.endpoint(), channel.has_tls(), mechanism, &answer)?)
}

async fn with_role(channel: &Channel<'_>, secrets: &Secrets) -> Result<(), Broken> {
    shake_hands(channel, SaslMechanism::AwsMskIam).await?;
    let endpoint = channel.endpoint();
    let token = secrets.sign(&endpoint.host).await?;
    let token = Zeroizing::new(token.bytes().to_vec());
    let answer = channel.ask(&SaslAuthenticate { token }).await?;
    Ok(check_role(endpoint, &answer)?)
}

fn check_role(endpoint: &Endpoint, answer: &AuthenticateAnswer) -> Result<()> {
    if answer.error == 0 {
        return Ok(());
    }
    let said = answer.message.as_deref().map(|said| format!(" and says: {said}"));
    Err(Error::new(
        errors::remedy(answer.error).kind,
        format!(
            "{endpoint} refuses the role of this process ({}){}; may it do kafka-cluster:Connect \
             on this cluster, and is this one of its IAM listeners (port 9098)?",
            errors::name(answer.error),
            said.unwrap_or_default()
        ),
    ))
}

async fn with_password(channel: &Channel<'_>, login: &Password) -> Result<(), Broken> {
    shake_hands(channel, login.mechanism).await?;
    let mut session = begin(channel.endpoint(), login)?;
    let mut came: Option<AuthenticateAnswer> = None;
    loop {
        let came_token = came.as_ref().map(|answer| answer.token.as_ref());
        let (token, finished) = step(channel.endpoint(), login, &mut session, came_token)?;
        if let Some(token) = token {
            let answer = channel.ask(&SaslAuthenticate { token }).await?;
            check_answer(channel.endpoint(), login, &answer)?;
            came = Some(answer);
        }
        if finished {
            return Ok(());
        }
    }
}

fn check_handshake(
    endpoint: &Endpoint,
    tls: bool,
    mechanism: &str,
    answer: &HandshakeAnswer,
) -> Result<()> {
    match answer.error {
        0 => Ok(()),
        UNSUPPORTED_MECHANISM => Err(Error::config(format!(
            "kafka.sasl_mechanism: {endpoint} does not offer {mechanism}; it offers {}",
            answer.mechanisms.join(", ")
        ))),
        ILLEGAL_STATE => {
            let right = if tls { SecurityProtocol::Ssl } else { SecurityProtocol::Plaintext };
            Err(Error::config(format!(
                "kafka.security_protocol: {endpoint} is a listener without login: set {}, or name \
                 the listener on which one logs in",
                right.as_str()
            )))
        }
        code => Err(errors::error(code, &format!("login to {endpoint}"))),
    }
}

type Sasl = Session<NoValidation>;

fn begin(endpoint: &Endpoint, login: &Password) -> Result<Sasl> {
    let failed = |why: String| {
        Error::config(format!("login to {endpoint} with {}: {why}", login.mechanism.as_str()))
    };
    let credentials = &login.credentials;
    let (name, password) = (credentials.username.to_string(), credentials.password.to_string());
    let config = SASLConfig::with_credentials(None, name, password)
        .map_err(|error| failed(error.to_string()))?;
    let mechanism = Mechname::parse(login.mechanism.as_str().as_bytes())
        .map_err(|error| failed(error.to_string()))?;
    SASLClient::new(config).start_suggested(&[mechanism]).map_err(|error| failed(error.to_string()))
}

/// The next token to be sent, and whether that is all.
fn step(
    endpoint: &Endpoint,
    login: &Password,
    session: &mut Sasl,
    came: Option<&[u8]>,
) -> Result<(Option<Zeroizing<Vec<u8>>>, bool)> {
    let mechanism = login.mechanism.as_str();
    let suspect = |why: String| {
        Error::denied(format!(
            "login to {endpoint} with {mechanism}: {why}; this may not be the broker it poses as"
        ))
    };
    if let (SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512, Some(came)) =
        (login.mechanism, came)
        && let Some(iterations) = iterations(came)
        && !ITERATIONS.contains(&iterations)
    {
        let (min, max) = (ITERATIONS.start(), ITERATIONS.end());
        return Err(suspect(format!(
            "it asks for {iterations} iterations, where {min} to {max} are taken"
        )));
    }
    let mut token = Cursor::new(Vec::new());
    let state = session
        .step(came, &mut token)
        .map_err(|error| suspect(format!("its answer does not fit ({error})")))?;
    let token = state.has_sent_message().then(|| Zeroizing::new(token.into_inner()));
    Ok((token, state.is_finished()))
}

/// The iterations that SCRAM's first message of a server asks for (RFC 5802: `r=…,s=…,i=4096`).
fn iterations(server_first: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(server_first).ok()?;
    let count = text.split(',').find_map(|attribute| attribute.strip_prefix("i="))?;
    // What is no number is for the mechanism to refuse; what is too large for one is too many.
    count.bytes().all(|b| b.is_ascii_digit()).then(|| count.parse().unwrap_or(u32::MAX))
}

fn check_answer(endpoint: &Endpoint, login: &Password, answer: &AuthenticateAnswer) -> Result<()> {
    if answer.error == 0 {
        return Ok(());
    }
    let said = match &answer.message {
        Some(message) => format!(" and says: {}", login.credentials.redact(message)),
        None => String::new(),
    };
    Err(Error::new(
        errors::remedy(answer.error).kind,
        format!(
            "{endpoint} refuses the login with {} ({}){said}; check name, password and mechanism: \
             the login is kept in kafka.credentials ({})",
            login.mechanism.as_str(),
            errors::name(answer.error),
            login.kept
        ),
    ))
}

#[cfg(test)]
mod tests {
    use tidegate_core::error::ErrorKind;
    use tidegate_core::spec::SecretRef;

    use super::*;
    use crate::secrets::Secret;
    use crate::security::Credentials;

    fn login(mechanism: SaslMechanism) -> Password {
        let secret = Secret::new(br#"{"username": "us,er", "password": "hunter2"}"#.to_vec());
        let credentials = Credentials::parse(&secret).expect("a login");
        Password { mechanism, credentials, kept: SecretRef::Env("LOGIN".to_owned()) }
    }

    fn endpoint() -> Endpoint {
        Endpoint::parse("kafka-1:9092").expect("an endpoint")
    }

    fn text(token: Option<Zeroizing<Vec<u8>>>) -> String {
        String::from_utf8(token.expect("a token").to_vec()).expect("UTF-8")
    }

    #[test]
    fn plain_is_one_token() {
        let (at, login) = (endpoint(), login(SaslMechanism::Plain));
        let mut session = begin(&at, &login).expect("begun");
        let (token, finished) = step(&at, &login, &mut session, None).expect("a step");
        assert_eq!((text(token).as_str(), finished), ("\0us,er\0hunter2", true));
    }

    /// The first message of a server with these iterations, in answer to the client's.
    fn after_first(mechanism: SaslMechanism, iterations: &str) -> (Password, Sasl, String) {
        let (at, login) = (endpoint(), login(mechanism));
        let mut session = begin(&at, &login).expect("begun");
        let (token, finished) = step(&at, &login, &mut session, None).expect("a step");
        let first = text(token);
        let nonce = first.strip_prefix("n,,n=us=2Cer,r=").expect("a name and a nonce");
        assert!(!finished && nonce.len() >= 18, "{first}");
        let answer = format!("r={nonce}server,s=c2FsdHNhbHQ=,i={iterations}");
        (login, session, answer)
    }

    #[test]
    fn a_broker_that_wants_too_few_or_too_many_iterations_is_not_obeyed() {
        for iterations in ["1", "4095", "1000001", "99999999999999999999"] {
            let (login, mut session, answer) = after_first(SaslMechanism::ScramSha256, iterations);
            let error = step(&endpoint(), &login, &mut session, Some(answer.as_bytes()));
            let error = error.expect_err(iterations);
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.to_string().contains("iterations"), "{error}");
        }
        assert_eq!(iterations(b"r=x,s=y,i=4096"), Some(4096));
        assert_eq!(iterations(b"e=other-error"), None);
    }

    #[test]
    fn a_broker_that_does_not_know_the_password_is_not_believed() {
        for mechanism in [SaslMechanism::ScramSha256, SaslMechanism::ScramSha512] {
            let (login, mut session, answer) = after_first(mechanism, "4096");
            let sent = step(&endpoint(), &login, &mut session, Some(answer.as_bytes()));
            let (token, finished) = sent.expect("a proof");
            assert!(text(token).contains(",p=") && !finished);
            let error = step(&endpoint(), &login, &mut session, Some(b"v=AAAA"));
            let error = error.expect_err("a wrong signature");
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.to_string().contains("poses"), "{error}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_broker_says_and_no_secret() {
        let message = Some("Authentication failed: us,er is not hunter2".to_owned());
        let answer = AuthenticateAnswer { error: 58, message, token: bytes::Bytes::new() };
        let error = check_answer(&endpoint(), &login(SaslMechanism::Plain), &answer);
        let error = error.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Denied);
        let text = error.to_string();
        for word in ["kafka-1:9092", "PLAIN", "Authentication failed: *** is not ***", "env:LOGIN"]
        {
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn a_role_that_is_refused_says_what_it_lacks() {
        let message = Some("Access denied".to_owned());
        let answer = AuthenticateAnswer { error: 58, message, token: bytes::Bytes::new() };
        let error = check_role(&endpoint(), &answer).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Denied);
        for word in ["kafka-1:9092", "Access denied", "kafka-cluster:Connect"] {
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_listener_that_cannot_log_in_is_told_from_one_that_has_other_mechanisms() {
        let answer =
            |error| HandshakeAnswer { error, mechanisms: vec!["SCRAM-SHA-512".to_owned()] };
        for (code, tls, kind, word) in [
            (33, false, ErrorKind::Config, "does not offer PLAIN; it offers SCRAM-SHA-512"),
            (34, false, ErrorKind::Config, "set PLAINTEXT"),
            (34, true, ErrorKind::Config, "set SSL"),
            (7, true, ErrorKind::Unavailable, "RequestTimedOut"),
        ] {
            let error = check_handshake(&endpoint(), tls, "PLAIN", &answer(code));
            let error = error.expect_err("refused");
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(check_handshake(&endpoint(), true, "PLAIN", &answer(0)).is_ok());
    }
}
