//! `/v1/clients`: API clients for people. Making and changing one is guarded; stopping one is a click.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::Action;
use sallyport_decide::automation::{
    ChangeClient, ClientKey, KeyAge, KeyStanding, LicenceRule, PublicJwk, Rotation, Shape, ShapeError, age_of, scopes,
};
use sallyport_decide::networks::Range;
use sallyport_decide::policy::{ManageClients, ReadClients, Rights};
use sallyport_model::{ApiClientId, TenantId, Timestamp, limits};
use sallyport_store::ops::automation::{self as store, ClientRow, StopClient, StoppedBy};

use crate::asking::conditional::Expected;
use crate::work::ask_plainly;
use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

/// API clients of the tenant, the newest first, and what the reader could give to one.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadClients>,
    Query(query): Query<paging::Wanted>,
) -> Result<Json<api::ApiClients>, Refusal> {
    let (actor, now, limit) = (permit.actor(), app.clock.now(), query.limit()?);
    let rows = store::clients(&mut app.store.read().await?, actor.tenant, query.after()?, limit + 1).await?;
    let api::Page { items, next, .. } = paging::page(rows, limit, |row| row.id.to_string(), |row| shown(row, now));
    let items = items.into_iter().collect::<Result<_, _>>()?;
    let own = scopes().filter(|row| actor.rights.reach(row).is_some());
    let scopes = own.map(|row| api::ApiScope { name: row.name.to_owned(), about: row.about.to_owned() }).collect();
    Ok(Json(api::ApiClients { items, next, scopes }))
}

/// One API client.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadClients>,
    Id(id): Id<ApiClientId>,
) -> Result<Json<api::ApiClient>, Refusal> {
    let row = find(&app, permit.actor().tenant, id).await?;
    shown(row, app.clock.now()).map(Json)
}

pub(super) async fn find(app: &App, tenant: TenantId, id: ApiClientId) -> Result<ClientRow, Refusal> {
    let row = store::client(&mut app.store.read().await?, id).await?;
    row.filter(|row| row.tenant == tenant).ok_or_else(|| Code::NotFound.into())
}

/// Asks for a client in the asker's own name.
pub(crate) async fn create(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageClients>,
    Json(body): Json<api::NewApiClient>,
) -> Result<Response, Refusal> {
    let (actor, now) = (permit.actor(), app.clock.now());
    let api::NewApiClient { name, scopes, networks, expires, key, rotation, licence } = body;
    let after = parsed(api::ChangeApiClient { name, scopes, networks, expires, rotation, licence: Some(licence) }, LicenceRule::NotNeeded)?;
    checked(&after, &actor.rights, now)?;
    let jwk = PublicJwk { kty: key.kty, crv: key.crv, x: key.x, y: key.y };
    let key = ClientKey::parse(jwk).map_err(|error| Refusal::field("key", error))?;
    if store::living_clients(&mut app.store.read().await?, actor.tenant, now).await? >= limits::API_CLIENTS as u64 {
        return Err(Refusal::field("name", format!("there are {} API clients already, which is the most", limits::API_CLIENTS)));
    }
    let client = ApiClientId::new(now, app.random());
    let action = Action::CreateClient(ChangeClient { client, key: Some(key.jwk().clone()), before: None, after });
    ask_plainly(&app, actor, action).await
}

/// Asks for another shape of a client. Who is not its owner gives it nothing that they do not have themselves.
pub(crate) async fn change(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageClients>,
    Id(id): Id<ApiClientId>,
    expected: Expected,
    Json(body): Json<api::ChangeApiClient>,
) -> Result<Response, Refusal> {
    let (actor, now) = (permit.actor(), app.clock.now());
    let row = find(&app, actor.tenant, id).await?;
    expected.is(&shown_shape(&row.state.shape))?;
    if row.state.stopped.is_some() {
        return Err(Refusal::from(Code::Conflict).because("It was stopped for good: make another one."));
    }
    let after = parsed(body, row.state.shape.licence)?;
    checked(&after, &actor.rights, now)?;
    if row.owner != actor.user && !after.may_be_given_by(&actor.rights) {
        return Err(Refusal::from(Code::RoleRefused).because("You can only give what you may do yourself, for the whole tenant."));
    }
    if after == row.state.shape {
        return Err(Refusal::from(Code::NothingToDo).because("That is the shape that it has."));
    }
    let action = Action::ChangeClient(ChangeClient { client: id, key: None, before: Some(row.state.shape), after });
    ask_plainly(&app, actor, action).await
}

/// Stops a client for good, with its tokens and open requests.
pub(crate) async fn stop(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageClients>,
    Id(client): Id<ApiClientId>,
) -> Result<StatusCode, Refusal> {
    let by = StoppedBy::Person(permit);
    app.store.commit(StopClient { by, client, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a licence is needed stays as it was, unless the body says otherwise.
fn parsed(body: api::ChangeApiClient, licence: LicenceRule) -> Result<Shape, Refusal> {
    let networks: Result<Vec<Range>, _> = body.networks.iter().map(|text| text.parse()).collect();
    Ok(Shape {
        name: body.name.trim().to_owned(),
        scopes: body.scopes,
        networks: networks.map_err(|error| Refusal::field("networks", error))?,
        expires: body.expires,
        rotation: match body.rotation {
            api::KeyRotation::Daily => Rotation::Daily,
            api::KeyRotation::ByHand => Rotation::ByHand,
        },
        licence: match body.licence {
            None => licence,
            Some(api::LicenceRule::NotNeeded) => LicenceRule::NotNeeded,
            Some(api::LicenceRule::Needed) => LicenceRule::Needed,
        },
    })
}

fn checked(shape: &Shape, rights: &Rights, now: Timestamp) -> Result<(), Refusal> {
    shape.check(rights, now).map_err(|error| match &error {
        ShapeError::Name => Refusal::field("name", error),
        ShapeError::NotYours(_) => Refusal::from(Code::RoleRefused).because(error).at("scopes"),
        ShapeError::NoScopes | ShapeError::Scope(_) => Refusal::field("scopes", error),
        ShapeError::Networks | ShapeError::Wide(_) => Refusal::field("networks", error),
        ShapeError::Expiry => Refusal::field("expires", error),
    })
}

fn shown(row: ClientRow, now: Timestamp) -> Result<api::ApiClient, Refusal> {
    Ok(api::ApiClient {
        id: row.id,
        state: state(&row, now),
        shape: shown_shape(&row.state.shape),
        owner: row.owner,
        owner_name: row.owner_name,
        created: row.created,
        stopped: row.stopped_at,
        stopped_why: row.state.stopped.map(|why| why.as_str().to_owned()),
        last_used: row.last_used,
        last_address: row.last_address,
        key: serde_json::from_str(&row.key).map_err(|_| Refusal::from(Code::Internal))?,
        key_created: row.key_created,
        last_refusal: row.refused.map(|refused| api::LicenceRefused {
            at: refused.at,
            reason: refused.why.as_str().to_owned(),
            why: refused.why.words().to_owned(),
            address: refused.address,
        }),
    })
}

fn state(row: &ClientRow, now: Timestamp) -> api::ApiClientState {
    let ended = |end: Timestamp| now >= end;
    let age = KeyAge { created: row.key_created, until: None };
    match &row.state {
        state if state.stopped.is_some() => api::ApiClientState::Stopped,
        state if ended(state.shape.expires) => api::ApiClientState::Expired,
        state if !state.owner_works || state.owner_ends.is_some_and(ended) => api::ApiClientState::OwnerOver,
        state if age_of(age, state.shape.rotation, now) != KeyStanding::Good => api::ApiClientState::KeyDue,
        _ => api::ApiClientState::Active,
    }
}

fn shown_shape(shape: &Shape) -> api::ApiClientShape {
    api::ApiClientShape {
        name: shape.name.clone(),
        scopes: shape.scopes.clone(),
        networks: shape.networks.iter().map(ToString::to_string).collect(),
        expires: shape.expires,
        rotation: match shape.rotation {
            Rotation::Daily => api::KeyRotation::Daily,
            Rotation::ByHand => api::KeyRotation::ByHand,
        },
        licence: match shape.licence {
            LicenceRule::NotNeeded => api::LicenceRule::NotNeeded,
            LicenceRule::Needed => api::LicenceRule::Needed,
        },
    }
}

/// An action on a client, exactly as people read it before they prove it.
pub(crate) fn details(change: &ChangeClient) -> api::ApiClientDetails {
    let key = |jwk: &PublicJwk| api::PublicJwk { kty: jwk.kty.clone(), crv: jwk.crv.clone(), x: jwk.x.clone(), y: jwk.y.clone() };
    api::ApiClientDetails {
        client: change.client,
        key: change.key.as_ref().map(key),
        before: change.before.as_ref().map(shown_shape),
        after: shown_shape(&change.after),
    }
}
