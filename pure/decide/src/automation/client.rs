//! API clients: what is frozen when one is asked for, and whether one may work now.

use std::collections::BTreeSet;
use std::net::IpAddr;

use sallyport_model::{ApiClientId, Name, Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::key::PublicJwk;
use super::licence::LicenceRule;
use crate::networks::{Range, within};
use crate::policy::{Reach, Rights, Row, TABLE};

/// Whether a client must replace its key each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// It registers its next key with the present one; one that does not is warned about, then stopped.
    Daily,
    /// Its key stays until somebody replaces it: for tools that cannot do better.
    ByHand,
}

impl Rotation {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::ByHand => "by_hand",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Daily, Self::ByHand].into_iter().find(|rotation| rotation.as_str() == word)
    }
}

/// What a client may do, from where, until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// What people call it.
    pub name: String,
    /// Words of the policy's table.
    pub scopes: BTreeSet<String>,
    /// Where it may work from: never everywhere.
    pub networks: Vec<Range>,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// Whether it must replace its key each day.
    pub rotation: Rotation,
    /// Whether it must show a licence for a token.
    #[serde(default)]
    pub licence: LicenceRule,
}

/// A client is made, or gets another shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeClient {
    /// Which.
    pub client: ApiClientId,
    /// Its key, where it is made.
    pub key: Option<PublicJwk>,
    /// The shape that it had; none where it is made.
    pub before: Option<Shape>,
    /// The shape that it gets.
    pub after: Shape,
}

/// Why a shape is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The name is none.
    #[error("must be 1 to 100 characters on one line")]
    Name,
    /// No scope at all.
    #[error("name at least one")]
    NoScopes,
    /// A word that clients cannot have.
    #[error("{0} is not for API clients")]
    Scope(String),
    /// The asker does not have it.
    #[error("you may not {0} yourself")]
    NotYours(String),
    /// No network, or too many.
    #[error("name 1 to 64 ranges that it works from")]
    Networks,
    /// A range that is as good as everywhere.
    #[error("a range must not be wider than /8, or /32 of IPv6: {0} is")]
    Wide(Range),
    /// In the past, or too far away.
    #[error("must be in the future, and at most 400 days away")]
    Expiry,
}

impl Shape {
    /// Checks a shape that somebody wants, by their rights of this moment. What they may do in some places alone, the client may do there
    /// alone: what it may do is asked anew at each request.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self, asker: &Rights, now: Timestamp) -> Result<(), ShapeError> {
        Name::parse(&self.name).map_err(|_| ShapeError::Name)?;
        if self.scopes.is_empty() {
            return Err(ShapeError::NoScopes);
        }
        for word in &self.scopes {
            let row = scopes().find(|row| row.name == word).ok_or_else(|| ShapeError::Scope(word.clone()))?;
            asker.reach(row).ok_or_else(|| ShapeError::NotYours(word.clone()))?;
        }
        if self.networks.is_empty() || self.networks.len() > limits::CLIENT_RANGES {
            return Err(ShapeError::Networks);
        }
        if let Some(wide) = self.networks.iter().find(|range| is_wide(range)) {
            return Err(ShapeError::Wide(*wide));
        }
        let lifetime_micros = self.expires.micros_since(now);
        if lifetime_micros <= 0 || lifetime_micros > limits::CLIENT_LIFETIME_SECS * 1_000_000 {
            return Err(ShapeError::Expiry);
        }
        Ok(())
    }

    /// Whether somebody who is not the owner may give this shape: only what they have themselves, for the whole tenant.
    pub fn may_be_given_by(&self, asker: &Rights) -> bool {
        scopes().filter(|row| self.scopes.contains(row.name)).all(|row| asker.reach(row) == Some(Reach::Tenant))
    }
}

fn is_wide(range: &Range) -> bool {
    let (v4, v6) = limits::CLIENT_PREFIX_BITS;
    let (size, least) = if range.network().is_ipv4() { (32, v4) } else { (128, v6) };
    size - range.network().free_bits() < least
}

/// Everything that a client can have as a scope.
pub fn scopes() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(|row| row.is_for_clients())
}

/// Why a client was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody stopped it.
    ByPerson,
    /// It did not replace its key in time.
    RotationMissed,
    /// A key that it had replaced was used again.
    KeyReused,
}

impl Stopped {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByPerson => "by_person",
            Self::RotationMissed => "rotation_missed",
            Self::KeyReused => "key_reused",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::ByPerson, Self::RotationMissed, Self::KeyReused].into_iter().find(|stopped| stopped.as_str() == word)
    }
}

/// What becomes of a client's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It works.
    Works,
    /// It was stopped, it expired, or its owner may no longer sign in.
    Over,
    /// It asks from outside of its networks.
    Elsewhere,
}

/// A client with its owner, as they are at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientState {
    /// Its shape.
    pub shape: Shape,
    /// Whether somebody or something stopped it.
    pub stopped: Option<Stopped>,
    /// Whether its owner's account is one that works.
    pub owner_works: bool,
    /// When the owner's account ends by itself.
    pub owner_ends: Option<Timestamp>,
}

impl ClientState {
    /// Whether the client works at this moment, from this address.
    pub fn judge(&self, from: IpAddr, now: Timestamp) -> Standing {
        let ended = |end: Timestamp| now >= end;
        if self.stopped.is_some() || !self.owner_works || self.owner_ends.is_some_and(ended) || ended(self.shape.expires) {
            return Standing::Over;
        }
        if within(&self.shape.networks, from) { Standing::Works } else { Standing::Elsewhere }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Role;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    fn shape(scopes: &[&str]) -> Shape {
        Shape {
            name: "nightly".into(),
            scopes: scopes.iter().map(|word| (*word).to_owned()).collect(),
            networks: vec!["192.0.2.0/24".parse().unwrap()],
            expires: at(1000),
            rotation: Rotation::Daily,
            licence: LicenceRule::NotNeeded,
        }
    }

    #[test]
    fn oa_25_nothing_about_people_policy_or_proofs_is_a_scope() {
        for row in scopes() {
            for area in ["self.", "people.", "roles.", "policy.", "networks.", "clients.", "requests.prove", "requests.second"] {
                assert!(!row.name.starts_with(area), "{}", row.name);
            }
        }
        for word in ["people.read", "policy.write", "requests.prove", "clients.write", "installers.write", "self.enrol", "nothing"] {
            assert_eq!(shape(&[word]).check(&Rights::of(Role::Owner), at(0)), Err(ShapeError::Scope(word.into())), "{word}");
        }
    }

    #[test]
    fn oa_01_nobody_gives_a_client_what_they_do_not_have() {
        assert_eq!(shape(&["devices.read"]).check(&Rights::of(Role::Auditor), at(0)), Ok(()));
        assert_eq!(shape(&["jobs.run"]).check(&Rights::of(Role::Auditor), at(0)), Err(ShapeError::NotYours("jobs.run".into())));
        assert!(shape(&["devices.read"]).may_be_given_by(&Rights::of(Role::Admin)));
        assert!(!shape(&["jobs.run"]).may_be_given_by(&Rights::of(Role::Auditor)));
    }

    #[test]
    fn networks_and_an_end_are_required() {
        let rights = Rights::of(Role::Owner);
        let with = |change: fn(&mut Shape)| {
            let mut shape = shape(&["devices.read"]);
            change(&mut shape);
            shape.check(&rights, at(0))
        };
        assert_eq!(with(|shape| shape.networks.clear()), Err(ShapeError::Networks));
        let on = |range: &str| {
            let networks = vec!["192.0.2.7".parse().unwrap(), range.parse().unwrap()];
            Shape { networks, ..shape(&["devices.read"]) }.check(&rights, at(0))
        };
        for wide in ["0.0.0.0/0", "128.0.0.0/1", "10.0.0.0/7", "::/0", "2000::/3", "2001:db8::/31"] {
            assert_eq!(on(wide), Err(ShapeError::Wide(wide.parse().unwrap())), "{wide}");
        }
        for good in ["10.0.0.0/8", "2001:db8::/32"] {
            assert_eq!(on(good), Ok(()), "{good}");
        }
        assert_eq!(with(|shape| shape.expires = at(0)), Err(ShapeError::Expiry));
        assert_eq!(with(|shape| shape.expires = at(limits::CLIENT_LIFETIME_SECS + 1)), Err(ShapeError::Expiry));
        assert_eq!(with(|shape| shape.scopes.clear()), Err(ShapeError::NoScopes));
        assert_eq!(with(|shape| shape.name.clear()), Err(ShapeError::Name));
    }

    #[test]
    fn a_client_works_while_its_owner_does() {
        let inside = "192.0.2.7".parse().unwrap();
        let good = ClientState { shape: shape(&["devices.read"]), stopped: None, owner_works: true, owner_ends: None };
        assert_eq!(good.judge(inside, at(0)), Standing::Works);
        assert_eq!(good.judge("198.51.100.7".parse().unwrap(), at(0)), Standing::Elsewhere);
        assert_eq!(good.judge(inside, at(1000)), Standing::Over);
        for over in [
            ClientState { stopped: Some(Stopped::KeyReused), ..good.clone() },
            ClientState { owner_works: false, ..good.clone() },
            ClientState { owner_ends: Some(at(0)), ..good.clone() },
        ] {
            assert_eq!(over.judge(inside, at(0)), Standing::Over);
        }
    }

    #[test]
    fn oa_01_a_clients_rights_are_its_owners_within_its_scopes() {
        let wanted = BTreeSet::from(["devices.read".to_owned(), "jobs.run".to_owned(), "people.write".to_owned()]);
        let reach = |rights: &Rights, word: &str| rights.reach(crate::policy::row(word).unwrap());
        let owners = Rights::of(Role::Owner).narrowed(&wanted);
        assert_eq!(reach(&owners, "jobs.run"), Some(Reach::Tenant));
        assert_eq!((reach(&owners, "people.write"), reach(&owners, "scripts.write")), (None, None));
        let auditors = Rights::of(Role::Auditor).narrowed(&wanted);
        assert_eq!((reach(&auditors, "devices.read"), reach(&auditors, "jobs.run")), (Some(Reach::Tenant), None));
    }
}
