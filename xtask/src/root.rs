//! The checkout: where it is and which files belong to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

pub(crate) struct Root(PathBuf);

impl Root {
    /// Cargo says where this package is; the checkout is the folder above it.
    pub(crate) fn find() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().context("the checkout has no folder")?;
        Ok(Self(root.to_owned()))
    }

    /// A checkout that a test made.
    #[cfg(test)]
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.join(relative)
    }

    /// Where cargo builds, whatever the environment says.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.join("target"), |dir| self.join(PathBuf::from(dir)))
    }

    /// A binary of the dev profile.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target().join("debug").join(name)
    }

    pub(crate) fn read(&self, relative: impl AsRef<Path>) -> Result<String> {
        let path = self.join(&relative);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", relative.as_ref().display()))
    }

    /// Every file that is tracked or would be: git's answer, so that ignored and generated files are left out.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let output = Command::new("git")
            .current_dir(&self.0)
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .output()
            .context("git is needed to list the files of the checkout")?;
        if !output.status.success() {
            bail!("git could not list the files: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let text = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        let mut files: Vec<String> = text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        files.retain(|name| self.join(name).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }
}
