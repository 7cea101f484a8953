//! The Rust toolchain.

use anyhow::{Context, Result, bail};

use crate::process;
use crate::root::Root;

const MINOR: u32 = 95;

/// Fails with what to do when rustc is too old.
pub(crate) fn wanted(root: &Root) -> Result<()> {
    let text = process::text(process::command(root.path(), "rustc", &["--version"]))?;
    judged(text.trim())
}

/// What `rustc --version` says, judged.
fn judged(text: &str) -> Result<()> {
    let minor = minor(text).with_context(|| format!("`rustc --version` says `{text}`"))?;
    if minor < MINOR {
        bail!("{text} is too old; `rustup update stable` brings 1.{MINOR} or newer");
    }
    Ok(())
}

/// `rustc 1.95.0 (...)` as 95; a later major version counts as newer than all.
fn minor(text: &str) -> Option<u32> {
    let mut parts = text.split_whitespace().nth(1)?.split('.');
    let major: u32 = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    Some(if major > 1 { u32::MAX } else { minor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(minor("rustc 1.95.0 (f2d3ce0bd 2026-03-21)"), Some(95));
        assert_eq!(minor("rustc 2.0.0"), Some(u32::MAX));
        assert_eq!(minor("rustc"), None);
    }

    #[test]
    fn an_older_rust_is_told_how_to_get_a_newer_one() {
        assert!(judged("rustc 1.95.0 (f2d3ce0bd 2026-03-21)").is_ok() && judged("rustc 1.96.1").is_ok());
        let old = judged("rustc 1.94.2 (abc 2026-01-01)").unwrap_err().to_string();
        assert_eq!(old, "rustc 1.94.2 (abc 2026-01-01) is too old; `rustup update stable` brings 1.95 or newer");
        assert_eq!(judged("sh: rustc: not found").unwrap_err().to_string(), "`rustc --version` says `sh: rustc: not found`");
    }
}
