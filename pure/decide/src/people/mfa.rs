//! Who must have a second factor, and what becomes of those who have none yet.

use sallyport_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::policy::Rights;

/// Who must have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MfaWho {
    /// Those who manage others.
    Admins,
    /// Everybody.
    All,
    /// Those who manage others, and users with one of the named roles.
    Roles,
}

impl MfaWho {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admins => "admins",
            Self::All => "all",
            Self::Roles => "roles",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Admins, Self::All, Self::Roles].into_iter().find(|who| who.as_str() == word)
    }
}

/// The tenant's policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaPolicy {
    /// Who must have one.
    pub who: MfaWho,
    /// Words of roles, where `who` names roles.
    pub roles: Vec<String>,
    /// Until when those who must may still wait, where factor-less sign-in is allowed.
    pub deadline: Option<Timestamp>,
    /// Whether a password alone opens a session that reads.
    pub factorless: Factorless,
    /// What those who manage others prove themselves by.
    #[serde(default)]
    pub admins: AdminsProve,
    /// Whether programs are let in by a code that a person types.
    #[serde(default)]
    pub device_codes: DeviceCodes,
}

/// Whether programs are let in by a code that a person types on a page (RFC 8628).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceCodes {
    /// They are not.
    #[default]
    Refused,
    /// They are, by whoever has a passkey.
    Allowed,
}

/// What those who manage others prove themselves by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminsProve {
    /// Whatever factor they have.
    #[default]
    ByAnyFactor,
    /// A passkey: nothing that a page of another origin could pass on.
    ByPasskey,
}

/// What a proof of this person has to be.
pub fn proves(policy: &MfaPolicy, rights: &Rights) -> AdminsProve {
    if rights.administers() { policy.admins } else { AdminsProve::ByAnyFactor }
}

/// With fewer passkeys than this, a lost one keeps an administrator out.
pub const ADMIN_PASSKEYS: usize = 2;

/// Whether a password alone opens a session that reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factorless {
    /// It does, for users who have no factor and need not have one yet.
    Allowed,
    /// It opens nothing.
    Refused,
}

impl Default for MfaPolicy {
    fn default() -> Self {
        Self {
            who: MfaWho::All,
            roles: Vec::new(),
            deadline: None,
            factorless: Factorless::Refused,
            admins: AdminsProve::default(),
            device_codes: DeviceCodes::default(),
        }
    }
}

/// Why an account must have a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredBy {
    /// Everybody must.
    Tenant,
    /// One of its roles must.
    Role,
    /// An administrator required it of this account.
    User,
}

/// Why this account must have a factor; `None` where it need not.
pub fn required_by(policy: &MfaPolicy, rights: &Rights, own: bool) -> Option<RequiredBy> {
    let named = || rights.assignments().iter().any(|one| policy.roles.contains(&one.role.word()));
    match policy.who {
        MfaWho::All => Some(RequiredBy::Tenant),
        _ if rights.administers() => Some(RequiredBy::Role),
        MfaWho::Roles if named() => Some(RequiredBy::Role),
        MfaWho::Roles | MfaWho::Admins => own.then_some(RequiredBy::User),
    }
}

/// What a right password alone is good for, where the account has no factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// A session that reads; it can wait until then, or for good.
    Until(Option<Timestamp>),
    /// Nothing but a mailed link to the activation.
    Over,
}

/// Decides it. Who manages others never waits; before the deadline whoever must may wait, after it nobody.
pub fn grace(policy: &MfaPolicy, rights: &Rights, own: bool, now: Timestamp) -> Grace {
    let required = required_by(policy, rights, own);
    match (policy.factorless, required, policy.deadline) {
        (Factorless::Refused, _, _) => Grace::Over,
        _ if rights.administers() => Grace::Over,
        (Factorless::Allowed, None, _) => Grace::Until(None),
        (Factorless::Allowed, Some(_), Some(deadline)) if now < deadline => Grace::Until(Some(deadline)),
        (Factorless::Allowed, Some(_), _) => Grace::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Role;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    fn policy(who: MfaWho, deadline: Option<Timestamp>, factorless: Factorless) -> MfaPolicy {
        MfaPolicy { who, roles: vec!["technician".into()], deadline, factorless, ..MfaPolicy::default() }
    }

    #[test]
    fn who_must_have_a_factor() {
        let technician = Rights::of(Role::Technician);
        let auditor = Rights::of(Role::Auditor);
        let allowed = |who| policy(who, None, Factorless::Allowed);
        assert_eq!(required_by(&allowed(MfaWho::All), &auditor, false), Some(RequiredBy::Tenant));
        assert_eq!(required_by(&allowed(MfaWho::Roles), &technician, false), Some(RequiredBy::Role));
        assert_eq!(required_by(&allowed(MfaWho::Roles), &auditor, false), None);
        assert_eq!(required_by(&allowed(MfaWho::Admins), &technician, false), None);
        assert_eq!(required_by(&allowed(MfaWho::Admins), &technician, true), Some(RequiredBy::User));
        assert_eq!(required_by(&allowed(MfaWho::Admins), &Rights::of(Role::Admin), false), Some(RequiredBy::Role));
    }

    #[test]
    fn c1_by_default_a_password_alone_opens_nothing() {
        for role in Role::ALL {
            assert_eq!(grace(&MfaPolicy::default(), &Rights::of(role), false, at(0)), Grace::Over);
        }
    }

    #[test]
    fn passkeys_are_wanted_of_those_who_manage_others_alone() {
        let strict = MfaPolicy { admins: AdminsProve::ByPasskey, ..MfaPolicy::default() };
        for role in Role::ALL {
            let rights = Rights::of(role);
            let wanted = if rights.administers() { AdminsProve::ByPasskey } else { AdminsProve::ByAnyFactor };
            assert_eq!((proves(&strict, &rights), proves(&MfaPolicy::default(), &rights)), (wanted, AdminsProve::ByAnyFactor));
        }
        assert!(Rights::of(Role::Owner).administers() && !Rights::of(Role::Technician).administers());
        let frozen_before = r#"{"who":"all","roles":[],"deadline":null,"factorless":"refused"}"#;
        assert_eq!(serde_json::from_str::<MfaPolicy>(frozen_before).unwrap(), MfaPolicy::default(), "requests that wait stay readable");
    }

    #[test]
    fn later_is_refused_after_the_deadline() {
        let policy = policy(MfaWho::All, Some(at(60)), Factorless::Allowed);
        let rights = Rights::of(Role::Technician);
        assert_eq!(grace(&policy, &rights, false, at(59)), Grace::Until(Some(at(60))));
        assert_eq!(grace(&policy, &rights, false, at(60)), Grace::Over);
    }

    #[test]
    fn later_is_never_offered_to_those_who_manage_others() {
        for who in [MfaWho::All, MfaWho::Admins, MfaWho::Roles] {
            let policy = policy(who, Some(at(60)), Factorless::Allowed);
            for role in [Role::Owner, Role::Admin] {
                assert_eq!(grace(&policy, &Rights::of(role), false, at(0)), Grace::Over);
            }
        }
    }

    #[test]
    fn who_need_not_may_wait_for_good_and_a_missing_deadline_is_none() {
        let auditor = Rights::of(Role::Auditor);
        assert_eq!(grace(&policy(MfaWho::Admins, None, Factorless::Allowed), &auditor, false, at(0)), Grace::Until(None));
        assert_eq!(grace(&policy(MfaWho::All, None, Factorless::Allowed), &auditor, false, at(0)), Grace::Over);
    }
}
