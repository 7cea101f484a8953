//! `test`: installs what the tests need, runs all of them in stages, and ends with one plain line: `N passed, N failed`.

mod checks;
pub(crate) mod console;
mod junit;
mod rust;
mod verifier;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::args::Args;
use crate::check;
use crate::root::Root;
use crate::systemd;
use crate::tools::{debian, node};

/// Debian packages: a browser, authenticator codes that are not our own, a QR reader, a second database, the grant verifier's language.
const PACKAGES: [&str; 27] = [
    "chromium",
    "oathtool",
    "zbar-tools",
    "postgresql",
    "python3",
    "python3-cryptography",
    // Somebody else's OAuth client comes into a folder of its own; what people write in scripts is curl.
    "python3-venv",
    "curl",
    // A TPM in software, and the programs that people speak to one with.
    "swtpm",
    "tpm2-tools",
    "jq",
    "openssl",
    // A mail server whose mails are read.
    "python3-aiosmtpd",
    // Screens: X servers, programs to look at, and other people's clients and captures to compare with.
    "xvfb",
    "tigervnc-standalone-server",
    "xterm",
    "x11-apps",
    "x11-xkb-utils",
    "x11-xserver-utils",
    "xclip",
    "xdotool",
    "vncsnapshot",
    "libjpeg-turbo-progs",
    // Terminals: somebody else's player of recordings.
    "asciinema",
    // A desktop's key store, on a bus of its own.
    "dbus",
    "gnome-keyring",
    "libsecret-tools",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// It failed, was run once more, and passed: no reason to stop anybody, and a defect of the test or of the product to be mended.
    PassedLater,
    Failed,
    Skipped,
}

impl Outcome {
    pub(crate) fn has_passed(self) -> bool {
        matches!(self, Self::Passed | Self::PassedLater)
    }
}

/// One test that a stage ran or should have run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    pub name: String,
    pub outcome: Outcome,
    pub millis: u64,
}

impl Case {
    /// Stands for a stage that broke before it could name its tests.
    pub(crate) fn broken(name: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: Outcome::Failed, millis: 0 }
    }
}

pub(crate) fn run(root: &Root, args: &mut Args) -> Result<ExitCode> {
    let json = args.option("--json")?.map(PathBuf::from);
    let filter = args.word();
    args.finish()?;
    let start = Instant::now();
    let mut cases = stage("prepare", || prepare(root).map(|()| Vec::new()));
    if cases.is_empty() {
        cases = stages(root, filter.as_deref());
    }
    let verdict = checks::judge(&checks::required(root)?, &cases);
    if let Some(path) = &json {
        std::fs::write(path, checks::json(&verdict)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    // A filter leaves checks out on purpose; only a whole run can miss one.
    let missing = if filter.is_none() { checks::missing(&verdict) } else { Vec::new() };
    Ok(close(&cases, &missing, start))
}

/// What the tests need of this machine.
pub(crate) fn prepare(root: &Root) -> Result<()> {
    debian::install(&PACKAGES)?;
    node::wanted()?;
    node::install(root, "web")?;
    node::install(root, "tests/e2e")
}

fn stages(root: &Root, filter: Option<&str>) -> Vec<Case> {
    let mut cases = stage("console, unit", || console::unit(root, filter));
    cases.extend(stage("rust, build", || rust::build(root).map(|()| Vec::new())));
    cases.extend(stage("rust", || rust::run(root, filter)));
    cases.extend(stage("rust, documentation", || rust::documentation(root, filter)));
    cases.extend(stage("grants, verified in Python", || verifier::run(root, filter)));
    cases.extend(stage("browser", || console::browser(root, filter)));
    cases.extend(stage("check", || Ok(check::as_stage(root, filter))));
    cases.extend(stage("systemd", || systemd::as_stage(root, filter)));
    cases
}

/// Runs a stage and says how long it took. One that breaks counts as a failure, and the others still run.
fn stage(name: &str, run: impl FnOnce() -> Result<Vec<Case>>) -> Vec<Case> {
    println!("== {name}");
    let start = Instant::now();
    let cases = run().unwrap_or_else(|error| vec![Case::broken(format!("stage {name}: {error:#}"))]);
    let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
    let (failed, skipped) = (count(Outcome::Failed), count(Outcome::Skipped));
    let passed = cases.len() - failed - skipped;
    println!("== {name}: {passed} passed, {failed} failed, {skipped} skipped, {:.1} s", start.elapsed().as_secs_f64());
    cases
}

fn close(cases: &[Case], missing: &[String], start: Instant) -> ExitCode {
    for case in cases.iter().filter(|case| case.outcome != Outcome::Passed) {
        println!("{}: {}", checks::word(case.outcome).to_uppercase(), case.name);
    }
    for id in missing {
        println!("FAILED: no test shows {id}");
    }
    let passed = cases.iter().filter(|case| case.outcome.has_passed()).count();
    let failed = cases.len() - passed + missing.len();
    println!("all stages took {:.0} s", start.elapsed().as_secs_f64());
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
