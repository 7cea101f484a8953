//! `systemd-test`: boots a small Debian with a real systemd in a container and installs the agent there as a service. The container's
//! root is made once by debootstrap, from the mirror that this machine itself uses, and kept under target/.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::args::Args;
use crate::process;
use crate::root::Root;
use crate::test::{Case, Outcome};
use crate::tools::debian;

const PACKAGES: [&str; 2] = ["debootstrap", "systemd-container"];
const INSIDE: &str = "systemd,systemd-sysv,dbus,procps";
/// The example that asks a machine what a background session would be asked.
const ASKER: &str = "background";
/// The example that plays the owner of an installation, which the container reaches on the loopback.
const OWNER: &str = "manages_services";
const BOOT: Duration = Duration::from_secs(60);

pub(crate) fn run(root: &Root, args: &mut Args) -> Result<ExitCode> {
    args.finish()?;
    if let Some(reason) = impossible() {
        bail!("this needs {reason}");
    }
    process::must(process::cargo(root.path(), &["build", "--quiet", "--package", "sallyport-agent"]))?;
    let cases = cases(root)?;
    for case in &cases {
        println!("{}  {}", if case.outcome == Outcome::Passed { "ok  " } else { "FAIL" }, case.name);
    }
    Ok(if cases.iter().all(|case| case.outcome == Outcome::Passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
    process::must(process::cargo(
        root.path(),
        &["build", "--quiet", "--package", "sallyport-agent-core", "--features", "rig", "--example", ASKER],
    ))?;
    process::must(process::cargo(root.path(), &["build", "--quiet", "--package", "sallyport"]))?;
    process::must(process::cargo(root.path(), &["build", "--quiet", "--package", "sallyport-testkit", "--example", OWNER]))?;
    let template = template(root)?;
    let container = Container::boot(root, &template)?;
    let mut cases = Vec::new();
    for (name, script) in STEPS {
        cases.push(case(name, || container.run(script))?);
    }
    cases.push(case("a remote session of a real server starts and restarts a service", || managed(root, &container))?);
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
    let mut owner =
        process::command(root.path(), &root.binary(&format!("examples/{OWNER}")).display().to_string(), &[&file, "lab.service"]);
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
    container.run("systemctl is-active lab && test $(journalctl -u lab | grep -c 'Started lab') -ge 3")
}

/// Waits for the file of the installation outside.
const ENROL: &str = "for i in $(seq 240); do test -e /opt/enrolment-file.json && break; sleep 0.25; done
    sallyport-agent enrol /opt/enrolment-file.json";

/// What is shown, in order; each is a shell script inside the container that fails when it does not hold.
const STEPS: [(&str, &str); 15] = [
    ("the agent installs itself as a service", "/opt/sallyport-agent install"),
    ("the unit is active and enabled", "systemctl is-active sallyport-agent && systemctl is-enabled sallyport-agent"),
    (
        "status says that nobody commands the device",
        "for i in $(seq 40); do sallyport-agent status | grep Nobody && exit; sleep 0.25; done; exit 1",
    ),
    (
        "the agent's folder is private",
        "test \"$(stat -c %a:%U /var/lib/sallyport-agent)\" = 700:root && ! find /var/lib/sallyport-agent -type f -perm /077 | grep .",
    ),
    ("the unit is killed and comes back", "systemctl kill -s KILL sallyport-agent && sleep 3 && systemctl is-active sallyport-agent"),
    ("a restart ends the agent in an orderly way", "systemctl restart sallyport-agent && journalctl -u sallyport-agent | grep -w stopped"),
    (
        "background sessions list services",
        r#"/opt/background '{"t":"services","id":1}' | grep -F '"name":"systemd-journald.service"' | grep -F '"name":"sallyport-agent.service"'"#,
    ),
    (
        "a service is restarted, and told as it is then",
        r#"printf '[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' > /etc/systemd/system/lab.service
        systemctl daemon-reload && systemctl start lab && before=$(systemctl show -P MainPID lab)
        /opt/background '{"t":"service_do","id":1,"name":"lab.service","what":"restart"}' > /tmp/told || exit 1
        after=$(systemctl show -P MainPID lab)
        test "$after" -gt 1 && test "$before" != "$after" && grep -F "\"pid\":$after" /tmp/told && grep -F '"state":"active"' /tmp/told"#,
    ),
    (
        "a service is stopped, enabled and disabled",
        r#"/opt/background '{"t":"service_do","id":1,"name":"lab.service","what":"stop"}' | grep -F '"state":"inactive"' &&
        /opt/background '{"t":"service_do","id":2,"name":"lab.service","what":"enable"}' | grep -F '"start":"enabled"' && systemctl is-enabled lab &&
        /opt/background '{"t":"service_do","id":3,"name":"lab.service","what":"disable"}' | grep -F '"start":"disabled"' && ! systemctl is-enabled lab"#,
    ),
    (
        "a start that fails is told with its reason",
        r#"printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' > /etc/systemd/system/fails.service && systemctl daemon-reload
        /opt/background '{"t":"service_do","id":1,"name":"fails.service","what":"start"}' > /tmp/told && exit 1
        grep -F '"code":"service_failed"' /tmp/told | grep -F 'fails.service failed'"#,
    ),
    (
        "a service's details have dependencies and log lines",
        r#"/opt/background '{"t":"service","id":1,"name":"fails.service"}' > /tmp/told || exit 1
        grep -F '"result":"exit-code"' /tmp/told | grep -F '"sysinit.target"' | grep -F "Failed with result 'exit-code'""#,
    ),
    (
        "unknown services and the agent's own are refused",
        r#"/opt/background '{"t":"service_do","id":1,"name":"no-such.service","what":"start"}' > /tmp/told && exit 1
        grep -F '"code":"not_found"' /tmp/told || exit 1
        /opt/background '{"t":"service_do","id":1,"name":"sallyport-agent.service","what":"stop"}' > /tmp/told && exit 1
        grep -F '"code":"own_agent"' /tmp/told && systemctl is-active sallyport-agent"#,
    ),
    (
        "the journal is followed while it is written",
        r#"(sleep 2; echo a-line-of-the-lab | systemd-cat -t lab -p warning) &
        timeout 30 /opt/background '{"t":"logs","id":1,"unit":null,"priority":4,"since":null,"grep":"a-line-of-the-.ab","follow":"yes"}' 1 > /tmp/told
        grep -F '"message":"a-line-of-the-lab"' /tmp/told | grep -F '"unit":"lab"'"#,
    ),
    (
        "the journal is searched",
        r#"/opt/background '{"t":"logs","id":1,"unit":"fails.service","priority":3,"since":null,"grep":null,"follow":"no"}' | grep -F '"priority":3' &&
        /opt/background '{"t":"logs","id":2,"unit":null,"priority":null,"since":null,"grep":"nowhere-to-be-f.und","follow":"no"}' | grep -F '"t":"ok"'"#,
    ),
    (
        "no program that was asked outlives its session",
        r#"/opt/background '{"t":"logs","id":1,"unit":null,"priority":null,"since":null,"grep":null,"follow":"yes"}' 1 >/dev/null && sleep 0.5 && ! pgrep journalctl"#,
    ),
];

/// What comes after everything else.
const LAST: (&str, &str) = (
    "uninstalling leaves no unit and no program behind",
    "sallyport-agent uninstall && ! systemctl cat sallyport-agent && ! test -e /usr/local/bin/sallyport-agent",
);

/// The folder of a minimal Debian, made once.
fn template(root: &Root) -> Result<PathBuf> {
    let folder = root.target().join("xtask/debian");
    let done = root.target().join("xtask/debian.done");
    if done.exists() {
        return Ok(folder);
    }
    remove(&folder)?;
    println!("making a minimal Debian for the container (once, about a minute)");
    let release = process::text(process::command(root.path(), "sh", &["-c", ". /etc/os-release && echo $VERSION_CODENAME"]))?;
    let mirror = mirror(root)?;
    let target = folder.display().to_string();
    let arguments = ["--variant=minbase", &format!("--include={INSIDE}"), release.trim(), &target, &mirror];
    process::text(process::command(root.path(), "debootstrap", &arguments))?;
    fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    Ok(folder)
}

/// Where this machine gets Debian itself from.
fn mirror(root: &Root) -> Result<String> {
    let text = process::text(process::command(root.path(), "apt-cache", &["policy", "hostname"]))?;
    let source = text.split_whitespace().find(|word| word.starts_with("http://") || word.starts_with("https://"));
    Ok(source.context("apt-cache names no mirror for Debian")?.to_owned())
}

/// A booted container on a throw-away copy of the template. Dropping it powers it off.
struct Container {
    folder: PathBuf,
    nspawn: Child,
}

impl Container {
    fn boot(root: &Root, template: &Path) -> Result<Self> {
        let folder = root.target().join("xtask/container");
        fresh_copy(root, template, &folder)?;
        let log = fs::File::create(root.target().join("xtask/container.log"))?;
        let mut command = Command::new("systemd-nspawn");
        command.args(["--register=no", "--keep-unit", "--quiet", "--machine=sallyport-test", "-b", "-D"]).arg(&folder);
        let nspawn = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().context("cannot start systemd-nspawn")?;
        let container = Self { folder, nspawn };
        container.wait_until_booted()?;
        Ok(container)
    }

    fn wait_until_booted(&self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < BOOT {
            let state = self.run("systemctl is-system-running").map(|output| process::said(&output)).unwrap_or_default();
            if state.contains("running") || state.contains("degraded") {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(500));
        }
        bail!("the container did not boot within {} s; see target/xtask/container.log", BOOT.as_secs())
    }

    /// Runs a shell script inside, in all of the container's namespaces.
    fn run(&self, script: &str) -> Result<Output> {
        let leader = self.leader()?;
        let mut command = Command::new("nsenter");
        command.args(["--target", &leader, "--mount", "--uts", "--ipc", "--pid", "--root", "--wd", "--", "/bin/sh", "-c", script]);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        process::capture(command)
    }

    /// The container's own pid 1, as seen from outside: the child of nspawn's supervisor.
    fn leader(&self) -> Result<String> {
        let id = self.nspawn.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).context("the container has ended")?;
        Ok(children.split_whitespace().next().context("the container has not started yet")?.to_owned())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Best effort: a container that will not power off is killed with its supervisor.
        self.run("systemctl poweroff --force").ok();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) && matches!(self.nspawn.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(200));
        }
        self.nspawn.kill().ok();
        self.nspawn.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn fresh_copy(root: &Root, template: &Path, folder: &Path) -> Result<()> {
    remove(folder)?;
    let (from, to) = (template.display().to_string(), folder.display().to_string());
    process::text(process::command(root.path(), "cp", &["--archive", "--reflink=auto", &from, &to]))?;
    for (program, name) in [("sallyport-agent".to_owned(), "sallyport-agent"), (format!("examples/{ASKER}"), ASKER)] {
        let place = folder.join("opt").join(name);
        fs::copy(root.binary(&program), &place).with_context(|| format!("cannot copy {program} to {}", place.display()))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
