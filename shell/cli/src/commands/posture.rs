//! `sallyport posture`: how the configuration is judged, what of it is accepted, and what would happen if.

mod accepted;

pub(super) use accepted::{day, end_of_day};

use clap::{Args, Subcommand, ValueEnum};
use sallyport_api as api;
use ureq::http::Method;

use super::users;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::{Common, lookup, say};

const PATH: &str = "/v1/posture";

#[derive(Args)]
pub struct Posture {
    #[command(subcommand)]
    what: Option<What>,
    /// Show what holds, too.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// Ask what would happen if somebody wanted to do something; nothing is changed.
    ///
    /// The rules that decide for real answer. For instance: sallyport posture what-if tara@example.com --from 198.51.100.7
    /// --with password-and-code run-script --devices 12
    WhatIf(WhatIf),
    /// Accept what a rule found until a day, with a reason; it is shown as accepted, and comes back then.
    ///
    /// For instance: sallyport posture accept P-16 --because "everybody travels until May" --until 2027-05-31
    Accept(accepted::Accept),
    /// Accept it no longer.
    Reopen(accepted::Reopen),
}

#[derive(Args)]
struct WhatIf {
    /// Their e-mail address, or their id.
    user: String,
    /// What they want to do.
    #[arg(value_enum)]
    wants: Wish,
    /// The address that they come from.
    #[arg(long, value_name = "ADDRESS")]
    from: String,
    /// What they sign in with; all of it is right.
    #[arg(long, value_enum, default_value = "password-and-code")]
    with: With,
    /// On how many devices.
    #[arg(long, value_name = "COUNT")]
    devices: Option<u32>,
    /// Of which site: its name or id, or CUSTOMER/SITE.
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum With {
    /// The password alone.
    Password,
    /// Password and a code of the authenticator.
    PasswordAndCode,
    /// A passkey.
    Passkey,
    /// Password and a recovery code.
    RecoveryCode,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wish {
    /// See devices and their inventory.
    ReadDevices,
    /// Read the audit log.
    ReadAudit,
    /// Run a script.
    RunScript,
    /// Open a terminal.
    OpenTerminal,
    /// Make an installer.
    CreateInstaller,
    /// Stop managing devices.
    RemoveDevices,
    /// Invite a technician.
    InviteUser,
    /// Change the policy of factors.
    ChangeMfaPolicy,
    /// Change the rules about addresses.
    ChangeNetworks,
}

impl Posture {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            Some(What::WhatIf(question)) => question.run(&mut client, screen),
            Some(What::Accept(accept)) => accept.run(&mut client, screen),
            Some(What::Reopen(reopen)) => reopen.run(&mut client, screen),
            None => judge(&mut client, screen, if self.all { Shown::All } else { Shown::Found }),
        }
    }
}

/// Which rules are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Found,
    All,
}

fn judge(client: &mut Client, screen: Screen, shown: Shown) -> Result<Outcome, Failure> {
    let posture: api::Posture = client.read(PATH)?;
    screen.give(&posture, |screen| {
        for state in [api::PostureState::Critical, api::PostureState::Warning] {
            posture.rules.iter().for_each(|rule| found(screen, rule, |one| one.state == state && one.accepted.is_none()));
        }
        posture.rules.iter().for_each(|rule| found(screen, rule, |one| one.accepted.is_some()));
        let quiet = |rule: &&api::PostureRule| rule.state == api::PostureState::Unseen || (shown == Shown::All && rule.checked.is_some());
        posture.rules.iter().filter(quiet).for_each(|rule| checked(screen, rule));
        screen.say(total(&posture.counts));
    });
    Ok(if posture.counts.critical > 0 { Outcome::SomeFailed } else { Outcome::Done })
}

fn found(screen: Screen, rule: &api::PostureRule, is_shown: impl Fn(&api::PostureFinding) -> bool) {
    for finding in rule.findings.iter().filter(|finding| is_shown(finding)) {
        let (word, tone) = look(if finding.accepted.is_some() { api::PostureState::Accepted } else { finding.state });
        let id = if rule.findings.len() > 1 { accepted::name(&rule.id, finding) } else { one_line(&rule.id) };
        screen.say(format!("{}  {id}  {}", screen.painted(tone, word), one_line(&finding.title)));
        if let Some(one) = &finding.accepted {
            let (because, by) = (one_line(&one.because), one_line(&one.by));
            screen.say(format!("          until {}, by {by}: {because}", accepted::day(one.until)));
            continue;
        }
        screen.say(format!("          {}", one_line(&finding.why)));
        let names: Vec<String> = finding.subjects.iter().map(|subject| subject.word.clone()).collect();
        if !names.is_empty() {
            screen.say_in(Tone::Quiet, format!("          {}", say::names(&names, 8)));
        }
        if let Some(fix) = &finding.fix {
            screen.say_in(Tone::Quiet, format!("          {}: in the console, {}", one_line(&fix.word), one_line(&fix.path)));
        }
    }
}

fn checked(screen: Screen, rule: &api::PostureRule) {
    let (word, tone) = look(rule.state);
    let what = rule.checked.as_deref().unwrap_or_default();
    screen.say(format!("{}  {}  {}: {}", screen.painted(tone, word), one_line(&rule.id), one_line(&rule.wants), one_line(what)));
}

/// All words are equally long, so that ids stand in one column.
fn look(state: api::PostureState) -> (&'static str, Tone) {
    match state {
        api::PostureState::Critical => ("fix now ", Tone::Bad),
        api::PostureState::Warning => ("look at ", Tone::Waiting),
        api::PostureState::Accepted => ("accepted", Tone::Quiet),
        api::PostureState::Holds => ("holds   ", Tone::Good),
        api::PostureState::Unseen => ("not seen", Tone::Quiet),
    }
}

fn total(counts: &api::PostureCounts) -> String {
    let hidden = if counts.hidden > 0 { format!("; {} about what you may not see", counts.hidden) } else { String::new() };
    let accepted = if counts.accepted > 0 { format!(", {} accepted", counts.accepted) } else { String::new() };
    let (critical, warning, holds, unseen) = (counts.critical, counts.warning, counts.holds, counts.unseen);
    format!("{critical} to fix now, {warning} to look at{accepted}, {holds} hold, {unseen} cannot be seen from the server{hidden}")
}

impl WhatIf {
    fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let user = users::find(client, &self.user)?.id;
        let site = self.site.as_deref().map(|site| lookup::site(client, site)).transpose()?.map(|site| site.id);
        let question = api::WhatIf {
            user,
            address: self.from,
            with: self.with.into(),
            wants: self.wants.into(),
            devices: self.devices,
            site: site.map(|site| site.to_string()),
        };
        let answer: api::WhatIfAnswer = client.change(Method::POST, "/v1/posture/what-if", &question)?;
        screen.give(&answer, |screen| tell(screen, &answer));
        Ok(Outcome::Done)
    }
}

fn tell(screen: Screen, answer: &api::WhatIfAnswer) {
    for (at, step) in answer.steps.iter().enumerate() {
        let decides = if at + 1 == answer.steps.len() { "  <- decides" } else { "" };
        let (word, tone) = match step.state {
            api::WhatIfState::Met => ("met    ", Tone::Good),
            api::WhatIfState::Wants => ("wants  ", Tone::Waiting),
            api::WhatIfState::Refuses => ("refuses", Tone::Bad),
        };
        screen.say(format!("  {}  {}  {}{decides}", screen.painted(tone, word), one_line(&step.id), one_line(&step.what)));
    }
    let code = answer.code.as_deref().map(|code| format!(" ({})", one_line(code))).unwrap_or_default();
    let tone = match answer.outcome {
        api::WhatIfOutcome::Done => Tone::Good,
        api::WhatIfOutcome::Asks | api::WhatIfOutcome::Link => Tone::Waiting,
        api::WhatIfOutcome::Refused => Tone::Bad,
    };
    screen.say_in(tone, format!("{}{code}", one_line(&answer.sentence)));
}

impl From<With> for api::WhatIfWith {
    fn from(with: With) -> Self {
        match with {
            With::Password => Self::Password,
            With::PasswordAndCode => Self::PasswordAndCode,
            With::Passkey => Self::Passkey,
            With::RecoveryCode => Self::RecoveryCode,
        }
    }
}

impl From<Wish> for api::WhatIfWish {
    fn from(wish: Wish) -> Self {
        match wish {
            Wish::ReadDevices => Self::ReadDevices,
            Wish::ReadAudit => Self::ReadAudit,
            Wish::RunScript => Self::RunScript,
            Wish::OpenTerminal => Self::OpenTerminal,
            Wish::CreateInstaller => Self::CreateInstaller,
            Wish::RemoveDevices => Self::RemoveDevices,
            Wish::InviteUser => Self::InviteUser,
            Wish::ChangeMfaPolicy => Self::ChangeMfaPolicy,
            Wish::ChangeNetworks => Self::ChangeNetworks,
        }
    }
}
