//! Programs that cargo installs.

use anyhow::Result;

use crate::process;
use crate::root::Root;

/// Whether `cargo NAME` works now, after installing `cargo-NAME` if it was missing.
pub(crate) fn ready(root: &Root, name: &str) -> Result<bool> {
    if works(root, name)? {
        return Ok(true);
    }
    println!("installing cargo-{name} (once, some minutes)");
    let installed = process::succeeds(process::cargo(root.path(), &["install", "--locked", "--quiet", &format!("cargo-{name}")]))?;
    Ok(installed && works(root, name)?)
}

fn works(root: &Root, name: &str) -> Result<bool> {
    Ok(process::capture(process::cargo(root.path(), &[name, "--version"]))?.status.success())
}
