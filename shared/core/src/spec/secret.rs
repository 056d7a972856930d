use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a field that names a secret may hold.
pub(super) const EXPECTED: &str = "this must say where the secret is kept, never be the secret \
     itself: env:NAME, file:PATH or the ARN of a secret in Secrets Manager";

/// Where a secret is kept; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretRef {
    /// `env:NAME`
    Env(String),
    /// `file:PATH`
    File(String),
    /// The ARN of a secret in Secrets Manager.
    Arn(String),
}

impl TryFrom<String> for SecretRef {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let parsed = if let Some(name) = text.strip_prefix("env:") {
            is_variable(name).then(|| Self::Env(name.to_owned()))
        } else if let Some(path) = text.strip_prefix("file:") {
            (!path.is_empty() && !path.contains('\0')).then(|| Self::File(path.to_owned()))
        } else {
            is_secret_arn(&text).then_some(Self::Arn(text))
        };
        // What was given is not repeated: it may be the secret itself.
        parsed.ok_or_else(|| Error::config(EXPECTED))
    }
}

impl From<SecretRef> for String {
    fn from(secret: SecretRef) -> Self {
        secret.to_string()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
            Self::Arn(arn) => f.write_str(arn),
        }
    }
}

/// POSIX's names of variables, lower case included.
fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `arn:<partition>:secretsmanager:<region>:<account>:secret:<name>`
fn is_secret_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(7, ':').collect();
    let [arn, partition, service, region, account, kind, name] = parts[..] else {
        return false;
    };
    let printable = text.bytes().all(|b| b.is_ascii_graphic());
    let known = arn == "arn" && service == "secretsmanager" && kind == "secret";
    known && printable && [partition, region, account, name].iter().all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_and_never_repeated() {
        let good = [
            "env:KAFKA_LOGIN",
            "file:/run/secrets/kafka.json",
            "file:login.json",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka/login-AbCdEf",
            "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:login",
        ];
        for text in good {
            let secret = SecretRef::try_from(text.to_owned()).expect(text);
            assert_eq!(secret.to_string(), text);
        }
        let bad = [
            "hunter2",
            "env:",
            "env:9hunter2",
            "env:hunter2!",
            "file:",
            "arn:aws:s3:::hunter2",
            "arn:aws:secretsmanager:eu-central-1::secret:hunter2",
            r#"{"username":"u","password":"hunter2"}"#,
        ];
        for text in bad {
            let error = SecretRef::try_from(text.to_owned()).expect_err(text);
            assert!(error.message().contains("env:NAME"), "{text}");
            assert!(!format!("{error:?}").contains("hunter2"), "the secret is repeated: {error}");
        }
    }
}
