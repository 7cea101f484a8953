//! Signing in: password and code come together, and whatever is wrong, the answer is one and the same.
//!
//! The order is fixed by the types: a charged attempt, then the password, then a charged code, then the code. Each step takes the proof of
//! the one before. Codes are charged and consumed only behind a right password, and the shell hashes a dummy wherever there is no password
//! to compare, so that every way through costs the same.

use sallyport_model::{Timestamp, UserId};

use super::password::Breached;
use super::recovery::RecoveryCode;
use super::session::{Method, StepUpWindow};
use super::throttle::Charged;
use super::totp::{self, Code, Secret, Step};
use super::webauthn::{Asserted, Counter};
use crate::people::AdminsProve;
use crate::policy::Stage;

/// The second thing that a person typed.
#[derive(Clone)]
pub enum Credential {
    /// Six digits.
    Totp(Code),
    /// A recovery code. Six digits and 24 digits cannot be mixed up, so one sign-in spends one code.
    Recovery(RecoveryCode),
}

/// Why a text is neither code. It depends on the text alone, never on the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the six digits of an authenticator app, or a recovery code")]
pub struct NotACredential;

impl Credential {
    /// Reads either.
    pub fn parse(text: &str) -> Result<Self, NotACredential> {
        let totp = Code::parse(text).map(Self::Totp).map_err(|_| NotACredential);
        totp.or_else(|_| RecoveryCode::parse(text).map(Self::Recovery).map_err(|_| NotACredential))
    }
}

/// Whether an account may sign in at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserState {
    /// It may.
    Active,
    /// It may not, and the answer does not tell.
    Disabled,
}

impl UserState {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            UserState::Active => "active",
            UserState::Disabled => "disabled",
        }
    }

    /// Reads the stored word; what is unknown may not sign in.
    pub fn from_stored(text: &str) -> Self {
        if text == UserState::Active.as_str() { UserState::Active } else { UserState::Disabled }
    }
}

/// Whether the owner of recovery codes said that they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodesKept {
    /// They said so.
    Confirmed,
    /// They did not yet.
    Unconfirmed,
}

/// What is known of the account that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Whose it is.
    pub user: UserId,
    /// Whether it may sign in.
    pub state: UserState,
    /// Whether its recovery codes are kept.
    pub codes_kept: CodesKept,
}

/// What came out of hashing. A dummy hash is always [`PasswordVerdict::Wrong`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordVerdict {
    /// The same password.
    Right,
    /// Another one, or nothing to compare with.
    Wrong,
}

/// Whether the attempt was charged to the account's password counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Durably, before hashing.
    Charged,
    /// The account must wait: nothing about this attempt counts.
    Waiting,
}

/// The one answer to every sign-in that does not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("e-mail address, password or code is wrong")]
pub struct Refused;

/// The password was right and the account may sign in. Only [`judge_password`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPassed(Account);

impl PasswordPassed {
    /// Whose password it was.
    pub fn user(&self) -> UserId {
        self.0.user
    }
}

/// Judges the password of a charged attempt.
///
/// # Errors
/// [`Refused`] for no account, a disabled one, one that must wait, and a wrong password.
pub fn judge_password(account: Option<Account>, attempt: Attempt, verdict: PasswordVerdict) -> Result<PasswordPassed, Refused> {
    match (account, attempt, verdict) {
        (Some(account), Attempt::Charged, PasswordVerdict::Right) if account.state == UserState::Active => Ok(PasswordPassed(account)),
        _ => Err(Refused),
    }
}

/// What a right sign-in opens, and what it uses up. Only this module makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what it uses up must be stored in the transaction that opens the session"]
#[non_exhaustive]
pub struct SignedIn {
    /// Who.
    pub user: UserId,
    /// What the session is good for.
    pub stage: Stage,
    /// How they proved themselves.
    pub method: Method,
    /// The time step to be stored as used, on condition that the stored one is earlier.
    pub used_step: Option<Step>,
    /// The step-up window; a recovery code opens none.
    pub step_up: Option<StepUpWindow>,
}

/// The first sign-in of a user whose set-up it finishes: the code that confirmed the authenticator is used up by it.
pub fn enrolled(user: UserId, accepted: totp::Accepted, now: Timestamp) -> SignedIn {
    let step_up = Some(StepUpWindow::open(now));
    SignedIn { user, stage: Stage::Codes, method: Method::Totp, used_step: Some(accepted.step), step_up }
}

/// What is known of the account's authenticator.
pub struct TotpFactor<'a> {
    /// The unsealed secret.
    pub secret: &'a Secret,
    /// The step of the last accepted code, whatever the route was.
    pub last_step: Option<Step>,
    /// What charging this attempt said.
    pub charged: Charged,
    /// Whether it counts for guarded actions yet.
    pub counts: Counts,
}

/// Judges an authenticator's code. The comparison is made whatever the charge says, and counts only where it may.
///
/// # Errors
/// [`Refused`] for a locked factor and for a code that is wrong, old or used.
pub fn judge_totp(passed: PasswordPassed, factor: &TotpFactor<'_>, code: &Code, now: Timestamp) -> Result<SignedIn, Refused> {
    let judged = totp::judge(factor.secret, code, factor.last_step, now);
    let step = match (factor.charged, judged) {
        (Charged::Open | Charged::Last, Ok(accepted)) => accepted.step,
        _ => return Err(Refused),
    };
    let stage = match passed.0.codes_kept {
        CodesKept::Confirmed => Stage::Full,
        CodesKept::Unconfirmed => Stage::Codes,
    };
    Ok(SignedIn { user: passed.user(), stage, method: Method::Totp, used_step: Some(step), step_up: factor.counts.window(now) })
}

/// Judges a passkey's answer: it verified its user, so that it stands for two factors and needs no password.
///
/// # Errors
/// [`Refused`] for a disabled account, and where the signature counter did not go forward: then somebody has a copy of the key.
pub fn judge_passkey(account: Account, asserted: &Asserted, counts: Counts, now: Timestamp) -> Result<SignedIn, Refused> {
    if account.state != UserState::Active || asserted.counter == Counter::Regressed {
        return Err(Refused);
    }
    let stage = match account.codes_kept {
        CodesKept::Confirmed => Stage::Full,
        CodesKept::Unconfirmed => Stage::Codes,
    };
    let step_up = counts.window(now);
    Ok(SignedIn { user: account.user, stage, method: Method::Passkey, used_step: None, step_up })
}

/// Whether a factor counts for guarded actions yet (one that was enrolled after a recovery waits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// It does.
    Now,
    /// It signs in, and opens no step-up window.
    Later(Timestamp),
}

impl Counts {
    /// From the stored time.
    pub fn of(counts_from: Option<Timestamp>, now: Timestamp) -> Self {
        match counts_from {
            Some(from) if now < from => Counts::Later(from),
            _ => Counts::Now,
        }
    }

    fn window(self, now: Timestamp) -> Option<StepUpWindow> {
        (self == Counts::Now).then(|| StepUpWindow::open(now))
    }
}

/// What becomes of a sign-in that holds, where its password is on a list of breached ones: with a factor it opens a session that changes
/// the password and nothing else; a restricted session stays what it is.
///
/// # Errors
/// [`Refused`] where the password came alone: everybody may have it.
pub fn judge_breached(signed_in: SignedIn, breached: Breached) -> Result<SignedIn, Refused> {
    match (breached, signed_in.stage) {
        (Breached::NotListed, _) | (Breached::Listed, Stage::Restricted | Stage::NewPassword) => Ok(signed_in),
        (Breached::Listed, Stage::Factorless | Stage::DeviceCode | Stage::Client) => Err(Refused),
        (Breached::Listed, Stage::Full | Stage::Codes) => Ok(SignedIn { stage: Stage::NewPassword, step_up: None, ..signed_in }),
    }
}

/// Whether somebody has a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HasPasskey {
    /// They do.
    Yes,
    /// They do not.
    No,
}

/// What becomes of a sign-in that holds, where administrators prove themselves by passkeys: who has one signs in with it and with nothing
/// weaker, recovery codes included, for what is offered beside it is what would be phished. Who has none yet signs in, and authorizes
/// nothing before they have.
///
/// # Errors
/// [`Refused`] for everything but the passkey of somebody who has one.
pub fn judge_means(signed_in: SignedIn, proves: AdminsProve, has: HasPasskey) -> Result<SignedIn, Refused> {
    match (proves, signed_in.method, has) {
        (AdminsProve::ByAnyFactor, _, _) | (AdminsProve::ByPasskey, Method::Passkey, _) => Ok(signed_in),
        (AdminsProve::ByPasskey, _, HasPasskey::Yes) => Err(Refused),
        (AdminsProve::ByPasskey, _, HasPasskey::No) => Ok(SignedIn { step_up: None, ..signed_in }),
    }
}

/// Whether the store holds the code's keyed hash for this user, unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryVerdict {
    /// It does. It must be taken in the transaction that opens the session.
    Held,
    /// It does not, or the code was used.
    NotHeld,
}

/// Judges a recovery code: it opens a restricted session.
///
/// # Errors
/// [`Refused`] for locked recovery and for a code that is wrong or used.
pub fn judge_recovery(passed: PasswordPassed, charged: Charged, verdict: RecoveryVerdict) -> Result<SignedIn, Refused> {
    match (charged, verdict) {
        (Charged::Open | Charged::Last, RecoveryVerdict::Held) => {
            Ok(SignedIn { user: passed.user(), stage: Stage::Restricted, method: Method::RecoveryCode, used_step: None, step_up: None })
        }
        _ => Err(Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account { user: UserId::from_bytes([1; 16]), state: UserState::Active, codes_kept: CodesKept::Confirmed }
    }

    fn now() -> Timestamp {
        Timestamp::from_secs(1_790_000_010)
    }

    fn secret() -> Secret {
        Secret::from_bytes([3; 20])
    }

    fn code() -> Code {
        Code::at(&secret(), Step::at(now()))
    }

    fn passed(account: Account) -> PasswordPassed {
        judge_password(Some(account), Attempt::Charged, PasswordVerdict::Right).expect("right")
    }

    fn judge(charged: Charged, last_step: Option<Step>) -> Result<SignedIn, Refused> {
        judge_totp(passed(account()), &TotpFactor { secret: &secret(), last_step, charged, counts: Counts::Now }, &code(), now())
    }

    #[test]
    fn password_and_code_open_a_full_session() {
        let signed_in = judge(Charged::Open, None).expect("both are right");
        assert_eq!((signed_in.stage, signed_in.method, signed_in.used_step), (Stage::Full, Method::Totp, Some(Step::at(now()))));
        assert_eq!(signed_in.step_up, Some(StepUpWindow::open(now())));
    }

    #[test]
    fn pwd_15_whatever_is_wrong_the_answer_is_the_same() {
        let disabled = Account { state: UserState::Disabled, ..account() };
        for (account, attempt, verdict) in [
            (None, Attempt::Charged, PasswordVerdict::Wrong),
            (None, Attempt::Charged, PasswordVerdict::Right),
            (Some(account()), Attempt::Charged, PasswordVerdict::Wrong),
            (Some(account()), Attempt::Waiting, PasswordVerdict::Right),
            (Some(disabled), Attempt::Charged, PasswordVerdict::Right),
        ] {
            assert_eq!(judge_password(account, attempt, verdict), Err(Refused));
        }
        assert_eq!(judge(Charged::Open, Some(Step::at(now()))), Err(Refused), "a used code");
        assert_eq!(judge(Charged::Locked, None), Err(Refused), "a locked factor");
    }

    #[test]
    fn totp_14_the_last_charged_attempt_is_still_judged() {
        assert!(judge(Charged::Last, None).is_ok());
        assert_eq!(judge(Charged::Locked, None), Err(Refused));
    }

    #[test]
    fn rec_07_one_sign_in_has_one_code() {
        assert!(matches!(Credential::parse("123 456"), Ok(Credential::Totp(_))));
        assert!(matches!(Credential::parse("000G40-R40M30-E209ZB-XZSZFY"), Ok(Credential::Recovery(_))));
        for both in ["123456 000G40R40M30E209ZBXZSZFY", "000G40R40M30E209ZBXZSZFY000G40R40M30E209ZBXZSZFY", ""] {
            assert!(Credential::parse(both).is_err(), "{both}");
        }
    }

    #[test]
    fn rec_03_a_recovery_code_opens_a_restricted_session_without_a_step_up_window() {
        let signed_in = judge_recovery(passed(account()), Charged::Open, RecoveryVerdict::Held).expect("held");
        assert_eq!((signed_in.stage, signed_in.method, signed_in.step_up), (Stage::Restricted, Method::RecoveryCode, None));
        assert_eq!(judge_recovery(passed(account()), Charged::Open, RecoveryVerdict::NotHeld), Err(Refused));
        assert_eq!(judge_recovery(passed(account()), Charged::Locked, RecoveryVerdict::Held), Err(Refused));
    }

    #[test]
    fn pwd_04_a_breached_password_opens_with_a_factor_what_changes_it_and_alone_nothing() {
        let full = judge(Charged::Open, None).expect("both are right");
        assert_eq!(judge_breached(full, Breached::NotListed), Ok(full));
        let judged = judge_breached(full, Breached::Listed).expect("a factor was proved");
        assert_eq!((judged.stage, judged.step_up, judged.used_step), (Stage::NewPassword, None, full.used_step));
        let alone = SignedIn { stage: Stage::Factorless, ..full };
        assert_eq!(judge_breached(alone, Breached::Listed), Err(Refused));
        let restricted = SignedIn { stage: Stage::Restricted, ..full };
        assert_eq!(judge_breached(restricted, Breached::Listed), Ok(restricted));
    }

    #[test]
    fn a08_who_has_a_passkey_and_must_use_it_signs_in_with_nothing_weaker() {
        let code = judge(Charged::Open, None).expect("both are right");
        let recovery = judge_recovery(passed(account()), Charged::Open, RecoveryVerdict::Held).expect("held");
        let passkey = SignedIn { method: Method::Passkey, used_step: None, ..code };
        for signed_in in [code, recovery, passkey] {
            for has in [HasPasskey::Yes, HasPasskey::No] {
                assert_eq!(judge_means(signed_in, AdminsProve::ByAnyFactor, has), Ok(signed_in));
            }
        }
        assert_eq!(judge_means(code, AdminsProve::ByPasskey, HasPasskey::Yes), Err(Refused));
        assert_eq!(judge_means(recovery, AdminsProve::ByPasskey, HasPasskey::Yes), Err(Refused));
        assert_eq!(judge_means(passkey, AdminsProve::ByPasskey, HasPasskey::Yes), Ok(passkey));
        let bare = judge_means(code, AdminsProve::ByPasskey, HasPasskey::No).expect("they must get in to add one");
        assert_eq!((bare.stage, bare.step_up, bare.used_step), (Stage::Full, None, code.used_step));
    }

    #[test]
    fn codes_that_nobody_kept_are_asked_for_again() {
        let unconfirmed = Account { codes_kept: CodesKept::Unconfirmed, ..account() };
        let factor = TotpFactor { secret: &secret(), last_step: None, charged: Charged::Open, counts: Counts::Now };
        assert_eq!(judge_totp(passed(unconfirmed), &factor, &code(), now()).map(|signed_in| signed_in.stage), Ok(Stage::Codes));
    }
}
