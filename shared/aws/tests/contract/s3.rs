pub(crate) mod locking;

use tidegate_aws::S3Objects;
use tidegate_local::SystemClock;
use tidegate_sim::contract;

use crate::servers::{self, BUCKET};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_in_s3_keep_the_contract() {
    let server = servers::s3().await;
    for prefix in ["", "a prefix/of=two"] {
        let objects = S3Objects::new(&server.clients, BUCKET, prefix);
        let kept = contract::object_store(&objects, &SystemClock).await;
        kept.expect("the contract of an ObjectStore");
    }
}
