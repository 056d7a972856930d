//! The SDK's clients, with one TLS stack and one set of timeouts.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
#[cfg(feature = "kafka")]
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::sdk_config::Builder;

/// How long a connection may take to be made: within a region it takes milliseconds.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one try may take: the slowest is a part of 8 MiB out of a VPC that is held to its
/// base rate of some 75 MB/s, shared by a few.
const ATTEMPT: Duration = Duration::from_secs(30);
/// The same for an item of the table: what takes longer comes from a connection that died.
const ITEM: Duration = Duration::from_secs(5);
/// The same for what S3 does by itself (a part copied inside, an upload completed), and for a
/// function that is waited for. A second try while the first is at work would do it twice; what
/// ends it is the deadline of the port call.
pub(crate) const PATIENT: Duration = Duration::from_secs(15 * 60);
/// Tries of a call, the first included: some 40 seconds, or up to the deadline of the port call.
const ATTEMPTS: u32 = 20;
/// How long to wait before the second try, about; twice as long before each further one…
const BACKOFF: Duration = Duration::from_millis(100);
/// …up to this.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

fn http() -> SharedHttpClient {
    let ring = Provider::Rustls(CryptoMode::Ring);
    aws_smithy_http_client::Builder::new().tls_provider(ring).build_https()
}

pub(crate) fn timeouts_of(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(attempt).build()
}

/// What one process may retry is not limited: the deadline of each port call is what limits it, and
/// a quota that is used up would make all that follows fail at its first fault.
fn quota() -> RetryPartition {
    RetryPartition::custom("tidegate").token_bucket(TokenBucket::unlimited()).build()
}

fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(BACKOFF)
        .with_max_backoff(BACKOFF_MAX)
}

/// The connections, timeouts and retries of [`Clients::from_environment`], for a region, an
/// endpoint and credentials at hand.
pub fn with_defaults(config: Builder) -> Builder {
    let sleep = SharedAsyncSleep::new(TokioSleep::new());
    config
        .http_client(http())
        .timeout_config(timeouts_of(ATTEMPT))
        .retry_config(retries())
        .sleep_impl(sleep)
}

/// The clients of one process. Cheap to clone: connections are shared.
#[derive(Clone, Debug)]
pub struct Clients {
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// Secrets Manager.
    #[cfg(feature = "kafka")]
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    /// The region, where one is known.
    #[cfg(feature = "kafka")]
    pub(crate) region: Option<String>,
    /// The credentials, where there are some.
    #[cfg(feature = "kafka")]
    pub(crate) credentials: Option<SharedCredentialsProvider>,
}

impl Clients {
    /// Clients for the region, the endpoint and the credentials that the environment names, as
    /// every AWS tool finds them (environment, profile, role of the function or the machine).
    pub async fn from_environment() -> Self {
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http());
        let config = config.timeout_config(timeouts_of(ATTEMPT)).retry_config(retries());
        Self::new(&config.load().await)
    }

    /// Clients with a configuration at hand.
    pub fn new(config: &SdkConfig) -> Self {
        // A custom endpoint (a local AWS) knows no bucket by its host name.
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(config.endpoint_url().is_some())
            .retry_partition(quota())
            .build();
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(config)
            .timeout_config(timeouts_of(ITEM))
            .retry_partition(quota())
            .build();
        let lambda = aws_sdk_lambda::config::Builder::from(config).retry_partition(quota()).build();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            s3: aws_sdk_s3::Client::from_conf(s3),
            lambda: aws_sdk_lambda::Client::from_conf(lambda),
            #[cfg(feature = "kafka")]
            secrets: aws_sdk_secretsmanager::Client::new(config),
            #[cfg(feature = "kafka")]
            region: config.region().map(ToString::to_string),
            #[cfg(feature = "kafka")]
            credentials: config.credentials_provider(),
        }
    }
}
