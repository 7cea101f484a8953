//! `sallyport whoami`.

use clap::Args;
use sallyport_api as api;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::{Common, clock, say};

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
        few @ 0..FEW_CODES => screen.painted(Tone::Bad, &format!("{few} left; make new ones in the console")),
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
    match me.session.stage {
        api::SessionStage::Full => {}
        api::SessionStage::Codes => {
            screen.say_in(Tone::Waiting, "This session may only confirm recovery codes; finish that in the console.");
        }
        api::SessionStage::Factorless => {
            screen.say_in(Tone::Waiting, "This session reads only: it was opened without a factor. Prove one in the console.");
        }
        api::SessionStage::NewPassword => {
            screen.say_in(Tone::Bad, "Your password is known from a data breach. Choose another one first: sallyport password");
        }
        api::SessionStage::Restricted => {
            screen.say_in(Tone::Waiting, "This session came from a recovery: enrol an authenticator in the console.");
        }
    }
}
