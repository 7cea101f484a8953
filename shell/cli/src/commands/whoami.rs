//! `sallyport whoami`.

use clap::Args;
use sallyport_api as api;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::{Common, clock, say};

use super::posture;

/// Recovery codes below which a warning is due.
const FEW_CODES: u32 = 3;

#[derive(Args)]
pub struct Whoami {
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Whoami {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        let me: api::Me = client.read("/v1/me")?;
        screen.give(&me, |screen| tell(screen, &me, &client));
        Ok(Outcome::Done)
    }
}

/// Who, where, how long.
pub(super) fn tell(screen: Screen, me: &api::Me, client: &Client) {
    let now = clock::now();
    let window = match me.step_up_until.filter(|until| *until > now) {
        Some(until) => screen.painted(Tone::Good, &format!("open, closes {}", say::relative(until, now))),
        None => "closed".to_owned(),
    };
    let codes = match me.recovery_codes_left {
        few @ 0..FEW_CODES => screen.painted(Tone::Bad, &format!("{few} left; make new ones: sallyport factors recovery-codes")),
        enough => format!("{enough} left"),
    };
    screen.facts(&[
        ("user", format!("{} <{}>", one_line(&me.name), one_line(&me.email))),
        ("role", one_line(&me.role)),
        ("tenant", one_line(&me.tenant_name)),
        ("server", client.server()),
        ("session", format!("ends {}, unused {}", say::relative(me.session.expires, now), say::relative(me.session.idle_expires, now))),
        ("its key", client.key_place().to_owned()),
        ("step-up", window),
        ("recovery codes", codes),
    ]);
    due(screen, me, now);
    match me.session.stage {
        api::SessionStage::Full => {}
        api::SessionStage::Codes => {
            screen.say_in(Tone::Waiting, "This session does one thing: you say that you keep the recovery codes that were shown.");
            screen.say_in(Tone::Waiting, "Say it: sallyport activate --codes-kept");
        }
        api::SessionStage::Factorless => {
            let next = if me.mfa.state == api::Mfa::Active { "Prove yours: sallyport step-up" } else { "Set one up: sallyport activate" };
            screen.say_in(Tone::Waiting, format!("This session reads only: it was opened without a second factor. {next}"));
        }
        api::SessionStage::NewPassword => {
            screen.say_in(Tone::Bad, "Your password is known from a data breach. Choose another one first: sallyport password");
        }
        api::SessionStage::DeviceCode => {
            screen.say_in(
                Tone::Waiting,
                "This session was let in by a device code: it reads and asks. Prove in the console what it asks for.",
            );
        }
        api::SessionStage::Restricted => {
            screen.say_in(Tone::Waiting, "This session came from a recovery and does one thing: set up a new authenticator.");
            screen.say_in(Tone::Waiting, "Do that: sallyport factors add NAME. Found the old one again? sallyport login --terminal");
        }
    }
}

/// What waits for them, and would be missed.
fn due(screen: Screen, me: &api::Me, now: sallyport_model::Timestamp) {
    if me.check_up.is_some() {
        screen.say_in(Tone::Waiting, "You have not used your authenticator for 28 days. See that it works: sallyport factors check-up");
    }
    if let Some(held) = &me.held_reset {
        let (by, until) = (one_line(&held.by), say::relative(held.until, now));
        screen
            .say_in(Tone::Bad, format!("{by} asked to take your factors away; it happens {until}. Stop it: sallyport factors stop-reset"));
    }
    if me.mfa.state != api::Mfa::Active && me.mfa.required_by.is_some() {
        let until = me.mfa.deadline.map_or_else(String::new, |deadline| by_day(deadline, now));
        screen.say_in(Tone::Waiting, format!("You must set up a second factor{until}. Begin: sallyport activate"));
    }
}

/// ` by 2027-01-31 (in 9 days)`, or that this is over.
fn by_day(deadline: sallyport_model::Timestamp, now: sallyport_model::Timestamp) -> String {
    let (day, over) = (posture::day(deadline), if deadline <= now { ", and that day is over" } else { "" });
    format!(" by {day} ({}){over}", say::relative(deadline, now))
}
