//! Starting other programs, and reading what they say.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// `program` with `args` in `dir`.
pub(crate) fn command(dir: &Path, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).args(args);
    command
}

/// The cargo that started us, so that its version is the one that the checkout asks for.
pub(crate) fn cargo(dir: &Path, args: &[&str]) -> Command {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = command(dir, &program, args);
    for name in OWN_ENVIRONMENT {
        command.env_remove(name);
    }
    // A directory of clippy rules from outside would silently replace those of the pure crates.
    command.env_remove("CLIPPY_CONF_DIR");
    command
}

/// Builds something of the workspace. Cargo unites the features of whatever is selected, so that a package that is selected alone gets
/// other dependencies, and everything above them is built once more: all builds here select the workspace, as the tests do.
pub(crate) fn build(dir: &Path, wanted: &[&str]) -> Command {
    let mut command = cargo(dir, &["build", "--workspace"]);
    command.args(wanted);
    command
}

/// What cargo set for us alone; handed on, it would make builds of other packages look changed.
const OWN_ENVIRONMENT: [&str; 6] =
    ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];

/// Runs it with our own output and fails when it does.
pub(crate) fn must(mut command: Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {}", words(&command)))?;
    if !status.success() {
        bail!("{} ended with {status}", words(&command));
    }
    Ok(())
}

/// Runs it with our own output; true when it succeeded.
pub(crate) fn succeeds(mut command: Command) -> Result<bool> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {}", words(&command)))?;
    Ok(status.success())
}

/// Runs it quietly and hands back all it said, whether it succeeded or not.
pub(crate) fn capture(mut command: Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", words(&command)))
}

/// Runs it quietly and returns what it wrote; its errors become ours.
pub(crate) fn text(command: Command) -> Result<String> {
    let what = words(&command);
    let output = capture(command)?;
    if !output.status.success() {
        bail!("{what} ended with {}\n{}", output.status, said(&output).trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{what} wrote something that is not UTF-8"))
}

/// Both streams as text, for showing.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The command as a person would type it.
fn words(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    format!("`{}`", words.join(" "))
}

/// Whether a program of this name can be started here.
pub(crate) fn exists(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|dir| dir.join(program).is_file())
}

/// Whether we may install packages and boot containers.
pub(crate) fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
