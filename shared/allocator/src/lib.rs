//! Lets the allocator of the C library give back what is freed, in every binary that names this
//! crate:
//!
//! ```
//! use tidegate_allocator as _;
//! ```
//!
//! glibc maps large blocks one by one, and unmaps them when they are freed. But by itself it takes
//! what is "large" to be more than the largest block that was ever freed so, up to 32 MiB. From then
//! on smaller blocks come from the heaps of threads, which keep them: a run then holds twice what it
//! uses. The bounds are fixed before `main` begins, by a few lines of C: to call them from Rust
//! would be unsafe code, which ours has not.
