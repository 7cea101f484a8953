//! Whom a schedule is for, and what ends it before its time.

use std::collections::BTreeSet;

use sallyport_grant::sha256;
use sallyport_model::{CustomerId, DeviceId, Digest, SiteId};
use serde::{Deserialize, Serialize};

/// Approved devices by where they are and how they are tagged; what is not named does not matter.
///
/// The devices that it means are frozen when a schedule is published. Once it means one more, what people agreed to is no longer
/// what it says, and the publication is void.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipRule {
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// At this site.
    pub site: Option<SiteId>,
    /// With this tag.
    pub tag: Option<String>,
}

impl MembershipRule {
    /// SHA-256 of its JSON: what the publication commits to.
    pub fn digest(&self) -> Digest {
        let text = serde_json::to_vec(self).expect("a rule is plain data");
        sha256(&[b"sallyport.rule/1\n", &text])
    }

    /// Whether a device with these tags, at a place that fits, is meant. Tags stand with spaces between them.
    pub fn fits_tags(&self, tags: &str) -> bool {
        self.tag.as_ref().is_none_or(|wanted| tags.split_whitespace().any(|tag| tag == wanted))
    }

    /// Devices that it means by now and that were not published. Fewer devices are no growth.
    pub fn grown(meant: &BTreeSet<DeviceId>, published: &BTreeSet<DeviceId>) -> usize {
        meant.difference(published).count()
    }
}

/// Why a publication is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Void {
    /// The script has another version by now.
    ScriptChanged,
    /// The script was deleted.
    ScriptDeleted,
    /// Its rule means more devices by now.
    GroupGrew,
    /// The rule that is kept is not the one that was published: somebody wrote into the database.
    RuleChanged,
    /// Whoever published it may no longer do so.
    PublisherGone,
    /// None of its devices is left.
    NoDevices,
}

impl Void {
    /// All of them.
    pub const ALL: [Void; 6] =
        [Self::ScriptChanged, Self::ScriptDeleted, Self::GroupGrew, Self::RuleChanged, Self::PublisherGone, Self::NoDevices];

    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScriptChanged => "script_changed",
            Self::ScriptDeleted => "script_deleted",
            Self::GroupGrew => "group_grew",
            Self::RuleChanged => "rule_changed",
            Self::PublisherGone => "publisher_gone",
            Self::NoDevices => "no_devices",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(numbers: &[u8]) -> BTreeSet<DeviceId> {
        numbers.iter().map(|n| DeviceId::from_bytes([*n; 16])).collect()
    }

    #[test]
    fn a_group_that_shrank_is_not_grown_and_one_that_changed_is() {
        assert_eq!(MembershipRule::grown(&devices(&[1, 2]), &devices(&[1, 2, 3])), 0);
        assert_eq!(MembershipRule::grown(&devices(&[1, 2, 4]), &devices(&[1, 2, 3])), 1);
    }

    #[test]
    fn a_tag_is_a_whole_word() {
        let rule = MembershipRule { tag: Some("web".into()), ..MembershipRule::default() };
        assert!(rule.fits_tags("db web"));
        assert!(!rule.fits_tags("webshop db"));
        assert!(MembershipRule::default().fits_tags(""));
        assert_ne!(rule.digest(), MembershipRule::default().digest());
    }
}
