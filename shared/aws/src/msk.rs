//! AWS_MSK_IAM: a broker of MSK is shown a presigned request, as JSON
//! (<https://github.com/aws/aws-msk-iam-auth>, "Details").

use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::{Credentials, ProvideCredentials};
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use serde_json::{Map, Value};
use tidegate_core::{Error, Result};

use crate::clients::Clients;

/// The version of the token's form.
const VERSION: &str = "2020_10_22";
const SERVICE: &str = "kafka-cluster";
const ACTION: &str = "kafka-cluster:Connect";
/// How long a token is good for: it is used at once.
const EXPIRES: Duration = Duration::from_secs(900);

/// The token that proves the role of this process to the broker of MSK at `host`.
///
/// # Errors
/// `Denied` without credentials, `Config` without a region.
pub(crate) async fn msk_token(clients: &Clients, host: &str) -> Result<Vec<u8>> {
    let region = clients
        .region
        .as_deref()
        .ok_or_else(|| Error::config("AWS_MSK_IAM: the region is not known: set AWS_REGION"))?;
    let provider = clients.credentials.as_ref().ok_or_else(no_credentials)?;
    let credentials = provider.provide_credentials().await;
    let credentials = credentials.map_err(|error| no_credentials().with_source(error))?;
    #[expect(clippy::disallowed_methods, reason = "a signature carries the real time")]
    let now = SystemTime::now();
    token(host, region, credentials, now)
}

fn no_credentials() -> Error {
    Error::denied("AWS_MSK_IAM: this process has no credentials of AWS")
}

fn token(host: &str, region: &str, credentials: Credentials, at: SystemTime) -> Result<Vec<u8>> {
    let odd = |what: &dyn std::fmt::Display| Error::corrupt(format!("AWS_MSK_IAM: {what}"));
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(at)
        .settings(settings)
        .build()
        .map_err(|error| odd(&error))?
        .into();
    let url = format!("https://{host}/?Action={}", ACTION.replace(':', "%3A"));
    let empty = SignableBody::Bytes(&[]);
    let request = SignableRequest::new("GET", &url, std::iter::empty(), empty);
    let request = request.map_err(|error| odd(&error))?;
    let (signed, _) = sign(request, &params).map_err(|error| odd(&error))?.into_parts();
    let mut token = Map::from_iter([
        ("version".to_owned(), Value::from(VERSION)),
        ("host".to_owned(), Value::from(host)),
        ("user-agent".to_owned(), Value::from("tidegate")),
        ("action".to_owned(), Value::from(ACTION)),
    ]);
    for (name, value) in signed.params() {
        token.insert(name.to_lowercase(), Value::from(value.as_ref()));
    }
    serde_json::to_vec(&token).map_err(|error| odd(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The signature is that of botocore's `SigV4QueryAuth` for the same request.
    #[test]
    fn a_token_is_a_presigned_request() {
        let key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let session = Some("token/with+signs=".to_owned());
        let credentials = Credentials::new("AKIDEXAMPLE", key, session, None, "test");
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1795694400);
        let host = "b-1.lab.kafka.eu-central-1.amazonaws.com";
        let token = token(host, "eu-central-1", credentials, at).expect("a token");
        let token: Value = serde_json::from_slice(&token).expect("JSON");
        let expected = serde_json::json!({
            "version": "2020_10_22",
            "host": host,
            "user-agent": "tidegate",
            "action": "kafka-cluster:Connect",
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "x-amz-credential":
                "AKIDEXAMPLE/20261126/eu-central-1/kafka-cluster/aws4_request",
            "x-amz-date": "20261126T120000Z",
            "x-amz-expires": "900",
            "x-amz-security-token": "token/with+signs=",
            "x-amz-signedheaders": "host",
            "x-amz-signature":
                "49f81fddf816c65682def921896e2574f1f6787cc167817dccdbc7961340aba2",
        });
        assert_eq!(token, expected);
    }
}
