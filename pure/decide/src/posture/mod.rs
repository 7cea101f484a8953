//! Posture: judges a tenant's configuration. Facts go in, a finding for each rule comes out; nothing is changed, nothing is guessed.
//!
//! Each rule is a row of [`RULES`]: a stable id, the right that its content needs, where it is mended, and a function over [`Facts`]. What
//! the server cannot know is said as such ([`Verdict::Unseen`]) and never counted as good.

mod accepted;
mod clients;
mod clouds;
mod facts;
mod fleet;
mod networks;
mod people;
mod server;
pub mod what_if;

#[cfg(test)]
mod tests;

pub use accepted::{EndError, check_end, fingerprint};
pub use facts::{Account, AccountState, ApiClient, Backup, BreachedList, Facts, Installer, Mail, MailFacts};
pub use people::outside_c1;

use crate::policy::{self, Capability, Rights, Row};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Weakens the installation a little, or may be meant so.
    Warning,
    /// A promise does not hold, or the way back in hangs by a thread.
    Critical,
}

/// Where something is seen or mended: a path of the console, with the words of its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it is called.
    pub word: String,
    /// A path of the console.
    pub path: String,
}

impl Link {
    pub(crate) fn new(word: impl Into<String>, path: impl Into<String>) -> Self {
        Self { word: word.into(), path: path.into() }
    }
}

/// Something that a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is, in a few words.
    pub title: String,
    /// Why it matters, in one or two sentences.
    pub why: String,
    /// Whom or what it is about.
    pub subjects: Vec<Link>,
    /// Where it is mended; nothing where that is not in the console.
    pub fix: Option<Link>,
}

/// What a rule says of the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, with what was checked.
    Holds(String),
    /// It does not.
    Found(Vec<Finding>),
    /// The server cannot know, with why and what to look at instead.
    Unseen(String),
}

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its stable id: `P-03`.
    pub id: &'static str,
    /// What it wants, as a sentence.
    pub wants: &'static str,
    /// The right without which its findings are not shown.
    pub needs: &'static Row,
    judge: fn(&Facts) -> Verdict,
}

macro_rules! rules {
    ($($id:literal $needs:ident $judge:path: $wants:literal;)*) => {
        /// All rules, in the order of their ids. An id is never given to another rule.
        pub const RULES: &[Rule] = &[$(Rule { id: $id, wants: $wants, needs: const { &policy::$needs::ROW }, judge: $judge },)*];
    };
}

rules! {
    "P-01" ReadPeople people::without_factor: "Every account has a second factor";
    "P-02" ReadPolicy people::factorless: "A password alone opens nothing";
    "P-03" ReadPeople people::single_owner: "There are two owners";
    "P-04" ReadPeople people::admins_without_passkey: "Whoever administers has a passkey";
    "P-05" ReadPeople people::totp_only_admins: "Nobody administers with an authenticator app alone";
    "P-06" ReadPeople people::few_codes: "Everybody has recovery codes left";
    "P-07" ReadPeople people::dormant: "No account lies unused";
    "P-08" ReadPeople people::endless_support: "Accounts of external support end by themselves, and soon";
    "P-09" ReadPeople people::open_invitations: "Invitations are answered";
    "P-10" ReadPolicy server::authority_kit: "The authority kit is at hand";
    "P-11" ReadNetworks networks::huge: "Trusted networks are small";
    "P-12" ReadNetworks networks::private: "Trusted networks are addresses that only you have";
    "P-13" ReadNetworks networks::cloud: "No trusted network is a cloud's";
    "P-14" ReadInstallers fleet::long_installers: "Installers stop working soon";
    "P-15" ReadInstallers fleet::open_installers: "Installers work for few devices or from one network";
    "P-16" ReadNetworks networks::unverified: "Sign-ins from new addresses are verified";
    "P-17" ReadPeople networks::paused: "The verification of addresses is paused for nobody";
    "P-18" ReadPolicy server::mail: "Mail is sent";
    "P-19" ReadPolicy server::clock: "The server's clock is right";
    "P-20" ReadPolicy server::backup: "There is a backup of today";
    "P-21" ReadDevices fleet::old_agents: "Agents are as new as the server";
    "P-22" ReadDevices fleet::long_pending: "Pending devices are looked at";
    "P-23" ReadPeople server::unbound_sessions: "Every session is bound to a key of its browser";
    "P-24" ReadClients clients::wide: "API clients work from few addresses";
    "P-25" ReadClients clients::unused: "API clients are used";
    "P-26" ReadClients clients::ending: "No API client ends unforeseen";
    "P-27" ReadClients clients::keys: "Keys of API clients are replaced in time";
    "P-28" ReadPolicy server::breached_list: "Passwords are compared with a fresh list of breached ones";
    "P-29" ReadPolicy people::passkey_policy: "Whoever administers signs in by passkey alone";
    "P-30" ReadPolicy people::device_codes: "Programs come in by the browser beside them alone";
}

/// A rule with what it says.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Which rule.
    pub rule: Rule,
    /// What it says.
    pub verdict: Verdict,
}

impl Judged {
    /// The worst that it found.
    pub fn severity(&self) -> Option<Severity> {
        match &self.verdict {
            Verdict::Found(findings) => findings.iter().map(|finding| finding.severity).max(),
            Verdict::Holds(_) | Verdict::Unseen(_) => None,
        }
    }
}

/// How a configuration is judged, for one reader.
#[derive(Debug, Clone)]
pub struct Report {
    /// Rules whose content the reader may see, in the order of their ids.
    pub rules: Vec<Judged>,
    /// How many rules are about what the reader may not see.
    pub hidden: usize,
}

/// Judges the facts for somebody with these rights. A rule whose content they may not read for the whole tenant is left out, and counted.
pub fn judge(facts: &Facts, reader: &Rights) -> Report {
    let may = |rule: &&Rule| reader.reach(rule.needs).is_some_and(|reach| reach.is_tenant());
    let rules: Vec<Judged> = RULES.iter().filter(may).map(|rule| Judged { rule: *rule, verdict: (rule.judge)(facts) }).collect();
    Report { hidden: RULES.len() - rules.len(), rules }
}

/// What was found, or what was checked where nothing was.
pub(crate) fn verdict(findings: Vec<Finding>, checked: impl FnOnce() -> String) -> Verdict {
    if findings.is_empty() { Verdict::Holds(checked()) } else { Verdict::Found(findings) }
}

/// `1 user`, `3 users`.
pub(crate) fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// `Anna Berg`, `Anna Berg and Ben Ott`, `5 users`.
pub(crate) fn named<'a>(names: impl ExactSizeIterator<Item = &'a str>, word: &str) -> String {
    match names.len() {
        1 | 2 => names.collect::<Vec<_>>().join(" and "),
        many => counted(many, word),
    }
}
