//! This machine's own device: the real agent. Until somebody enrols it, it has no power over this machine, whoever started the demo.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::service::Service;
use crate::process;
use crate::root::Root;

/// What an enrolled agent has in its folder, and one that is about to be.
const ENROLLED: [&str; 2] = ["enrolment.json", "trust.json"];
/// What takes every capability from a program that root starts, for good.
const NO_POWER: [&str; 4] = ["--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"];

pub(crate) struct Agent {
    service: Service,
    program: PathBuf,
    dir: PathBuf,
    waits: bool,
}

impl Agent {
    pub(crate) fn start(root: &Root, dir: &Path) -> Result<Self> {
        let (program, waits) = (root.binary("sallyport-agent"), !is_enrolled(dir));
        Ok(Self { service: run(&program, dir, waits)?, program, dir: dir.to_owned(), waits })
    }

    /// Once an installer enrolled it, it begins anew with what its starter may do: scripts run as the accounts that their grants name.
    pub(crate) fn look(&mut self) -> Result<()> {
        if self.waits && is_enrolled(&self.dir) {
            self.service.stop();
            self.service = run(&self.program, &self.dir, false)?;
            self.waits = false;
        }
        Ok(())
    }

    pub(crate) fn service(&mut self) -> &mut Service {
        &mut self.service
    }
}

fn is_enrolled(dir: &Path) -> bool {
    ENROLLED.iter().any(|name| dir.join("agent").join(name).exists())
}

fn run(program: &Path, dir: &Path, waits: bool) -> Result<Service> {
    let (own, state) = (program.display().to_string(), dir.join("agent").display().to_string());
    let words = ["run", "--state", &state];
    if waits && process::is_root() && process::exists("setpriv") {
        return Service::start("agent", Path::new("setpriv"), &[&NO_POWER[..], &[&own], &words[..]].concat(), dir);
    }
    Service::start("agent", program, &words, dir)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_agent_waits_until_it_has_an_enrolment() {
        let dir = std::env::temp_dir().join(format!("sallyport-xtask-{}-agent", std::process::id()));
        fs::create_dir_all(dir.join("agent")).unwrap();
        fs::write(dir.join("agent/device-keys"), "").unwrap();
        assert!(!is_enrolled(&dir));
        fs::write(dir.join("agent/enrolment.json"), "").unwrap();
        assert!(is_enrolled(&dir));
        fs::remove_dir_all(dir).unwrap();
    }
}
