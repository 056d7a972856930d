//! What a run comes to: pure decisions from its plan and its outputs.
//!
//! [`check`] says whether an output can be believed, [`count`] what counts of it, [`files`] how
//! staged files become data files, [`entries`] where the partitions stand afterwards, [`give_up`] what is left of a run that an
//! operator aborts.

mod check;
mod compose;
mod count;
mod entries;
mod files;
mod give_up;

pub use check::{Fault, check_footer, check_output};
pub use compose::{Settled, Situation, lay_out, settle};
pub use count::{Aside, TaskResult};
pub use give_up::{give_up, starts};

#[cfg(test)]
mod tests;
