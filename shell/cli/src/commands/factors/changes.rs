//! `sallyport factors add`, `remove` and `check-up`.

use clap::Args;
use sallyport_api as api;
use serde::Serialize;
use serde_json::json;
use ureq::http::Method;
use zeroize::Zeroizing;

use super::{LIST, find};
use crate::ask;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, remark};

#[derive(Args)]
pub(super) struct Add {
    /// What the new authenticator is called.
    name: String,
    /// Read a code of an authenticator that you have, and later one of the new one, from two lines of standard input. After a sign-in by a
    /// recovery code there is the second line alone.
    #[arg(long)]
    code_stdin: bool,
}

#[derive(Args)]
pub(super) struct Remove {
    /// Its name or its id.
    factor: String,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(Args)]
pub(super) struct CheckUp {
    /// Read the code from standard input instead of asking.
    #[arg(long)]
    code_stdin: bool,
}

/// A code of an authenticator, by itself.
fn code(question: &str, code_stdin: bool) -> Result<String, Failure> {
    const WHAT: &str = "a code (--code-stdin)";
    let typed = if code_stdin { ask::stdin_line(WHAT)? } else { ask::line(question, WHAT).map(Zeroizing::new)? };
    Ok(typed.split_whitespace().collect())
}

fn by_code(code: String) -> api::FactorAnswer {
    api::FactorAnswer { totp: Some(code), passkey: None }
}

/// An authenticator that was set up.
#[derive(Serialize)]
struct Enrolled {
    enrolled: String,
    /// The one that takes the place of the code that was signed in with: shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_code: Option<String>,
}

impl Add {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let me: api::Me = client.read("/v1/me")?;
        let is_recovery = me.session.stage == api::SessionStage::Restricted;
        // Whoever lost theirs has none to prove; the server asks such a session for none.
        let proof = match is_recovery {
            true => None,
            false => Some(by_code(code("Code of an authenticator that you have", self.code_stdin)?)),
        };
        let draft: api::TotpDraft = client.change(Method::POST, "/v1/me/totp/start", &api::StartTotp { proof })?;
        show_key(&draft.totp);
        let code = code("Code that the new one shows now", self.code_stdin)?;
        let body = api::FinishTotp { draft: draft.draft, name: self.name.clone(), code };
        let fresh: Option<api::FreshRecoveryCode> = client.change_and_read_any(Method::POST, "/v1/me/totp/finish", &body)?;
        let enrolled = Enrolled { enrolled: self.name, recovery_code: fresh.map(|fresh| fresh.recovery_code) };
        screen.give(&enrolled, |screen| tell_enrolled(screen, &enrolled, is_recovery, &client.server()));
        Ok(Outcome::Done)
    }
}

fn tell_enrolled(screen: Screen, enrolled: &Enrolled, is_recovery: bool, server: &str) {
    let name = one_line(&enrolled.enrolled);
    if !is_recovery {
        return screen.say_in(Tone::Good, format!("{name} is set up. Your other factors stay."));
    }
    screen.say_in(Tone::Good, format!("{name} is set up. For guarded actions it counts after 24 hours."));
    if let Some(code) = &enrolled.recovery_code {
        screen.say_in(Tone::Waiting, "A new recovery code in place of the one that you used, shown once. Keep it off this computer:");
        screen.say(one_line(code));
    }
    screen.say(format!("This session does nothing else. Sign in with the new one: sallyport login --terminal {server}"));
}

/// Tells a new secret, on standard error: what is printed for programs goes to files and logs.
pub(crate) fn show_key(totp: &api::TotpSecret) {
    remark(format!("Type this key into your authenticator app (time based, 6 digits, 30 s):\n\n  {}\n", one_line(&totp.secret)));
    remark(format!("or hand it over as\n\n  {}\n", one_line(&totp.uri)));
}

impl Remove {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let factor = find(client, &self.factor)?;
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::RemoveFactor(frozen) if frozen.factor != factor.id => Err("the factor"),
            api::ActionDetails::RemoveFactor(_) => Ok(()),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Remove {}", one_line(&factor.name)));
        let path = format!("{LIST}/{}", factor.id);
        let guarded = Guarded { screen, agreement: self.agreement, path: &path, preview: &preview, expected: &expected };
        let result = guarded.plainly(Method::DELETE, client)?;
        screen.give(&result, |screen| screen.say_in(Tone::Good, format!("{} is removed.", one_line(&factor.name))));
        Ok(Outcome::Done)
    }
}

impl CheckUp {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let proof = by_code(code("Code from your authenticator", self.code_stdin)?);
        client.tell(Method::POST, "/v1/me/check-up", &api::CheckUp { proof })?;
        screen.give(&json!({ "works": true }), |screen| screen.say_in(Tone::Good, "Your authenticator works."));
        Ok(Outcome::Done)
    }
}
