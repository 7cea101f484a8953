//! `check`: what keeps the tree in the shape that ARCHITECTURE.md describes. Cargo's own steps share one lock and run one after the
//! other; everything else runs beside them.

mod bans;
mod docs;
mod layers;
mod licences;
mod markdown;
mod routes;
mod sizes;
mod snapshots;
mod standards;
mod web;
mod words;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::args::Args;
use crate::process;
use crate::root::Root;
use crate::test::{Case, Outcome};

/// What one check found. Problems fail, warnings are only shown.
#[derive(Default)]
pub(crate) struct Findings {
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

impl Findings {
    pub(crate) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }
}

/// Whether the reviewed snapshots are compared or rewritten.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Snapshots {
    Compare,
    Rewrite,
}

struct Report {
    name: &'static str,
    took: Duration,
    findings: Findings,
}

pub(crate) fn run(root: &Root, args: &mut Args) -> Result<ExitCode> {
    let snapshots = if args.flag("--update") { Snapshots::Rewrite } else { Snapshots::Compare };
    args.finish()?;
    println!("checking {}", root.path().display());
    let reports = all(root, snapshots);
    let failed: Vec<&Report> = reports.iter().filter(|report| !report.findings.problems.is_empty()).collect();
    if failed.is_empty() {
        println!("all {} checks are fine", reports.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("failed: {}", failed.iter().map(|report| report.name).collect::<Vec<_>>().join(", "));
    Ok(ExitCode::FAILURE)
}

/// As part of `test`: each check is a case, unless only some tests are wanted.
pub(crate) fn as_stage(root: &Root, filter: Option<&str>) -> Vec<Case> {
    if filter.is_some() {
        return Vec::new();
    }
    all(root, Snapshots::Compare).iter().map(Report::case).collect()
}

impl Report {
    fn case(&self) -> Case {
        Case {
            name: format!("check > {}", self.name),
            outcome: if self.findings.problems.is_empty() { Outcome::Passed } else { Outcome::Failed },
            millis: self.took.as_millis().try_into().unwrap_or(u64::MAX),
        }
    }
}

fn all(root: &Root, mode: Snapshots) -> Vec<Report> {
    let cargo = || vec![timed("clippy", || clippy(root)), timed("snapshots", || snapshots::run(root, mode))];
    let console = || vec![timed("console", || web::run(root, mode))];
    // The console's types are made from openapi.json, so where that is rewritten it comes first, and only a good one is built on.
    if mode == Snapshots::Rewrite {
        let mut reports = cargo();
        if reports.iter().all(|report| report.name != "snapshots" || report.findings.problems.is_empty()) {
            reports.extend(console());
        }
        reports.extend(reading(root));
        return reports;
    }
    thread::scope(|scope| {
        let lanes = [scope.spawn(cargo), scope.spawn(console)];
        let mut reports = reading(root);
        reports.extend(lanes.into_iter().flat_map(|lane| lane.join().expect("a check does not panic")));
        reports
    })
}

/// The checks that only read files: each takes a fraction of a second.
fn reading(root: &Root) -> Vec<Report> {
    vec![
        timed("formatting", || formatting(root)),
        timed("layers", || layers::run(root)),
        timed("licences", || licences::run(root)),
        timed("pure bans", || bans::run(root)),
        timed("routes", || routes::run(root)),
        timed("words", || words::run(root)),
        timed("documents", || docs::run(root)),
        timed("sizes", || sizes::run(root)),
    ]
}

fn timed(name: &'static str, check: impl FnOnce() -> Result<Findings>) -> Report {
    let start = Instant::now();
    let findings = check().unwrap_or_else(|error| Findings { problems: vec![format!("{error:#}")], warnings: Vec::new() });
    let report = Report { name, took: start.elapsed(), findings };
    show(&report);
    report
}

fn show(report: &Report) {
    let verdict = if report.findings.problems.is_empty() { "ok  " } else { "FAIL" };
    let mut text = format!("{verdict} {:<20} {:>5.1} s\n", report.name, report.took.as_secs_f64());
    for problem in &report.findings.problems {
        text.push_str(&format!("     {}\n", problem.replace('\n', "\n     ")));
    }
    for warning in &report.findings.warnings {
        text.push_str(&format!("     note: {warning}\n"));
    }
    print!("{text}");
}

fn formatting(root: &Root) -> Result<Findings> {
    let output = process::capture(process::cargo(root.path(), &["fmt", "--all", "--", "--check", "-l"]))?;
    let mut findings = Findings::default();
    if !output.status.success() {
        findings.problem(format!("run `cargo fmt --all`:\n{}", process::said(&output).trim_end()));
    }
    Ok(findings)
}

fn clippy(root: &Root) -> Result<Findings> {
    // A line for each finding; `cargo clippy` itself says more about them.
    let mut arguments = vec!["clippy", "--quiet", "--keep-going", "--message-format", "short"];
    // With the features of tools too: what only they compile would otherwise break where they are first used.
    arguments.extend(["--workspace", "--all-targets", "--all-features", "--", "--deny", "warnings"]);
    let output = process::capture(process::cargo(root.path(), &arguments))?;
    let mut findings = Findings::default();
    if !output.status.success() {
        findings.problem(process::said(&output).trim_end());
    }
    Ok(findings)
}
