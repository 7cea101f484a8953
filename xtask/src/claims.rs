//! `claims`: the attacks live in their own program, which decides the exit code (0 held, 1 broken, 3 something not built).

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::args::Args;
use crate::process;
use crate::root::Root;

pub(crate) fn run(root: &Root, args: &mut Args) -> Result<ExitCode> {
    process::must(process::cargo(root.path(), &["build", "--release", "--package", "sallyport", "--package", "sallyport-agent"]))?;
    forward(root, "sallyport-claims", args, &[])
}

/// Builds a package for release and runs it with the arguments that are left; its exit code is ours.
pub(crate) fn forward(root: &Root, package: &str, args: &mut Args, settings: &[(&str, PathBuf)]) -> Result<ExitCode> {
    let mut command = process::cargo(root.path(), &["run", "--quiet", "--release", "--package", package, "--"]);
    let status = command.args(args.rest()).envs(settings.iter().cloned()).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
