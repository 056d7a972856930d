//! Records to Parquet: the encoder of the raw table.

mod chunk;
mod compress;
mod delta;
mod file;
mod header_key;
mod levels;
mod minmax;
mod page;
mod row_group;

use std::sync::Arc;

use tidegate_core::Result;
use tidegate_core::ports::{EncodeSettings, Encoder};

use self::compress::{Compressors, parquet_codec};
pub use self::file::RawFile;
pub(crate) use self::page::write_header;
use crate::schema;

/// Writes files of the raw table: see the design, "Columns of a raw table".
///
/// One per process will do: its files share the compressors' contexts.
#[derive(Clone, Debug, Default)]
pub struct RawEncoder {
    compressors: Arc<Compressors>,
}

impl Encoder for RawEncoder {
    type File = RawFile;

    fn open(&self, settings: EncodeSettings) -> Result<RawFile> {
        parquet_codec(settings.codec)?;
        Ok(RawFile::new(settings, Arc::clone(&self.compressors)))
    }

    fn fingerprint(&self) -> String {
        schema::fingerprint(schema::raw_table().root_schema())
    }
}

#[cfg(test)]
mod tests;
