//! Paths of objects.

use tidegate_core::Result;
use tidegate_core::ports::{check_path, no_path};

use super::TEMPORARY;

/// Checks a path before it meets the file system: it must not lead out of the destination, nor
/// to a file in the making.
pub(super) fn check(path: &str) -> Result<()> {
    check_path(path)?;
    if path.strip_prefix(TEMPORARY).is_some_and(|rest| rest.starts_with('/')) {
        return Err(no_path(path, "files are made there"));
    }
    Ok(())
}

/// The directory below which all objects stand whose path begins with `prefix`: empty, or with a
/// `/` behind.
pub(super) fn dir_of_prefix(prefix: &str) -> Result<&str> {
    let Some(slash) = prefix.rfind('/') else { return Ok("") };
    check(&prefix[..slash])?;
    Ok(&prefix[..=slash])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out_of_the_destination() {
        for good in ["a", "a/b.c/d", "t/dt=2026-01-01/x.parquet", "..a/...", "_staging/.tmpx/a"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in
            ["", "/", "/a", "a/", "a//b", ".", "a/./b", "../a", "a/..", "a\0b", "_staging/.tmp/a"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_does_not_either() {
        for (good, dir) in [("", ""), ("a", ""), ("a/", "a/"), ("a/b/.", "a/b/"), ("..", "")] {
            assert_eq!(dir_of_prefix(good).expect(good), dir);
        }
        for bad in ["/", "/etc/", "../", "a/../b", "a//b"] {
            assert!(dir_of_prefix(bad).is_err(), "{bad}");
        }
    }
}
