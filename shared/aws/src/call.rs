//! One call of the SDK: its deadline, and what its error means to core.

use std::future::Future;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tidegate_core::error::{Error, ErrorKind, Result};
use tidegate_core::time::Deadline;

use crate::clock::now;

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) struct Failed<E> {
    /// What the service said, if it was the service that refused.
    pub(crate) service: Option<E>,
    /// The HTTP status of the answer, if there was one.
    pub(crate) status: Option<u16>,
    /// The service's name for it; empty if there is none.
    pub(crate) code: String,
    /// What it means.
    pub(crate) error: Error,
}

impl<E> Failed<E> {
    /// Whether the service calls it `code`.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code == code
    }
}

impl<E> From<Failed<E>> for Error {
    fn from(failed: Failed<E>) -> Self {
        failed.error
    }
}

/// Waits for `call` until the deadline. `doing` is a verb with its object.
pub(crate) async fn within<T, E>(
    deadline: Deadline,
    doing: &str,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Failed<E>>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match tokio::time::timeout(deadline.remaining(now()), call).await {
        Ok(answered) => answered.map_err(|error| failed(error, doing)),
        Err(_) => {
            let error = Error::unavailable("AWS did not answer in time");
            let error = error.while_doing(doing);
            Err(Failed { service: None, status: None, code: String::new(), error })
        }
    }
}

fn failed<E>(error: SdkError<E, HttpResponse>, doing: &str) -> Failed<E>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let service = error.as_service_error();
    let code = service.and_then(ProvideErrorMetadata::code).unwrap_or_default().to_owned();
    let kind = kind(&code, status);
    let message = match service.and_then(ProvideErrorMetadata::message) {
        Some(said) => format!("{code}: {said}"),
        // Not as debug text, which has headers and bodies: these hold what is signed, or secret.
        None => chain(&error),
    };
    let what = Error::new(kind, format!("{message}{}", advice(kind))).while_doing(doing);
    let service = match error {
        SdkError::ServiceError(refused) => Some(refused.into_err()),
        _ => None,
    };
    Failed { service, status, code, error: what }
}

/// An error with all that lies beneath it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What an error's code and status mean to core. Throttling and failures of the service were
/// retried by the SDK before they come here.
fn kind(code: &str, status: Option<u16>) -> ErrorKind {
    match code {
        "ResourceNotFoundException"
        | "NoSuchBucket"
        | "PermanentRedirect"
        | "RequestTooLargeException"
        | "AuthorizationHeaderMalformed" => ErrorKind::Config,
        "ValidationException" | "InvalidRequest" | "InvalidArgument" | "MalformedXML" => {
            ErrorKind::Corrupt
        }
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "InvalidToken" => ErrorKind::Denied,
        _ if code.starts_with("AccessDenied") => ErrorKind::Denied,
        _ if matches!(status, Some(401 | 403)) => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    }
}

/// What to do about it, where that is not said by the service.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Denied => "; does the role have this right, and are the credentials valid?",
        ErrorKind::Config => "; does it exist, in this account and region?",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_says_what_to_do() {
        for (code, status, expected) in [
            ("ProvisionedThroughputExceededException", Some(400), ErrorKind::Unavailable),
            ("ThrottlingException", Some(400), ErrorKind::Unavailable),
            ("SlowDown", Some(503), ErrorKind::Unavailable),
            ("InternalError", Some(500), ErrorKind::Unavailable),
            ("", None, ErrorKind::Unavailable),
            ("AccessDenied", Some(403), ErrorKind::Denied),
            ("AccessDeniedException", Some(400), ErrorKind::Denied),
            ("InvalidAccessKeyId", Some(403), ErrorKind::Denied),
            ("ExpiredToken", Some(400), ErrorKind::Denied),
            ("RequestTooLargeException", Some(413), ErrorKind::Config),
            ("ResourceNotFoundException", Some(400), ErrorKind::Config),
            ("NoSuchBucket", Some(404), ErrorKind::Config),
            ("ValidationException", Some(400), ErrorKind::Corrupt),
        ] {
            assert_eq!(kind(code, status), expected, "{code}");
        }
    }
}
