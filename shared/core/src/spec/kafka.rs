//! The section `kafka` of a spec.

use std::net::Ipv6Addr;

use super::check::{refused, required};
use super::raw::{RawKafka, RawServers};
use super::{KafkaSpec, SaslMechanism, SecurityProtocol};
use crate::error::Result;

impl SecurityProtocol {
    /// Kafka's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// Whether connections are encrypted.
    pub fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether one logs in.
    pub fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

impl SaslMechanism {
    /// Kafka's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::AwsMskIam => "AWS_MSK_IAM",
        }
    }
}

pub(super) fn kafka(raw: RawKafka) -> Result<KafkaSpec> {
    let RawServers(servers) = required("kafka.bootstrap_servers", raw.bootstrap_servers)?;
    if servers.is_empty() {
        let message = "the list is empty: give at least one \"host:port\"";
        return Err(refused("kafka.bootstrap_servers", message));
    }
    for (i, server) in servers.iter().enumerate() {
        if let Some(fault) = server_fault(server) {
            return Err(refused(
                &format!("kafka.bootstrap_servers[{i}]"),
                format!("{server:?} is no host:port: {fault}, such as \"kafka-1:9092\""),
            ));
        }
    }
    let spec = KafkaSpec {
        bootstrap_servers: servers,
        security_protocol: raw.security_protocol.unwrap_or_default(),
        sasl_mechanism: raw.sasl_mechanism,
        credentials: raw.credentials,
        ca_certificate: raw.ca_certificate,
        client_certificate: raw.client_certificate,
        isolation_level: raw.isolation_level.unwrap_or_default(),
    };
    check_sasl(&spec)?;
    check_tls(&spec)?;
    Ok(spec)
}

/// What is wrong with the address of a broker, if anything is.
fn server_fault(server: &str) -> Option<&'static str> {
    if server.contains("://") {
        return Some("write it without a protocol (that is kafka.security_protocol)");
    }
    if server.contains(',') {
        return Some("write several as several items of the list");
    }
    let Some((host, port)) = server.rsplit_once(':') else {
        return Some("the port is missing");
    };
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    if !digits || !port.parse().is_ok_and(|port: u16| port > 0) {
        return Some("the port must be a number from 1 to 65535");
    }
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let good = match inner {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            !host.is_empty() && host.bytes().all(allowed)
        }
    };
    (!good).then_some("the host must be a name, an IPv4 address or an IPv6 address in brackets")
}

fn check_sasl(spec: &KafkaSpec) -> Result<()> {
    let protocol = spec.security_protocol;
    let name = protocol.as_str();
    let Some(mechanism) = spec.sasl_mechanism else {
        if protocol.has_sasl() {
            let message = format!(
                "this field is required with security_protocol {name}: PLAIN, SCRAM-SHA-256, \
                 SCRAM-SHA-512 or AWS_MSK_IAM"
            );
            return Err(refused("kafka.sasl_mechanism", message));
        }
        return match spec.credentials {
            Some(_) => Err(refused("kafka.credentials", needs_sasl(protocol))),
            None => Ok(()),
        };
    };
    if !protocol.has_sasl() {
        return Err(refused("kafka.sasl_mechanism", needs_sasl(protocol)));
    }
    let iam = mechanism == SaslMechanism::AwsMskIam;
    if iam && !protocol.has_tls() {
        let message = "AWS_MSK_IAM needs security_protocol SASL_SSL";
        return Err(refused("kafka.sasl_mechanism", message));
    }
    match (&spec.credentials, iam) {
        (None, false) => Err(refused(
            "kafka.credentials",
            format!(
                "this field is required with sasl_mechanism {}: env:NAME, file:PATH or the ARN of \
                 a secret in Secrets Manager",
                mechanism.as_str()
            ),
        )),
        (Some(_), true) => Err(refused(
            "kafka.credentials",
            "AWS_MSK_IAM logs in with the role of the process: leave credentials out",
        )),
        (Some(_), false) | (None, true) => Ok(()),
    }
}

fn needs_sasl(protocol: SecurityProtocol) -> String {
    format!(
        "security_protocol is {}, with which nobody logs in: leave this field out, or set \
         security_protocol to SASL_SSL or SASL_PLAINTEXT",
        protocol.as_str()
    )
}

fn check_tls(spec: &KafkaSpec) -> Result<()> {
    if spec.security_protocol.has_tls() {
        return Ok(());
    }
    let given = [
        ("kafka.ca_certificate", &spec.ca_certificate),
        ("kafka.client_certificate", &spec.client_certificate),
    ];
    match given.into_iter().find(|(_, certificate)| certificate.is_some()) {
        None => Ok(()),
        Some((path, _)) => Err(refused(
            path,
            format!(
                "security_protocol is {}, which does not encrypt: leave this field out, or set \
                 security_protocol to SSL or SASL_SSL",
                spec.security_protocol.as_str()
            ),
        )),
    }
}
