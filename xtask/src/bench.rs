//! `bench`: the scenarios live in their own program and run against release binaries.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Args;
use crate::claims::forward;
use crate::process;
use crate::root::Root;

pub(crate) fn run(root: &Root, args: &mut Args) -> Result<ExitCode> {
    process::must(process::cargo(root.path(), &["build", "--release", "--package", "sallyport", "--package", "sallyport-agent"]))?;
    forward(root, "sallyport-bench", args)
}
