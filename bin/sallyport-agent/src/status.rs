//! `status`: who may command this device, and what it obeyed.

use std::fmt::{self, Write as _};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context, bail};
use sallyport_agent_core::status::{Commanders, LinkState, STATUS_FILE, Status};

use crate::enrol::in_groups;

pub(crate) fn print_json(state: &Path) -> anyhow::Result<()> {
    show(&format!("{}\n", serde_json::to_string_pretty(&read(state)?)?))
}

pub(crate) fn print(state: &Path) -> anyhow::Result<()> {
    let status = read(state)?;
    let mut out = String::new();
    tell_device(&mut out, &status)?;
    match &status.commanders {
        Some(commanders) => tell_commanders(&mut out, commanders)?,
        None => writeln!(out, "\nNobody may command this device: it is not enrolled.")?,
    }
    tell_sessions(&mut out, &status)?;
    tell_history(&mut out, &status)?;
    show(&out)
}

/// Whoever closes the pipe has seen enough.
fn show(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output does not take what is printed"),
        _ => Ok(()),
    }
}

fn read(state: &Path) -> anyhow::Result<Status> {
    let path = state.join(STATUS_FILE);
    match std::fs::read(&path) {
        Ok(bytes) => {
            let mut status: Status = serde_json::from_slice(&bytes)
                .with_context(|| format!("{} is damaged; the agent writes it anew when it starts", path.display()))?;
            if !Path::new("/proc").join(status.pid.to_string()).exists() {
                status.link = LinkState::Stopped;
                status.remote_sessions.clear();
            }
            Ok(status)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("no agent has run with {}; start one with: sallyport-agent run --state {}", state.display(), state.display())
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!("only the account that runs the agent may read {}; try with sudo", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn tell_device(out: &mut String, status: &Status) -> fmt::Result {
    let link = match status.link {
        LinkState::WaitingForEnrolment => "waiting for an enrolment file",
        LinkState::Connecting => "not linked, trying",
        LinkState::Pending => "linked; waits to be approved in the console",
        LinkState::Approved => "linked and approved",
        LinkState::Removed => "removed by the server",
        LinkState::Quarantined => "in quarantine: another machine uses the same key",
        LinkState::NotKnown => "not known to the server; enrol it again",
        LinkState::Stopped => "the agent does not run",
    };
    writeln!(out, "Agent {}", status.agent_version)?;
    writeln!(out, "  link       {link} (since {})", status.link_since)?;
    if let Some(trouble) = &status.link_trouble {
        writeln!(out, "  trouble    {trouble}")?;
    }
    if let Some(device) = &status.device {
        writeln!(out, "  device     {device}")?;
    }
    writeln!(out, "  key        {}", in_groups(&status.device_thumbprint))?;
    Ok(())
}

fn tell_commanders(out: &mut String, commanders: &Commanders) -> fmt::Result {
    writeln!(out, "\nWho may command this device")?;
    writeln!(out, "  tenant     {} ({})", commanders.names.tenant, commanders.tenant_id)?;
    writeln!(out, "  site       {} / {}", commanders.names.customer, commanders.names.site)?;
    writeln!(out, "  server     {}", commanders.server)?;
    writeln!(out, "  profile    {}", commanders.profile)?;
    writeln!(out, "  authority  {}", in_groups(&commanders.authority_pin))?;
    writeln!(out, "             {} of {} keys sign the trust root", commanders.authority_threshold, commanders.authority_keys.len())?;
    writeln!(out, "  root       version {}, until {}", commanders.root_version, commanders.root_expires)?;
    writeln!(out, "  attests    {}", commanders.attestation_key)?;
    writeln!(out, "  audit log  {} {}", commanders.log_origin, commanders.log_key)?;
    writeln!(out, "  link key   {}", commanders.link_key)?;
    Ok(())
}

fn tell_sessions(out: &mut String, status: &Status) -> fmt::Result {
    if status.remote_sessions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWho is connected to this computer")?;
    for open in &status.remote_sessions {
        let attached = if open.attached.is_empty() { "nobody at the moment".to_owned() } else { open.attached.join(", ") };
        let recorded = if open.recorded { ", recorded" } else { "" };
        writeln!(out, "  {}  {:<12} {attached} (opened by {}{recorded}; {})", open.since, open.kind, open.by, open.session)?;
    }
    Ok(())
}

fn tell_history(out: &mut String, status: &Status) -> fmt::Result {
    writeln!(out, "\nWhat it obeyed")?;
    for obeyed in &status.obeyed {
        writeln!(out, "  {}  {:<12} {} by {} ({})", obeyed.at, obeyed.outcome, obeyed.name, obeyed.by, obeyed.grant)?;
    }
    if status.obeyed.is_empty() {
        writeln!(out, "  nothing")?;
    }
    if !status.refused.is_empty() {
        writeln!(out, "\nWhat it refused")?;
    }
    for refused in &status.refused {
        let grant = refused.grant.as_deref().unwrap_or("unreadable grant");
        writeln!(out, "  {}  {} {} ({grant})", refused.at, refused.code, refused.reason)?;
    }
    Ok(())
}
