//! Authenticators: opening their secrets, and proving one outside of sign-in.

use sallyport_api::Code as Refused;
use sallyport_decide::accounts::throttle::Charged;
use sallyport_decide::accounts::totp::{Code, SECRET_BYTES, Secret, Step, judge};
use sallyport_decide::policy::Actor;
use sallyport_model::FactorId;
use sallyport_store::ops::accounts::{ChargeTotp, ChargedTotp, LockFactor};

use crate::clock::random;
use crate::keys::Keys;
use crate::{App, Refusal};

const LABEL: &str = "totp";

/// Seals a secret for its factor: moved to another row, it does not open.
pub(super) fn seal(keys: &Keys, factor: FactorId, secret: &Secret) -> Vec<u8> {
    keys.seal(LABEL, factor.as_bytes(), secret.as_bytes())
}

/// Opens a factor's secret.
pub(super) fn unseal(keys: &Keys, factor: FactorId, sealed: &[u8]) -> Result<Secret, Refusal> {
    let opened = keys.open_sealed(LABEL, factor.as_bytes(), sealed).map_err(|error| {
        tracing::error!(%error, %factor, "a secret does not open");
        Refusal::from(Refused::Internal)
    })?;
    <[u8; SECRET_BYTES]>::try_from(opened.as_slice()).map(Secret::from_bytes).map_err(|_| Refused::Internal.into())
}

/// A code that was right. It counts once [`use_totp_step`](sallyport_store::ops::accounts::use_totp_step) took the step inside the
/// transaction that acts on it; a conflict there means that the code was used meanwhile.
#[derive(Debug, Clone, Copy)]
#[must_use = "a step that is not used up lets the code work twice"]
pub struct TotpUse {
    /// Whose authenticator.
    pub factor: FactorId,
    /// The step to use up.
    pub step: Step,
}

/// Judges a code for a guarded action. The attempt is charged first, for all of the user's sessions and routes together.
///
/// # Errors
/// `code_refused` for a wrong, old or used code, `factor_locked` after too many, `factor_required` without an authenticator.
pub async fn prove_totp(app: &App, actor: &Actor, typed: &str) -> Result<TotpUse, Refusal> {
    let code = Code::parse(typed).map_err(|why| Refusal::from(Refused::CodeRefused).because(why).at("totp"))?;
    let charged = app.store.reserve(ChargeTotp { user: actor.user }).await?.ok_or(Refused::FactorRequired)?;
    let now = app.clock.now();
    let judged = judge(&unseal(&app.keys, charged.factor, &charged.sealed)?, &code, charged.last_step, now);
    match (charged.charged, judged) {
        (Charged::Locked, _) => Err(Refused::FactorLocked.into()),
        (Charged::Open | Charged::Last, Ok(accepted)) => Ok(TotpUse { factor: charged.factor, step: accepted.step }),
        (Charged::Open, Err(_)) => Err(Refused::CodeRefused.into()),
        (Charged::Last, Err(_)) => Err(lock(app, actor, &charged).await),
    }
}

async fn lock(app: &App, actor: &Actor, charged: &ChargedTotp) -> Refusal {
    let change = LockFactor { tenant: actor.tenant, user: actor.user, factor: charged.factor, at: app.clock.now(), salt: random() };
    match app.store.reserve(change).await {
        Ok(()) => Refused::FactorLocked.into(),
        Err(error) => error.into(),
    }
}
