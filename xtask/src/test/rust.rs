//! The Rust stages: nextest where it can be had, otherwise `cargo test`, and the examples in the documentation.

use std::fs;

use anyhow::{Context, Result};

use super::{Case, Outcome, junit};
use crate::process;
use crate::root::Root;
use crate::tools::cargo_tool;

/// Where the profile `ci` of .config/nextest.toml puts its report.
const REPORT: &str = "nextest/ci/junit.xml";

/// The binaries that integration and browser tests start.
pub(crate) fn build(root: &Root) -> Result<()> {
    let programs = ["--quiet", "--bin", "sallyport", "--bin", "sallyport-agent", "--bin", "sallyport-fleet"];
    process::must(process::build(root.path(), &programs))
}

pub(crate) fn run(root: &Root, filter: Option<&str>) -> Result<Vec<Case>> {
    if cargo_tool::ready(root, "nextest")? { nextest(root, filter) } else { plain(root, &["--workspace", "--all-targets"], filter) }
}

fn nextest(root: &Root, filter: Option<&str>) -> Result<Vec<Case>> {
    let report = root.target().join(REPORT);
    if report.exists() {
        fs::remove_file(&report).with_context(|| format!("cannot remove {}", report.display()))?;
    }
    let mut command = process::cargo(root.path(), &["nextest", "run", "--workspace", "--profile", "ci", "--no-tests", "pass"]);
    command.args(filter).env("SALLYPORT_BIN_DIR", root.target().join("debug"));
    let succeeded = process::succeeds(command)?;
    let mut cases = fs::read_to_string(&report).map(|text| junit::cases(&text)).unwrap_or_default();
    if !succeeded && cases.iter().all(|case| case.outcome != Outcome::Failed) {
        cases.push(Case::broken("the Rust tests could not be built or run; see above"));
    }
    Ok(cases)
}

pub(crate) fn documentation(root: &Root, filter: Option<&str>) -> Result<Vec<Case>> {
    plain(root, &["--workspace", "--doc"], filter)
}

/// `cargo test`, whose lines name each test and its outcome.
fn plain(root: &Root, arguments: &[&str], filter: Option<&str>) -> Result<Vec<Case>> {
    let mut command = process::cargo(root.path(), &["test", "--quiet", "--no-fail-fast"]);
    command.args(arguments).args(filter).args(["--", "--format", "pretty"]);
    let output = process::capture(command)?;
    let mut cases: Vec<Case> = String::from_utf8_lossy(&output.stdout).lines().filter_map(line).collect();
    if !output.status.success() {
        println!("{}", process::said(&output));
        if cases.iter().all(|case| case.outcome != Outcome::Failed) {
            cases.push(Case::broken(format!("`cargo test {}` failed; see above", arguments.join(" "))));
        }
    }
    Ok(cases)
}

/// `test a::b ... ok`
fn line(line: &str) -> Option<Case> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let outcome = match verdict.split(',').next()? {
        "ok" => Outcome::Passed,
        "ignored" => Outcome::Skipped,
        _ => Outcome::Failed,
    };
    Some(Case { name: name.to_owned(), outcome, millis: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_test_are_read() {
        assert_eq!(line("test a::b ... ok").unwrap().outcome, Outcome::Passed);
        assert_eq!(line("test a::b ... FAILED").unwrap().outcome, Outcome::Failed);
        assert_eq!(line("test a::b ... ignored, why").unwrap().outcome, Outcome::Skipped);
        assert_eq!(line("test result: ok. 3 passed"), None);
    }
}
