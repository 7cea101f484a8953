//! `sallyport admin`: what can be done on the server's own machine alone.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Read};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use sallyport_server::outside::Outside;
use sallyport_server::{ListFormat, import_passwords, restart_enrolment};

use crate::serve::Settings;

/// Works on the installation's files, whether the server runs or not.
#[derive(Args)]
pub(crate) struct Admin {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Restart the enrolment of somebody who lost every factor and has nobody to ask.
    ///
    /// Takes their factors and recovery codes, ends their sessions, and prints a link that works once, within two hours, with their present
    /// password. It authorizes nothing. The audit log tells that it was done here.
    RestartEnrolment(RestartEnrolment),
    /// The list of breached passwords.
    #[command(subcommand)]
    Passwords(Passwords),
}

#[derive(Subcommand)]
enum Passwords {
    /// Import a list of breached passwords in place of the one before.
    ///
    /// Takes the SHA-1 list of haveibeenpwned.com (HASH or HASH:COUNT in each line, in any order), or one password in a line. Needs 4 bytes
    /// of disk for each password in the end, and 8 more while it works. A running server looks at the new list at once; each server of an
    /// installation has its own. The audit log tells that it was done.
    Import(Import),
}

#[derive(Args)]
struct Import {
    #[command(flatten)]
    settings: Settings,
    /// What the lines are [default: as the first one looks].
    #[arg(long)]
    format: Option<Format>,
    /// The list; - reads standard input.
    file: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Hashes, 40 hexadecimal digits.
    Sha1,
    /// Passwords.
    Plain,
}

#[derive(Args)]
struct RestartEnrolment {
    #[command(flatten)]
    settings: Settings,
    /// The e-mail address of the account.
    #[arg(long)]
    user: String,
}

impl Admin {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::RestartEnrolment(command) => command.run(),
            What::Passwords(Passwords::Import(command)) => command.run(),
        }
    }
}

impl RestartEnrolment {
    fn run(self) -> anyhow::Result<()> {
        let (_, config) = self.settings.read()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let link = runtime.block_on(restart_enrolment(config, Outside::system(), &self.user))?;
        println!("{link}");
        eprintln!("The link works once. Hand it to {} in person; it wants their present password.", self.user);
        Ok(())
    }
}

impl Import {
    fn run(self) -> anyhow::Result<()> {
        let (_, config) = self.settings.read()?;
        let list: Box<dyn Read> = match self.file.as_os_str() == "-" {
            true => Box::new(io::stdin()),
            false => Box::new(File::open(&self.file).with_context(|| self.file.display().to_string())?),
        };
        let format = self.format.map(|format| match format {
            Format::Sha1 => ListFormat::Sha1,
            Format::Plain => ListFormat::Plain,
        });
        let shown = io::stderr().is_terminal();
        let progress = |lines: u64| {
            if shown {
                eprint!("\r{} million lines read", lines / 1_000_000);
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let list = BufReader::with_capacity(1 << 20, list);
        let done = runtime.block_on(import_passwords(config, Outside::system(), list, format, progress));
        if shown {
            eprintln!();
        }
        let done = done.context("nothing was changed")?;
        println!("Imported {} passwords. Nobody can choose one of them; whoever signs in with one must choose another.", done.passwords);
        if done.skipped > 0 {
            println!("{} lines were left out: no password can be like them.", done.skipped);
        }
        Ok(())
    }
}
