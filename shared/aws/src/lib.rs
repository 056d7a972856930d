//! The ports on AWS: the state in one DynamoDB table, the destination in S3, the other functions
//! behind Lambda's API.
//!
//! - [`Clients`] are the SDK's, set up once per process;
//! - [`DynamoState`] is the state ([`StateStore`](tidegate_core::ports::StateStore));
//! - [`S3Objects`] is the destination ([`ObjectStore`](tidegate_core::ports::ObjectStore)).
//!
//! Retries are the SDK's, within the deadline of the port call; a conditional write whose answer
//! was lost is told from one that was refused by what stands.

mod call;
mod clients;
mod clock;
mod objects;
mod state;

pub use clients::{Clients, with_defaults};
pub use objects::{S3Objects, S3Upload};
pub use state::DynamoState;
