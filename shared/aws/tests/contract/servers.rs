//! Servers on free ports of 127.0.0.1, ended with the value that started them.

use aws_config::{BehaviorVersion, Region, SdkConfig};
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

use crate::faults::{Fault, Faulty};
use crate::s3::locking::Locking;

pub(crate) const TABLE: &str = "tidegate";
pub(crate) const BUCKET: &str = "lake";

/// A server, its clients, and what it keeps.
pub(crate) struct Server {
    pub(crate) clients: Clients,
    endpoint: String,
    _serving: JoinSet<()>,
    _folder: Option<TempDir>,
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, format!("http://{address}"))
}

impl Server {
    /// Clients of this server over a network with faults.
    pub(crate) fn over(
        &self,
        decide: impl Fn(u64, &str, &str) -> Fault + Send + Sync + 'static,
    ) -> Clients {
        let config = configuration(&self.endpoint);
        let http = config.http_client().expect("it has one");
        let faulty = SharedHttpClient::new(Faulty::new(http, decide));
        let config = config.into_builder().http_client(faulty).build();
        Clients::new(&config)
    }
}

/// A configuration for whatever listens there.
fn configuration(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    tidegate_aws::with_defaults(config).build()
}

/// Clients of whatever listens there.
pub(crate) fn clients(endpoint: &str) -> Clients {
    Clients::new(&configuration(endpoint))
}

/// Makes a table of the design.
pub(crate) async fn create_table(clients: &Clients, table: &str) {
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("whole")
    };
    let text = |name: &str| {
        let text = AttributeDefinition::builder().attribute_name(name);
        text.attribute_type(ScalarAttributeType::S).build().expect("whole")
    };
    let create = clients
        .dynamodb
        .create_table()
        .table_name(table)
        .key_schema(key("pipeline", KeyType::Hash))
        .key_schema(key("item", KeyType::Range))
        .attribute_definitions(text("pipeline"))
        .attribute_definitions(text("item"))
        .billing_mode(BillingMode::PayPerRequest);
    create.send().await.expect("a table");
}

/// Makes a bucket.
pub(crate) async fn create_bucket(clients: &Clients, bucket: &str) {
    clients.s3.create_bucket().bucket(bucket).send().await.expect("a bucket");
}

/// DynamoDB with the table of the design.
pub(crate) async fn dynamodb() -> Server {
    let (listener, endpoint) = listener().await;
    let database = dynoxide::Database::memory().expect("memory");
    let mut serving = JoinSet::new();
    serving.spawn(dynoxide::server::serve_on(listener, database));
    let clients = clients(&endpoint);
    create_table(&clients, TABLE).await;
    Server { clients, endpoint, _serving: serving, _folder: None }
}

/// S3 with one bucket.
pub(crate) async fn s3() -> Server {
    let (listener, endpoint) = listener().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut builder = S3ServiceBuilder::new(Locking::new(folder.path()));
    builder.set_auth(s3s::auth::SimpleAuth::from_single("test", "test"));
    let mut serving = JoinSet::new();
    serving.spawn(serve(listener, builder.build()));
    let clients = clients(&endpoint);
    create_bucket(&clients, BUCKET).await;
    Server { clients, endpoint, _serving: serving, _folder: Some(folder) }
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
