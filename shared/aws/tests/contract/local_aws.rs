use std::env::VarError;

use tidegate_aws::{DynamoState, S3Objects};
use tidegate_local::SystemClock;
use tidegate_sim::contract;

use crate::servers;

/// The URL of a local AWS (MiniStack), which the end-to-end tests start.
const ENDPOINT: &str = "TIDEGATE_LOCAL_AWS";

#[expect(clippy::disallowed_methods, reason = "a test's edge")]
fn endpoint() -> Result<String, VarError> {
    std::env::var(ENDPOINT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_and_objects_on_a_local_aws_keep_the_contract() {
    let Ok(endpoint) = endpoint() else {
        println!("not run: {ENDPOINT} names no local AWS");
        return;
    };
    let clients = servers::clients(&endpoint);
    let (table, bucket) = ("tidegate-contract", "tidegate-contract");
    servers::create_table(&clients, table).await;
    servers::create_bucket(&clients, bucket).await;
    let state = DynamoState::new(&clients, table);
    contract::state_store(&state, &SystemClock).await.expect("the contract of a StateStore");
    let objects = S3Objects::new(&clients, bucket, "below");
    contract::object_store(&objects, &SystemClock).await.expect("the contract of an ObjectStore");
}
