//! "Not me": one press that stops everything of an account, from a session or from the link of a mail; and stopping a reset.

use axum::extract::State;
use axum::http::StatusCode;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::people::{Grace, grace};
use sallyport_decide::policy::{SayNotMe, StopOwnReset};
use sallyport_model::{TenantId, UserId};
use sallyport_store::StoreError;
use sallyport_store::ops::people::{NotMe, NotMeBy, StopReset, recent_actions};

use super::execute::tell_stopped;
use super::facts::Facts;
use super::shown;
use super::users::RECENT;
use crate::{Allowed, App, Json, Refusal};

/// How somebody gets back in. Earlier links are dead, those to set up a factor too.
const BY_FACTOR: &str = "Sign in again with your password and your factor.";
const BY_PASSWORD: &str = "Your account has no second factor now, and earlier links to set one up are dead. Sign in with your password alone and \
                           press Activate now: a new link comes by mail.";
const BY_MAIL: &str = "Your account has no second factor now, and earlier links to set one up are dead. Try to sign in with your password alone: it \
                       opens nothing, but a new link comes by mail.";
const BY_ADMINISTRATOR: &str =
    "Your account has no second factor now, and earlier links to set one up are dead. Ask an administrator for a new one.";
const BY_INVITATION: &str = "Your account was never activated, and its invitation is dead. Ask an administrator for a new one.";
const NOBODY: &str = "Your account is disabled. Talk to an administrator.";
const THEN: &str = "Then choose another password, look through your factors and sessions, and tell an administrator which of these actions were \
                    not yours.";

/// What to do now that everything was stopped.
async fn next(app: &App, tenant: TenantId, user: UserId) -> Result<String, Refusal> {
    let facts = Facts::load(app, tenant).await?;
    let row = facts.user(user)?;
    let way = match row.state.as_str() {
        "invited" => return Ok(BY_INVITATION.to_owned()),
        "disabled" => return Ok(NOBODY.to_owned()),
        _ if row.has_factor() => BY_FACTOR,
        _ if app.config.mail.is_none() => BY_ADMINISTRATOR,
        _ => match grace(&facts.policy.mfa, &row.rights, row.mfa_required, facts.now) {
            Grace::Until(_) => BY_PASSWORD,
            Grace::Over => BY_MAIL,
        },
    };
    Ok(format!("{way} {THEN}"))
}

/// From one of one's sessions, this one included.
pub(crate) async fn from_session(State(app): State<App>, Allowed(permit): Allowed<SayNotMe>) -> Result<Json<api::NotMeDone>, Refusal> {
    say(&app, NotMeBy::Session(permit.actor().user)).await
}

/// By the link of a mail, once.
pub(crate) async fn from_mail(State(app): State<App>, Json(body): Json<api::LinkToken>) -> Result<Json<api::NotMeDone>, Refusal> {
    let token = Token::parse(&body.token).map_err(|_| Code::LinkRefused)?;
    say(&app, NotMeBy::Link(token.stored(Purpose::NotMe))).await
}

async fn say(app: &App, by: NotMeBy) -> Result<Json<api::NotMeDone>, Refusal> {
    let done = app.store.commit(NotMe { by, at: app.clock.now(), salt: app.random() }).await.map_err(|error| match error {
        StoreError::NotFound => Refusal::from(Code::LinkRefused),
        other => other.into(),
    })?;
    tell_stopped(app, done.tenant, &done.stopped);
    let recent = recent_actions(&mut app.store.read().await?, done.user, RECENT).await?;
    Ok(Json(api::NotMeDone {
        sessions: done.stopped.sessions,
        requests: done.stopped.requests,
        runs: done.stopped.runs.len() as u64,
        reset_stopped: done.reset_stopped,
        recent: shown::recent(recent),
        next: next(app, done.tenant, done.user).await?,
    }))
}

/// Stops the reset of one's own factor: whoever signed in with it still has it.
pub(crate) async fn stop_reset(State(app): State<App>, Allowed(permit): Allowed<StopOwnReset>) -> Result<StatusCode, Refusal> {
    app.store.commit(StopReset { permit, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}
