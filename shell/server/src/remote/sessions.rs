//! Remote sessions as a resource: listed, shown, ended, dialled again, played.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::policy::{self, permit};
use sallyport_grant::Hex;
use sallyport_grant::body::RemoteKind;
use sallyport_model::{DeviceId, GrantId, RemoteSessionId};
use sallyport_store::ops::jobs::Whose;
use sallyport_store::ops::people::device_within;
use sallyport_store::ops::remote::{self as store, Attached, EndReason, EndRemoteSession, RemoteSessionRow};
use sallyport_wire::UnsignedToAgent;
use sallyport_wire::stream::CloseCode;
use serde::Deserialize;

use super::end::tell_ended;
use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    device: Option<String>,
    state: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Remote sessions, the newest first: open ones where nothing is said.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadRemoteSessions>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<api::Page<api::RemoteSession>>, Refusal> {
    let limit = paging::limit(wanted.limit)?;
    let device = wanted.device.map(|id| id.parse::<DeviceId>()).transpose().map_err(|error| Refusal::field("device", error))?;
    let before = wanted.cursor.map(|id| id.parse::<RemoteSessionId>()).transpose().map_err(|error| Refusal::field("cursor", error))?;
    let state = match wanted.state.as_deref() {
        None | Some("open") => Some("open".to_owned()),
        Some("ended") => Some("ended".to_owned()),
        Some("any") => None,
        Some(_) => return Err(Refusal::field("state", "must be open, ended or any")),
    };
    let filter = store::Filter { device, state, before };
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let rows = store::list(&mut reader, &whose, filter, limit + 1).await?;
    let page = paging::page(rows, limit, |row| row.id.to_string(), |row| row);
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        let attached = store::attachments(&mut reader, row.id).await?;
        items.push(shown(&app, row, attached));
    }
    Ok(Json(api::Page { items, next: page.next, total: None }))
}

/// One remote session.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadRemoteSessions>,
    Id(id): Id<RemoteSessionId>,
) -> Result<Json<api::RemoteSession>, Refusal> {
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let row = store::remote_session(&mut reader, &whose, id).await?;
    let attached = store::attachments(&mut reader, id).await?;
    Ok(Json(shown(&app, row, attached)))
}

fn shown(app: &App, row: RemoteSessionRow, attached: Vec<Attached>) -> api::RemoteSession {
    let attachment = |attached: Attached| api::RemoteAttachment {
        connected: attached.ended.is_none() && app.remote.is_connected(attached.grant),
        grant: attached.grant,
        user: attached.person,
        name: attached.person_name,
        access: attached.access.as_str().to_owned(),
        created: attached.created,
        ended: attached.ended,
        end_reason: attached.end_reason,
    };
    api::RemoteSession {
        id: row.id,
        device: row.device,
        device_name: row.device_name,
        kind: row.kind.as_str().to_owned(),
        run_as: row.run_as,
        opened_by: row.opener,
        opened_by_name: row.opener_name,
        state: row.state,
        created: row.created,
        expires: row.expires,
        ended: row.ended,
        end_reason: row.end_reason,
        recorded: row.is_recorded,
        attachments: attached.into_iter().map(attachment).collect(),
        recording: row.recording_sha256.map(|sha256| api::RecordingFacts { sha256, bytes: row.recording_bytes }),
    }
}

/// Ends a remote session for everybody: one's own, or anybody's for who may watch.
pub(crate) async fn end(
    State(app): State<App>,
    Allowed(allowed): Allowed<policy::EndRemoteSessions>,
    Id(session): Id<RemoteSessionId>,
) -> Result<StatusCode, Refusal> {
    let actor = allowed.actor();
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, actor.tenant, allowed.reach()).await?;
    let row = store::remote_session(&mut reader, &whose, session).await?;
    if row.opener != actor.user
        && !device_within(&mut reader, actor.tenant, permit::<policy::WatchRemoteSessions>(actor)?.reach(), row.device).await?
    {
        return Err(Code::NotFound.into());
    }
    drop(reader);
    if row.state != "open" {
        return Ok(StatusCode::NO_CONTENT);
    }
    let change = EndRemoteSession {
        tenant: actor.tenant,
        session,
        by: Some(actor.user),
        reason: EndReason::Ended,
        at: app.clock.now(),
        salt: app.random(),
    };
    let ended = app.store.commit(change).await?;
    tell_ended(&app, actor.tenant, &ended, CloseCode::Ended);
    Ok(StatusCode::NO_CONTENT)
}

/// Another ticket for one's own attachment, after its connection was lost. The device is asked to dial again too.
pub(crate) async fn ticket(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::OpenRemoteSessions>,
    Id(session): Id<RemoteSessionId>,
    Json(body): Json<api::NewTicket>,
) -> Result<Json<api::StreamTicket>, Refusal> {
    let actor = permit.actor();
    let grant: GrantId = body.grant.parse().map_err(|error| Refusal::field("grant", error))?;
    let attachment = store::attachment(&mut app.store.read().await?, actor.tenant, grant).await?;
    // Somebody else's, or another session's, is not there: a ticket is for the session that the grant was made in (C2).
    let own = attachment.filter(|found| found.session == session && found.person == actor.user && found.user_session == actor.session);
    let attachment = own.ok_or(Code::RemoteSessionEnded)?;
    let now = app.clock.now();
    app.remote.watch();
    let again = UnsignedToAgent::StreamTicket { grant, ticket: app.remote.issue_device(&attachment, app.random(), now) };
    if !app.hub.send(attachment.device, again.into()) {
        return Err(Code::DeviceOffline.into());
    }
    let ticket = app.remote.issue_client(&attachment, app.random(), now);
    Ok(Json(api::StreamTicket { ticket: ticket.to_text().to_string() }))
}

/// What was recorded, piece by piece: asciicast v2 of a terminal, bytes of anything else.
pub(crate) async fn recording(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadRemoteSessions>,
    Id(id): Id<RemoteSessionId>,
) -> Result<Response, Refusal> {
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let row = store::remote_session(&mut reader, &whose, id).await?;
    drop(reader);
    let sha256 = row.recording_sha256.ok_or(Code::NotFound)?;
    let kind = if row.kind == RemoteKind::Terminal { "application/x-asciicast" } else { "application/octet-stream" };
    let pieces = stream::unfold((app, 0), move |(app, seq)| async move {
        if seq >= row.next_piece {
            return None;
        }
        let piece = match app.store.read().await {
            Ok(mut reader) => store::recording_piece(&mut reader, id, seq).await,
            Err(error) => Err(error),
        };
        Some((piece, (app, seq + 1)))
    });
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_LENGTH, row.recording_bytes.to_string()),
        (HeaderName::from_static("sallyport-sha256"), sha256.to_string()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// The device of an opened session, as the API says it.
pub(crate) fn device(attachment: &store::Attachment) -> api::RemoteDevice {
    api::RemoteDevice {
        id: attachment.device,
        name: attachment.device_name.clone(),
        thumbprint: attachment.thumbprint,
        device_key: Hex(attachment.device_key).to_string(),
    }
}
