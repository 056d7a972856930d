//! The ports in memory, with faults; the simulation and the contract suite. Never shipped.
//!
//! The simulation runs core's use cases over ports that live in one process and one thread.
//! Each port call is an await point, at which a seeded executor lets another actor go on, and
//! at which something may go wrong ([`Fault`]). After each call everything that the design
//! promises is checked against the truth, which the model of Kafka keeps. In the end nothing
//! goes wrong any more, and everything must be caught up, with nothing left over.
//!
//! A history follows from its scenario, seed, faults and sabotage alone: a [`Replay`]. A finding
//! ends with the line `replay: plain|7|Late@31`, and this tells the whole history again:
//!
//! ```sh
//! REPLAY='plain|7|Late@31' cargo test -p tidegate-sim --test simulation replay -- --nocapture
//! ```
//!
//! Where to look: `actor` (a call and its faults), `ports` (core's traits), `kafka` (the model),
//! `file` (a readable format in Parquet's place), `invariants` (what must hold), `scenario`
//! (what is simulated), `simulation` (who goes on, and when it is over), `sabotage` (rules that
//! are broken on purpose, each of which must be noticed).

pub mod contract;

mod actor;
mod executor;
mod faults;
mod file;
mod functions;
mod invariants;
mod kafka;
mod mail;
mod objects;
mod orders;
mod ports;
mod replay;
mod rng;
mod sabotage;
mod scenario;
mod simulation;
mod table;
mod world;

pub use actor::Ports;
pub use executor::run_alone;
pub use faults::{Class, Fault, FaultPlan};
pub use file::{FileContent, FileRow, SimEncoder, SimFileEncoder, SimJoin, SimJoiner};
pub use kafka::{Identity, Kafka, Log, Slot, SlotKind, Topic};
pub use mail::Event;
pub use orders::{OperatorEvent, Order};
pub use ports::{SimFetch, SimHold, SimUpload};
pub use replay::{Finding, History, Replay};
pub use rng::Rng;
pub use sabotage::Sabotage;
pub use scenario::{Change, Scenario};
pub use world::{BEGIN, Settings, World};
