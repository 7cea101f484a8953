//! `status`: who may command this device, and what it obeyed.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};
use sallyport_agent_core::status::{Commanders, LinkState, STATUS_FILE, Status};

use crate::enrol::in_groups;

pub(crate) fn print_json(state: &Path) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(&read(state)?)?);
    Ok(())
}

pub(crate) fn print(state: &Path) -> anyhow::Result<()> {
    let status = read(state)?;
    print_device(&status);
    match &status.commanders {
        Some(commanders) => print_commanders(commanders),
        None => println!("\nNobody may command this device: it is not enrolled."),
    }
    print_sessions(&status);
    print_history(&status);
    Ok(())
}

fn read(state: &Path) -> anyhow::Result<Status> {
    let path = state.join(STATUS_FILE);
    match std::fs::read(&path) {
        Ok(bytes) => {
            let mut status: Status = serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
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

fn print_device(status: &Status) {
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
    println!("Agent {}", status.agent_version);
    println!("  link       {link} (since {})", status.link_since);
    if let Some(trouble) = &status.link_trouble {
        println!("  trouble    {trouble}");
    }
    if let Some(device) = &status.device {
        println!("  device     {device}");
    }
    println!("  key        {}", in_groups(&status.device_thumbprint));
}

fn print_commanders(commanders: &Commanders) {
    println!("\nWho may command this device");
    println!("  tenant     {} ({})", commanders.names.tenant, commanders.tenant_id);
    println!("  site       {} / {}", commanders.names.customer, commanders.names.site);
    println!("  server     {}", commanders.server);
    println!("  profile    {}", commanders.profile);
    println!("  authority  {}", in_groups(&commanders.authority_pin));
    println!("             {} of {} keys sign the trust root", commanders.authority_threshold, commanders.authority_keys.len());
    println!("  root       version {}, until {}", commanders.root_version, commanders.root_expires);
    println!("  attests    {}", commanders.attestation_key);
    println!("  audit log  {} {}", commanders.log_origin, commanders.log_key);
    println!("  link key   {}", commanders.link_key);
}

fn print_sessions(status: &Status) {
    if status.remote_sessions.is_empty() {
        return;
    }
    println!("\nWho is connected to this computer");
    for open in &status.remote_sessions {
        let attached = if open.attached.is_empty() { "nobody at the moment".to_owned() } else { open.attached.join(", ") };
        let recorded = if open.recorded { ", recorded" } else { "" };
        println!("  {}  {:<12} {attached} (opened by {}{recorded}; {})", open.since, open.kind, open.by, open.session);
    }
}

fn print_history(status: &Status) {
    println!("\nWhat it obeyed");
    for obeyed in &status.obeyed {
        println!("  {}  {:<12} {} by {} ({})", obeyed.at, obeyed.outcome, obeyed.name, obeyed.by, obeyed.grant);
    }
    if status.obeyed.is_empty() {
        println!("  nothing");
    }
    if !status.refused.is_empty() {
        println!("\nWhat it refused");
    }
    for refused in &status.refused {
        let grant = refused.grant.as_deref().unwrap_or("unreadable grant");
        println!("  {}  {} {} ({grant})", refused.at, refused.code, refused.reason);
    }
}
