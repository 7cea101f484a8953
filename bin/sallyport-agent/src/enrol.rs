//! `enrol`: checks a file completely, says what it would make of this machine, and puts it in place.

use std::path::Path;

use anyhow::{Context, bail};
use sallyport_agent_core::PrivateDir;
use sallyport_agent_core::ports::{Clock, SystemClock};
use sallyport_agent_core::trust::{self, ENROLMENT_FILE, TRUST_FILE, Trust};

pub(crate) fn enrol(file: &Path, state: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (trust, _token) = trust::accept(&bytes, SystemClock.now())
        .with_context(|| format!("{} cannot be used; create a new installer in the console", file.display()))?;
    check_known(&trust, state)?;
    describe(&trust);
    PrivateDir::place(state, ENROLMENT_FILE, &bytes).with_context(|| format!("cannot write to {}", state.display()))?;
    println!("\nThe file is in place. A running agent takes it within a minute; see: sallyport-agent status --state {}", state.display());
    Ok(())
}

/// A device that obeys somebody is not given to another by a file.
fn check_known(trust: &Trust, state: &Path) -> anyhow::Result<()> {
    let Ok(stored) = std::fs::read(state.join(TRUST_FILE)) else { return Ok(()) };
    let known = Trust::read(&stored)?;
    if known.root.pin() != trust.root.pin() {
        bail!("this device obeys {} with another authority key; run `sallyport-agent uninstall --purge` first", known.names.tenant);
    }
    Ok(())
}

fn describe(trust: &Trust) {
    println!("This device will obey:");
    println!("  tenant     {} ({})", trust.names.tenant, trust.root.tenant());
    println!("  customer   {}", trust.names.customer);
    println!("  site       {}", trust.names.site);
    println!("  server     {}", trust.server);
    println!("  authority  {}", in_groups(&trust.root.pin().0.to_string()));
    println!("Compare the authority with the one on your authority kit: whoever holds that key decides whom this device trusts.");
}

/// People compare groups of four.
pub(crate) fn in_groups(hex: &str) -> String {
    let groups: Vec<String> = hex.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join(" ")
}
