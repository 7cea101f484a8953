//! Asking to open a remote session, or to join one.

use axum::extract::State;
use axum::response::Response;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::{WantedSession, WantedSessionError, open_remote_session};
use sallyport_decide::policy::{self, Actor, permit};
use sallyport_decide::remote_policy::{Recording, RemotePolicy, SessionRules, Wish};
use sallyport_grant::Hex;
use sallyport_grant::body::{Access, Entry, Record, RemoteKind};
use sallyport_model::{DeviceId, GrantId, RemoteSessionId, limits};
use sallyport_store::ops::people::device_within;
use sallyport_store::ops::remote::{Joinable, device_is_full, joinable, remote_policy};

use super::ask::{Extra, ask, ground, target, targets};
use crate::{Allowed, App, Json, Refusal};

/// Size of a terminal where nothing is said.
const COLUMNS: u16 = 80;
const ROWS: u16 = 24;

/// Asks to attach a client to a remote session.
pub(crate) async fn create(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::OpenRemoteSessions>,
    Json(body): Json<api::NewRemoteSession>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let wanted = Wanted::parse(&body)?;
    let facts = targets(&app, &permit, std::slice::from_ref(&body.device), "approved").await.map_err(|refusal| refusal.at("device"))?;
    let device = facts.first().ok_or(Code::NothingToDo)?;
    if !app.hub.is_online(device.device) {
        return Err(Code::DeviceOffline.into());
    }
    let ground = ground(&app, actor).await?;
    let stored = remote_policy(&mut app.store.read().await?, actor.tenant).await?;
    let (session, joins, rules) = match wanted.joins {
        Some(session) => {
            let joined = may_join(&app, actor, session, device.device, wanted.kind).await?;
            (session, Entry::Joins, wanted.rules_of(&stored.policy, &joined)?)
        }
        None if device_is_full(&mut app.store.read().await?, device.device).await? => return Err(Code::RemoteSessionsFull.into()),
        None => (RemoteSessionId::new(ground.now, app.random()), Entry::Opens, wanted.rules(&stored.policy)?),
    };
    let (columns, rows) = wanted.size(joins, &body);
    let grant = GrantId::new(ground.now, app.random());
    let wanted = WantedSession {
        grant,
        nonce: app.random(),
        tenant: actor.tenant,
        user: actor.user,
        email: actor.email.clone(),
        session,
        kind: wanted.kind,
        access: wanted.access,
        joins,
        client_key: wanted.client_key.0,
        run_as: body.run_as.filter(|account| !account.is_empty()),
        columns,
        rows,
        target: target(device),
        rules,
        policy: stored.version,
    };
    let (action, classified) = open_remote_session(wanted, &ground.hour, ground.now).map_err(refused)?;
    ask(&app, actor, action, classified, ground, Extra { grant: Some(grant), ..Extra::default() }).await
}

struct Wanted {
    kind: RemoteKind,
    access: Access,
    client_key: Hex<32>,
    joins: Option<RemoteSessionId>,
    wish: Wish,
}

impl Wanted {
    fn parse(body: &api::NewRemoteSession) -> Result<Self, Refusal> {
        let joins = body.joins.as_deref().map(str::parse).transpose();
        Ok(Self {
            kind: RemoteKind::parse(&body.session_kind)
                .ok_or_else(|| Refusal::field("kind", "must be terminal, background, files or viewer"))?,
            access: Access::parse(&body.access).ok_or_else(|| Refusal::field("access", "must be control or view"))?,
            client_key: body.client_key.parse().map_err(|error| Refusal::field("client_key", error))?,
            joins: joins.map_err(|error| Refusal::field("joins", error))?,
            wish: match body.record {
                None => Wish::None,
                Some(api::YesNo::Yes) => Wish::Record,
                Some(api::YesNo::No) => Wish::Spare,
            },
        })
    }

    /// What holds for a session that is opened.
    fn rules(&self, policy: &RemotePolicy) -> Result<SessionRules, Refusal> {
        policy.apply(self.kind, self.wish).map_err(|why| Refusal::field("record", why))
    }

    /// What holds for somebody who joins: whether it is recorded was settled when it was opened.
    fn rules_of(&self, policy: &RemotePolicy, joined: &Joinable) -> Result<SessionRules, Refusal> {
        if self.wish != Wish::None {
            return Err(Refusal::field("record", "is settled for a session that is open"));
        }
        if policy.of(self.kind).record == Recording::Always && !joined.is_recorded {
            return Err(Refusal::field("joins", "was opened before sessions of this kind were always recorded: open another one"));
        }
        let record = if joined.is_recorded { Record::Session } else { Record::None };
        let rules = policy.apply(self.kind, Wish::None).map_err(|why| Refusal::field("record", why))?;
        Ok(SessionRules { record, ..rules })
    }

    /// Only a terminal that is opened has a size of its own.
    fn size(&self, joins: Entry, body: &api::NewRemoteSession) -> (u16, u16) {
        let cells = |wanted: Option<u16>, otherwise: u16| wanted.unwrap_or(otherwise).clamp(1, limits::TERMINAL_CELLS);
        match (self.kind, joins) {
            (RemoteKind::Terminal, Entry::Opens) => (cells(body.columns, COLUMNS), cells(body.rows, ROWS)),
            _ => (0, 0),
        }
    }
}

/// One's own sessions can be joined; other people's by who may watch.
async fn may_join(app: &App, actor: &Actor, session: RemoteSessionId, device: DeviceId, kind: RemoteKind) -> Result<Joinable, Refusal> {
    let mut reader = app.store.read().await?;
    let found = joinable(&mut reader, actor.tenant, session).await?.ok_or(Code::RemoteSessionEnded)?;
    if found.opener != actor.user {
        let watching = permit::<policy::WatchRemoteSessions>(actor)?;
        if !device_within(&mut reader, actor.tenant, watching.reach(), found.device).await? {
            return Err(Code::RemoteSessionEnded.into());
        }
    }
    if found.device != device || found.kind != kind {
        return Err(Refusal::field("joins", "is a session of another device or kind"));
    }
    Ok(found)
}

fn refused(error: WantedSessionError) -> Refusal {
    match &error {
        WantedSessionError::RunAs(why) => Refusal::field("run_as", why),
        WantedSessionError::Target(_) => Refusal::field("device", error),
        WantedSessionError::Email | WantedSessionError::Body(_) => Refusal::from(Code::InvalidField).because(error),
    }
}
