//! Node.js and npm.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::root::Root;

const MAJOR: u32 = 20;
const MINOR: u32 = 19;

/// Fails with what to do when Node.js is missing or too old.
pub(crate) fn wanted() -> Result<()> {
    let advice = format!("install Node.js {MAJOR}.{MINOR} or newer, with npm: https://nodejs.org/en/download");
    let Ok(output) = Command::new("node").arg("--version").output() else { bail!("Node.js is not installed; {advice}") };
    judged(String::from_utf8_lossy(&output.stdout).trim(), &advice)?;
    if !process::exists("npm") {
        bail!("npm is not installed; {advice}");
    }
    Ok(())
}

/// What `node --version` says, judged.
fn judged(text: &str, advice: &str) -> Result<()> {
    let found = version(text).with_context(|| format!("`node --version` says `{text}`; {advice}"))?;
    if found < (MAJOR, MINOR) {
        bail!("Node.js {text} is too old; {advice}");
    }
    Ok(())
}

/// `v20.19.2` as (20, 19).
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// npm with `args` in a folder of the checkout.
pub(crate) fn npm(root: &Root, folder: &str, args: &[&str]) -> Command {
    process::command(&root.join(folder), "npm", args)
}

/// Installs the folder's packages unless those of its lock file are there.
pub(crate) fn install(root: &Root, folder: &str) -> Result<()> {
    let lock = root.read(format!("{folder}/package-lock.json"))?;
    let stamp = root.join(folder).join("node_modules/.installed-lock");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    process::text(npm(root, folder, &["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    fs::write(&stamp, lock).with_context(|| format!("cannot write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(version("v20.19.2"), Some((20, 19)));
        assert_eq!(version("nope"), None);
    }

    #[test]
    fn an_older_node_is_told_what_to_install() {
        for good in ["v20.19.0", "v20.20.1", "v22.0.0"] {
            assert!(judged(good, "advice").is_ok(), "{good}");
        }
        for (old, said) in [("v20.18.9", "Node.js v20.18.9 is too old; advice"), ("v18.19.0", "Node.js v18.19.0 is too old; advice")] {
            assert_eq!(judged(old, "advice").unwrap_err().to_string(), said);
        }
        assert_eq!(judged("what?", "advice").unwrap_err().to_string(), "`node --version` says `what?`; advice");
    }
}
