//! A small in-memory Kafka broker over TCP, for the demo and for tests.
//!
//! It speaks ApiVersions, Metadata, ListOffsets, Fetch and OffsetForLeaderEpoch, with real record
//! batches, transactions, compaction, retention, leader epochs and several nodes, and answers as
//! Kafka does unless a script says otherwise. Records come in by [`Broker::append`], not over the
//! wire: there is no Produce, no group, no login, and nothing is kept when it stops.
//!
//! ```
//! # use tidegate_broker::{BatchSpec, Broker, Codec, Record, TopicConfig};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let broker = Broker::start().await?;
//! broker.create_topic("rides", TopicConfig::default())?;
//! let batch = BatchSpec::new().codec(Codec::Zstd).record(Record::new(b"key", b"value"));
//! broker.append("rides", 0, &batch)?;
//! broker.append("rides", 0, &batch.clone().transactional(7))?;
//! broker.abort(7)?;
//! println!("bootstrap.servers={}", broker.addr());
//! broker.stop().await;
//! # Ok::<(), tidegate_broker::BrokerError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod broker;
mod codec;
mod error;
mod log;
mod protocol;
mod request;
mod script;
mod server;
mod state;
mod wire;

pub use batch::{BatchHeader, BatchSpec, Header, Marker, Record, seal};
pub use broker::{Broker, Offsets};
pub use codec::Codec;
pub use error::BrokerError;
pub use log::{EmptyBatches, TimestampType};
pub use protocol::epochs::{EpochsPartition, EpochsRequest};
pub use protocol::fetch::{FetchPartition, FetchRequest};
pub use protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest};
pub use protocol::metadata::{AskedTopic, MetadataRequest};
pub use protocol::{Api, codes};
pub use request::{Request, RequestBody};
pub use script::{Answer, Mangle, Rewrite, Rule};
pub use state::TopicConfig;
