//! The container: a minimal Debian, made once by debootstrap from the mirror that this machine itself uses, and kept under target/; each run
//! boots a copy of it with a systemd of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::ASKER;
use crate::process;
use crate::root::Root;

const INSIDE: &str = "systemd,systemd-sysv,dbus,procps";
/// What a desktop has before anybody signs in. It comes after the rest: packages of this many parts need one that is whole.
const DESKTOP: &str = "libpam-systemd lightdm lightdm-gtk-greeter xvfb";
const BOOT: Duration = Duration::from_secs(60);

/// The folder of a minimal Debian, made once.
pub(super) fn template(root: &Root) -> Result<PathBuf> {
    let folder = root.target().join("xtask/debian");
    let done = root.target().join("xtask/debian.done");
    let wanted = format!("{INSIDE} {DESKTOP}");
    if fs::read_to_string(&done).is_ok_and(|made| made == wanted) {
        return Ok(folder);
    }
    fs::remove_file(&done).ok();
    remove(&folder)?;
    println!("making a small Debian for the container (once, one or two minutes)");
    let release = process::text(process::command(root.path(), "sh", &["-c", ". /etc/os-release && echo $VERSION_CODENAME"]))?;
    let mirror = mirror(root)?;
    let target = folder.display().to_string();
    let arguments = ["--variant=minbase", &format!("--include={INSIDE}"), release.trim(), &target, &mirror];
    process::text(process::command(root.path(), "debootstrap", &arguments))?;
    let install = format!(
        "apt-get --quiet update && DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes --no-install-recommends install {DESKTOP} && \
         apt-get clean && rm -f /etc/systemd/system/display-manager.service"
    );
    process::text(process::command(root.path(), "chroot", &[&target, "sh", "-c", &install]))?;
    fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))?;
    Ok(folder)
}

/// Where this machine gets Debian itself from.
fn mirror(root: &Root) -> Result<String> {
    let text = process::text(process::command(root.path(), "apt-cache", &["policy", "hostname"]))?;
    let source = text.split_whitespace().find(|word| word.starts_with("http://") || word.starts_with("https://"));
    Ok(source.context("apt-cache names no mirror for Debian")?.to_owned())
}

/// A booted container on a throw-away copy of the template. Dropping it powers it off.
pub(super) struct Container {
    pub(super) folder: PathBuf,
    nspawn: Child,
}

impl Container {
    pub(super) fn boot(root: &Root, template: &Path) -> Result<Self> {
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
    pub(super) fn run(&self, script: &str) -> Result<Output> {
        let leader = self.leader()?;
        let mut command = Command::new("nsenter");
        command.args(["--target", &leader, "--mount", "--uts", "--ipc", "--pid", "--root", "--wd", "--", "/bin/sh", "-c", script]);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        process::capture(command)
    }

    /// The container's own pid 1, as seen from outside: the child of nspawn's supervisor.
    pub(super) fn leader(&self) -> Result<String> {
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
