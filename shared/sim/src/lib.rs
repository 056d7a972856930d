//! The ports in memory, with faults; the simulation and the contract suite. Never shipped.

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
mod ports;
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
pub use ports::{SimFetch, SimHold, SimUpload};
pub use rng::Rng;
pub use sabotage::Sabotage;
pub use scenario::{Change, Scenario};
pub use simulation::{Finding, History, Replay};
pub use world::{BEGIN, Settings, World};
