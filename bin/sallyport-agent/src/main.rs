//! The agent's program: what people and service managers call.

mod enrol;
mod install;
mod run;
mod status;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use sallyport_agent_core::unit;

/// Runs on a managed computer and obeys nothing but authorised grants.
#[derive(Debug, Parser)]
#[command(name = "sallyport-agent", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent; until it is enrolled, wait for an enrolment file
    Run(Place),
    /// Check an enrolment file and put it where the agent finds it
    Enrol {
        /// The enrolment file from the console
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Show who may command this device, and what it obeyed
    Status {
        #[command(flatten)]
        place: Place,
        /// Print the whole status as JSON
        #[arg(long)]
        json: bool,
    },
    /// Install the agent as a systemd service and start it
    Install {
        /// Enrol with this file first
        #[arg(long)]
        enrolment: Option<PathBuf>,
    },
    /// Stop and remove the service
    Uninstall {
        /// Remove keys, trust and journal too; the device cannot come back as the same one
        #[arg(long)]
        purge: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// Where the agent keeps its keys, trust and journal
    #[arg(long, value_name = "DIR", default_value = unit::STATE_DIR, env = "SALLYPORT_AGENT_STATE")]
    state: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Run(place) => run::run(&place.state),
        Command::Enrol { file, place } => enrol::enrol(&file, &place.state),
        Command::Status { place, json: true } => status::print_json(&place.state),
        Command::Status { place, json: false } => status::print(&place.state),
        Command::Install { enrolment } => install::install(enrolment.as_deref()),
        Command::Uninstall { purge } => install::uninstall(if purge { install::Leave::Nothing } else { install::Leave::State }),
    }
}
