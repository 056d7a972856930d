//! Servers on free ports of 127.0.0.1, ended with the value that started them.

use std::net::SocketAddr;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tidegate_aws::Clients;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::lost::Losing;
use crate::s3::locking::Locking;

pub(crate) const TABLE: &str = "tidegate";
pub(crate) const BUCKET: &str = "lake";

/// A server, its clients, and what it keeps.
pub(crate) struct Server {
    pub(crate) clients: Clients,
    address: SocketAddr,
    _serving: JoinSet<()>,
    _folder: Option<TempDir>,
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

impl Server {
    /// Clients of this server that lose every second answer.
    pub(crate) fn losing(&self) -> Clients {
        let config = configuration(self.address);
        let http = config.http_client().expect("it has one");
        let losing = SharedHttpClient::new(Losing::new(http));
        let config = config.into_builder().http_client(losing).build();
        // What one process may retry is limited, to save a service in trouble from its clients:
        // here it is in trouble all the time.
        let patient = RetryPartition::custom("patient").token_bucket(TokenBucket::unlimited());
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(&config)
            .retry_partition(patient.build())
            .build();
        let mut clients = Clients::new(&config);
        clients.dynamodb = aws_sdk_dynamodb::Client::from_conf(dynamodb);
        clients
    }
}

/// A configuration for whatever listens there.
fn configuration(address: SocketAddr) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    tidegate_aws::with_defaults(config).build()
}

/// DynamoDB with the table of the design.
pub(crate) async fn dynamodb() -> Server {
    let (listener, address) = listener().await;
    let database = dynoxide::Database::memory().expect("memory");
    let mut serving = JoinSet::new();
    serving.spawn(dynoxide::server::serve_on(listener, database));
    let clients = Clients::new(&configuration(address));
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("whole")
    };
    let text = |name: &str| {
        let text = AttributeDefinition::builder().attribute_name(name);
        text.attribute_type(ScalarAttributeType::S).build().expect("whole")
    };
    let table = clients
        .dynamodb
        .create_table()
        .table_name(TABLE)
        .key_schema(key("pipeline", KeyType::Hash))
        .key_schema(key("item", KeyType::Range))
        .attribute_definitions(text("pipeline"))
        .attribute_definitions(text("item"))
        .billing_mode(BillingMode::PayPerRequest);
    table.send().await.expect("a table");
    Server { clients, address, _serving: serving, _folder: None }
}

/// S3 with one bucket.
pub(crate) async fn s3() -> Server {
    let (listener, address) = listener().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut builder = S3ServiceBuilder::new(Locking::new(folder.path()));
    builder.set_auth(s3s::auth::SimpleAuth::from_single("test", "test"));
    let mut serving = JoinSet::new();
    serving.spawn(serve(listener, builder.build()));
    let clients = Clients::new(&configuration(address));
    clients.s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
    Server { clients, address, _serving: serving, _folder: Some(folder) }
}

async fn serve(listener: TcpListener, service: S3Service) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let service = service.clone();
        connections.spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            // How a client goes away is its own affair.
            let _ = builder.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
