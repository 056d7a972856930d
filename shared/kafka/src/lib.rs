//! Kafka as Tidegate's log source, below rskafka's public client: its messenger frames requests
//! and negotiates versions, the requests and the record-batch decoder are our own.
//!
//! - [`KafkaSource`] observes and fetches (the port [`tidegate_core::ports::LogSource`]);
//! - `requests` and `wire` write and read the protocol, `decode` the record batches: all pure;
//! - `secrets`, `security` and `login` say who may, `transport`, `connection` and `session` reach
//!   the brokers, `gate` bounds what is held of their answers;
//! - `observe` and `fetch` decide what is asked next, and what an error code means for a slice.

mod clock;
mod connection;
mod decode;
mod errors;
mod fetch;
mod gate;
mod login;
mod observe;
mod options;
mod requests;
mod secrets;
mod security;
mod session;
mod source;
mod transport;
mod versions;
mod wire;

pub use fetch::KafkaFetch;
pub use options::{KafkaOptions, RequestCounts};
pub use secrets::{Secret, Secrets, read_secret};
pub use source::KafkaSource;
