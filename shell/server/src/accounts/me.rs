//! `GET /v1/me`, the confirmation of recovery codes, and factors.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::recovery::{self, RecoveryCode};
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::policy::{ConfirmRecoveryCodes as Confirm, ReadOwnFactors, ReadSelf};
use sallyport_model::{SessionId, UserId, limits};
use sallyport_store::ops::accounts::{self as store, ConfirmRecoveryCodes, RecoveryHashes, SessionRow, live_session_by_id};

use super::{cookie, sessions};
use crate::clock::random;
use crate::{Allowed, App, Json, Refusal};

/// Who is signed in.
pub async fn show(State(app): State<App>, Allowed(permit): Allowed<ReadSelf>) -> Result<Json<api::Me>, Refusal> {
    of_session(&app, permit.actor().session).await.map(Json)
}

pub(super) async fn of_session(app: &App, session: SessionId) -> Result<api::Me, Refusal> {
    let mut reader = app.store.read().await?;
    let live = live_session_by_id(&mut reader, session).await?.ok_or(Code::NotSignedIn)?;
    let recovery_codes_left = store::recovery_codes_left(&mut reader, live.user).await?;
    let step_up_until = live.session.step_up_until(live.step_up_secs, app.clock.now());
    let step_up_kind = live.session.step_up.and_then(|window| window.kind).filter(|_| step_up_until.is_some());
    let row = SessionRow { session: live.session, address: live.address, user_agent: live.user_agent };
    Ok(api::Me {
        user: live.user,
        name: live.name,
        email: live.email,
        role: live.role.as_str().to_owned(),
        tenant: live.tenant,
        tenant_name: live.tenant_name,
        session: sessions::shown(row, session),
        recovery_codes_left,
        step_up_until,
        step_up_kind: step_up_kind.map(|kind| kind.as_str().to_owned()),
    })
}

/// The recovery codes are kept: the session becomes a full one, under another cookie.
pub async fn confirm_recovery_codes(
    State(app): State<App>,
    Allowed(permit): Allowed<Confirm>,
) -> Result<([(HeaderName, HeaderValue); 1], StatusCode), Refusal> {
    let (actor, token) = (permit.actor(), Token::from_bytes(random()));
    let change = ConfirmRecoveryCodes {
        tenant: actor.tenant,
        user: actor.user,
        session: actor.session,
        token: token.stored(Purpose::Session),
        at: app.clock.now(),
        salt: random(),
    };
    app.store.commit(change).await?;
    Ok(([(header::SET_COOKIE, cookie::set(&token))], StatusCode::NO_CONTENT))
}

/// New recovery codes, as shown once and as stored.
pub struct NewRecoveryCodes {
    /// For their owner.
    pub shown: Vec<String>,
    /// For the store.
    pub hashes: RecoveryHashes,
}

/// Makes ten codes for a user; they hold once the change that has their stored forms is committed.
pub fn new_recovery_codes(app: &App, user: UserId) -> NewRecoveryCodes {
    let random: [[u8; recovery::CODE_BYTES]; limits::RECOVERY_CODES] = std::array::from_fn(|_| random());
    let codes = recovery::codes(&random);
    NewRecoveryCodes {
        shown: codes.iter().map(|code| code.to_text().to_string()).collect(),
        hashes: codes.iter().map(|code: &RecoveryCode| code.stored(&app.accounts.recovery_pepper, user)).collect(),
    }
}

/// One's own authenticators, without their secrets.
pub async fn factors(State(app): State<App>, Allowed(permit): Allowed<ReadOwnFactors>) -> Result<Json<api::Page<api::Factor>>, Refusal> {
    let rows = store::factors(&mut app.store.read().await?, permit.actor().user).await?;
    let items = rows.into_iter().map(|row| api::Factor {
        id: row.id,
        kind: "totp".to_owned(),
        name: row.name,
        created: row.created,
        last_used: row.last_used,
        locked: row.counter.is_locked(),
    });
    Ok(Json(api::Page { items: items.collect(), next: None, total: None }))
}
