//! Proving a factor outside of sign-in: for guarded actions, for one's own factors and password, and to lift a session.

use sallyport_api as api;
use sallyport_api::Code as Refused;
use sallyport_decide::accounts::sign_in::{Counts, HasPasskey};
use sallyport_decide::accounts::throttle::Charged;
use sallyport_decide::accounts::totp::{Code, judge};
use sallyport_decide::accounts::webauthn::{Counter, Scope};
use sallyport_decide::people::AdminsProve;
use sallyport_decide::policy::Actor;
use sallyport_model::{Digest, FactorId, Timestamp};
use sallyport_store::ops::accounts::{ChargeTotp, ChargedTotp, LockFactor, PasskeyFacts, PasskeyUse, ReportCopy, UsedFactor, passkey};
use sallyport_store::ops::people::means_of;

use super::passkey::{Answered, challenge, refused, spend};
use super::totp::unseal;
use crate::{App, Refusal};

/// A factor that was right. It counts once [`UsedFactor`] was used up inside the transaction that acts on it; a conflict there means that it
/// was used meanwhile.
#[derive(Debug, Clone, Copy)]
#[must_use = "a factor that is not used up proves twice"]
pub struct ProvenFactor {
    /// What is to be used up.
    pub used: UsedFactor,
    /// Whether it counts for guarded actions yet.
    pub counts: Counts,
}

impl ProvenFactor {
    /// The factor, where it counts already.
    ///
    /// # Errors
    /// `factor_too_new` for one that was enrolled after a recovery and waits.
    pub fn counting(self) -> Result<UsedFactor, Refusal> {
        match self.counts {
            Counts::Now => Ok(self.used),
            Counts::Later(from) => Err(Refusal::from(Refused::FactorTooNew).because(format!("This factor counts from {from} on."))),
        }
    }
}

/// Proves a factor for one of one's own changes: a code, or a passkey's answer to a challenge of the same purpose.
pub(super) async fn prove_factor(
    app: &App,
    actor: &Actor,
    answer: &api::FactorAnswer,
    purpose: api::ChallengePurpose,
) -> Result<ProvenFactor, Refusal> {
    match (&answer.totp, &answer.passkey) {
        (Some(code), None) => {
            // Who has none yet adds one by a code.
            if let (AdminsProve::ByPasskey, HasPasskey::Yes) = means(app, actor).await? {
                return Err(Refused::PasskeyRequired.into());
            }
            compare_totp(app, actor, code).await
        }
        (None, Some(answer)) => {
            let challenge = spend(app, &scope(actor, purpose), &answer.ceremony).await?;
            prove_passkey(app, actor, &answer.credential, challenge.as_bytes()).await
        }
        _ => Err(Refusal::field("proof", "must have either totp or passkey")),
    }
}

fn scope(actor: &Actor, purpose: api::ChallengePurpose) -> Scope {
    let (session, user) = (actor.session, actor.user);
    match purpose {
        api::ChallengePurpose::Factors => Scope::Factors(session, user),
        api::ChallengePurpose::Password => Scope::Password(session, user),
        api::ChallengePurpose::Elevate => Scope::Elevate(session, user),
        api::ChallengePurpose::CheckUp => Scope::CheckUp(session, user),
    }
}

/// Begins a proof by passkey for one of one's own changes.
pub(super) async fn begin(app: &App, actor: &Actor, purpose: api::ChallengePurpose) -> Result<api::StartedAssertion, Refusal> {
    let challenge = app.accounts.challenges.issue(&scope(actor, purpose), app.random(), app.clock.now());
    let options = challenge_options(app, actor, challenge.as_bytes()).await?;
    Ok(api::StartedAssertion { ceremony: challenge.to_text(), options })
}

/// Begins a proof of an authorization request: its digest is the challenge, so that the answer is for exactly these bytes.
pub(crate) async fn begin_request(app: &App, actor: &Actor, digest: &Digest) -> Result<api::StartedAssertion, Refusal> {
    let options = challenge_options(app, actor, digest.as_bytes()).await?;
    Ok(api::StartedAssertion { ceremony: options.challenge.clone(), options })
}

async fn challenge_options(app: &App, actor: &Actor, bytes: &[u8]) -> Result<api::RequestOptions, Refusal> {
    let options = challenge(app, Some(actor.user), bytes).await?;
    if options.allow_credentials.is_empty() {
        return Err(Refusal::from(Refused::FactorRequired).because("There is no passkey in this account: use a code."));
    }
    Ok(options)
}

/// Judges a passkey's answer to a challenge: one of the actor's own credentials, with user verification.
///
/// # Errors
/// `passkey_refused` for every answer that does not hold.
pub async fn prove_passkey(app: &App, actor: &Actor, credential: &api::Assertion, challenge: &[u8]) -> Result<ProvenFactor, Refusal> {
    let answered = Answered::parse(credential)?;
    let facts = passkey(&mut app.store.read().await?, answered.credential.as_bytes()).await?;
    let facts = facts.filter(|facts| facts.account.user == actor.user).ok_or(Refused::PasskeyRefused)?;
    if answered.user_handle.as_ref().is_some_and(|handle| handle != actor.user.as_bytes()) {
        return Err(Refused::PasskeyRefused.into());
    }
    let used = answered.judge(app, &facts, challenge).map_err(refused)?;
    if used.asserted.counter == Counter::Regressed {
        report_copy(app, &facts).await?;
        return Err(Refused::PasskeyRefused.into());
    }
    let counts = Counts::of(facts.counts_from, app.clock.now());
    Ok(ProvenFactor { used: UsedFactor::Passkey(used), counts })
}

/// A counter that did not go forward: the owner and the log are told, and the answer counts for nothing.
pub(super) async fn report_copy(app: &App, facts: &PasskeyFacts) -> Result<(), Refusal> {
    let (tenant, user, factor) = (facts.tenant, facts.account.user, facts.factor);
    app.store.commit(ReportCopy { tenant, user, factor, at: app.clock.now(), salt: app.random() }).await.map_err(Refusal::from)
}

impl Answered {
    fn judge(
        &self,
        app: &App,
        facts: &PasskeyFacts,
        challenge: &[u8],
    ) -> Result<PasskeyUse, sallyport_decide::accounts::webauthn::Refused> {
        let asserted = self.verify(app, &facts.stored, challenge)?;
        Ok(PasskeyUse { factor: facts.factor, before: facts.stored.sign_count, asserted })
    }
}

/// Judges a code by each of the actor's authenticators. The attempt is charged first, for all of the user's sessions and routes together.
///
/// # Errors
/// `code_refused` for a wrong, old or used code, `factor_locked` after too many, `factor_required` without an authenticator,
/// `passkey_required` where policy takes passkeys alone.
pub async fn prove_totp(app: &App, actor: &Actor, typed: &str) -> Result<ProvenFactor, Refusal> {
    match means(app, actor).await? {
        (AdminsProve::ByPasskey, _) => Err(Refused::PasskeyRequired.into()),
        (AdminsProve::ByAnyFactor, _) => compare_totp(app, actor, typed).await,
    }
}

/// What policy takes as a proof of this person, and whether they have a passkey.
async fn means(app: &App, actor: &Actor) -> Result<(AdminsProve, HasPasskey), Refusal> {
    means_of(&mut app.store.read().await?, actor.tenant, actor.user).await.map_err(Refusal::from)
}

async fn compare_totp(app: &App, actor: &Actor, typed: &str) -> Result<ProvenFactor, Refusal> {
    let code = Code::parse(typed).map_err(|why| Refusal::from(Refused::CodeRefused).because(why).at("totp"))?;
    let charged = app.store.reserve(ChargeTotp { user: actor.user }).await?;
    if charged.is_empty() {
        return Err(Refused::FactorRequired.into());
    }
    let now = app.clock.now();
    if let Some(proven) = judge_each(app, &charged, &code, now)? {
        return Ok(proven);
    }
    let last = charged.iter().filter(|factor| factor.charged == Charged::Last);
    for factor in last {
        lock(app, actor, factor.factor, now).await?;
    }
    let open = charged.iter().any(|factor| factor.charged == Charged::Open);
    Err(if open { Refused::CodeRefused.into() } else { Refused::FactorLocked.into() })
}

/// Each authenticator is compared, whichever one fits.
fn judge_each(app: &App, charged: &[ChargedTotp], code: &Code, now: Timestamp) -> Result<Option<ProvenFactor>, Refusal> {
    let mut proven = None;
    for factor in charged {
        let judged = judge(&unseal(&app.keys, factor.factor, &factor.sealed)?, code, factor.last_step, now);
        if let (Charged::Open | Charged::Last, Ok(accepted)) = (factor.charged, judged) {
            let used = UsedFactor::Totp { factor: factor.factor, step: accepted.step };
            proven = proven.or(Some(ProvenFactor { used, counts: Counts::of(factor.counts_from, now) }));
        }
    }
    Ok(proven)
}

async fn lock(app: &App, actor: &Actor, factor: FactorId, at: Timestamp) -> Result<(), Refusal> {
    let change = LockFactor { tenant: actor.tenant, user: actor.user, factor, at, salt: app.random() };
    app.store.reserve(change).await.map_err(Refusal::from)
}
