//! Records to Parquet, and Parquet files joined without decoding. CPU only: no file, no network.
//!
//! [`RawEncoder`] writes files of the raw table (the columns of Spark's Kafka source), one row
//! group after another, with page buffers that are reused. [`ParquetJoiner`] joins files of one
//! schema: large ones are copied as they are, small ones spliced page by page; no value is ever
//! decoded.
//!
//! Pages are made and cut here; thrift, footers and metadata are the parquet crate's.

mod encode;
mod footer;
mod join;
mod offset_index;
mod read;
mod schema;
#[cfg(test)]
mod testing;

pub use encode::{RawEncoder, RawFile};
pub use join::{ParquetJoin, ParquetJoiner};
pub use read::{ParquetFile, ParquetReadBack};

/// `created_by` of every file: equal for all files of one writer version.
const CREATED_BY: &str =
    concat!("tidegate version ", env!("CARGO_PKG_VERSION"), " (build parquet-60.1.0)");

/// The first and the last bytes of a Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";

/// What this crate hands to the parquet crate is well formed: an error there is a bug here, and
/// the bytes in question must not be published.
fn refused(error: parquet::errors::ParquetError) -> tidegate_core::Error {
    tidegate_core::Error::corrupt("the parquet library refused metadata that Tidegate made")
        .with_source(error)
}
