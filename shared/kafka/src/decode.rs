//! From the bytes of a record batch to rows in columns. Pure: no I/O, no clock.
//!
//! Whatever does not fit is a [`Defect`], never a short result: the batch is read whole, or no
//! row of it is given.

mod batch;
mod codec;
mod gzip;
mod inflate;
mod large;
mod lz4;
mod records;
mod scratch;
mod snappy;
mod transactions;
mod varint;
mod window;
mod zstd;

#[cfg(test)]
pub(crate) mod build;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

pub(crate) use batch::{Batch, Split, split};
pub(crate) use codec::Codecs;
pub(crate) use large::Large;
pub(crate) use records::{marker_aborts, read_records};
pub(crate) use transactions::{AbortedTransaction, AbortedTransactions};

/// What is wrong with a batch. Who knows topic, partition and offset makes an error of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Defect(Cow<'static, str>);

impl Defect {
    /// A defect of which nothing but its name is to be said.
    pub(crate) const fn new(what: &'static str) -> Self {
        Self(Cow::Borrowed(what))
    }

    /// A defect with figures.
    pub(crate) fn with(what: String) -> Self {
        Self(Cow::Owned(what))
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
