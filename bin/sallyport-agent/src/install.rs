//! `install` and `uninstall`: the agent as a systemd service.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use sallyport_agent_core::unit::{BINARY_PATH, STATE_DIR, UNIT, UNIT_NAME, UNIT_PATH};

/// What `uninstall` leaves on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    State,
    Nothing,
}

pub(crate) fn install(enrolment: Option<&Path>) -> anyhow::Result<()> {
    check_machine()?;
    copy_binary()?;
    if let Some(file) = enrolment {
        crate::enrol::enrol(file, Path::new(STATE_DIR))?;
    }
    fs::write(UNIT_PATH, UNIT).with_context(|| format!("cannot write {UNIT_PATH}"))?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", UNIT_NAME])?;
    systemctl(&["restart", UNIT_NAME])?;
    println!("Installed and started. See: sallyport-agent status, systemctl status {UNIT_NAME}, journalctl -u {UNIT_NAME}");
    if enrolment.is_none() && !Path::new(STATE_DIR).join("trust.json").exists() {
        println!("Not enrolled yet: sallyport-agent enrol FILE");
    }
    Ok(())
}

pub(crate) fn uninstall(leave: Leave) -> anyhow::Result<()> {
    check_machine()?;
    if Path::new(UNIT_PATH).exists() {
        systemctl(&["disable", "--now", UNIT_NAME])?;
        fs::remove_file(UNIT_PATH).with_context(|| format!("cannot remove {UNIT_PATH}"))?;
        systemctl(&["daemon-reload"])?;
    }
    if Path::new(BINARY_PATH).exists() {
        fs::remove_file(BINARY_PATH).with_context(|| format!("cannot remove {BINARY_PATH}"))?;
    }
    match leave {
        Leave::State => println!("Removed. Keys and journal are still in {STATE_DIR}; `--purge` removes them too."),
        Leave::Nothing => {
            if Path::new(STATE_DIR).exists() {
                fs::remove_dir_all(STATE_DIR).with_context(|| format!("cannot remove {STATE_DIR}"))?;
            }
            println!("Removed, with keys, trust and journal. Remove the device in the console too.");
        }
    }
    Ok(())
}

fn check_machine() -> anyhow::Result<()> {
    ensure!(sallyport_agent_core::is_privileged(), "installing a service needs root; try with sudo");
    if !Path::new("/run/systemd/system").exists() {
        bail!("systemd does not run on this machine; start the agent with your service manager: sallyport-agent run --state {STATE_DIR}");
    }
    Ok(())
}

/// A running agent keeps its old file until it is restarted, so the new one is put beside it and moved over.
fn copy_binary() -> anyhow::Result<()> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    if own == Path::new(BINARY_PATH) {
        return Ok(());
    }
    let fresh = format!("{BINARY_PATH}.new");
    fs::copy(&own, &fresh).with_context(|| format!("cannot write {fresh}"))?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
    fs::rename(&fresh, BINARY_PATH).with_context(|| format!("cannot write {BINARY_PATH}"))
}

fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("systemctl").args(arguments).output().context("cannot run systemctl")?;
    if !output.status.success() {
        bail!("systemctl {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
