//! All of Tidegate's behaviour, without any I/O: what a run reads, who may publish it, under
//! which names, and what counts as proof. See ARCHITECTURE.md for the map and the protocol.

pub mod columns;
pub mod documents;
pub mod error;
pub mod layout;
pub mod names;
pub mod planning;
pub mod ports;
pub mod spec;
pub mod time;
pub mod use_cases;
pub mod verify;
pub mod words;

pub use columns::{BinaryColumn, Columns, HeadersColumn};
pub use error::{Error, ErrorKind, Result};
