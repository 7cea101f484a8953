//! `sallyport remote-sessions policy`.

use clap::{Args, ValueEnum};
use sallyport_api as api;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::screen::{Screen, Word};

const POLICY: &str = "/v1/policy/remote";

#[derive(Args)]
pub(crate) struct PolicyChange {
    /// The kinds of remote sessions that the next four are for; without it, for all of them.
    #[arg(long = "kind", value_enum)]
    kinds: Vec<Kind>,
    /// Whether they are recorded.
    #[arg(long, value_enum)]
    record: Option<RecordWord>,
    /// What the person at the machine is told or asked.
    #[arg(long, value_enum)]
    consent: Option<ConsentWord>,
    /// How many seconds the person has to answer, 10 to 120.
    #[arg(long, value_name = "SECS")]
    ask_secs: Option<u32>,
    /// What it means where nobody answers.
    #[arg(long, value_enum)]
    unanswered: Option<SilenceWord>,
    /// Whether copied text goes between viewers and machines.
    #[arg(long, value_enum)]
    clipboard: Option<OnOff>,
    /// Whether a display is made on machines that show none.
    #[arg(long, value_enum)]
    virtual_display: Option<OnOff>,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Terminal,
    Background,
    Files,
    Viewer,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RecordWord {
    Always,
    Never,
    /// As whoever opens a session says.
    Optional,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ConsentWord {
    None,
    /// They are told who is connected.
    Banner,
    /// Nothing is seen before they allowed it.
    Ask,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SilenceWord {
    Refuse,
    Allow,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnOff {
    On,
    Off,
}

impl PolicyChange {
    pub(crate) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let stored: api::StoredRemotePolicy = client.read(POLICY)?;
        let after = self.applied(stored.rules);
        if after == stored.rules {
            screen.give(&stored, |screen| show(screen, &stored.rules));
            return Ok(Outcome::Done);
        }
        let preview = || changes(screen, &stored.rules, &after);
        let expected = |details: &api::ActionDetails| match details {
            api::ActionDetails::ChangeRemotePolicy(change) if change.after == after => Ok(()),
            _ => Err("other rules than those that were asked for"),
        };
        let guarded = Guarded { screen, agreement: self.agreement, path: POLICY, preview: &preview, expected: &expected };
        let result = guarded.replace(client, &api::ChangeRemotePolicy { version: stored.version, rules: after })?;
        screen.give(&result, |screen| screen.say("Remote sessions that are opened from now on follow these rules."));
        Ok(Outcome::Done)
    }

    fn applied(&self, mut rules: api::RemotePolicy) -> api::RemotePolicy {
        let every = [
            (Kind::Terminal, &mut rules.terminal),
            (Kind::Background, &mut rules.background),
            (Kind::Files, &mut rules.files),
            (Kind::Viewer, &mut rules.viewer),
        ];
        for (_, kind) in every.into_iter().filter(|(kind, _)| self.kinds.is_empty() || self.kinds.contains(kind)) {
            kind.record = self.record.map_or(kind.record, Into::into);
            kind.consent = self.consent.map_or(kind.consent, Into::into);
            kind.ask_secs = self.ask_secs.unwrap_or(kind.ask_secs);
            kind.unanswered = self.unanswered.map_or(kind.unanswered, Into::into);
        }
        rules.clipboard = self.clipboard.map_or(rules.clipboard, Into::into);
        rules.virtual_display = self.virtual_display.map_or(rules.virtual_display, Into::into);
        rules
    }
}

impl From<RecordWord> for api::RecordRule {
    fn from(word: RecordWord) -> Self {
        match word {
            RecordWord::Always => Self::Always,
            RecordWord::Never => Self::Never,
            RecordWord::Optional => Self::Optional,
        }
    }
}

impl From<ConsentWord> for api::ConsentRule {
    fn from(word: ConsentWord) -> Self {
        match word {
            ConsentWord::None => Self::None,
            ConsentWord::Banner => Self::Banner,
            ConsentWord::Ask => Self::Ask,
        }
    }
}

impl From<SilenceWord> for api::SilenceRule {
    fn from(word: SilenceWord) -> Self {
        match word {
            SilenceWord::Refuse => Self::Refuse,
            SilenceWord::Allow => Self::Allow,
        }
    }
}

impl From<OnOff> for api::Switch {
    fn from(word: OnOff) -> Self {
        match word {
            OnOff::On => Self::On,
            OnOff::Off => Self::Off,
        }
    }
}

fn rows(rules: &api::RemotePolicy) -> Vec<(&'static str, String)> {
    vec![
        ("terminal", kind(&rules.terminal)),
        ("background", kind(&rules.background)),
        ("files", kind(&rules.files)),
        ("viewer", kind(&rules.viewer)),
        ("clipboard", switch(rules.clipboard).to_owned()),
        ("virtual displays", switch(rules.virtual_display).to_owned()),
    ]
}

fn show(screen: Screen, rules: &api::RemotePolicy) {
    screen.facts(&rows(rules));
}

/// Shows what is another thing afterwards.
pub(crate) fn changes(screen: Screen, before: &api::RemotePolicy, after: &api::RemotePolicy) {
    let changed = rows(before).into_iter().zip(rows(after)).filter(|(before, after)| before != after);
    let lines = changed.map(|((name, before), (_, after))| vec![Word::new(name), Word::new(before), Word::new(after)]);
    screen.table(&["", "UNTIL NOW", "FROM NOW ON"], lines.collect());
}

/// `recorded always; the person is asked, silence for 60 s is no`
fn kind(rules: &api::RemoteKindRules) -> String {
    let record = match rules.record {
        api::RecordRule::Always => "always recorded",
        api::RecordRule::Never => "never recorded",
        api::RecordRule::Optional => "recorded as the opener says",
    };
    let silence = if rules.unanswered == api::SilenceRule::Allow { "yes" } else { "no" };
    match rules.consent {
        api::ConsentRule::None => format!("{record}; the person is told nothing"),
        api::ConsentRule::Banner => format!("{record}; the person is told who is connected"),
        api::ConsentRule::Ask => format!("{record}; the person is asked, silence for {} s is {silence}", rules.ask_secs),
    }
}

fn switch(switch: api::Switch) -> &'static str {
    if switch == api::Switch::On { "on" } else { "off" }
}
