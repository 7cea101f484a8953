//! `sallyport policy`: who must have a second factor, and how long sessions last.

use clap::{Args, Subcommand, ValueEnum};
use sallyport_api as api;
use sallyport_model::Timestamp;

use super::posture::end_of_day;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::people::{mfa_policy, session_limits};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::{Common, clock, say};

const POLICY: &str = "/v1/policy";

#[derive(Args)]
pub struct Policy {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// Show the policy; the same as no command.
    Show,
    /// Change who must have a second factor. What is not named stays.
    Mfa(ChangeMfa),
    /// Change how long sessions last. What is not named stays.
    Sessions(ChangeSessions),
}

#[derive(Args)]
struct ChangeMfa {
    /// Who must have one.
    #[arg(long, value_enum)]
    who: Option<Who>,
    /// A role that must, with `--who roles`; may be repeated.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The last day on which those who must may still sign in without one: 2027-01-31.
    #[arg(long, value_name = "DAY", value_parser = end_of_day, conflicts_with = "no_deadline")]
    deadline: Option<Timestamp>,
    /// No more days of grace.
    #[arg(long)]
    no_deadline: bool,
    /// Whether users who have none may sign in with a password alone: they read, and never act.
    #[arg(long, value_enum)]
    factorless: Option<Answer>,
    /// Whether owners and administrators prove themselves by passkeys alone.
    #[arg(long, value_enum)]
    admins_passkey: Option<Answer>,
    /// Whether programs may sign in by a device code (`sallyport login --device`): who is talked into typing one lets a stranger's program in.
    #[arg(long, value_enum)]
    device_codes: Option<Answer>,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Who {
    /// Owners and administrators.
    Admins,
    /// Everybody.
    All,
    /// Owners, administrators, and users with one of the named roles.
    Roles,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Answer {
    Yes,
    No,
}

#[derive(Args)]
struct ChangeSessions {
    /// A session without use ends after this: 45m.
    #[arg(long, value_name = "TIME", value_parser = say::parse_secs)]
    idle: Option<u32>,
    /// A session ends after this, used or not: 10h.
    #[arg(long, value_name = "TIME", value_parser = say::parse_secs)]
    lifetime: Option<u32>,
    #[command(flatten)]
    agreement: Agreement,
}

impl Policy {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what.unwrap_or(What::Show) {
            What::Show => show(&mut client, screen),
            What::Mfa(change) => change.run(&mut client, screen),
            What::Sessions(change) => change.run(&mut client, screen),
        }
    }
}

fn show(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let policy: api::Policy = client.read(POLICY)?;
    screen.give(&policy, |screen| {
        let mail = &policy.mail;
        let sent = match (mail.configured, &mail.last_error) {
            (api::YesNo::No, _) => "not configured: links are shown to whoever invites".to_owned(),
            (api::YesNo::Yes, Some(error)) => screen.painted(Tone::Bad, &format!("fails: {}", one_line(error))),
            (api::YesNo::Yes, None) => {
                format!("{} waiting, last sent {}", mail.waiting, say::relative_or_dash(mail.last_sent, clock::now()))
            }
        };
        screen.facts(&[
            ("second factors", mfa_policy(&policy.mfa)),
            ("without one", say::plural(i64::try_from(policy.without_factor).unwrap_or(i64::MAX), "user")),
            ("sessions", session_limits(policy.sessions)),
            ("mail", sent),
        ]);
    });
    Ok(Outcome::Done)
}

impl ChangeMfa {
    fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let before = client.read::<api::Policy>(POLICY)?.mfa;
        let after = self.applied(before.clone());
        if after == before {
            return Err(Failure::Input(
                "name what is to change: --who, --role, --deadline, --factorless, --admins-passkey or --device-codes".to_owned(),
            ));
        }
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::ChangeMfaPolicy(frozen) if frozen.after == after => Ok(()),
            _ => Err("another policy than the one that was asked for"),
        };
        let preview = || screen.facts(&[("until now", mfa_policy(&before)), ("from now on", mfa_policy(&after))]);
        let path = format!("{POLICY}/mfa");
        let guarded = Guarded { screen, agreement: self.agreement, path: &path, preview: &preview, expected: &expected };
        let result = guarded.replace(client, &after)?;
        screen.give(&result, |screen| screen.say_in(Tone::Good, "Holds from now on."));
        Ok(Outcome::Done)
    }

    fn applied(&self, mut policy: api::MfaPolicy) -> api::MfaPolicy {
        let answer = |answer: Answer| if matches!(answer, Answer::Yes) { api::YesNo::Yes } else { api::YesNo::No };
        if let Some(who) = self.who {
            policy.who = match who {
                Who::Admins => api::MfaWho::Admins,
                Who::All => api::MfaWho::All,
                Who::Roles => api::MfaWho::Roles,
            };
        }
        if !self.roles.is_empty() || policy.who != api::MfaWho::Roles {
            policy.roles.clone_from(&self.roles);
        }
        if self.deadline.is_some() || self.no_deadline {
            policy.deadline = self.deadline;
        }
        policy.factorless = self.factorless.map_or(policy.factorless, answer);
        policy.admins_passkey = self.admins_passkey.map(answer).or(policy.admins_passkey);
        policy.device_codes = self.device_codes.map(answer).or(policy.device_codes);
        policy
    }
}

impl ChangeSessions {
    fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let before = client.read::<api::Policy>(POLICY)?.sessions;
        let after = api::SessionLimits {
            idle_secs: self.idle.unwrap_or(before.idle_secs),
            lifetime_secs: self.lifetime.unwrap_or(before.lifetime_secs),
        };
        if after == before {
            return Err(Failure::Input("name what is to change: --idle or --lifetime".to_owned()));
        }
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::ChangeSessionLimits(frozen) if frozen.after == after => Ok(()),
            _ => Err("other limits than those that were asked for"),
        };
        let preview = || screen.facts(&[("until now", session_limits(before)), ("from now on", session_limits(after))]);
        let path = format!("{POLICY}/sessions");
        let guarded = Guarded { screen, agreement: self.agreement, path: &path, preview: &preview, expected: &expected };
        let result = guarded.replace(client, &after)?;
        screen.give(&result, |screen| screen.say_in(Tone::Good, "Holds from now on."));
        Ok(Outcome::Done)
    }
}
