//! The operators' command line: one file per command.

use clap::Subcommand;

/// What operators do from a terminal.
#[derive(Subcommand)]
pub enum Command {
    /// Print a shell's completion script.
    Completion {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Says what went wrong and what to do.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Command::Completion { shell } => {
                let _ = shell;
                Ok(())
            }
        }
    }
}
