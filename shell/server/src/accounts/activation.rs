//! What activations by a link share with set-up and sign-in: judging a new and a present password, sealing a secret.

use sallyport_decide::accounts::password::{self, Context, Password};
use sallyport_decide::accounts::sign_in::{Attempt, PasswordVerdict};
use sallyport_decide::accounts::totp::Secret;
use sallyport_model::{Email, FactorId};
use sallyport_store::ops::accounts::{ChargePassword, RefundPassword, StoredPassword};

use super::sign_in::bucket;
use super::{breached, totp};
use crate::keys::Keys;
use crate::{App, Refusal};
use sallyport_api::Code;

/// Checks a password that somebody chose, and hashes it.
pub(crate) async fn choose_password(app: &App, context: &Context, text: &str, field: &str) -> Result<StoredPassword, Refusal> {
    let refused = |why| Refusal::from(Code::PasswordRefused).because(why).at(field);
    let chosen = Password::parse(text).map_err(refused)?;
    let breached = breached::look_up(app, &chosen).await;
    password::check(&chosen, context, breached).map_err(refused)?;
    app.accounts.hasher.queue()?.hash(&chosen).await
}

/// Judges the present password of an account. The attempt is counted like one of a sign-in.
pub(crate) async fn judge_present(
    app: &App,
    email: &Email,
    address: &str,
    password: &Password,
) -> Result<(Attempt, PasswordVerdict), Refusal> {
    let place = app.accounts.hasher.queue()?;
    let (bucket, at) = (bucket(app, email), app.clock.now());
    let attempt = ChargePassword { email: email.clone(), address: address.to_owned(), bucket, at };
    let charged = app.store.reserve(attempt).await?;
    let verdict = place.verify(password, charged.account.as_ref().map(|facts| &facts.password)).await?;
    if charged.attempt == Attempt::Charged && verdict == PasswordVerdict::Right {
        app.store.reserve(RefundPassword { subject: charged.subject }).await?;
    }
    Ok((charged.attempt, verdict))
}

/// Seals the secret of an authenticator for its factor.
pub(crate) fn seal_totp(keys: &Keys, factor: FactorId, secret: &Secret) -> Vec<u8> {
    totp::seal(keys, factor, secret)
}

/// Opens it.
pub(crate) fn unseal_totp(keys: &Keys, factor: FactorId, sealed: &[u8]) -> Result<Secret, Refusal> {
    totp::unseal(keys, factor, sealed)
}
