//! The secrets that a spec names: who reads them, and what keeps them from being shown.

use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;

use tidegate_core::error::{Error, Result};
use tidegate_core::spec::SecretRef;
use zeroize::Zeroizing;

/// The largest secret that is read: a chain of certificates has a few KiB.
const SECRET_BYTES_MAX: u64 = 1 << 20;

/// What a secret holds. It is wiped from memory when it is dropped, and nothing shows it.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A secret of these bytes: JSON or PEM, as the spec's field wants it.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

type Reading = Pin<Box<dyn Future<Output = Result<Secret>> + Send>>;

/// From a broker's host to the token that proves this process's role to it.
type Signer = Arc<dyn Fn(String) -> Reading + Send + Sync>;

/// Who reads secrets. By default [`read_secret`]; a process that can also read those of Secrets
/// Manager brings a function that does, and leaves the others to [`read_secret`].
#[derive(Clone)]
pub struct Secrets {
    read: Arc<dyn Fn(SecretRef) -> Reading + Send + Sync>,
    sign: Option<Signer>,
}

impl Secrets {
    /// Secrets are read by `read`. Its errors name no field of the spec; that is added.
    pub fn read_by<F>(read: impl Fn(SecretRef) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Secret>> + Send + 'static,
    {
        Self { read: Arc::new(move |secret| Box::pin(read(secret))), sign: None }
    }

    /// The role of this process is proved by `sign`, which is given a broker's host and answers
    /// the token of AWS_MSK_IAM for it.
    #[must_use]
    pub fn signed_by<F>(self, sign: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Secret>> + Send + 'static,
    {
        Self { sign: Some(Arc::new(move |host| Box::pin(sign(host)))), ..self }
    }

    /// Whether this process has a role to prove.
    pub(crate) fn can_sign(&self) -> bool {
        self.sign.is_some()
    }

    /// The token of AWS_MSK_IAM for the broker at `host`.
    pub(crate) async fn sign(&self, host: &str) -> Result<Secret> {
        match &self.sign {
            Some(sign) => sign(host.to_owned()).await,
            None => Err(Error::config("AWS_MSK_IAM needs a process with a role of AWS")),
        }
    }

    /// The secret that the spec's field at `path` names.
    pub(crate) async fn read(&self, path: &str, secret: &SecretRef) -> Result<Secret> {
        let read = (self.read)(secret.clone()).await;
        read.map_err(|error| error.while_doing(format!("{path}: {secret}")))
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self::read_by(read_secret)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// Reads `env:NAME` and `file:PATH` as this process sees them. `Config` if it is not there, is
/// empty or larger than 1 MiB, or is kept in Secrets Manager.
pub async fn read_secret(secret: SecretRef) -> Result<Secret> {
    let read = tokio::task::spawn_blocking(move || match secret {
        SecretRef::Env(name) => variable(&name),
        SecretRef::File(path) => file(&path),
        SecretRef::Arn(_) => Err(Error::config(
            "secrets in Secrets Manager are read on AWS only: use env:NAME or file:PATH here",
        )),
    });
    read.await.map_err(|error| Error::unavailable("reading it broke off").with_source(error))?
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads secrets, for every edge")]
fn variable(name: &str) -> Result<Secret> {
    match std::env::var(name) {
        Ok(text) if text.trim().is_empty() => {
            Err(Error::config("the environment variable is empty"))
        }
        Ok(text) => Ok(Secret::new(text.into_bytes())),
        Err(std::env::VarError::NotPresent) => Err(Error::config(
            "there is no such environment variable: set it for the process that runs tidegate",
        )),
        // Its text stays unsaid.
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Error::config("the environment variable is not UTF-8"))
        }
    }
}

fn file(path: &str) -> Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read: io::Result<usize> = std::fs::File::open(path)
        .and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes));
    let count = read.map_err(|error| Error::config(format!("cannot be read: {error}")))?;
    if u64::try_from(count).is_ok_and(|count| count > SECRET_BYTES_MAX) {
        return Err(Error::config("the file is larger than 1 MiB, so it is no login and no PEM"));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(Error::config("the file is empty"));
    }
    Ok(Secret(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> Result<Secret> {
        let secret = SecretRef::try_from(text.to_owned()).expect("a reference");
        Secrets::default().read("kafka.credentials", &secret).await
    }

    #[tokio::test]
    async fn what_is_not_there_is_said_with_its_field() {
        let dir = tempfile::tempdir().expect("a directory");
        let empty = dir.path().join("empty");
        std::fs::write(&empty, " \n").expect("written");
        let table = [
            ("env:TIDEGATE_NO_SUCH_VARIABLE".to_owned(), "no such environment variable"),
            (format!("file:{}", dir.path().join("none").display()), "No such file"),
            (format!("file:{}", dir.path().display()), "directory"),
            (format!("file:{}", empty.display()), "is empty"),
            ("file:/dev/zero".to_owned(), "larger than 1 MiB"),
            ("arn:aws:secretsmanager:eu-central-1:1:secret:x".to_owned(), "on AWS only"),
        ];
        for (text, said) in table {
            let error = read(&text).await.expect_err(&text);
            assert_eq!(error.kind(), tidegate_core::ErrorKind::Config, "{error}");
            let whole = error.to_string();
            assert!(whole.starts_with(&format!("kafka.credentials: {text}: ")), "{whole}");
            assert!(whole.contains(said), "{whole}");
        }
    }

    #[tokio::test]
    async fn a_secret_is_read_and_never_shown() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("login.json");
        std::fs::write(&path, "hunter2\n").expect("written");
        let secret = read(&format!("file:{}", path.display())).await.expect("a secret");
        assert_eq!(secret.bytes(), b"hunter2\n");
        assert!(!format!("{secret:?}").contains("hunter2"));
        let elsewhere = Secrets::read_by(|_| async { Ok(Secret::new(b"hunter2".to_vec())) });
        let arn = "arn:aws:secretsmanager:eu-central-1:1:secret:x".to_owned();
        let arn = SecretRef::try_from(arn).expect("a reference");
        assert_eq!(elsewhere.read("x", &arn).await.expect("a secret").bytes(), b"hunter2");
        assert!(!format!("{elsewhere:?}").contains("hunter2"));
    }
}
