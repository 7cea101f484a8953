//! `/v1/me/sessions`: seeing and ending one's own sessions.

use std::cmp::Reverse;

use axum::extract::State;
use axum::http::StatusCode;
use sallyport_api as api;
use sallyport_decide::policy::{ManageOwnSessions, Stage};
use sallyport_model::SessionId;
use sallyport_store::ops::accounts::{self as store, DeviceBound, EndOtherSessions, EndReason, EndSession, Pair, SessionRow};

use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

/// One's own live sessions, the newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageOwnSessions>,
    Query(query): Query<paging::Wanted>,
) -> Result<Json<api::Page<api::Session>>, Refusal> {
    let (actor, now) = (permit.actor(), app.clock.now());
    let rows = store::sessions(&mut app.store.read().await?, actor.user).await?;
    let pairs = store::pairs(&mut app.store.read().await?, actor.user).await?;
    let mut live: Vec<SessionRow> = rows.into_iter().filter(|row| row.session.lives(now).is_ok()).collect();
    // Not by when they were last active: that changes while somebody turns the pages.
    live.sort_by_key(|row| Reverse(row.session.id));
    paging::cut(live, &query, |row| Reverse(row.session.id), |row| placed(&app, &pairs, shown(row, actor.session))).map(Json)
}

/// Ends one of one's own sessions.
pub async fn end(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageOwnSessions>,
    Id(session): Id<SessionId>,
) -> Result<StatusCode, Refusal> {
    let (tenant, user) = (permit.actor().tenant, permit.actor().user);
    app.store.commit(EndSession { tenant, user, session, reason: EndReason::Revoked, at: app.clock.now(), salt: app.random() }).await?;
    app.accounts.tell_ended(session);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of one's own sessions but this one.
pub async fn end_others(State(app): State<App>, Allowed(permit): Allowed<ManageOwnSessions>) -> Result<StatusCode, Refusal> {
    let actor = permit.actor();
    let change = EndOtherSessions { tenant: actor.tenant, user: actor.user, kept: actor.session, at: app.clock.now(), salt: app.random() };
    for session in app.store.commit(change).await? {
        app.accounts.tell_ended(session);
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn shown(row: SessionRow, current: SessionId) -> api::Session {
    let session = row.session;
    api::Session {
        id: session.id,
        current: session.id == current,
        stage: shown_stage(session.stage),
        created: session.created,
        last_active: session.last_active,
        expires: session.expires(),
        idle_expires: session.idle_expires(),
        address: row.address,
        user_agent: row.user_agent,
        method: session.method.as_str().to_owned(),
        place: None,
        two_networks: None,
        device_bound: row.device == DeviceBound::Yes,
        program: row.program,
    }
}

/// With town and country of its address, where a database of places is configured, and with its newest pair of networks.
pub(crate) fn placed(app: &App, pairs: &[Pair], session: api::Session) -> api::Session {
    let pair = pairs.iter().find(|pair| pair.session == session.id);
    let two_networks = pair.map(|pair| api::TwoNetworks { networks: pair.networks.clone(), at: pair.at });
    api::Session { place: app.places.of(&session.address), two_networks, ..session }
}

fn shown_stage(stage: Stage) -> api::SessionStage {
    match stage {
        Stage::Codes => api::SessionStage::Codes,
        Stage::Full => api::SessionStage::Full,
        // No session is of an API client; were there one, it would be good for nothing.
        Stage::Restricted | Stage::Client => api::SessionStage::Restricted,
        Stage::Factorless => api::SessionStage::Factorless,
        Stage::NewPassword => api::SessionStage::NewPassword,
        Stage::DeviceCode => api::SessionStage::DeviceCode,
    }
}
