//! From a request to the person behind it; and streams that end when their session does.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header;
use axum::http::request::Parts;
use sallyport_api::Code;
use sallyport_decide::accounts::assurance::Wanted;
use sallyport_decide::accounts::proof::ProvenKey;
use sallyport_decide::accounts::session::{Activity, Purpose, SessionError, Token};
use sallyport_decide::networks::Standing;
use sallyport_decide::policy::{Actor, Rights, Row};
use sallyport_model::{SessionId, Timestamp};
use sallyport_store::ops::accounts::{LiveSession, ShownToken, TouchSession, live_session, live_session_by_id, passkeys};
use tokio::sync::broadcast::error::RecvError;

use super::addresses::stands;
use super::device::{Device, shows_device};
use super::me::keys_of;
use super::{cookie, proven};
use crate::{App, Refusal};

/// Where another process ended a session, an open stream learns of it after this time.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Whether the cookie is that of a live session. No proof of anything: only who has such a cookie may make the server read a body, and
/// [`authenticate`] looks again once it is read, for the session may end meanwhile.
pub(crate) async fn known(app: &App, parts: &Parts) -> Result<(), Refusal> {
    let token = cookie::read(&parts.headers).ok_or(Code::NotSignedIn)?;
    let live =
        live_session(&mut app.store.read().await?, token.stored(Purpose::Session), app.clock.now()).await?.ok_or(Code::NotSignedIn)?;
    of_browser(&live)?;
    live.session.lives(app.clock.now()).map_err(ended)
}

/// A program shows its token as one, and not as a cookie.
fn of_browser(live: &LiveSession) -> Result<(), Refusal> {
    if live.program.is_none() { Ok(()) } else { Err(Code::NotSignedIn.into()) }
}

/// The live session of a program, by its token.
pub(crate) async fn program_session(app: &App, token: &Token) -> Result<LiveSession, Refusal> {
    let now = app.clock.now();
    let live = live_session(&mut app.store.read().await?, token.stored(Purpose::Session), now).await?;
    let live = live.filter(|live| live.program.is_some());
    let live = live.ok_or_else(|| Refusal::from(Code::TokenRefused).because("The access token is unknown, or was revoked."))?;
    live.session.lives(now).map_err(|error| Refusal::from(Code::TokenRefused).because(error))?;
    Ok(live)
}

/// Finds the person behind a program's request, whose proof was verified and not used up yet.
pub(crate) async fn authenticate_program(
    app: &App,
    parts: &Parts,
    token: &Token,
    (proof, row): (&ProvenKey, &Row),
) -> Result<Actor, Refusal> {
    let (live, now) = (program_session(app, token).await?, app.clock.now());
    live.session.judge(proof, now).map_err(|error| Refusal::from(Code::TokenRefused).because(error))?;
    shows_present(&live, row)?;
    app.accounts.use_up(proof, now)?;
    touch(app, parts, &live, now).await;
    Ok(actor(&live, now))
}

/// The session, where its person proved themselves as strongly and as lately as is wanted (RFC 9470).
pub(crate) async fn authenticated_well(app: &App, session: SessionId, wanted: Wanted, now: Timestamp) -> Result<LiveSession, Refusal> {
    let mut reader = app.store.read().await?;
    let live = live_session_by_id(&mut reader, session).await?.ok_or(Code::NotSignedIn)?;
    let keys = keys_of(&passkeys(&mut reader, live.user).await?);
    if wanted.is_met(&live.session, keys, now) { Ok(live) } else { Err(Refusal::insufficient(wanted)) }
}

/// Finds the live session of a request, whose key signed method, address, body and nonce, for what a row of the policy allows.
pub(crate) async fn authenticate(app: &App, parts: &Parts, body: &Bytes, row: &Row) -> Result<Actor, Refusal> {
    let token = cookie::read(&parts.headers).ok_or(Code::NotSignedIn)?;
    let proof = proven::prove(app, parts, body)?;
    let now = app.clock.now();
    let live =
        live_session(&mut app.store.read().await?, token.stored(Purpose::Session), app.clock.now()).await?.ok_or(Code::NotSignedIn)?;
    of_browser(&live)?;
    live.session.judge(&proof, now).map_err(ended)?;
    let device = shows_device(app, &parts.headers, &live)?;
    shows_present(&live, row)?;
    app.accounts.use_up(&proof, now)?;
    touch(app, parts, &live, now).await;
    let actor = actor(&live, now);
    Ok(match device {
        Device::Shown => actor,
        // What was under way while the browser bound its session authorizes nothing by itself.
        Device::UnderWay => Actor { step_up_until: None, ..actor },
    })
}

/// A former token, which requests under way still have for some seconds, changes nothing that a session or its person is known by.
fn shows_present(live: &LiveSession, row: &Row) -> Result<(), Refusal> {
    match live.shown {
        ShownToken::Former if row.wants_present_token() => {
            Err(Refusal::from(Code::Conflict).because("The session's token was replaced meanwhile: try again with the present one."))
        }
        ShownToken::Former | ShownToken::Present => Ok(()),
    }
}

fn ended(error: SessionError) -> Refusal {
    match error {
        SessionError::Idle | SessionError::Expired => Refusal::from(Code::NotSignedIn).because(error),
        SessionError::OtherKey => Refusal::from(Code::ProofRefused).because(error),
    }
}

/// Losing an activity's time only makes a session end earlier, so the request goes on.
async fn touch(app: &App, parts: &Parts, live: &LiveSession, now: Timestamp) {
    let header = |name: &str| parts.headers.get(name).map(header::HeaderValue::as_bytes);
    let activity = Activity::of(parts.method.as_str(), header("x-sallyport-background"), header("accept"));
    if let Some(at) = live.session.touch(activity, now)
        && let Err(error) = app.store.reserve(TouchSession { session: live.session.id, at }).await
    {
        tracing::warn!(%error, "a session's activity was not written down");
    }
}

pub(super) fn actor(live: &LiveSession, now: Timestamp) -> Actor {
    Actor {
        tenant: live.tenant,
        user: live.user,
        email: live.email.clone(),
        name: live.name.clone(),
        rights: live.rights.clone(),
        session: live.session.id,
        stage: live.session.stage,
        step_up_until: live.session.step_up_until(live.step_up_secs, now),
        step_up_kind: live.session.step_up.and_then(|window| window.kind),
    }
}

/// Resolves when the session ends, whoever ended it and whatever for, or its person gets other rights; for streams to stop at.
pub async fn until_ended(app: App, session: SessionId, from: IpAddr) {
    let mut ended = app.accounts.ended.subscribe();
    let begun = lives(&app, session, from).await;
    while begun.is_some() && lives(&app, session, from).await == begun {
        let told = tokio::time::timeout(LOOK_AGAIN, wait_for(&mut ended, session)).await;
        if told.is_ok() {
            return;
        }
    }
}

/// A note that was missed is found in the store.
async fn wait_for(ended: &mut tokio::sync::broadcast::Receiver<SessionId>, session: SessionId) {
    loop {
        match ended.recv().await {
            Ok(id) if id == session => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The rights of a session that lives. What cannot be read does not live: a stream without a session to show for it must end.
async fn lives(app: &App, session: SessionId, from: IpAddr) -> Option<Rights> {
    let mut reader = app.store.read().await.ok()?;
    let live = live_session_by_id(&mut reader, session).await.ok()??;
    let now = app.clock.now();
    live.session.lives(now).ok()?;
    // A session that waits for a factor has no streams, and neither has one whose address is no longer allowed.
    match stands(&mut reader, &actor(&live, now), from, now).await.ok()? {
        Standing::Stays => Some(live.rights),
        Standing::Challenged => None,
    }
}
