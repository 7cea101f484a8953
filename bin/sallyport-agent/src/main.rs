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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_takes_no_token() {
        Arguments::command().debug_assert();
        let mut help = String::new();
        for command in Arguments::command().get_subcommands_mut() {
            help.push_str(&command.render_long_help().to_string());
        }
        assert!(!help.to_lowercase().contains("token") && !help.to_lowercase().contains("secret"), "{help}");
    }

    #[test]
    fn a_file_that_is_no_enrolment_is_refused_and_not_placed() {
        let temp = tempfile::tempdir().expect("temp");
        let (file, state) = (temp.path().join("file"), temp.path().join("state"));
        for garbage in ["", "{}", "not json", "{\"payloadType\":\"x\"}"] {
            std::fs::write(&file, garbage).expect("write");
            assert!(enrol::enrol(&file, &state).is_err(), "{garbage}");
        }
        assert!(!state.exists());
        assert!(status::print(&state).expect_err("no agent").to_string().contains("sallyport-agent run"));
    }

    #[test]
    fn the_unit_names_the_paths_that_install_uses() {
        assert!(unit::UNIT.contains(&format!("ExecStart={} run --state {}\n", unit::BINARY_PATH, unit::STATE_DIR)));
    }
}
