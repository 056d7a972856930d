use tidegate_aws::DynamoState;
use tidegate_local::SystemClock;
use tidegate_sim::contract;

use crate::servers::{self, TABLE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_in_dynamodb_keeps_the_contract() {
    let server = servers::dynamodb().await;
    let state = DynamoState::new(&server.clients, TABLE);
    contract::state_store(&state, &SystemClock).await.expect("the contract of a StateStore");
}
