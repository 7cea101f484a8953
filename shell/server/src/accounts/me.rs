//! `GET /v1/me`, the confirmation of recovery codes, and factors.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::assurance::{Acr, amr};
use sallyport_decide::accounts::recovery::{self, RecoveryCode};
use sallyport_decide::accounts::session::{Purpose, Session, Token};
use sallyport_decide::accounts::webauthn::{Backup, Eligibility};
use sallyport_decide::people::{Grace, grace, required_by};
use sallyport_decide::policy::{
    ApprovePrograms, Capability as _, ConfirmRecoveryCodes as Confirm, ReadOwnFactors, ReadSelf, Rights, Row, Stage, TABLE,
};
use sallyport_model::{SessionId, Timestamp, UserId, limits};
use sallyport_store::ops::accounts::{
    self as store, ConfirmRecoveryCodes, FactorRow, PasskeyRow, RecoveryHashes, SessionRow, live_session_by_id,
};
use sallyport_store::ops::people::{self as store_people, TenantPolicy, UserRow};

use super::{cookie, sessions};
use crate::people::shown::ScopeNames;
use crate::{Allowed, App, Json, Refusal, people};

/// Who is signed in.
pub async fn show(State(app): State<App>, Allowed(permit): Allowed<ReadSelf>) -> Result<Json<api::Me>, Refusal> {
    of_session(&app, permit.actor().session).await.map(Json)
}

pub(crate) async fn of_session(app: &App, session: SessionId) -> Result<api::Me, Refusal> {
    let mut reader = app.store.read().await?;
    let live = live_session_by_id(&mut reader, session).await?.ok_or(Code::NotSignedIn)?;
    let recovery_codes_left = store::recovery_codes_left(&mut reader, live.user).await?;
    let check_up = check_up(&store::factors(&mut reader, live.user).await?, app.clock.now());
    let step_up_until = live.session.step_up_until(live.step_up_secs, app.clock.now());
    let step_up_kind = live.session.step_up.and_then(|window| window.kind).filter(|_| step_up_until.is_some());
    let keys = keys_of(&store::passkeys(&mut reader, live.user).await?);
    let (auth_time, method) = (live.session.auth_time, live.session.method);
    let device = store::DeviceBound::of(live.device.as_ref());
    let row = SessionRow { session: live.session, address: live.address, user_agent: live.user_agent, device, program: live.program };
    let policy = store_people::policy(&mut reader, live.tenant).await?;
    let user = store_people::user(&mut reader, live.tenant, live.user, app.clock.now()).await?;
    let places = sallyport_store::ops::customers::places(&mut reader, live.tenant).await?;
    let names = ScopeNames { tenant: live.tenant, tenant_name: &live.tenant_name, places: &places };
    Ok(api::Me {
        user: live.user,
        name: live.name,
        email: live.email,
        role: live.rights.main_role().to_owned(),
        assignments: names.assignments(&live.rights),
        capabilities: capabilities(&live.rights, &row),
        mfa: own_mfa(&row.session, &user, &policy, app.clock.now()),
        held_reset: user.held.as_ref().map(people::shown::held),
        tenant: live.tenant,
        tenant_name: live.tenant_name,
        session: sessions::shown(row, session),
        auth_time,
        acr: Acr::of(method, keys).as_str().to_owned(),
        amr: amr(method, keys).iter().map(|&word| word.to_owned()).collect(),
        recovery_codes_left,
        step_up_until,
        check_up,
        step_up_kind: step_up_kind.map(|kind| kind.as_str().to_owned()),
    })
}

/// What is true of every passkey of a user: the session does not tell which one it was.
pub(super) fn keys_of(passkeys: &[PasskeyRow]) -> Eligibility {
    let synced = passkeys.iter().any(|passkey| passkey.eligibility == Eligibility::Synced);
    if synced || passkeys.is_empty() { Eligibility::Synced } else { Eligibility::DeviceBound }
}

/// What a session may do, for showing no more than that. A program lets no other one in, whatever its person may.
fn capabilities(rights: &Rights, session: &SessionRow) -> Vec<String> {
    let withheld = |row: &Row| session.program.is_some() && row.name == ApprovePrograms::ROW.name;
    let holds = |row: &&Row| row.stages.contains(&session.session.stage) && rights.reach(row).is_some() && !withheld(row);
    TABLE.iter().filter(holds).map(|row| row.name.to_owned()).collect()
}

/// *Activate later* is offered where policy lets it wait, and to nobody else.
fn own_mfa(session: &Session, user: &UserRow, policy: &TenantPolicy, now: Timestamp) -> api::OwnMfa {
    let required = required_by(&policy.mfa, &user.rights, user.mfa_required);
    let grace = grace(&policy.mfa, &user.rights, user.mfa_required, now);
    let waits = session.stage == Stage::Factorless && !user.has_factor();
    api::OwnMfa {
        state: people::shown::mfa(user, required),
        required_by: required.map(people::shown::shown_required),
        deadline: required.and(policy.mfa.deadline),
        may_postpone: waits && matches!(grace, Grace::Until(_)),
    }
}

/// The recovery codes are kept: the session becomes a full one, under another cookie.
pub async fn confirm_recovery_codes(
    State(app): State<App>,
    Allowed(permit): Allowed<Confirm>,
) -> Result<([(HeaderName, HeaderValue); 1], StatusCode), Refusal> {
    let (actor, token) = (permit.actor(), Token::from_bytes(app.random()));
    let change = ConfirmRecoveryCodes {
        tenant: actor.tenant,
        user: actor.user,
        session: actor.session,
        token: token.stored(Purpose::Session),
        at: app.clock.now(),
        salt: app.random(),
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
    let random: [[u8; recovery::CODE_BYTES]; limits::RECOVERY_CODES] = std::array::from_fn(|_| app.random());
    let codes = recovery::codes(&random);
    NewRecoveryCodes {
        shown: codes.iter().map(|code| code.to_text().to_string()).collect(),
        hashes: codes.iter().map(|code: &RecoveryCode| code.stored(&app.accounts.recovery_pepper, user)).collect(),
    }
}

/// One's own factors, without their secrets.
pub async fn factors(State(app): State<App>, Allowed(permit): Allowed<ReadOwnFactors>) -> Result<Json<api::Page<api::Factor>>, Refusal> {
    let mut reader = app.store.read().await?;
    let rows = store::factors(&mut reader, permit.actor().user).await?;
    let passkeys = store::passkeys(&mut reader, permit.actor().user).await?;
    let now = app.clock.now();
    let items = rows.into_iter().map(|row| api::Factor {
        passkey: passkeys.iter().find(|passkey| passkey.factor == row.id).map(passkey_facts),
        id: row.id,
        kind: row.kind,
        name: row.name,
        created: row.created,
        last_used: row.last_used,
        locked: row.counter.is_locked(),
        counts_from: row.counts_from.filter(|from| now < *from),
    });
    Ok(Json(api::Page { items: items.collect(), next: None, total: None }))
}

fn passkey_facts(row: &PasskeyRow) -> api::PasskeyFacts {
    api::PasskeyFacts {
        backup_eligible: row.eligibility == Eligibility::Synced,
        backed_up: row.backup == Backup::Done,
        transports: row.transports.clone(),
        aaguid: data_encoding::HEXLOWER.encode(&row.aaguid),
    }
}

/// Since when a check-up is due: a factor that was not used for 28 days may be lost without anybody knowing.
fn check_up(factors: &[FactorRow], now: Timestamp) -> Option<Timestamp> {
    let due = factors.iter().map(|row| row.last_used.unwrap_or(row.created).plus_secs(limits::CHECK_UP_SECS));
    due.min().filter(|due| *due <= now)
}
