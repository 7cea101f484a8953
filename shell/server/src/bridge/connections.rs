//! `/v1/connections`: making and changing one is guarded; stopping one, and having its credential replaced, is a click.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::Action;
use sallyport_decide::bridge::rotation::State as Rotating;
use sallyport_decide::bridge::{ChangeConnection, Secret, Shape};
use sallyport_decide::policy::{ManageConnections, ReadConnections};
use sallyport_grant::sha256;
use sallyport_model::{ConnectionId, TenantId, limits};
use sallyport_store::ops::bridge::{self as store, RotateNow, SealedSecret, StopConnection};

use super::{LABEL, place, shown};
use crate::asking::conditional::Expected;
use crate::work::ask_with_credential;
use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

/// Connections of the tenant, the newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadConnections>,
    Query(query): Query<paging::Wanted>,
) -> Result<Json<api::Page<api::Connection>>, Refusal> {
    let (actor, now, limit) = (permit.actor(), app.clock.now(), query.limit()?);
    let rows = store::connections(&mut app.store.read().await?, actor.tenant, query.after()?, limit + 1).await?;
    Ok(Json(paging::page(rows, limit, |row| row.id.to_string(), |row| shown::connection(&row, actor, now))))
}

/// One connection.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadConnections>,
    Id(id): Id<ConnectionId>,
) -> Result<Json<api::Connection>, Refusal> {
    let row = store::connection(&mut app.store.read().await?, permit.actor().tenant, id).await?;
    Ok(Json(shown::connection(&row, permit.actor(), app.clock.now())))
}

/// Its last calls.
pub(crate) async fn calls(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadConnections>,
    Id(id): Id<ConnectionId>,
) -> Result<Json<api::ConnectionCalls>, Refusal> {
    let mut reader = app.store.read().await?;
    let row = store::connection(&mut reader, permit.actor().tenant, id).await?;
    let calls = store::calls_of(&mut reader, row.id).await?;
    Ok(Json(api::ConnectionCalls { items: calls.into_iter().map(shown::call).collect() }))
}

/// Asks for a connection.
pub(crate) async fn create(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageConnections>,
    Json(body): Json<api::WantedConnection>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let (after, secret) = shown::wanted(body);
    checked(&app, actor.tenant, &after).await?;
    let secret = secret.ok_or_else(|| Refusal::field("secret", "a new connection needs its credential"))?;
    if store::living(&mut app.store.read().await?, actor.tenant).await? >= limits::CONNECTIONS {
        return Err(Refusal::field("name", format!("there are {} connections already, which is the most", limits::CONNECTIONS)));
    }
    let connection = ConnectionId::new(app.clock.now(), app.random());
    let sealed = sealed(&app, connection, &secret)?;
    let change = ChangeConnection { connection, before: None, after, secret: Some(sha256(&[&sealed.sealed])) };
    ask_with_credential(&app, actor, Action::CreateConnection(change), Some((connection, sealed))).await
}

/// Asks for other terms, or another credential.
pub(crate) async fn change(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageConnections>,
    Id(id): Id<ConnectionId>,
    expected: Expected,
    Json(body): Json<api::WantedConnection>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let row = store::connection(&mut app.store.read().await?, actor.tenant, id).await?;
    expected.is(&shown::connection(&row, actor, app.clock.now()))?;
    if row.stopped.is_some() {
        return Err(Refusal::from(Code::ConnectionOver).because("It was stopped for good: make another one."));
    }
    let (after, secret) = shown::wanted(body);
    checked(&app, actor.tenant, &after).await?;
    match &secret {
        Some(_) => {}
        None if after == row.shape => return Err(Refusal::from(Code::NothingToDo).because("These are the terms that it has.")),
        None if after.wants_new_secret(&row.shape) => {
            return Err(Refusal::field("secret", "a credential is entrusted for one place: another address, header or hook needs it anew"));
        }
        None if row.secret_since.is_none() => {
            return Err(Refusal::field("secret", "its credential was forgotten when it ended: it needs it anew"));
        }
        None if row.rotation.state != Rotating::Idle => {
            return Err(Refusal::from(Code::Conflict).because("Its credential is being replaced: wait, or give it another one."));
        }
        None => {}
    }
    let sealed = secret.map(|secret| sealed(&app, id, &secret)).transpose()?;
    let digest = sealed.as_ref().map(|sealed| sha256(&[&sealed.sealed]));
    let change = ChangeConnection { connection: id, before: Some(row.shape), after, secret: digest };
    ask_with_credential(&app, actor, Action::ChangeConnection(change), sealed.map(|sealed| (id, sealed))).await
}

/// Stops a connection for good, and forgets its credential.
pub(crate) async fn stop(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageConnections>,
    Id(connection): Id<ConnectionId>,
) -> Result<StatusCode, Refusal> {
    app.store.commit(StopConnection { permit, connection, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has the credential replaced now, in the background.
pub(crate) async fn rotate(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageConnections>,
    Id(connection): Id<ConnectionId>,
) -> Result<StatusCode, Refusal> {
    let row = store::connection(&mut app.store.read().await?, permit.actor().tenant, connection).await?;
    if row.shape.rotation.is_none() {
        return Err(Refusal::from(Code::NothingToDo).because("Nothing says how its credential is replaced."));
    }
    app.store.commit(RotateNow { permit, connection, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn checked(app: &App, tenant: TenantId, shape: &Shape) -> Result<(), Refusal> {
    shape.check(app.clock.now()).map_err(|error| Refusal::field(error.field(), error))?;
    let base = shape.base().map_err(|error| Refusal::field(error.field(), error))?;
    app.outbound.accepts(&base).map_err(|error| Refusal::field("base_url", error))?;
    let unknown = store::unknown_callers(&mut app.store.read().await?, tenant, &shape.callers).await?;
    match unknown.first() {
        Some(id) => Err(Refusal::field("callers", format!("{id} does not exist"))),
        None => Ok(()),
    }
}

fn sealed(app: &App, connection: ConnectionId, text: &str) -> Result<SealedSecret, Refusal> {
    let secret = Secret::parse(text).map_err(|error| Refusal::field("secret", error))?;
    let id = app.random();
    Ok(SealedSecret { id, sealed: app.keys.seal(LABEL, &place(connection, id), secret.expose().as_bytes()) })
}
