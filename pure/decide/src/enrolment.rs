//! Whether a machine that shows an enrolment token becomes a device. It lands in `pending` either way.

use std::net::IpAddr;

use sallyport_model::{Digest, SiteId, Timestamp};
use subtle::ConstantTimeEq;

/// An enrolment token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Where devices land.
    pub site: SiteId,
    /// How many may use it.
    pub uses: u32,
    /// How many did.
    pub used: u32,
    /// The only network that they may come from.
    pub network: Option<Network>,
    /// SHA-256 of its secret.
    pub secret_hash: Digest,
    /// When it stops working.
    pub expires: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// Why a token is not accepted. The agent learns only that it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// The secret is another one.
    #[error("the secret is wrong")]
    Secret,
    /// It was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// It is too old.
    #[error("the token has expired")]
    Expired,
    /// It was used as often as it may be.
    #[error("the token is used up")]
    UsedUp,
    /// The machine is in another network.
    #[error("the token is for another network")]
    Network,
}

impl TokenRefused {
    /// The stable word for the audit log.
    pub fn code(self) -> &'static str {
        match self {
            Self::Secret => "wrong_secret",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::UsedUp => "used_up",
            Self::Network => "other_network",
        }
    }
}

/// Decides on a shown token. The secret comes first: without it nothing about the token is told.
///
/// # Errors
/// Says why it is not accepted.
pub fn accept(token: &Token, shown_hash: Digest, from: IpAddr, now: Timestamp) -> Result<SiteId, TokenRefused> {
    if !bool::from(token.secret_hash.as_bytes().ct_eq(shown_hash.as_bytes())) {
        return Err(TokenRefused::Secret);
    }
    if token.revoked.is_some() {
        return Err(TokenRefused::Revoked);
    }
    if now >= token.expires {
        return Err(TokenRefused::Expired);
    }
    if token.used >= token.uses {
        return Err(TokenRefused::UsedUp);
    }
    match &token.network {
        Some(network) if !network.contains(from) => Err(TokenRefused::Network),
        _ => Ok(token.site),
    }
}

/// A range of addresses: `192.0.2.0/24`, `2001:db8::/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// The text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a network like 192.0.2.0/24 or 2001:db8::/32")]
pub struct NotANetwork;

impl std::str::FromStr for Network {
    type Err = NotANetwork;
    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = text.split_once('/').ok_or(NotANetwork)?;
        let network = Self { address: address.parse().map_err(|_| NotANetwork)?, bits: bits.parse().map_err(|_| NotANetwork)? };
        let size = if network.address.is_ipv4() { 32 } else { 128 };
        if network.bits <= size { Ok(network) } else { Err(NotANetwork) }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    /// Whether an address lies in it. An IPv4 address inside of IPv6 (`::ffff:`) is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                prefix(u128::from(mine.to_bits()) << 96, self.bits) == prefix(u128::from(other.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => prefix(mine.to_bits(), self.bits) == prefix(other.to_bits(), self.bits),
            _ => false,
        }
    }
}

impl Network {
    /// Whether the two have an address in common: then one lies within the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.address) && self.bits <= other.bits || other.contains(self.address) && other.bits <= self.bits
    }

    /// How many bits of an address are free in it: it has two to the power of so many addresses.
    pub fn free_bits(&self) -> u8 {
        if self.address.is_ipv4() { 32 - self.bits } else { 128 - self.bits }
    }

    /// Whether it is of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }
}

fn prefix(address: u128, bits: u8) -> u128 {
    if bits == 0 { 0 } else { address >> (128 - u32::from(bits)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            site: SiteId::from_bytes([1; 16]),
            uses: 2,
            used: 0,
            network: None,
            secret_hash: Digest::from_bytes([7; 32]),
            expires: Timestamp::from_secs(100),
            revoked: None,
        }
    }

    fn shown(token: &Token, hash: u8, from: &str, at: i64) -> Result<SiteId, TokenRefused> {
        accept(token, Digest::from_bytes([hash; 32]), from.parse().unwrap(), Timestamp::from_secs(at))
    }

    #[test]
    fn a_good_token_names_the_site() {
        assert_eq!(shown(&token(), 7, "127.0.0.1", 99), Ok(SiteId::from_bytes([1; 16])));
    }

    #[test]
    fn tokens_are_bound_to_time_uses_and_network() {
        assert_eq!(shown(&token(), 8, "127.0.0.1", 99), Err(TokenRefused::Secret));
        assert_eq!(shown(&token(), 7, "127.0.0.1", 100), Err(TokenRefused::Expired));
        assert_eq!(shown(&Token { used: 2, ..token() }, 7, "127.0.0.1", 1), Err(TokenRefused::UsedUp));
        assert_eq!(shown(&Token { revoked: Some(Timestamp::from_secs(1)), ..token() }, 7, "127.0.0.1", 2), Err(TokenRefused::Revoked));
        let bound = Token { network: Some("192.0.2.0/24".parse().unwrap()), ..token() };
        assert_eq!(shown(&bound, 7, "198.51.100.1", 1), Err(TokenRefused::Network));
        assert!(shown(&bound, 7, "192.0.2.200", 1).is_ok() && shown(&bound, 7, "::ffff:192.0.2.200", 1).is_ok());
    }

    #[test]
    fn networks_overlap_where_one_lies_within_the_other() {
        let overlap = |one: &str, other: &str| one.parse::<Network>().unwrap().overlaps(&other.parse().unwrap());
        assert!(overlap("10.0.0.0/8", "10.20.0.0/16") && overlap("10.20.0.0/16", "10.0.0.0/8") && overlap("10.0.0.0/8", "10.0.0.0/8"));
        assert!(!overlap("10.0.0.0/9", "10.128.0.0/9") && !overlap("::/0", "10.0.0.0/8"));
    }

    #[test]
    fn networks_are_read_strictly() {
        for wrong in ["", "192.0.2.0", "192.0.2.0/33", "::/129", "a/8", "192.0.2.0/-1"] {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
        }
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!(!"0.0.0.0/0".parse::<Network>().unwrap().contains("2001:db8::1".parse().unwrap()));
    }
}
