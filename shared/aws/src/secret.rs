//! Secrets in Secrets Manager.

use std::time::Duration;

use tidegate_core::time::Deadline;
use tidegate_core::{Error, Result};

use crate::call::within;
use crate::clients::Clients;
use crate::clock::now;

/// How long Secrets Manager may take, retries included. In a VPC without an endpoint for it
/// nobody answers, ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// The current value of the secret at `arn`: text or bytes. Nothing of it is ever in an error.
///
/// # Errors
/// `Denied` without the right to read it, `Config` if there is no such secret, `Unavailable` if
/// nobody answers.
pub(crate) async fn secret(clients: &Clients, arn: &str) -> Result<Vec<u8>> {
    let by = Deadline(now().after(PATIENCE));
    let get = clients.secrets.get_secret_value().secret_id(arn);
    let doing = "read the secret (a function in a VPC needs an interface endpoint for \
                 secretsmanager; env: filled at the deployment needs none)";
    let got = within(by, doing, get.send()).await?;
    let text = got.secret_string.map(String::into_bytes);
    text.or(got.secret_binary.map(aws_sdk_secretsmanager::primitives::Blob::into_inner))
        .ok_or_else(|| Error::config("the secret has no value").while_doing(doing))
}
