//! `sallyport password`.

use clap::Args;
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};
use crate::screen::Tone;
use crate::{Common, ask};

#[derive(Args)]
pub struct ChangePassword {
    /// Let your other sessions go on.
    #[arg(long)]
    keep_other_sessions: bool,
    /// Read the present password, the new one and the code from three lines of standard input.
    #[arg(long)]
    stdin: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl ChangePassword {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        let current = self.secret("Present password")?;
        let new = self.secret("New password, at least 15 characters")?;
        if !self.stdin && *self.secret("The new one again")? != *new {
            return Err(Failure::Input("the two new passwords differ; nothing was changed".to_owned()));
        }
        let code = self.code()?;
        let other_sessions = if self.keep_other_sessions { api::OtherSessions::Keep } else { api::OtherSessions::End };
        let proof = api::FactorAnswer { totp: Some(code.split_whitespace().collect()), passkey: None };
        let body = api::ChangePassword { current: current.to_string(), new: new.to_string(), proof, other_sessions };
        client.tell(Method::POST, "/v1/me/password", &body)?;
        screen.give(&json!({ "changed": true }), |screen| screen.say_in(Tone::Good, "Your password is another one now."));
        Ok(Outcome::Done)
    }

    fn secret(&self, question: &str) -> Result<Zeroizing<String>, Failure> {
        const WHAT: &str = "your passwords and a code (--stdin)";
        if self.stdin { ask::stdin_line(WHAT) } else { ask::hidden(question, WHAT) }
    }

    fn code(&self) -> Result<Zeroizing<String>, Failure> {
        const WHAT: &str = "a code (--stdin)";
        if self.stdin { ask::stdin_line(WHAT) } else { ask::line("Fresh code from your authenticator", WHAT).map(Zeroizing::new) }
    }
}
