//! What an API client is asked to be, and whether the server froze just that.

use std::collections::BTreeSet;
use std::net::IpAddr;

use clap::Args;
use sallyport_api as api;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};
use crate::{clock, say};

/// Changes an API client; what is not named stays.
#[derive(Args)]
pub(crate) struct Change {
    /// Its name or id, or the end of the id.
    pub(crate) client: String,
    /// Another name.
    #[arg(long)]
    name: Option<String>,
    /// What it may do from now on; several times.
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// A range of addresses that it works from, from now on; several times.
    #[arg(long = "network")]
    networks: Vec<String>,
    /// How long it works from now: 24h, 90d.
    #[arg(long, value_parser = say::parse_secs)]
    lifetime: Option<u32>,
    /// Its key stays, for tools that cannot replace it each day.
    #[arg(long, conflicts_with = "daily_key")]
    keep_key: bool,
    /// Its key is replaced each day.
    #[arg(long)]
    daily_key: bool,
    /// It needs a licence for each token from now on; what it has without one ends.
    #[arg(long, conflicts_with = "no_licence")]
    needs_licence: bool,
    /// Its key is enough.
    #[arg(long)]
    no_licence: bool,
    #[command(flatten)]
    agreement: Agreement,
}

impl Change {
    pub(crate) fn run(self, client: &mut Client, screen: Screen, one: api::ApiClient) -> Result<Outcome, Failure> {
        let agreement = self.agreement;
        let (id, wanted) = (one.id, self.shape(one.shape));
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::ChangeClient(frozen) if frozen.client != id => Err("the client"),
            api::ActionDetails::ChangeClient(frozen) if frozen.key.is_some() => Err("the key"),
            api::ActionDetails::ChangeClient(frozen) => is_shape(&frozen.after, &wanted),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Change the API client {}", one_line(&wanted.name)));
        let path = format!("/v1/clients/{id}");
        let guarded = Guarded { screen, agreement, path: &path, preview: &preview, expected: &expected };
        guarded.replace(client, &wanted)?;
        let changed: api::ApiClient = client.read(&path)?;
        screen.give(&changed, |screen| screen.say_in(Tone::Good, format!("Changed {}.", one_line(&changed.shape.name))));
        Ok(Outcome::Done)
    }

    fn shape(self, now: api::ApiClientShape) -> api::ChangeApiClient {
        let scopes: BTreeSet<String> = self.scopes.into_iter().collect();
        let rotation = match (self.keep_key, self.daily_key) {
            (true, _) => api::KeyRotation::ByHand,
            (_, true) => api::KeyRotation::Daily,
            _ => now.rotation,
        };
        let licence = match (self.needs_licence, self.no_licence) {
            (true, _) => api::LicenceRule::Needed,
            (_, true) => api::LicenceRule::NotNeeded,
            _ => now.licence,
        };
        api::ChangeApiClient {
            name: self.name.unwrap_or(now.name),
            scopes: if scopes.is_empty() { now.scopes } else { scopes },
            networks: if self.networks.is_empty() { now.networks } else { self.networks },
            expires: self.lifetime.map_or(now.expires, |secs| clock::now().plus_secs(i64::from(secs))),
            rotation,
            licence: Some(licence),
        }
    }
}

/// Whether a frozen shape is the one that was asked for; otherwise what differs.
pub(crate) fn is_shape(frozen: &api::ApiClientShape, wanted: &api::ChangeApiClient) -> Result<(), &'static str> {
    let ranges = |texts: &[String]| texts.iter().map(|text| range(text)).collect::<Option<BTreeSet<_>>>();
    match frozen {
        frozen if frozen.name != wanted.name.trim() => Err("the name"),
        frozen if frozen.scopes != wanted.scopes => Err("the scopes"),
        // What cannot be read on either side is not taken for the same.
        frozen if ranges(&frozen.networks).is_none() || ranges(&frozen.networks) != ranges(&wanted.networks) => Err("the networks"),
        frozen if frozen.expires != wanted.expires => Err("when it ends"),
        frozen if frozen.rotation != wanted.rotation => Err("whether its key is replaced"),
        frozen if Some(frozen.licence) != wanted.licence => Err("whether it needs a licence"),
        _ => Ok(()),
    }
}

/// A range as it is meant: its first address and how many bits of it count.
fn range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(all), |bits| bits.parse::<u8>().ok()).filter(|bits| *bits <= all)?;
    Some((first(address, bits), bits))
}

fn first(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)).into()),
    }
}

#[cfg(test)]
mod tests {
    use sallyport_model::Timestamp;

    use super::*;

    fn wanted() -> api::ChangeApiClient {
        api::ChangeApiClient {
            name: "Nightly".to_owned(),
            scopes: BTreeSet::from(["devices.read".to_owned()]),
            networks: vec!["203.0.113.7/32".to_owned(), "2001:DB8:0::/32".to_owned()],
            expires: Timestamp::from_secs(1_790_000_000),
            rotation: api::KeyRotation::Daily,
            licence: Some(api::LicenceRule::Needed),
        }
    }

    #[test]
    fn whatever_was_frozen_differently_is_named() {
        let frozen = |change: fn(&mut api::ApiClientShape)| {
            let api::ChangeApiClient { name, scopes, expires, rotation, licence, .. } = wanted();
            let licence = licence.unwrap_or_default();
            let networks = vec!["2001:db8::/32".to_owned(), "203.0.113.7".to_owned()];
            let mut shape = api::ApiClientShape { name, scopes, networks, expires, rotation, licence };
            change(&mut shape);
            is_shape(&shape, &wanted())
        };
        assert_eq!(frozen(|_| {}), Ok(()), "the same ranges, as the server writes them");
        assert_eq!(frozen(|shape| shape.name.push('x')), Err("the name"));
        assert_eq!(frozen(|shape| shape.scopes = BTreeSet::from(["jobs.run".to_owned()])), Err("the scopes"));
        assert_eq!(frozen(|shape| shape.networks[0] = "2001:db8::/31".to_owned()), Err("the networks"));
        assert_eq!(frozen(|shape| shape.networks.truncate(1)), Err("the networks"));
        assert_eq!(frozen(|shape| shape.networks[0] = "everywhere".to_owned()), Err("the networks"));
        assert_eq!(frozen(|shape| shape.expires = shape.expires.plus_secs(1)), Err("when it ends"));
        assert_eq!(frozen(|shape| shape.rotation = api::KeyRotation::ByHand), Err("whether its key is replaced"));
        assert_eq!(frozen(|shape| shape.licence = api::LicenceRule::NotNeeded), Err("whether it needs a licence"));
    }

    #[test]
    fn ranges_are_compared_as_they_are_meant() {
        assert_eq!(range("10.1.2.3/8"), range("10.0.0.0/8"));
        assert_eq!(range("0.0.0.0/0").map(|(_, bits)| bits), Some(0));
        assert_ne!(range("10.0.0.0/8"), range("10.0.0.0/9"));
        assert_eq!((range("10.0.0.0/33"), range("x"), range("::/129")), (None, None, None));
    }
}
