//! `bench`: the scenarios live in their own program and run against binaries as they are handed out.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Args;
use crate::claims::forward;
use crate::process;
use crate::root::Root;
use crate::tools::debian;

/// Authenticator codes that are not our own, and a screen to look at. What only `--peers` wants is installed by it.
const PACKAGES: [&str; 3] = ["oathtool", "xvfb", "xterm"];

pub(crate) fn run(root: &Root, args: &mut Args) -> Result<ExitCode> {
    debian::install(&PACKAGES)?;
    process::must(process::cargo(root.path(), &["build", "--release", "--package", "sallyport"]))?;
    process::must(process::cargo(root.path(), &["build", "--profile", "agent", "--package", "sallyport-agent"]))?;
    let agent = root.path().join("target/agent/sallyport-agent");
    forward(root, "sallyport-bench", args, &[("SALLYPORT_AGENT", agent)])
}
