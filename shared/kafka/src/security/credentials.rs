use std::fmt;

use serde::Deserialize;
use tidegate_core::error::{Error, Result};
use zeroize::Zeroizing;

use crate::secrets::Secret;

#[derive(Deserialize)]
struct Raw {
    username: String,
    password: String,
}

/// Name and password of a login. Nothing shows them.
pub(crate) struct Credentials {
    pub(crate) username: Zeroizing<String>,
    pub(crate) password: Zeroizing<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    /// Reads `{"username", "password"}`; other fields are passed over, since secrets of Secrets
    /// Manager may have some. An error repeats nothing of what was read.
    pub(crate) fn parse(secret: &Secret) -> Result<Self> {
        let parsed: serde_json::Result<Raw> = serde_json::from_slice(secret.bytes());
        let raw = parsed.map_err(|error| {
            // The text of the error itself may hold a piece of the secret.
            let (line, column) = (error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Data => "it does not have the two texts",
                _ => "it is no JSON",
            };
            refused(&format!("{what} (line {line}, column {column})"))
        })?;
        let (username, password) = (Zeroizing::new(raw.username), Zeroizing::new(raw.password));
        for (name, text) in [("username", &username), ("password", &password)] {
            if text.is_empty() {
                return Err(refused(&format!("the {name} is empty")));
            }
            if text.contains('\0') {
                return Err(refused(&format!("the {name} has a NUL in it")));
            }
        }
        Ok(Self { username, password })
    }

    /// `text` without the name and the password: what a broker says may repeat them.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(self.password.as_str(), "***").replace(self.username.as_str(), "***")
    }
}

fn refused(what: &str) -> Error {
    Error::config(format!(
        "this must hold {{\"username\": \"…\", \"password\": \"…\"}} as JSON, and {what}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Credentials> {
        Credentials::parse(&Secret::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_login_is_two_texts_and_is_never_shown() {
        let read = parse(r#" {"username": "u", "password": "hunter2", "engine": 5} "#);
        let read = read.expect("a login");
        assert_eq!((read.username.as_str(), read.password.as_str()), ("u", "hunter2"));
        assert!(!format!("{read:?}").contains("hunter2"));
        assert_eq!(read.redact("no hunter2 here"), "no *** here");
    }

    #[test]
    fn what_is_no_login_is_refused_and_not_repeated() {
        for text in [
            "hunter2",
            "\"hunter2\"",
            "[\"hunter2\"]",
            r#"{"username": "u"}"#,
            r#"{"username": "u", "password": 5}"#,
            r#"{"username": "hunter2", "password": ["hunter2"]}"#,
            r#"{"username": "", "password": "hunter2"}"#,
            r#"{"username": "u", "password": ""}"#,
            r#"{"username": "u", "password": "hunter2\u0000"}"#,
            r#"{"username": "u", "password": "hunter2""#,
        ] {
            let error = parse(text).expect_err(text);
            assert_eq!(error.kind(), tidegate_core::ErrorKind::Config);
            let shown = format!("{error:?}");
            assert!(shown.contains("\"username\"") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
