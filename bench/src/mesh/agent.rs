//! Its agent for Linux, in the foreground.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use super::Package;
use crate::measure::end_tree;

pub(crate) struct Agent {
    folder: PathBuf,
    child: Option<Child>,
}

impl Agent {
    /// One that never ran. It keeps everything beside its program, so that each has a program of its own: another name of the same file.
    pub(super) fn new(package: &Package, folder: PathBuf, settings: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let program = folder.join("meshagent");
        if std::fs::hard_link(package.agent(), &program).is_err() {
            std::fs::copy(package.agent(), &program)?;
        }
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        std::fs::write(folder.join("meshagent.msh"), settings)?;
        Ok(Self { folder, child: None })
    }

    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"))?;
        let mut command = Command::new(self.folder.join("meshagent"));
        command.arg("connect").current_dir(&self.folder);
        command.env_clear().env("HOME", &self.folder).env("PATH", std::env::var_os("PATH").context("a PATH")?);
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        self.child = Some(child.context("MeshCentral's agent, which is there for Linux on x86-64, does not start")?);
        Ok(())
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(child) = self.child.take() {
            end_tree(child);
        }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
    }
}
