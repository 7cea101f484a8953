//! Rules about addresses: where people may sign in from, where a factor is asked for later, and what works from which network.
//!
//! A trusted network lowers the friction of signing in and nothing else: what is opened there without a factor reads, until a factor is
//! proved. There is no rule about a single person: nobody can be exempted.

use std::net::IpAddr;
use std::str::FromStr;

use sallyport_model::{Name, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::enrolment::Network;
use crate::policy::Stage;

/// A range of addresses, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range(Network);

/// Why a text is no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a network like 192.0.2.0/24 or 2001:db8::/32, or an address")]
pub struct NotARange;

impl FromStr for Range {
    type Err = NotARange;
    fn from_str(text: &str) -> Result<Self, NotARange> {
        let text = text.trim();
        let address = text.split('/').next().unwrap_or(text).parse::<IpAddr>().map_err(|_| NotARange)?;
        if address != address.to_canonical() {
            return Err(NotARange);
        }
        let whole = match text.contains('/') {
            true => text.to_owned(),
            false => format!("{text}/{}", if address.is_ipv4() { 32 } else { 128 }),
        };
        whole.parse().map(Range).map_err(|_| NotARange)
    }
}

impl TryFrom<String> for Range {
    type Error = NotARange;
    fn try_from(text: String) -> Result<Self, NotARange> {
        text.parse()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        f.write_str(text.strip_suffix("/32").filter(|_| !text.contains(':')).or(text.strip_suffix("/128")).unwrap_or(&text))
    }
}

impl Range {
    /// Whether an address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(address)
    }

    /// The network that it is.
    pub fn network(&self) -> &Network {
        &self.0
    }
}

/// Whether one of the ranges has the address.
pub fn within(ranges: &[Range], address: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(address))
}

/// A network from which technicians may sign in with the password alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// What people call it.
    pub label: String,
    /// Its ranges.
    pub ranges: Vec<Range>,
}

/// What a network can be required for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Signing in, and everything after it.
    SignIn,
    /// Asking for and proving guarded actions.
    Guarded,
    /// Making installers.
    Installers,
    /// People, roles and policy.
    Administration,
    /// Agents' connections.
    AgentLink,
}

impl Capability {
    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Guarded => "guarded",
            Self::Installers => "installers",
            Self::Administration => "administration",
            Self::AgentLink => "agent_link",
        }
    }

    /// What a route needs beside signing in, by its capability's word and by whether it is guarded.
    pub fn of_route(word: &str, guarding: Guarding) -> Vec<Self> {
        let mut needed = Vec::new();
        if guarding == Guarding::Guarded || word == "requests.prove" {
            needed.push(Self::Guarded);
        }
        if word == "installers.write" {
            needed.push(Self::Installers);
        }
        if ["people.", "roles.", "policy.", "networks.", "posture.", "clients.", "connections.manage"]
            .iter()
            .any(|area| word.starts_with(area))
        {
            needed.push(Self::Administration);
        }
        needed
    }
}

/// Whether a route asks for a guarded action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarding {
    /// It does.
    Guarded,
    /// It does not.
    Free,
}

/// A capability that works from some ranges alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Required {
    /// What.
    pub capability: Capability,
    /// From where.
    pub ranges: Vec<Range>,
}

/// Whether a sign-in from a new address wants a mailed link or a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// It does.
    On,
    /// It does not.
    #[default]
    Off,
}

/// A tenant's rules about addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Trusted networks.
    pub trusted: Vec<Trusted>,
    /// Required networks, one entry for a capability at most.
    pub required: Vec<Required>,
    /// Whether new addresses are verified.
    pub verification: Verification,
}

/// Why rules are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// A label is no name.
    #[error("each trusted network needs a label")]
    Label,
    /// A network without ranges.
    #[error("each network needs a range")]
    Empty,
    /// More than anybody needs.
    #[error("there are too many networks or ranges")]
    TooMany,
    /// Two entries for one capability.
    #[error("a capability is listed twice")]
    Twice,
    /// A range that is everything trusts or requires nothing.
    #[error("a range must not contain every address")]
    Everything,
    /// The asking person's own address would not be allowed any more.
    #[error("your own address is not within the required ranges")]
    LocksOut,
}

impl Rules {
    /// Checks rules that somebody wants, from where they ask.
    ///
    /// # Errors
    /// Says what is wrong with them; [`RulesError::LocksOut`] where their asker could not take them back.
    pub fn check(&self, from: IpAddr) -> Result<(), RulesError> {
        if self.trusted.len() > limits::NETWORKS || self.ranges().count() > limits::NETWORK_RANGES {
            return Err(RulesError::TooMany);
        }
        if self.trusted.iter().any(|network| Name::parse(&network.label).is_err()) {
            return Err(RulesError::Label);
        }
        if self.trusted.iter().any(|network| network.ranges.is_empty()) || self.required.iter().any(|network| network.ranges.is_empty()) {
            return Err(RulesError::Empty);
        }
        let mut capabilities: Vec<Capability> = self.required.iter().map(|network| network.capability).collect();
        capabilities.sort_unstable();
        if capabilities.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(RulesError::Twice);
        }
        if self.ranges().any(|range| range.to_string().ends_with("/0")) {
            return Err(RulesError::Everything);
        }
        let needed = [Capability::SignIn, Capability::Guarded, Capability::Administration];
        if needed.into_iter().all(|capability| self.allows(capability, from)) { Ok(()) } else { Err(RulesError::LocksOut) }
    }

    fn ranges(&self) -> impl Iterator<Item = &Range> {
        self.trusted.iter().flat_map(|network| &network.ranges).chain(self.required.iter().flat_map(|network| &network.ranges))
    }

    /// Whether a capability works from an address: everywhere, where nothing is required for it.
    pub fn allows(&self, capability: Capability, from: IpAddr) -> bool {
        let required = self.required.iter().find(|network| network.capability == capability);
        required.is_none_or(|network| within(&network.ranges, from))
    }

    /// Whether a remote session may be used from an address: where its person may be signed in and do what is guarded.
    pub fn allows_remote(&self, from: IpAddr) -> bool {
        [Capability::SignIn, Capability::Guarded].into_iter().all(|capability| self.allows(capability, from))
    }

    /// Whether an address lies in a trusted network.
    pub fn trusts(&self, from: IpAddr) -> bool {
        self.trusted.iter().any(|network| within(&network.ranges, from))
    }

    /// What becomes of a live session whose request comes from an address (ASVS 8.2.4). A session that was opened without a factor
    /// in a trusted network stays there; each other one stays where signing in is allowed.
    pub fn session(&self, stage: Stage, opened: Opened, from: IpAddr) -> Standing {
        let trusted = stage != Stage::Factorless || opened == Opened::ByPolicy || self.trusts(from);
        if trusted && self.allows(Capability::SignIn, from) { Standing::Stays } else { Standing::Challenged }
    }
}

/// What is known of the address of a sign-in by password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether its owner approved it.
    pub approved: bool,
    /// Until when the verification is paused for this user.
    pub paused_until: Option<Timestamp>,
}

/// What becomes of the address of a sign-in by password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// Its owner approved it.
    Known,
    /// Nobody asks: verification is off or paused, or the network is trusted.
    Open,
    /// It is new: its owner must approve it.
    New,
    /// It is outside of the networks that are required.
    Forbidden,
}

impl Rules {
    /// Judges the address of a sign-in by password; a passkey needs no other proof of the place (NET-06).
    pub fn address(&self, seen: Seen, from: IpAddr, now: Timestamp) -> Address {
        let paused = seen.paused_until.is_some_and(|until| now < until);
        match (self.allows(Capability::SignIn, from), self.verification) {
            (false, _) => Address::Forbidden,
            (true, Verification::Off) => Address::Open,
            (true, Verification::On) if seen.approved => Address::Known,
            (true, Verification::On) if paused || self.trusts(from) => Address::Open,
            (true, Verification::On) => Address::New,
        }
    }
}

/// Why a session without a factor could be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// Its person has no factor yet, and the tenant allows that.
    ByPolicy,
    /// Its address was in a trusted network.
    ByNetwork,
}

/// What becomes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It goes on.
    Stays,
    /// It waits for a factor, and its streams end.
    Challenged,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn range(text: &str) -> Range {
        text.parse().unwrap()
    }

    fn required(capability: Capability, range_text: &str) -> Rules {
        Rules { required: vec![Required { capability, ranges: vec![range(range_text)] }], ..Rules::default() }
    }

    fn trusting(range_text: &str) -> Rules {
        Rules { trusted: vec![Trusted { label: "Office".into(), ranges: vec![range(range_text)] }], ..Rules::default() }
    }

    #[test]
    fn ranges_are_read_strictly_and_written_back() {
        for text in ["192.0.2.0/24", "2001:db8::/48", "192.0.2.7", "2001:db8::7", "10.0.0.0/8"] {
            assert_eq!(range(text).to_string(), text);
        }
        for wrong in ["", "192.0.2", "192.0.2.0/33", "::ffff:192.0.2.1", "::ffff:192.0.2.0/120", "2001:db8::/129", "office", "192.0.2.1/"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
        assert!(range("192.0.2.0/24").contains(ip("::ffff:192.0.2.9")), "an IPv4 address is one however it is written");
    }

    #[test]
    fn a_rule_that_locks_its_asker_out_is_refused() {
        for capability in [Capability::SignIn, Capability::Guarded, Capability::Administration] {
            let rules = required(capability, "192.0.2.0/24");
            assert_eq!(rules.check(ip("192.0.2.1")), Ok(()), "{capability:?}");
            assert_eq!(rules.check(ip("198.51.100.1")), Err(RulesError::LocksOut), "{capability:?}");
        }
        for capability in [Capability::Installers, Capability::AgentLink] {
            assert_eq!(required(capability, "192.0.2.0/24").check(ip("198.51.100.1")), Ok(()), "{capability:?} can be taken back");
        }
    }

    #[test]
    fn rules_that_mean_nothing_are_refused() {
        let from = ip("192.0.2.1");
        assert_eq!(trusting("0.0.0.0/0").check(from), Err(RulesError::Everything));
        assert_eq!(required(Capability::SignIn, "::/0").check(from), Err(RulesError::Everything));
        let mut unnamed = trusting("192.0.2.0/24");
        unnamed.trusted[0].label = " ".into();
        assert_eq!(unnamed.check(from), Err(RulesError::Label));
        let mut empty = trusting("192.0.2.0/24");
        empty.trusted[0].ranges.clear();
        assert_eq!(empty.check(from), Err(RulesError::Empty));
        let mut twice = required(Capability::SignIn, "192.0.2.0/24");
        twice.required.push(twice.required[0].clone());
        assert_eq!(twice.check(from), Err(RulesError::Twice));
        let mut many = trusting("192.0.2.0/24");
        many.trusted[0].ranges = vec![range("192.0.2.0/24"); limits::NETWORK_RANGES + 1];
        assert_eq!(many.check(from), Err(RulesError::TooMany));
    }

    #[test]
    fn net_04_a_trusted_network_allows_nothing_by_itself() {
        let rules = trusting("192.0.2.0/24");
        assert!(rules.trusts(ip("192.0.2.1")) && !rules.trusts(ip("198.51.100.1")));
        for capability in [Capability::SignIn, Capability::Guarded, Capability::Installers, Capability::Administration] {
            assert!(rules.allows(capability, ip("198.51.100.1")), "{capability:?}: trusting a network requires none");
        }
    }

    #[test]
    fn net_05_a_session_that_leaves_its_ranges_is_challenged() {
        let (inside, outside) = (ip("192.0.2.1"), ip("198.51.100.1"));
        for (rules, stage, opened, from, wanted) in [
            (Rules::default(), Stage::Full, Opened::ByPolicy, outside, Standing::Stays),
            (required(Capability::SignIn, "192.0.2.0/24"), Stage::Full, Opened::ByPolicy, inside, Standing::Stays),
            (required(Capability::SignIn, "192.0.2.0/24"), Stage::Full, Opened::ByPolicy, outside, Standing::Challenged),
            (trusting("192.0.2.0/24"), Stage::Factorless, Opened::ByNetwork, inside, Standing::Stays),
            (trusting("192.0.2.0/24"), Stage::Factorless, Opened::ByNetwork, outside, Standing::Challenged),
            (Rules::default(), Stage::Factorless, Opened::ByNetwork, inside, Standing::Challenged),
            (Rules::default(), Stage::Factorless, Opened::ByPolicy, outside, Standing::Stays),
            (trusting("192.0.2.0/24"), Stage::Full, Opened::ByNetwork, outside, Standing::Stays),
        ] {
            assert_eq!(rules.session(stage, opened, from), wanted, "{stage:?} {opened:?} {from}");
        }
    }

    #[test]
    fn net_06_new_addresses_are_verified_and_a_pause_ends_by_itself() {
        let (on, from) = (Rules { verification: Verification::On, ..Rules::default() }, ip("198.51.100.1"));
        let at = Timestamp::from_secs;
        let new = Seen { approved: false, paused_until: None };
        assert_eq!(Rules::default().address(new, from, at(0)), Address::Open);
        assert_eq!(on.address(new, from, at(0)), Address::New);
        assert_eq!(on.address(Seen { approved: true, ..new }, from, at(0)), Address::Known);
        let paused = Seen { paused_until: Some(at(100)), ..new };
        assert_eq!((on.address(paused, from, at(99)), on.address(paused, from, at(100))), (Address::Open, Address::New));
        let office = Rules { verification: Verification::On, ..trusting("198.51.100.0/24") };
        assert_eq!(office.address(new, from, at(0)), Address::Open);
        let required = Rules { verification: Verification::On, ..required(Capability::SignIn, "192.0.2.0/24") };
        assert_eq!(required.address(Seen { approved: true, ..new }, from, at(0)), Address::Forbidden);
    }

    #[test]
    fn routes_need_what_they_do() {
        use Capability::{Administration, Guarded, Installers};
        assert_eq!(Capability::of_route("devices.read", Guarding::Free), []);
        assert_eq!(Capability::of_route("jobs.run", Guarding::Guarded), [Guarded]);
        assert_eq!(Capability::of_route("requests.prove", Guarding::Free), [Guarded]);
        assert_eq!(Capability::of_route("installers.write", Guarding::Guarded), [Guarded, Installers]);
        assert_eq!(Capability::of_route("networks.write", Guarding::Guarded), [Guarded, Administration]);
        assert_eq!(Capability::of_route("people.read", Guarding::Free), [Administration]);
        assert_eq!(Capability::of_route("clients.write", Guarding::Guarded), [Guarded, Administration]);
        assert_eq!(Capability::of_route("connections.manage", Guarding::Free), [Administration]);
        assert_eq!(Capability::of_route("connections.use", Guarding::Free), []);
    }
}
