//! `sallyport`: the server, its administration, and the operators' command line.

mod admin;
mod dump;
mod keep;
mod log;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// A self-hosted RMM in which a stolen password, session or token does not reach the fleet.
#[derive(Parser)]
#[command(name = "sallyport", version, propagate_version = true)]
struct Sallyport {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Copy an installation, running or not, into a folder.
    Backup(keep::Backup),
    /// Put a copy back where no installation is yet.
    Restore(keep::Restore),
    /// Administer the installation on the server's own machine.
    Admin(admin::Admin),
    /// Print reviewed tables of this program: routes, roles, openapi, errors.
    #[command(hide = true)]
    Dump(dump::Dump),
    #[command(flatten)]
    Operator(Box<sallyport_cli::Command>),
}

fn main() -> ExitCode {
    let done = match Sallyport::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Admin(admin) => admin.run(),
        Command::Dump(dump) => dump.run(),
        Command::Operator(command) => return command.run(Sallyport::command()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:?}");
            ExitCode::FAILURE
        }
    }
}
