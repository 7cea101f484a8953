//! `sallyport step-up`.

use clap::Args;
use sallyport_api as api;

use crate::by_browser::{self, Why};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::screen::Tone;
use crate::{Common, ask};

use super::whoami;

#[derive(Args)]
pub struct StepUp {
    /// Read the code from standard input instead of asking.
    #[arg(long)]
    code_stdin: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl StepUp {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        if !self.code_stdin && by_browser::why(&mut client)? == Some(Why::PasskeysAlone) {
            let why = Why::PasskeysAlone.words();
            return Err(Failure::Input(format!("{why}: sign in again, which proves one in your browser: sallyport login")));
        }
        let code = if self.code_stdin { ask::stdin_line("a code")?.trim().to_owned() } else { code()? };
        let me = prove(&mut client, code)?;
        screen.give(&me, |screen| {
            screen.say_in(Tone::Good, "Proved. Your step-up window is open.");
            whoami::tell(screen, &me, &client);
        });
        Ok(Outcome::Done)
    }
}

/// Asks for a code that stands for nothing but being there.
pub(crate) fn code() -> Result<String, Failure> {
    ask::line("Code from your authenticator", "a code (--code-stdin)").map(|code| code.split_whitespace().collect())
}

/// Proves a factor in the session.
pub(crate) fn prove(client: &mut Client, code: String) -> Result<api::Me, Failure> {
    client.elevate(&api::Elevate { proof: api::FactorAnswer { totp: Some(code), passkey: None } })
}
