//! The ports on AWS: the state in one DynamoDB table, the destination in S3, the other functions
//! behind Lambda's API.
//!
//! - [`Clients`] are the SDK's, set up once per process;
//! - [`DynamoState`] is the state ([`StateStore`](tidegate_core::ports::StateStore));
//! - [`S3Objects`] is the destination ([`ObjectStore`](tidegate_core::ports::ObjectStore));
//! - [`LambdaInvoker`] starts the other functions ([`Invoker`](tidegate_core::ports::Invoker));
//! - [`RemoteLog`] observes Kafka through the reader ([`LogSource`](tidegate_core::ports::LogSource));
//! - `function` (feature `lambda`) is what the three functions have in common, [`events`] reads what
//!   they are invoked with, [`Environment`] what their environment says, [`metrics`] writes what
//!   they found;
//! - `secrets` (feature `kafka`) reads secrets in Secrets Manager and logs in to MSK.
//!
//! Retries are the SDK's, within the deadline of the port call; a conditional write whose answer
//! was lost is told from one that was refused by what stands.

mod call;
mod clients;
mod clock;
mod environment;
pub mod events;
#[cfg(feature = "lambda")]
pub mod function;
mod invoke;
#[cfg(feature = "kafka")]
mod kafka;
pub mod metrics;
#[cfg(feature = "kafka")]
mod msk;
mod objects;
mod observe;
mod packed;
#[cfg(feature = "kafka")]
mod secret;
mod state;

pub use clients::{Clients, with_defaults};
pub use environment::Environment;
pub use invoke::LambdaInvoker;
#[cfg(feature = "kafka")]
pub use kafka::secrets;
pub use objects::{S3Objects, S3Upload};
pub use observe::{NoFetch, ObserveAnswer, ObserveEvent, RemoteLog};
pub use packed::Packed;
pub use state::DynamoState;
