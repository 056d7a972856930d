//! Compiles what sets glibc's allocator, where that is the C library.

#[expect(
    clippy::disallowed_methods,
    reason = "only its environment tells a build script the target"
)]
fn main() {
    println!("cargo::rerun-if-changed=src/allocator.c");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        // Nothing calls it: all of it is linked all the same. By its name, not by its path, which
        // zig refuses as an argument of the linker's (`cargo lambda build`).
        cc::Build::new()
            .file("src/allocator.c")
            .link_lib_modifier("-bundle")
            .link_lib_modifier("+whole-archive")
            .compile("tidegate_allocator");
    }
}
