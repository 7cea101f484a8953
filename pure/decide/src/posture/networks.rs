//! Rules about addresses. A trusted network stands for a factor's prompt, so it must be a place that only its people have.

use super::clouds::CLOUDS;
use super::{Account, Facts, Finding, Link, Severity, Verdict, counted, named, verdict};
use crate::enrolment::Network;
use crate::networks::{Range, Trusted, Verification};

/// More addresses than this are no office: /20.
const LARGE_IPV4_BITS: u8 = 12;
/// In IPv6 one site has a /48.
const LARGE_IPV6_BITS: u8 = 80;

/// Addresses that many networks of the world have at the same time, with why they are no proof of a place.
const SHARED: &[(&str, &str)] = &[
    (
        "10.0.0.0/8",
        "Every home and every café may have such addresses. The server sees them only from its own network, or from a proxy that is not listed as one.",
    ),
    (
        "172.16.0.0/12",
        "Every home and every café may have such addresses. The server sees them only from its own network, or from a proxy that is not listed as one.",
    ),
    (
        "192.168.0.0/16",
        "Every home and every café may have such addresses. The server sees them only from its own network, or from a proxy that is not listed as one.",
    ),
    ("100.64.0.0/10", "A provider shares such addresses among strangers (RFC 6598)."),
    ("127.0.0.0/8", "This is the server itself: whatever reaches it through a proxy on the same machine comes from here."),
    ("169.254.0.0/16", "A machine gives itself such an address when nobody else does."),
    ("fc00::/7", "Such addresses are made up by whoever runs a network (RFC 4193)."),
    ("fe80::/10", "A machine gives itself such an address on every link."),
    ("::1/128", "This is the server itself: whatever reaches it through a proxy on the same machine comes from here."),
];

pub(super) fn huge(facts: &Facts) -> Verdict {
    ranges(facts, |range| {
        is_large(range).then(|| Said {
            severity: Severity::Warning,
            title: format!("Trusted range {range} is very large"),
            why: format!("{} count as your office. Name the addresses of your lines alone.", addresses(range.network().free_bits())),
        })
    })
}

/// Whether a range is more than a place.
pub(super) fn is_large(range: &Range) -> bool {
    let most = if range.network().is_ipv4() { LARGE_IPV4_BITS } else { LARGE_IPV6_BITS };
    range.network().free_bits() > most
}

pub(super) fn private(facts: &Facts) -> Verdict {
    ranges(facts, |range| {
        let (_, why) = SHARED.iter().find(|(shared, _)| overlaps(range, shared))?;
        let severity = Severity::Warning;
        Some(Said { severity, title: format!("Trusted range {range} is not yours alone"), why: (*why).to_owned() })
    })
}

pub(super) fn cloud(facts: &Facts) -> Verdict {
    ranges(facts, |range| {
        let (_, cloud) = CLOUDS.iter().find(|(block, _)| overlaps(range, block))?;
        Some(Said {
            severity: Severity::Critical,
            title: format!("Trusted range {range} belongs to {cloud}"),
            why: "Anybody can rent an address there within a minute. Name the single addresses that are yours.".to_owned(),
        })
    })
}

pub(super) fn unverified(facts: &Facts) -> Verdict {
    match facts.networks.verification {
        Verification::On => Verdict::Holds("A password and code from a new address want a mailed link, or a passkey.".into()),
        Verification::Off => Verdict::Found(vec![Finding {
            severity: Severity::Warning,
            title: "New addresses are not verified".into(),
            why: "A right password and code open a session from anywhere in the world. With verification, a new address wants a mailed link or a passkey."
                .into(),
            subjects: Vec::new(),
            fix: Some(Link::new("Open networks", "/security/networks")),
        }]),
    }
}

pub(super) fn paused(facts: &Facts) -> Verdict {
    let is_paused = |account: &&Account| account.paused_until.is_some_and(|until| facts.now < until);
    let some: Vec<&Account> = facts.accounts.iter().filter(is_paused).collect();
    let finding = |some: &[&Account]| Finding {
        severity: Severity::Warning,
        title: format!("Verification of addresses is paused for {}", named(some.iter().map(|one| one.name.as_str()), "user")),
        why: "It goes on by itself, after a week at most. End the pause as soon as they are back.".into(),
        subjects: some.iter().map(|one| Link::new(one.name.clone(), format!("/users/{}", one.user))).collect(),
        fix: Some(Link::new("Show users", "/users")),
    };
    verdict(if some.is_empty() { Vec::new() } else { vec![finding(&some)] }, || "Paused for nobody.".into())
}

/// What is said of a range.
struct Said {
    severity: Severity,
    title: String,
    why: String,
}

/// A finding for each trusted range that a rule has something to say about.
fn ranges(facts: &Facts, judge: impl Fn(&Range) -> Option<Said>) -> Verdict {
    let all = || facts.networks.trusted.iter().flat_map(|network: &Trusted| network.ranges.iter().map(move |range| (network, range)));
    let found = all().filter_map(|(network, range)| {
        let said = judge(range)?;
        Some(Finding {
            severity: said.severity,
            title: said.title,
            why: said.why,
            subjects: vec![Link::new(network.label.clone(), "/security/networks")],
            fix: Some(Link::new("Open networks", "/security/networks")),
        })
    });
    verdict(found.collect(), || match all().count() {
        0 => "There is no trusted network.".into(),
        some => format!("{} checked.", counted(some, "trusted range")),
    })
}

fn overlaps(range: &Range, block: &str) -> bool {
    block.parse::<Network>().is_ok_and(|block| block.overlaps(range.network()))
}

/// `16.8 million addresses`, `2^90 addresses`.
fn addresses(free_bits: u8) -> String {
    match free_bits {
        0..20 => format!("{} addresses", 1u64 << free_bits),
        20..40 => format!("{:.1} million addresses", (1u64 << free_bits) as f64 / 1e6),
        many => format!("2^{many} addresses"),
    }
}
