//! Logging in with a role of AWS: a listener that takes the token and nothing more.

use std::sync::{Arc, Mutex};

use tidegate_core::ErrorKind;
use tidegate_core::ports::{LogSource, ObserveRequest};
use tidegate_core::spec::{KafkaSpec, SaslMechanism, SecurityProtocol, TopicSelection};
use tidegate_kafka::{KafkaSource, Secret, Secrets};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::lab::{options, spec, within};

const METADATA: i16 = 3;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const SASL_AUTHENTICATE: i16 = 36;
/// Key, smallest and largest version of what a login, and then a reader, needs.
const OFFERED: [(i16, i16, i16); 7] = [
    (1, 4, 13),
    (2, 1, 7),
    (METADATA, 0, 12),
    (SASL_HANDSHAKE, 0, 1),
    (API_VERSIONS, 0, 3),
    (23, 2, 4),
    (SASL_AUTHENTICATE, 0, 2),
];

/// What came behind the header of each request that belongs to the login.
type Came = Arc<Mutex<Vec<(i16, Vec<u8>)>>>;

/// Answers one connection up to the login, and closes it at the first other request.
async fn listen(listener: TcpListener, came: Came) {
    while let Ok((mut socket, _)) = listener.accept().await {
        while let Some((key, version, correlation, body)) = request(&mut socket).await {
            let answer = match key {
                API_VERSIONS => versions(version),
                SASL_HANDSHAKE => [0_i16.to_be_bytes().as_slice(), &0_i32.to_be_bytes()].concat(),
                SASL_AUTHENTICATE => accepted(),
                _ => break,
            };
            if key != API_VERSIONS {
                came.lock().expect("not poisoned").push((key, body));
            }
            let answer = [correlation.as_slice(), &answer].concat();
            let length = i32::try_from(answer.len()).expect("a few bytes").to_be_bytes();
            socket.write_all(&[length.as_slice(), &answer].concat()).await.expect("written");
        }
    }
}

async fn request(socket: &mut TcpStream) -> Option<(i16, i16, [u8; 4], Vec<u8>)> {
    let length = socket.read_i32().await.ok()?;
    let mut frame = vec![0; usize::try_from(length).ok()?];
    socket.read_exact(&mut frame).await.ok()?;
    let key = i16::from_be_bytes(frame[..2].try_into().ok()?);
    let version = i16::from_be_bytes(frame[2..4].try_into().ok()?);
    Some((key, version, frame[4..8].try_into().ok()?, frame.split_off(8)))
}

/// ApiVersions, flexible from v3 on.
fn versions(version: i16) -> Vec<u8> {
    let flexible = version >= 3;
    let mut body = vec![0, 0];
    if flexible {
        body.push(u8::try_from(OFFERED.len() + 1).expect("few"));
    } else {
        body.extend(i32::try_from(OFFERED.len()).expect("few").to_be_bytes());
    }
    for (key, min, max) in OFFERED {
        [key, min, max].iter().for_each(|number| body.extend(number.to_be_bytes()));
        body.extend(flexible.then_some(0));
    }
    if version >= 1 {
        body.extend([0; 4]);
    }
    body.extend(flexible.then_some(0));
    body
}

/// SaslAuthenticate v2: tags of the header, no error, no message, no token, a lifetime, tags.
fn accepted() -> Vec<u8> {
    [[0, 0, 0, 0, 1].as_slice(), &[0; 8], &[0]].concat()
}

fn iam(server: String) -> KafkaSpec {
    KafkaSpec {
        security_protocol: SecurityProtocol::SaslPlaintext,
        sasl_mechanism: Some(SaslMechanism::AwsMskIam),
        ..spec(vec![server])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_proved_to_each_broker_by_a_token_for_its_host() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let spec = iam(listener.local_addr().expect("bound").to_string());
    let came = Came::default();
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(listen(listener, Arc::clone(&came)));
    let secrets = Secrets::default().signed_by(|host| async move {
        Ok(Secret::new(format!("{{\"host\":\"{host}\"}}").into_bytes()))
    });
    let source = KafkaSource::with_secrets(&spec, options(), secrets).expect("it can sign");
    let topics = TopicSelection::Names(vec!["t".into()]);
    let request =
        ObserveRequest { topics, offsets: true, start_time: None, end_time: None, epochs: vec![] };
    let seen = source.observe(&request, within(3_000)).await;
    assert!(seen.is_err(), "the listener takes no more than a login: {seen:?}");
    let came = came.lock().expect("not poisoned").clone();
    let holds =
        |body: &[u8], text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
    let [(SASL_HANDSHAKE, hands), (SASL_AUTHENTICATE, token), ..] = came.as_slice() else {
        panic!("no login: {came:?}");
    };
    assert!(holds(hands, "AWS_MSK_IAM"), "{hands:?}");
    assert!(holds(token, r#"{"host":"127.0.0.1"}"#), "{token:?}");
}

#[test]
fn a_process_without_a_role_is_refused_at_once() {
    let refused = KafkaSource::new(&iam("127.0.0.1:9".to_owned()), options());
    let error = refused.expect_err("no role");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().starts_with("kafka.sasl_mechanism"), "{error}");
}
