//! `sallyport networks`: from where people sign in and work.

use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};
use sallyport_api as api;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, request};

const NETWORKS: &str = "/v1/policy/networks";

#[derive(Args)]
pub struct Networks {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// Show the rules, and your own address; the same as no command.
    Show,
    /// Trust a network: technicians sign in from it with the password alone, and read until they prove a factor.
    Trust {
        /// What people call it: "Office Lyon, fibre". A network that has this name is replaced.
        label: String,
        /// 192.0.2.0/24, 2001:db8::/48, or single addresses; several for redundant lines.
        #[arg(required = true)]
        ranges: Vec<String>,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Trust a network no longer.
    Distrust {
        /// What people call it.
        label: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Let something work from these networks alone. Refused where it would lock you out.
    Require {
        /// What.
        #[arg(value_enum)]
        capability: Capability,
        /// 192.0.2.0/24, 2001:db8::/48, or single addresses; several for redundant lines.
        #[arg(required = true)]
        ranges: Vec<String>,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Let something work from everywhere again.
    Release {
        /// What.
        #[arg(value_enum)]
        capability: Capability,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Whether a sign-in from a new address wants a mailed link or a passkey.
    Verification {
        /// Whether it does.
        #[arg(value_enum)]
        state: OnOff,
        #[command(flatten)]
        agreement: Agreement,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Capability {
    /// Signing in, and everything after it.
    SignIn,
    /// Asking for and proving guarded actions.
    Guarded,
    /// Making installers.
    Installers,
    /// People, roles, factors of others and policy.
    Administration,
    /// Agents' connections.
    AgentLink,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnOff {
    On,
    Off,
}

impl Networks {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        let stored: api::NetworkPolicy = client.read(NETWORKS)?;
        let mut change = as_stored(&stored);
        let Some(agreement) = self.what.unwrap_or(What::Show).write(&mut change) else {
            screen.give(&stored, |screen| show(screen, &stored));
            return Ok(Outcome::Done);
        };
        if is_asked(&frozen(&stored, &change), &as_stored(&stored)) {
            return Err(Failure::Input("that holds already: nothing would change".to_owned()));
        }
        ask(&mut client, screen, agreement, &stored, &change)
    }
}

impl What {
    /// Writes it into the rules; says how the person agrees, or nothing where they only look.
    fn write(self, change: &mut api::ChangeNetworks) -> Option<Agreement> {
        match self {
            Self::Show => None,
            Self::Trust { label, ranges, agreement } => {
                change.trusted.retain(|network| network.label != label);
                change.trusted.push(api::TrustedNetwork { label, ranges });
                Some(agreement)
            }
            Self::Distrust { label, agreement } => {
                change.trusted.retain(|network| network.label != label);
                Some(agreement)
            }
            Self::Require { capability, ranges, agreement } => {
                change.required.retain(|network| network.capability != capability.into());
                change.required.push(api::RequiredNetwork { capability: capability.into(), ranges });
                Some(agreement)
            }
            Self::Release { capability, agreement } => {
                change.required.retain(|network| network.capability != capability.into());
                Some(agreement)
            }
            Self::Verification { state, agreement } => {
                change.address_verification = if matches!(state, OnOff::On) { api::Switch::On } else { api::Switch::Off };
                Some(agreement)
            }
        }
    }
}

fn as_stored(stored: &api::NetworkPolicy) -> api::ChangeNetworks {
    api::ChangeNetworks {
        version: stored.version,
        trusted: stored.trusted.clone(),
        required: stored.required.clone(),
        address_verification: stored.address_verification,
    }
}

fn ask(
    client: &mut Client,
    screen: Screen,
    agreement: Agreement,
    stored: &api::NetworkPolicy,
    change: &api::ChangeNetworks,
) -> Result<Outcome, Failure> {
    let expected = |action: &api::ActionDetails| match action {
        api::ActionDetails::ChangeNetworks(frozen) if is_asked(frozen, change) => Ok(()),
        _ => Err("other rules than those that were asked for"),
    };
    let preview = || request::networks(screen, &frozen(stored, change));
    let guarded = Guarded { screen, agreement, path: NETWORKS, preview: &preview, expected: &expected };
    let result = guarded.replace(client, change)?;
    screen.give(&result, |screen| screen.say_in(Tone::Good, "Holds from now on, for open sessions too."));
    Ok(Outcome::Done)
}

/// Whether a request is for exactly this change. The server writes ranges in its own form, and may order entries.
fn is_asked(frozen: &api::ChangeNetworksDetails, change: &api::ChangeNetworks) -> bool {
    let trusted = |networks: &[api::TrustedNetwork]| sorted(networks.iter().map(|one| (one.label.trim().to_owned(), ranges(&one.ranges))));
    let required = |networks: &[api::RequiredNetwork]| sorted(networks.iter().map(|one| (one.capability, ranges(&one.ranges))));
    trusted(&frozen.trusted) == trusted(&change.trusted)
        && required(&frozen.required) == required(&change.required)
        && frozen.address_verification == change.address_verification
}

fn sorted<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort();
    items
}

/// Ranges by what they mean; what is no range stays as it is.
fn ranges(texts: &[String]) -> Vec<(Option<IpAddr>, String)> {
    sorted(texts.iter().map(|text| {
        let (address, bits) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
        match address.parse::<IpAddr>() {
            Ok(address) if bits.is_empty() => (Some(address), if address.is_ipv4() { "32" } else { "128" }.to_owned()),
            Ok(address) => (Some(address), bits.to_owned()),
            Err(_) => (None, text.clone()),
        }
    }))
}

fn frozen(stored: &api::NetworkPolicy, change: &api::ChangeNetworks) -> api::ChangeNetworksDetails {
    api::ChangeNetworksDetails {
        trusted: change.trusted.clone(),
        required: change.required.clone(),
        address_verification: change.address_verification,
        before: api::NetworkRules {
            trusted: stored.trusted.clone(),
            required: stored.required.clone(),
            address_verification: stored.address_verification,
        },
    }
}

fn show(screen: Screen, rules: &api::NetworkPolicy) {
    let trusted = rules.trusted.iter().map(|network| ("trusted".to_owned(), network.label.clone(), &network.ranges));
    let required = rules.required.iter().map(|network| ("required for".to_owned(), word(network.capability).to_owned(), &network.ranges));
    let rows = trusted.chain(required).map(|(rule, what, ranges)| vec![Word::new(rule), Word::new(what), Word::new(ranges.join(", "))]);
    screen.table(&["RULE", "WHAT", "RANGES"], rows.collect());
    let verified = if rules.address_verification == api::Switch::On { "a mailed link or a passkey" } else { "nothing more" };
    screen.facts(&[("a new address wants", verified.to_owned()), ("your address", one_line(&rules.your_address))]);
}

fn word(capability: api::NetworkCapability) -> &'static str {
    match capability {
        api::NetworkCapability::SignIn => "signing in",
        api::NetworkCapability::Guarded => "guarded actions",
        api::NetworkCapability::Installers => "installers",
        api::NetworkCapability::Administration => "administration",
        api::NetworkCapability::AgentLink => "agents' connections",
    }
}

impl From<Capability> for api::NetworkCapability {
    fn from(capability: Capability) -> Self {
        match capability {
            Capability::SignIn => Self::SignIn,
            Capability::Guarded => Self::Guarded,
            Capability::Installers => Self::Installers,
            Capability::Administration => Self::Administration,
            Capability::AgentLink => Self::AgentLink,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(trusted: &[&str], required: &[(api::NetworkCapability, &str)]) -> api::ChangeNetworks {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        api::ChangeNetworks {
            version: 1,
            trusted: vec![api::TrustedNetwork { label: "Office".into(), ranges: owned(trusted) }],
            required: required
                .iter()
                .map(|(capability, range)| api::RequiredNetwork { capability: *capability, ranges: owned(&[range]) })
                .collect(),
            address_verification: api::Switch::Off,
        }
    }

    fn details(rules: api::ChangeNetworks) -> api::ChangeNetworksDetails {
        let before = api::NetworkRules { trusted: Vec::new(), required: Vec::new(), address_verification: api::Switch::Off };
        let api::ChangeNetworks { trusted, required, address_verification, .. } = rules;
        api::ChangeNetworksDetails { trusted, required, address_verification, before }
    }

    #[test]
    fn other_rules_than_the_wanted_ones_are_noticed_and_other_spellings_are_not() {
        use api::NetworkCapability::{Guarded, SignIn};
        let wanted = rules(&["192.0.2.7", "2001:DB8:0::/32"], &[(SignIn, "192.0.2.0/24"), (Guarded, "192.0.2.0/24")]);
        let same = rules(&["2001:db8::/32", "192.0.2.7/32"], &[(Guarded, "192.0.2.0/24"), (SignIn, "192.0.2.0/24")]);
        assert!(is_asked(&details(same), &wanted));
        let wider = rules(&["192.0.0.0/16", "2001:db8::/32"], &[(SignIn, "192.0.2.0/24"), (Guarded, "192.0.2.0/24")]);
        let fewer = rules(&["192.0.2.7", "2001:db8::/32"], &[(SignIn, "192.0.2.0/24")]);
        let elsewhere = rules(&["192.0.2.7", "2001:db8::/32"], &[(SignIn, "192.0.2.0/24"), (Guarded, "0.0.0.0/0")]);
        for other in [wider, fewer, elsewhere] {
            assert!(!is_asked(&details(other.clone()), &wanted), "{other:?}");
        }
    }
}
