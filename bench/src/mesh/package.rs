//! Its package, from npm, in one version.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

const VERSION: &str = "1.1.55";

/// An installed package.
#[derive(Clone)]
pub(crate) struct Package(PathBuf);

impl Package {
    /// Installs it beside what cargo builds, where it is missing there.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let target = program.ancestors().nth(2).context("the bench lies in a target directory")?;
        let folder = target.join("meshcentral");
        let package = Self(folder.join("node_modules/meshcentral"));
        if package.version().as_deref() != Some(VERSION) {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join("package.json"), "{\"private\":true}\n")?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-audit", "--no-fund", "--omit=optional", "--save-exact", &format!("meshcentral@{VERSION}")]);
            let done = npm.current_dir(&folder).stdin(Stdio::null()).output().context("npm, of Node.js, is needed for this peer")?;
            ensure!(done.status.success(), "npm: {}", String::from_utf8_lossy(&done.stderr));
            ensure!(package.version().as_deref() == Some(VERSION), "npm installed something else");
        }
        Ok(package)
    }

    fn version(&self) -> Option<String> {
        let text = std::fs::read(self.0.join("package.json")).ok()?;
        serde_json::from_slice::<Value>(&text).ok()?["version"].as_str().map(str::to_owned)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// The agent for this machine.
    pub(crate) fn agent(&self) -> PathBuf {
        self.0.join("agents/meshagent_x86-64")
    }
}
