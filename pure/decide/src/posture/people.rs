//! Rules about accounts: factors, owners, recovery, and who still needs to be here.

use sallyport_model::{Timestamp, limits};

use super::{Account, AccountState, Facts, Finding, Link, Severity, Verdict, counted, named, verdict};
use crate::people::{AdminsProve, DeviceCodes, Factorless, Grace, grace};
use crate::policy::{AssignedRole, Role};

const DAY: i64 = 86_400;
/// An account that nobody signed in to for this long lies unused.
const DORMANT_SECS: i64 = 90 * DAY;
/// One that never was signed in to lies unused after this.
const NEVER_USED_SECS: i64 = 30 * DAY;
/// External support that stays longer than this is no visit any more.
const SUPPORT_SECS: i64 = 180 * DAY;
/// An invitation is answered within this.
const INVITATION_SECS: i64 = 7 * DAY;
/// Fewer recovery codes than this are few.
const FEW_CODES: u32 = 3;

/// Active accounts that a password alone opens a session for: those outside of claim C1. Decided by what decides at sign-in.
pub fn outside_c1(facts: &Facts) -> Vec<&Account> {
    let waits = |account: &&Account| {
        account.is_active() && !account.has_factor() && grace(&facts.mfa, &account.rights, account.required, facts.now) != Grace::Over
    };
    facts.accounts.iter().filter(waits).collect()
}

pub(super) fn without_factor(facts: &Facts) -> Verdict {
    let bare: Vec<&Account> = active(facts).filter(|account| !account.has_factor()).collect();
    let outside = outside_c1(facts).len();
    let why = match outside {
        0 => "They cannot sign in before they have activated one: a mailed link begins it.".to_owned(),
        some => format!("{} of them read with a password alone: claim C1 does not hold for them.", counted(some, "user")),
    };
    let severity = if outside > 0 { Severity::Critical } else { Severity::Warning };
    let title = |who: String| format!("{who} {} no second factor", has(bare.len()));
    one(facts, &bare, Template { severity, title: &title, why, fix: Link::new("Show them", "/users?mfa=without") }, "has a second factor")
}

pub(super) fn factorless(facts: &Facts) -> Verdict {
    let outside = outside_c1(facts);
    let (fix, subjects) = (Some(Link::new("Open the policy", "/security/mfa")), links(&outside));
    match (facts.mfa.factorless, outside.len()) {
        (Factorless::Refused, _) => Verdict::Holds("The policy refuses a password that comes alone. C1 holds for every account.".into()),
        (Factorless::Allowed, 0) => found(Finding {
            severity: Severity::Warning,
            title: "The policy allows sign-in without a factor".into(),
            why: "Nobody uses it now: C1 is held. It opens again with the next account that has no factor.".into(),
            subjects,
            fix,
        }),
        (Factorless::Allowed, some) => found(Finding {
            severity: Severity::Critical,
            title: format!("C1: held except {} (policy)", counted(some, "user")),
            why: "Whoever learns the password of one of them reads devices, jobs and output. Such sessions never act.".into(),
            subjects,
            fix,
        }),
    }
}

pub(super) fn single_owner(facts: &Facts) -> Verdict {
    let owners: Vec<&Account> = active(facts).filter(|account| account.rights.is(Role::Owner)).collect();
    let able = owners.iter().filter(|account| account.has_factor()).count();
    if able >= 2 {
        return Verdict::Holds(format!("{} with a second factor.", counted(able, "owner")));
    }
    found(Finding {
        severity: Severity::Critical,
        title: if able == 1 { "One owner".into() } else { "No owner can sign in".into() },
        why: "If this account is lost, only recovery codes or the authority kit bring the tenant back. Nobody can be its second person."
            .into(),
        subjects: links(&owners),
        fix: Some(Link::new("Invite a second owner", "/users?invite=1")),
    })
}

pub(super) fn admins_without_passkey(facts: &Facts) -> Verdict {
    let admins = || active(facts).filter(|account| account.rights.administers());
    if admins().any(|account| account.passkeys > 0) {
        let with = admins().filter(|account| account.passkeys > 0).count();
        return Verdict::Holds(format!("{with} of {} who administer have a passkey; P-05 names the others.", admins().count()));
    }
    found(Finding {
        severity: Severity::Critical,
        title: "Nobody who administers has a passkey".into(),
        why: "A passkey cannot be entered on a false page. Without one, a good imitation of the sign-in page is enough.".into(),
        subjects: links(&admins().collect::<Vec<_>>()),
        fix: Some(Link::new("Add a passkey to your account", "/profile")),
    })
}

pub(super) fn totp_only_admins(facts: &Facts) -> Verdict {
    let some: Vec<&Account> = active(facts).filter(|one| one.rights.administers() && one.totp > 0 && one.passkeys == 0).collect();
    let title = |who: String| format!("{who} {} only an authenticator app", has(some.len()));
    let why = "Codes can be passed on to a false page in real time; passkeys cannot.".to_owned();
    let fix = Link::new("Show who administers", "/users?role=admin");
    one(facts, &some, Template { severity: Severity::Warning, title: &title, why, fix }, "who administers has a passkey")
}

pub(super) fn few_codes(facts: &Facts) -> Verdict {
    let some: Vec<&Account> = active(facts).filter(|account| account.has_factor() && account.codes_left < FEW_CODES).collect();
    let title = |who: String| format!("{who} {} few recovery codes left", has(some.len()));
    let why = format!(
        "Of {} codes fewer than {FEW_CODES} are left. Without one, a lost phone costs an administrator's time, or a day.",
        limits::RECOVERY_CODES
    );
    let fix = Link::new("Show users", "/users");
    one(facts, &some, Template { severity: Severity::Warning, title: &title, why, fix }, "has recovery codes left")
}

pub(super) fn dormant(facts: &Facts) -> Verdict {
    let unused = |account: &&Account| match account.last_sign_in {
        Some(last) => last < facts.now.plus_secs(-DORMANT_SECS),
        None => account.created < facts.now.plus_secs(-NEVER_USED_SECS),
    };
    let some: Vec<&Account> = active(facts).filter(unused).collect();
    let title = |who: String| format!("{who} did not sign in for {} days", DORMANT_SECS / DAY);
    let why = "Nobody notices when an unused account is used by somebody else. Disable it; enabling it again takes one code.".to_owned();
    let fix = Link::new("Show who signed in last", "/users?sort=last_sign_in");
    one(facts, &some, Template { severity: Severity::Warning, title: &title, why, fix }, "was used lately")
}

pub(super) fn endless_support(facts: &Facts) -> Verdict {
    let support = |account: &&Account| {
        account.rights.assignments().iter().any(|one| one.role == AssignedRole::BuiltIn(Role::Support))
            && account.state != AccountState::Disabled
    };
    let long = |account: &&Account| account.expires.is_none_or(|end| end > facts.now.plus_secs(SUPPORT_SECS));
    let some: Vec<&Account> = facts.accounts.iter().filter(support).filter(long).collect();
    let title = |who: String| format!("{who} may help for more than {} days, or for ever", SUPPORT_SECS / DAY);
    let why =
        "People from outside change jobs without telling you. Give the account an end, and move it when they are still needed.".to_owned();
    let fix = Link::new("Show external support", "/users?role=support");
    one(facts, &some, Template { severity: Severity::Warning, title: &title, why, fix }, "of external support ends in time")
}

/// What is phished is what is typed: as long as a code will do, a page in between gets one.
pub(super) fn passkey_policy(facts: &Facts) -> Verdict {
    match facts.mfa.admins {
        AdminsProve::ByPasskey => Verdict::Holds("Codes of administrators who have a passkey open nothing, and authorize nothing.".into()),
        AdminsProve::ByAnyFactor => found(Finding {
            severity: Severity::Warning,
            title: "Administrators may sign in with a code".into(),
            why: "A page that looks like this one can pass a password and a code on while they are fresh. Give each administrator two passkeys, then take nothing else of them."
                .into(),
            subjects: Vec::new(),
            fix: Some(Link::new("Open the MFA policy", "/security/mfa")),
        }),
    }
}

/// The code is typed by whoever was talked into it, too: addresses and passkeys narrow that, and nothing ends it.
pub(super) fn device_codes(facts: &Facts) -> Verdict {
    match facts.mfa.device_codes {
        DeviceCodes::Refused => Verdict::Holds("No program is let in by a code that somebody types.".into()),
        DeviceCodes::Allowed => found(Finding {
            severity: Severity::Warning,
            title: "Programs may sign in by device code".into(),
            why: "Somebody at the same address can have one of you type a code for their own program, which then reads and asks as you. \
                  Switch it off where everybody can open a browser beside the terminal."
                .into(),
            subjects: Vec::new(),
            fix: Some(Link::new("Open the MFA policy", "/security/mfa")),
        }),
    }
}

pub(super) fn open_invitations(facts: &Facts) -> Verdict {
    let late = |account: &&Account| account.state == AccountState::Invited && account.created < since(facts, INVITATION_SECS);
    let some: Vec<&Account> = facts.accounts.iter().filter(late).collect();
    let title = |who: String| format!("{who} did not answer the invitation for {} days", INVITATION_SECS / DAY);
    let why = "Whoever reads their mail could answer it instead. Send it again when they are at hand, or disable the account.".to_owned();
    let fix = Link::new("Show invitations", "/users?state=invited");
    one(facts, &some, Template { severity: Severity::Warning, title: &title, why, fix }, "that was invited lately waits")
}

fn since(facts: &Facts, secs: i64) -> Timestamp {
    facts.now.plus_secs(-secs)
}

fn active(facts: &Facts) -> impl Iterator<Item = &Account> {
    facts.accounts.iter().filter(|account| account.is_active())
}

/// What is said where a rule names people.
struct Template<'a> {
    severity: Severity,
    title: &'a dyn Fn(String) -> String,
    why: String,
    fix: Link,
}

/// One finding that names all of them; nothing where there is nobody.
fn one(facts: &Facts, some: &[&Account], said: Template<'_>, good: &str) -> Verdict {
    if some.is_empty() {
        return verdict(Vec::new(), || format!("{} checked: each {good}.", counted(active(facts).count(), "active account")));
    }
    let who = named(some.iter().map(|account| account.name.as_str()), "user");
    found(Finding { severity: said.severity, title: (said.title)(who), why: said.why, subjects: links(some), fix: Some(said.fix) })
}

fn has(count: usize) -> &'static str {
    if count == 1 { "has" } else { "have" }
}

fn found(finding: Finding) -> Verdict {
    Verdict::Found(vec![finding])
}

fn links(accounts: &[&Account]) -> Vec<Link> {
    accounts.iter().map(|account| Link::new(account.name.clone(), format!("/users/{}", account.user))).collect()
}
