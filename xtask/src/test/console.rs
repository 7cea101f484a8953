//! The console's stages: unit tests with vitest, and the whole story in Debian's Chromium with Playwright.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Case, Outcome};
use crate::demo::build;
use crate::process;
use crate::root::Root;
use crate::tools::node;

pub(crate) fn unit(root: &Root, filter: Option<&str>) -> Result<Vec<Case>> {
    let report = fresh_report(root, "vitest.json")?;
    let mut command = node::npm(root, "web", &["exec", "--no", "--", "vitest", "run", "--reporter=default", "--reporter=json"]);
    command.arg(format!("--outputFile.json={}", report.display())).arg("--passWithNoTests");
    command.args(filter.map(|filter| format!("--testNamePattern={filter}")));
    let succeeded = process::succeeds(command)?;
    settled(&report, succeeded, "vitest", vitest)
}

fn vitest(report: &Value) -> Vec<Case> {
    let files = report["testResults"].as_array().into_iter().flatten();
    let tests = files.flat_map(|file| file["assertionResults"].as_array().into_iter().flatten());
    tests.filter(|test| test["status"] != "skipped" || test["duration"].is_number()).map(vitest_case).collect()
}

fn vitest_case(test: &Value) -> Case {
    Case {
        name: format!("console > {}", test["fullName"].as_str().unwrap_or_default()),
        outcome: outcome(test["status"].as_str().unwrap_or_default()),
        millis: millis(&test["duration"]),
    }
}

/// Builds the console, then drives it; the tests start the server and the agent themselves.
pub(crate) fn browser(root: &Root, filter: Option<&str>) -> Result<Vec<Case>> {
    build::console(root)?;
    let mut arguments: Vec<String> = filter.map(|filter| format!("--grep={filter}")).into_iter().collect();
    arguments.push("--pass-with-no-tests".to_owned());
    playwright(root, "playwright.json", |command| command.args(arguments))
}

/// The console, at a machine with a systemd of its own: `leader` is that machine's first process, `folder` its file system.
pub(crate) fn booted(root: &Root, leader: &str, folder: &Path) -> Result<Vec<Case>> {
    playwright(root, "playwright-booted.json", |command| {
        command.arg("--config=booted/playwright.config.ts").env("SALLYPORT_MACHINE", leader).env("SALLYPORT_MACHINE_ROOT", folder)
    })
}

fn playwright(root: &Root, report: &str, wanted: impl FnOnce(&mut Command) -> &mut Command) -> Result<Vec<Case>> {
    let report = fresh_report(root, report)?;
    let mut command = node::npm(root, "tests/e2e", &["exec", "--no", "--", "playwright", "test", "--reporter=list,json"]);
    command.env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report).env("SALLYPORT_BIN_DIR", root.target().join("debug"));
    wanted(&mut command);
    let succeeded = process::succeeds(command)?;
    settled(&report, succeeded, "playwright", |report| suites(&report["suites"], ""))
}

/// Suites nest; each spec has one test per project, each with its attempts.
fn suites(suites: &Value, above: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for suite in suites.as_array().into_iter().flatten() {
        let name = format!("{above}{} > ", suite["title"].as_str().unwrap_or_default());
        for spec in suite["specs"].as_array().into_iter().flatten() {
            cases.extend(spec["tests"].as_array().into_iter().flatten().map(|test| playwright_case(&name, spec, test)));
        }
        cases.extend(self::suites(&suite["suites"], &name));
    }
    cases
}

fn playwright_case(above: &str, spec: &Value, test: &Value) -> Case {
    let attempts = test["results"].as_array().into_iter().flatten();
    Case {
        name: format!("{above}{}", spec["title"].as_str().unwrap_or_default()),
        outcome: outcome(test["status"].as_str().unwrap_or_default()),
        millis: attempts.map(|attempt| millis(&attempt["duration"])).sum(),
    }
}

/// vitest says passed, failed, skipped, pending; Playwright says expected, unexpected, flaky, skipped.
fn outcome(status: &str) -> Outcome {
    match status {
        "passed" | "expected" => Outcome::Passed,
        "flaky" => Outcome::PassedLater,
        "skipped" | "pending" | "todo" | "disabled" => Outcome::Skipped,
        _ => Outcome::Failed,
    }
}

fn millis(duration: &Value) -> u64 {
    duration
        .as_f64()
        .map_or(0, |millis| std::time::Duration::from_secs_f64(millis.max(0.0) / 1000.0).as_millis().try_into().unwrap_or(u64::MAX))
}

fn fresh_report(root: &Root, name: &str) -> Result<std::path::PathBuf> {
    let folder = root.target().join("xtask");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let report = folder.join(name);
    if report.exists() {
        fs::remove_file(&report).with_context(|| format!("cannot remove {}", report.display()))?;
    }
    Ok(report)
}

/// The report's cases; a program that failed without naming a failed test counts as one.
fn settled(report: &Path, succeeded: bool, program: &str, read: impl Fn(&Value) -> Vec<Case>) -> Result<Vec<Case>> {
    let text = fs::read_to_string(report).unwrap_or_default();
    let mut cases = serde_json::from_str(&text).map(|report| read(&report)).unwrap_or_default();
    if !succeeded && cases.iter().all(|case| case.outcome != Outcome::Failed) {
        cases.push(Case::broken(format!("{program} failed before it named a test; see above")));
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_suites_are_read() {
        let report: Value = serde_json::from_str(
            r#"{"suites":[{"title":"story.spec.ts","specs":[{"title":"top","tests":[{"status":"expected","results":[{"duration":5}]}]}],
                "suites":[{"title":"set-up","specs":[{"title":"REC-01 codes","tests":[{"status":"unexpected","results":[{"duration":7},{"duration":8}]}]},
                {"title":"later","tests":[{"status":"flaky","results":[{"duration":7},{"duration":1}]}]}]}]}]}"#,
        )
        .unwrap();
        let cases = suites(&report["suites"], "");
        assert_eq!(cases[0], Case { name: "story.spec.ts > top".into(), outcome: Outcome::Passed, millis: 5 });
        assert_eq!(cases[1], Case { name: "story.spec.ts > set-up > REC-01 codes".into(), outcome: Outcome::Failed, millis: 15 });
        assert_eq!(cases[2].outcome, Outcome::PassedLater);
    }

    #[test]
    fn a_program_that_dies_early_is_a_failure() {
        let cases = settled(Path::new("/does/not/exist"), false, "vitest", vitest).unwrap();
        assert_eq!(cases.len(), 1);
    }
}
