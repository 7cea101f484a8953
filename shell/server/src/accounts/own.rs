//! One's own session and password: `/v1/me/elevate`, `/v1/me/check-up`, `/v1/me/password`.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use sallyport_api as api;
use sallyport_api::{ChallengePurpose, Code};
use sallyport_decide::accounts::password::{self, Context, Password};
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::accounts::sign_in::{Attempt, Counts, PasswordVerdict};
use sallyport_decide::policy;
use sallyport_decide::policy::{Actor, Stage};
use sallyport_model::{Email, Name};
use sallyport_store::ops::accounts::{
    ChangePassword, ChargePassword, CheckFactor, ElevateSession, OtherSessions, RefundPassword, StoredPassword, live_session_by_id,
};

use super::addresses::may_sign_in;
use super::enrol::doing;
use super::prove::prove_factor;
use super::sign_in::bucket;
use super::{Source, breached, cookie, me};
use crate::{Allowed, App, Json, Refusal};

/// A factor is proved: the session is a full one, its step-up window opens, and its cookie is another one (STEP-07).
pub async fn elevate(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::Elevate>,
    source: Source,
    Json(body): Json<api::Elevate>,
) -> Result<([(HeaderName, HeaderValue); 1], Json<api::Me>), Refusal> {
    let actor = permit.actor();
    // A factor does not stand for the network: from outside of what is required there is nothing to lift.
    may_sign_in(&app, actor.tenant, &source).await?;
    let proven = prove_factor(&app, actor, &body.proof, ChallengePurpose::Elevate).await?;
    let (by, token) = (doing(&app, actor), Token::from_bytes(app.random()));
    let step_up = (proven.counts == Counts::Now).then_some(by.at);
    app.store.commit(ElevateSession { by, used: proven.used, token: token.stored(Purpose::Session), step_up }).await.map_err(used_up)?;
    Ok(([(header::SET_COOKIE, cookie::set(&token))], Json(me::of_session(&app, actor.session).await?)))
}

/// A code or an answer that was used in between is refused like one that was used before.
fn used_up(error: sallyport_store::StoreError) -> Refusal {
    match error {
        sallyport_store::StoreError::Conflict => Code::CodeRefused.into(),
        other => other.into(),
    }
}

/// The factor still works.
pub async fn check_up(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::CheckUp>,
    Json(body): Json<api::CheckUp>,
) -> Result<StatusCode, Refusal> {
    let proven = prove_factor(&app, permit.actor(), &body.proof, ChallengePurpose::CheckUp).await?;
    app.store.commit(CheckFactor { by: doing(&app, permit.actor()), used: proven.used }).await.map_err(used_up)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the password: the current one, a fresh factor, and a new one that is neither common nor breached (PWD-17, STEP-12).
pub async fn change_password(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ChangeOwnPassword>,
    source: Source,
    Json(body): Json<api::ChangePassword>,
) -> Result<([(HeaderName, HeaderValue); 1], StatusCode), Refusal> {
    let actor = permit.actor();
    let current = Password::parse(&body.current).map_err(|why| Refusal::field("current", why))?;
    let place = app.accounts.hasher.queue()?;
    let old = right(&app, &place, actor, &source, &current).await?;
    // Lists are asked only for who knows the current one: they answer slowly, and are not to be kept busy.
    let new = acceptable(&app, actor, &body.new).await?;
    let used = prove_factor(&app, actor, &body.proof, ChallengePurpose::Password).await?.counting()?;
    let new = place.hash(&new).await?;
    let (by, token) = (doing(&app, actor), Token::from_bytes(app.random()));
    let others = match (body.other_sessions, actor.stage) {
        // Whoever else has a password that everybody has may be in one of them.
        (api::OtherSessions::End, _) | (api::OtherSessions::Keep, Stage::NewPassword) => OtherSessions::End,
        (api::OtherSessions::Keep, _) => OtherSessions::Keep,
    };
    let change = ChangePassword { by, used, old, new, token: token.stored(Purpose::Session), others };
    for ended in app.store.commit(change).await.map_err(used_up)? {
        app.accounts.tell_ended(ended);
    }
    Ok(([(header::SET_COOKIE, cookie::set(&token))], StatusCode::NO_CONTENT))
}

/// The new password, checked against what is common, what is breached, and what belongs to this person.
async fn acceptable(app: &App, actor: &Actor, typed: &str) -> Result<Password, Refusal> {
    let wrong = |why: String| Refusal::from(Code::PasswordRefused).because(why).at("new");
    let new = Password::parse(typed).map_err(|why| wrong(why.to_string()))?;
    let tenant_name = live_session_by_id(&mut app.store.read().await?, actor.session).await?.ok_or(Code::NotSignedIn)?.tenant_name;
    let internal = |_| Refusal::from(Code::Internal);
    let (tenant, name) = (Name::parse(&tenant_name).map_err(internal)?, Name::parse(&actor.name).map_err(internal)?);
    let email = Email::parse(&actor.email).map_err(internal)?;
    let breached = breached::look_up(app, &new).await;
    password::check(&new, &Context::new(&tenant, &name, &email), breached).map_err(|why| wrong(why.to_string()))?;
    Ok(new)
}

/// The current password is charged and compared as at sign-in: a session is no way to guess it faster.
async fn right(
    app: &App,
    place: &super::hashing::Place,
    actor: &Actor,
    source: &Source,
    current: &Password,
) -> Result<StoredPassword, Refusal> {
    let email = Email::parse(&actor.email).map_err(|_| Refusal::from(Code::Internal))?;
    let at = app.clock.now();
    let attempt = ChargePassword { bucket: bucket(app, &email), email, address: source.address.clone(), at };
    let charged = app.store.reserve(attempt).await?;
    let stored = charged.account.as_ref().map(|facts| &facts.password);
    let verdict = place.verify(current, stored).await?;
    match (charged.attempt, verdict, stored) {
        (Attempt::Charged, PasswordVerdict::Right, Some(stored)) => {
            app.store.reserve(RefundPassword { subject: charged.subject }).await?;
            Ok(stored.clone())
        }
        _ => Err(Refusal::from(Code::PasswordRefused).because("The current password is wrong.").at("current")),
    }
}
