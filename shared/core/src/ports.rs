//! The ports: what core asks of the world. Every adapter passes the contract suite in
//! `shared/sim`.
//!
//! Common to all: futures are `Send`; every call carries a [`Deadline`](crate::time::Deadline),
//! retries within it and never blocks past it; an answer that was lost is resolved by the
//! adapter (it looks at what stands) before it answers; what a caller must decide differently
//! is an outcome, not an error.

mod clock;
mod encode;
mod invoke;
mod join;
mod log;
mod objects;
mod read_back;
mod state;

pub use clock::Clock;
pub use encode::{Codec, EncodeSettings, Encoder, FileEncoder};
pub use invoke::{FinalizerEvent, Invoker, PlannerEvent, PlannerMode, ReaderEvent};
pub use join::{FileFooter, FooterRead, Join, JoinInput, JoinStats, JoinStep, Joiner};
pub use log::{
    Cause, EpochEnd, FetchSlice, Fetched, LogFetch, LogSource, Observation, ObserveRequest,
    ObservedPartition, PartitionEpoch, PartitionOffsets, Progress,
};
pub use objects::{
    Copied, Created, Metadata, ObjectBytes, ObjectInfo, ObjectPath, ObjectStore, Page, ReadRange,
    UPLOAD_PART_MIN, Upload, check_path, no_path,
};
pub use read_back::{FileReadBack, ReadBack, RowGroupBounds, RowRun};
pub use state::{Document, Mark, Marks, StateStore, StoredHead, Swapped, Written};
