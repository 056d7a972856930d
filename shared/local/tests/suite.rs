//! The contract suite notices a store that breaks its contract: a correct one, broken on purpose
//! in one way at a time.

mod suite {
    mod objects;
    mod state;
}

/// A directory in memory, where there is one: dozens of suites wait for no disk then.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}
