//! "Not me": one press that stops everything of an account, from a session or from the link of a mail; and stopping a reset.

use axum::extract::State;
use axum::http::StatusCode;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::policy::{SayNotMe, StopOwnReset};
use sallyport_store::StoreError;
use sallyport_store::ops::people::{NotMe, NotMeBy, StopReset, recent_actions};

use super::execute::tell_stopped;
use super::shown;
use super::users::RECENT;
use crate::clock::random;
use crate::{Allowed, App, Json, Refusal};

const NEXT: &str = "Sign in again with your password and your factor. Then choose another password, look through your factors and sessions, \
                    and tell an administrator which of these actions were not yours.";

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
    let done = app.store.commit(NotMe { by, at: app.clock.now(), salt: random() }).await.map_err(|error| match error {
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
        next: NEXT.to_owned(),
    }))
}

/// Stops the reset of one's own factor: whoever signed in with it still has it.
pub(crate) async fn stop_reset(State(app): State<App>, Allowed(permit): Allowed<StopOwnReset>) -> Result<StatusCode, Refusal> {
    app.store.commit(StopReset { permit, at: app.clock.now(), salt: random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}
