//! `KafkaSource` against the in-memory broker, which is a second reading of the protocol: what
//! real brokers seldom do.

mod batches;
mod bounds;
mod fetch;
mod hazards;
mod lab;
mod observe;
