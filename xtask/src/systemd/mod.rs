//! `systemd-test`: boots a small Debian with a real systemd in a container and installs the agent there as a service. The container's
//! root is made once by debootstrap, from the mirror that this machine itself uses, and kept under target/.
//!
//! - `container`: the machine;
//! - `steps`: what is shown inside of it, one shell script each.
//!
//! Then people work at that machine: a client of the API outside, and the console in a browser (tests/e2e/booted).

mod container;
mod steps;

use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use self::container::Container;
use self::steps::{LAST, STEPS};
use crate::args::Args;
use crate::demo::build;
use crate::process;
use crate::root::Root;
use crate::test::{self, Case, Outcome, console};
use crate::tools::debian;

const PACKAGES: [&str; 2] = ["debootstrap", "systemd-container"];
/// The example that asks a machine what a background session would be asked.
const ASKER: &str = "background";
/// The example that plays the owner of an installation, which the container reaches on the loopback.
const OWNER: &str = "manages_services";

pub(crate) fn run(root: &Root, args: &mut Args) -> Result<ExitCode> {
    args.finish()?;
    if let Some(reason) = impossible() {
        bail!("this needs {reason}");
    }
    test::prepare(root)?;
    build::console(root)?;
    process::must(process::build(root.path(), &["--quiet", "--bin", "sallyport-agent"]))?;
    let cases = cases(root)?;
    for case in &cases {
        println!("{}  {}", if case.outcome.has_passed() { "ok  " } else { "FAIL" }, case.name);
    }
    Ok(if cases.iter().all(|case| case.outcome.has_passed()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// As part of `test`: where a container cannot be booted the stage says so and adds nothing to the count.
pub(crate) fn as_stage(root: &Root, filter: Option<&str>) -> Result<Vec<Case>> {
    if filter.is_some_and(|filter| !"systemd".contains(filter)) {
        return Ok(Vec::new());
    }
    if let Some(reason) = impossible() {
        println!("not run: the agent as a systemd service; it needs {reason}");
        return Ok(Vec::new());
    }
    cases(root)
}

/// What is missing for booting a container, if anything is.
fn impossible() -> Option<&'static str> {
    if !process::is_root() {
        return Some("root");
    }
    if !process::exists("apt-get") {
        return Some("Debian");
    }
    if !can_mount() {
        return Some("the right to mount file systems");
    }
    None
}

fn can_mount() -> bool {
    Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn cases(root: &Root) -> Result<Vec<Case>> {
    debian::install(&PACKAGES)?;
    process::must(process::build(root.path(), &["--quiet", "--features", "sallyport-agent-core/rig", "--example", ASKER]))?;
    process::must(process::build(root.path(), &["--quiet", "--bin", "sallyport", "--example", OWNER]))?;
    let container = Container::boot(root, &container::template(root)?)?;
    let mut cases = Vec::new();
    for (name, script) in STEPS {
        cases.push(case(name, || container.run(script))?);
    }
    cases.push(case("a remote session of a real server starts, stops, restarts, enables and disables services", || {
        managed(root, &container)
    })?);
    cases.push(case("the agent forgets whom it obeyed", || container.run(FORGET))?);
    cases.extend(console::booted(root, &container.leader()?, &container.folder)?);
    let (name, script) = LAST;
    cases.push(case(name, || container.run(script))?);
    Ok(cases)
}

fn case(name: &str, step: impl FnOnce() -> Result<Output>) -> Result<Case> {
    let start = Instant::now();
    let output = step()?;
    let outcome = if output.status.success() { Outcome::Passed } else { Outcome::Failed };
    if outcome == Outcome::Failed {
        println!("{name}:\n{}", process::said(&output));
    }
    Ok(Case { name: format!("systemd > {name}"), outcome, millis: start.elapsed().as_millis().try_into().unwrap_or(u64::MAX) })
}

/// The agent in the container enrols with a server outside of it, and somebody works there as anybody would.
fn managed(root: &Root, container: &Container) -> Result<Output> {
    let file = container.folder.join("opt/enrolment-file.json").display().to_string();
    let mut owner = process::command(
        root.path(),
        &root.binary(&format!("examples/{OWNER}")).display().to_string(),
        &[&file, "lab.service", "spare.service"],
    );
    owner.env("SALLYPORT_BIN_DIR", root.binary(""));
    let owner = owner.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("the owner does not start")?;
    let enrolled = container.run(ENROL)?;
    let done = owner.wait_with_output()?;
    if !enrolled.status.success() {
        return Ok(enrolled);
    }
    if !done.status.success() {
        return Ok(done);
    }
    container.run(MANAGED)
}

/// What systemd itself says of both services when the session is over.
const MANAGED: &str =
    "systemctl is-active lab && systemctl is-enabled lab && ! systemctl is-active spare && ! systemctl is-enabled spare &&
    test $(journalctl -u lab | grep -c 'Started lab') -ge 4 && journalctl -u spare | grep 'Stopped spare'";

/// Somebody else's machine from now on: the next enrolment is its first.
const FORGET: &str = "systemctl stop sallyport-agent && rm -r /var/lib/sallyport-agent && systemctl start sallyport-agent &&
    for i in $(seq 40); do sallyport-agent status | grep Nobody && exit; sleep 0.25; done; exit 1";

/// Another service, which runs and starts with the machine; then waits for the file of the installation outside.
const ENROL: &str =
    "printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/spare.service
    systemctl daemon-reload && systemctl enable --now spare || exit 1
    for i in $(seq 240); do test -e /opt/enrolment-file.json && break; sleep 0.25; done
    sallyport-agent enrol /opt/enrolment-file.json";
