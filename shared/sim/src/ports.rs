//! The ports of core, in memory.

mod clock;
mod invoke;
mod log;
mod objects;
mod state;

pub use log::SimFetch;
pub use objects::SimUpload;
pub use state::SimHold;
