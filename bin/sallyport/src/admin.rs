//! `sallyport admin`: what can be done on the server's own machine alone.

use std::sync::Arc;

use clap::{Args, Subcommand};
use sallyport_server::clock::SystemClock;
use sallyport_server::restart_enrolment;

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
        }
    }
}

impl RestartEnrolment {
    fn run(self) -> anyhow::Result<()> {
        let (_, config) = self.settings.read()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let link = runtime.block_on(restart_enrolment(config, Arc::new(SystemClock), &self.user))?;
        println!("{link}");
        eprintln!("The link works once. Hand it to {} in person; it wants their present password.", self.user);
        Ok(())
    }
}
