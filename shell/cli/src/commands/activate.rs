//! `sallyport activate`: a first factor, from the mailed link to the recovery codes.

use std::path::PathBuf;

use clap::Args;
use sallyport_api as api;
use serde::Serialize;
use serde_json::json;
use ureq::http::Method;
use zeroize::Zeroizing;

use super::factors;
use super::login::trusted;
use crate::ask::{self, Answer};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::origin::Origin;
use crate::safe::one_line;
use crate::screen::{Screen, Tone, printed, remark};
use crate::session::{self, Session};
use crate::{Common, clock, keystore, say};

/// The pages of the console that such links lead to.
const PAGES: [&str; 2] = ["/activation", "/invitation"];
const LINKS: &str = "/v1/invitations";
/// Codes that a person may type.
const TRIES: usize = 3;

#[derive(Args)]
pub struct Activate {
    /// Go on with a link that you have, mailed or handed over; an invitation's too. It is asked for: it is never an argument.
    #[arg(long)]
    link: bool,
    /// Read from lines of standard input: the link, your password, the code once the key is shown, and a yes that the recovery codes are
    /// kept. Where the password is known from a data breach, a new one comes after it.
    #[arg(long, requires = "link")]
    stdin: bool,
    /// Say that you keep the recovery codes that were shown: until then the session does nothing else.
    #[arg(long, conflicts_with_all = ["link", "stdin"])]
    codes_kept: bool,
    /// Certificates (PEM) to trust besides the system's; kept with the session.
    #[arg(long, value_name = "FILE", env = "SALLYPORT_CA", hide_env_values = true)]
    ca: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What came of it, with what is shown once.
#[derive(Serialize)]
struct Activated {
    activated: String,
    recovery_codes: Vec<String>,
}

/// The page and the token of a link.
struct Link {
    server: String,
    token: Zeroizing<String>,
}

impl Link {
    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong =
            || Failure::Input("that is not the link of an activation or an invitation; copy it whole, with what follows the #".into());
        let (page, token) = text.trim().split_once('#').ok_or_else(wrong)?;
        if token.is_empty() || !PAGES.iter().any(|known| page.ends_with(known)) {
            return Err(wrong());
        }
        Ok(Self { server: Origin::parse(page)?.to_string(), token: Zeroizing::new(token.to_owned()) })
    }
}

impl Activate {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let screen = self.common.screen();
        if self.codes_kept {
            let (mut client, _) = self.common.desk()?;
            keep_codes(&mut client, screen)?;
            screen.give(&json!({ "kept": true }), |_| ());
            return Ok(Outcome::Done);
        }
        let link = if self.link { Some(self.link()?) } else { self.mailed(screen)? };
        match link {
            Some(link) => self.follow(screen, &Link::parse(&link)?),
            None => Ok(Outcome::Done),
        }
    }

    /// Has a link mailed. Somebody at a terminal may give it here once they have it.
    fn mailed(&self, screen: Screen) -> Result<Option<Zeroizing<String>>, Failure> {
        let (mut client, _) = self.common.desk()?;
        let me: api::Me = client.read("/v1/me")?;
        if me.mfa.state == api::Mfa::Active {
            return Err(Failure::Input("your second factor is active; `sallyport factors add NAME` sets up one more".to_owned()));
        }
        let mail: api::ActivationMail = client.act_and_read(Method::POST, "/v1/me/activation/mail")?;
        screen.give(&mail, |screen| {
            let until = say::relative(mail.expires, clock::now());
            screen.say_in(Tone::Good, format!("A link is on its way to {}. It works once, and ends {until}.", one_line(&mail.to)));
            screen.say("Open it in a browser, or go on here: sallyport activate --link");
        });
        if !ask::is_person() {
            return Ok(None);
        }
        let link = ask::line("The link, once you have the mail (Enter alone: later)", "the link").map(Zeroizing::new)?;
        Ok(Some(link).filter(|link| !link.is_empty()))
    }

    fn follow(&self, screen: Screen, link: &Link) -> Result<Outcome, Failure> {
        let path = self.common.path();
        let last = session::load(&path)?;
        let ca = trusted(self.ca.as_ref(), last.as_ref())?;
        let token = api::LinkToken { token: link.token.to_string() };
        let found: api::Invitation =
            Client::begin(&link.server, "", ca.clone(), path.clone())?.change(Method::POST, &format!("{LINKS}/look"), &token)?;
        self.agree(screen, &link.server, &found)?;
        let mut client = Client::begin(&link.server, &found.email, ca, path)?;
        let draft = self.begin(&mut client, link, found.needs)?;
        remark("A phone is better than an app on this computer: whoever has the computer then still lacks the code.");
        factors::show_key(&draft.totp);
        let codes = self.finish(&mut client, link, &draft.draft)?;
        if let Some(name) = last.and_then(|last: Session| last.key_name) {
            keystore::forget(&name);
        }
        let activated = Activated { activated: found.email, recovery_codes: codes.recovery_codes };
        screen.give(&activated, |screen| {
            screen.say_in(
                Tone::Good,
                "Your second factor is active. Recovery codes, shown once; each signs you in once if the phone is lost:",
            );
            activated.recovery_codes.iter().for_each(|code| screen.say(one_line(code)));
            screen.say("Keep them off this computer.");
        });
        // Codes that nobody saw are kept by nobody.
        printed()?;
        if self.are_kept()? {
            keep_codes(&mut client, screen)?;
        } else {
            screen
                .say_in(Tone::Waiting, "Until you say that you keep them, this session does nothing else: sallyport activate --codes-kept");
        }
        Ok(Outcome::Done)
    }

    /// Whose link it is, and which server gets a password: shown before anything is typed.
    fn agree(&self, screen: Screen, server: &str, found: &api::Invitation) -> Result<(), Failure> {
        screen.facts(&[
            ("server", server.to_owned()),
            ("tenant", one_line(&found.tenant)),
            ("user", format!("{} <{}>", one_line(&found.name), one_line(&found.email))),
            ("by", one_line(&found.invited_by)),
            ("this computer", one_line(&found.address)),
            ("link ends", say::relative(found.expires, clock::now())),
        ]);
        if self.stdin {
            return Ok(());
        }
        match ask::agreement("Is that you, and did you expect it?")? {
            Answer::Yes => Ok(()),
            Answer::No => Err(Failure::Declined),
        }
    }

    /// Begins with the present password, or with one that is chosen now.
    fn begin(&self, client: &mut Client, link: &Link, needs: api::InvitationNeeds) -> Result<api::ActivationDraft, Failure> {
        let is_invited = needs == api::InvitationNeeds::Password;
        let password = if is_invited { self.chosen("Choose a password")? } else { self.secret("Your password")? };
        let mut body = api::StartActivation { token: link.token.to_string(), password: password.to_string(), new_password: None };
        let start = format!("{LINKS}/start");
        match client.change(Method::POST, &start, &body) {
            Err(failure) if failure.is_refusal(api::Code::PasswordBreached) && !is_invited => {
                remark(format!("{failure}. Strangers try such passwords: another one takes its place with the activation."));
                body.new_password = Some(self.chosen("New password")?.to_string());
                client.change(Method::POST, &start, &body)
            }
            other => other,
        }
    }

    fn finish(&self, client: &mut Client, link: &Link, draft: &str) -> Result<api::RecoveryCodes, Failure> {
        let mut tries = if self.stdin { 1 } else { TRIES };
        loop {
            const WHAT: &str = "a code (--stdin)";
            let typed = if self.stdin { ask::stdin_line(WHAT)? } else { ask::line("Code that it shows now", WHAT).map(Zeroizing::new)? };
            let code = typed.split_whitespace().collect();
            let body = api::FinishActivation { token: link.token.to_string(), draft: draft.to_owned(), code };
            tries -= 1;
            match client.change(Method::POST, &format!("{LINKS}/finish"), &body) {
                Err(failure) if failure.is_refusal(api::Code::CodeRefused) && tries > 0 => {
                    remark(format!("Not accepted. {}", failure.next_step()));
                }
                other => return other,
            }
        }
    }

    fn link(&self) -> Result<Zeroizing<String>, Failure> {
        const WHAT: &str = "the link (--stdin)";
        if self.stdin { ask::stdin_line(WHAT) } else { ask::line("The link", WHAT).map(Zeroizing::new) }
    }

    /// Whoever has not said yes has not kept them.
    fn are_kept(&self) -> Result<bool, Failure> {
        if self.stdin {
            return Ok(ask::stdin_line("a yes").is_ok_and(|line| line.trim() == "yes"));
        }
        Ok(ask::agreement("Do you keep them?")? == Answer::Yes)
    }

    fn secret(&self, question: &str) -> Result<Zeroizing<String>, Failure> {
        const WHAT: &str = "your password (--stdin)";
        if self.stdin { ask::stdin_line(WHAT) } else { ask::hidden(question, WHAT) }
    }

    fn chosen(&self, question: &str) -> Result<Zeroizing<String>, Failure> {
        let new = self.secret(&format!("{question}, at least 15 characters, used nowhere else"))?;
        if !self.stdin && *self.secret("The same again")? != *new {
            return Err(Failure::Input("the two passwords differ; nothing was changed".to_owned()));
        }
        Ok(new)
    }
}

/// The session becomes a full one.
fn keep_codes(client: &mut Client, screen: Screen) -> Result<(), Failure> {
    client.act(Method::POST, "/v1/me/recovery-codes/saved")?;
    screen.say_in(Tone::Good, format!("You are signed in at {}.", client.server()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, String)> {
        Link::parse(text).ok().map(|link| (link.server, link.token.to_string()))
    }

    #[test]
    fn a_link_is_taken_whole_and_others_are_not_taken() {
        for page in PAGES {
            let link = format!(" https://RMM.example:8443{page}#tok_en-1\n");
            assert_eq!(parsed(&link), Some(("https://rmm.example:8443".to_owned(), "tok_en-1".to_owned())));
        }
        let others = ["https://rmm.example/activation", "https://rmm.example/activation#", "https://rmm.example/not-me#t", "tok_en-1", ""];
        for other in others.into_iter().chain(["http://rmm.example/activation#t"]) {
            assert_eq!(parsed(other), None, "{other}");
        }
    }
}
