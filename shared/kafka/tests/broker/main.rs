//! `KafkaSource` against the in-memory broker, which is a second reading of the protocol: what
//! real brokers seldom do.

mod answers;
mod batches;
mod bounds;
mod changes;
mod codes;
mod cuts;
mod fetch;
mod hazards;
mod lab;
mod mutations;
mod observe;
mod role;
mod silence;
