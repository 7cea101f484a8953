//! What a right password opens without a factor: at most a session that reads, and only where policy or a trusted network allows it.

use std::net::IpAddr;

use sallyport_model::Timestamp;

use super::session::Method;
use super::sign_in::{PasswordPassed, Refused, SignedIn};
use crate::networks::Rules;
use crate::people::{Grace, MfaPolicy, grace};
use crate::policy::{AssignedRole, Rights, Role, Stage};

/// Whether an account has a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// It has one.
    Yes,
    /// It has none.
    No,
}

/// What a password alone is judged by. There is no fact about a single person that could exempt them.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Whether the account has a factor.
    pub enrolled: Enrolled,
    /// Its roles.
    pub rights: &'a Rights,
    /// Whether an administrator requires a factor of it.
    pub required: bool,
    /// The tenant's policy of factors.
    pub policy: &'a MfaPolicy,
    /// The tenant's rules about addresses.
    pub rules: &'a Rules,
    /// Where the sign-in comes from.
    pub from: IpAddr,
}

/// Judges a right password that came alone: class 0, until a factor is proved.
///
/// # Errors
/// [`Refused`] wherever a factor is needed: it looks like every other failure.
pub fn judge_alone(passed: PasswordPassed, facts: &Facts<'_>, now: Timestamp) -> Result<SignedIn, Refused> {
    match stays_alone(facts, now) {
        true => Ok(SignedIn { user: passed.user(), stage: Stage::Factorless, method: Method::Password, used_step: None, step_up: None }),
        false => Err(Refused),
    }
}

/// Whether a session without a factor goes on: as long as one would be opened. After the deadline, or once policy or role take it back,
/// it is good for setting up a factor and for nothing else.
pub fn stays_alone(facts: &Facts<'_>, now: Timestamp) -> bool {
    match facts.enrolled {
        Enrolled::No => grace(facts.policy, facts.rights, facts.required, now) != Grace::Over,
        Enrolled::Yes => is_technician(facts.rights) && facts.rules.trusts(facts.from),
    }
}

/// Technicians and nothing more: who also administers, or comes from outside, is asked for a factor everywhere.
fn is_technician(rights: &Rights) -> bool {
    let technician = |role: &AssignedRole| *role == AssignedRole::BuiltIn(Role::Technician);
    !rights.assignments().is_empty() && rights.assignments().iter().all(|one| technician(&one.role)) && !rights.administers()
}

#[cfg(test)]
mod tests {
    use sallyport_model::UserId;

    use super::*;
    use crate::accounts::sign_in::{Account, Attempt, CodesKept, PasswordVerdict, UserState, judge_password};
    use crate::networks::Trusted;
    use crate::people::{Factorless, MfaWho};

    fn passed() -> PasswordPassed {
        let account = Account { user: UserId::from_bytes([1; 16]), state: UserState::Active, codes_kept: CodesKept::Confirmed };
        judge_password(Some(account), Attempt::Charged, PasswordVerdict::Right).unwrap()
    }

    fn office() -> Rules {
        Rules { trusted: vec![Trusted { label: "Office".into(), ranges: vec!["192.0.2.0/24".parse().unwrap()] }], ..Rules::default() }
    }

    fn judge(enrolled: Enrolled, rights: &Rights, policy: &MfaPolicy, from: &str) -> Option<Stage> {
        let (rules, from) = (office(), from.parse().unwrap());
        let facts = Facts { enrolled, rights, required: false, policy, rules: &rules, from };
        judge_alone(passed(), &facts, Timestamp::from_secs(1_790_000_000)).ok().map(|signed_in| signed_in.stage)
    }

    #[test]
    fn net_04_a_trusted_network_lets_technicians_read_and_nobody_else() {
        let policy = MfaPolicy::default();
        for role in Role::ALL {
            let wanted = (role == Role::Technician).then_some(Stage::Factorless);
            assert_eq!(judge(Enrolled::Yes, &Rights::of(role), &policy, "192.0.2.7"), wanted, "{role:?}");
            assert_eq!(judge(Enrolled::Yes, &Rights::of(role), &policy, "198.51.100.7"), None, "{role:?} from elsewhere");
        }
        assert_eq!(judge(Enrolled::Yes, &Rights::default(), &policy, "192.0.2.7"), None, "nobody without a role");
    }

    #[test]
    fn net_04_a_trusted_network_is_no_grace_for_who_has_no_factor() {
        assert_eq!(judge(Enrolled::No, &Rights::of(Role::Technician), &MfaPolicy::default(), "192.0.2.7"), None);
        let admins = MfaPolicy { who: MfaWho::Admins, factorless: Factorless::Allowed, ..MfaPolicy::default() };
        assert_eq!(judge(Enrolled::No, &Rights::of(Role::Technician), &admins, "198.51.100.7"), Some(Stage::Factorless));
        assert_eq!(judge(Enrolled::No, &Rights::of(Role::Admin), &admins, "192.0.2.7"), None);
    }
}
