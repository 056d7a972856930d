//! The ports on a directory and in one process.
//!
//! # Why it is right between processes
//!
//! Three calls of the operating system decide, and each is atomic:
//!
//! - **link(2)** gives a file that was written whole its name, and fails if the name is taken. So
//!   an object, a document and a version of the head appear whole or not at all, and of many
//!   that want one name exactly one wins. Nothing is ever renamed over anything.
//! - **flock(2)** is held by a process and ends with it, whatever killed it. A lease's holder is
//!   a locked file; who can lock it too knows that the holder is dead.
//! - **unlink(2)** is used on what no other process can still decide by: see [`DirectoryState`].
//!
//! A file is written without a name (`O_TMPFILE`), so that a process that dies leaves nothing;
//! where a file system cannot do that, under `_staging/.tmp` (state: `.tmp`), locked, and the
//! next process sweeps what no living one locks. It is never written in a table's folder.
//!
//! # Why it is right through a power cut
//!
//! A power cut loses what was not fsynced: bytes of a file, and names in a directory. Two rules
//! keep the protocol's order on the disk:
//!
//! 1. *What is answered is durable.* Bytes are fsynced before the link; the directory, and every
//!    directory above it up to the root, before the call answers. So a step of the protocol
//!    reaches the disk before the next step begins.
//! 2. *What is relied on is durable.* A file can be seen between its link and the fsync of its
//!    directory. So who finds a head, a document or an object of `_runs/`, or is told that one
//!    stands, fsyncs the directory first, unless this process did so already. Otherwise a power
//!    cut could take back a head after a second process had published by it.
//!
//! What is not fsynced: hints of progress (nothing relies on them), locks (they end with the
//! power), and the removal of old versions of the head, in which only their order counts for
//! nobody. Staged files are read by those who found the output that names them; it was written
//! after they were durable.
//!
//! The file system must have hard links and flock: ext4, XFS, Btrfs, tmpfs, overlayfs, APFS, and
//! NFS 4 with locks.

mod blocking;
mod clock;
mod durable;
mod failure;
mod invoker;
mod objects;
mod scratch;
mod state;

pub use clock::SystemClock;
pub use invoker::{Invocation, LocalInvoker};
pub use objects::{DirectoryObjects, DirectoryUpload};
pub use state::{DirectoryState, Hold};
