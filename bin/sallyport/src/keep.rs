//! `sallyport backup` and `sallyport restore`: the database and the master key, together or not at all.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use sallyport_server::keep;

use crate::serve::Settings;

/// The copy holds the master key: whoever has it has every secret of the server. Keep it as such.
#[derive(Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    settings: Settings,
    /// A folder that does not exist yet.
    to: PathBuf,
}

impl Backup {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (_, config) = self.settings.read()?;
        ensure!(!self.to.exists(), "{} exists; name a new folder", self.to.display());
        runtime()?.block_on(keep::back_up(&config, &self.to))?;
        println!("Copied the database and the master key to {}.", self.to.display());
        println!("Whoever has this folder has every secret of the server: keep it like the server itself.");
        Ok(())
    }
}

#[derive(Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    settings: Settings,
    /// A folder that `sallyport backup` made.
    from: PathBuf,
}

impl Restore {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (_, config) = self.settings.read()?;
        ensure!(self.from.is_dir(), "{} is not a folder", self.from.display());
        runtime()?.block_on(keep::restore(&config, &self.from)).with_context(|| hint(&config.data_dir))?;
        println!("Restored into {}. Start the server with `sallyport serve`.", config.data_dir.display());
        println!("What was authorized and logged after the copy was made is not in it; devices keep their own receipts of it.");
        Ok(())
    }
}

fn hint(data_dir: &Path) -> String {
    format!("nothing was changed in {}", data_dir.display())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
