//! Authorization requests as a resource: see, prove, deny.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::actions::approvals::Number;
use sallyport_decide::actions::{Method, Missing, Proof, RequestState, release};
use sallyport_decide::policy::{self, Capability, Holds, Permit};
use sallyport_grant::body::Class;
use sallyport_model::{RequestId, limits};
use sallyport_store::Reader;
use sallyport_store::ops::accounts::UsedFactor;
use sallyport_store::ops::people::{may_be_second, touched};
use sallyport_store::ops::remote::NewWindow;
use sallyport_store::ops::requests::{
    AddProof, ChargeNumber, Deny, EndGuessed, RefundNumber, StoredRequest, open_requests, request, still_suffices,
};

use super::execute::{self, Spent};
use super::view;
use crate::accounts::ProvenFactor;
use crate::events::Event;
use crate::{Allowed, App, Id, Json, Query, Refusal, accounts, paging};

/// The requests that wait, the newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadRequests>,
    Query(query): Query<paging::Wanted>,
) -> Result<Json<api::Page<api::AuthorizationRequest>>, Refusal> {
    let limit = query.limit()?;
    let found = waiting(&app, &permit, (query.after()?, limit + 1)).await?;
    let api::Page { items: found, next, .. } = paging::page(found, limit, |request| request.frozen.id.to_string(), |request| request);
    let mut items = Vec::with_capacity(found.len());
    for request in &found {
        items.push(view::request(&app, request, permit.actor()).await?);
    }
    Ok(Json(api::Page { items, next, total: None }))
}

/// As many as are wanted of those that one may see.
async fn waiting(
    app: &App,
    permit: &Permit<policy::ReadRequests>,
    (mut after, wanted): (Option<RequestId>, u32),
) -> Result<Vec<StoredRequest>, Refusal> {
    let (mut reader, now) = (app.store.read().await?, app.clock.now());
    let mut found = Vec::new();
    loop {
        let open = open_requests(&mut reader, permit.actor().tenant, now, (after, wanted)).await?;
        let is_last = open.len() < wanted as usize;
        for request in open {
            after = Some(request.frozen.id);
            if may_see(&mut reader, permit, &request).await? {
                found.push(request);
            }
            if found.len() == wanted as usize {
                return Ok(found);
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// One's own, and those that reach nothing but what one reaches. What concerns the tenant is for those who may ask for it themselves.
async fn may_see<C: Capability>(reader: &mut Reader, permit: &Permit<C>, stored: &StoredRequest) -> Result<bool, Refusal> {
    let (actor, capability) = (permit.actor(), stored.frozen.action.kind().capability());
    // A tool sees what it asked for, and nothing of its owner's.
    if actor.client().is_some() {
        return Ok(stored.frozen.asker.client() == actor.client());
    }
    if stored.frozen.asker.user == actor.user {
        return Ok(true);
    }
    if capability.holds == Holds::Tenant {
        return Ok(actor.rights.reach(capability).is_some());
    }
    Ok(permit.reach().is_tenant() || touched(reader, actor.tenant, &stored.frozen.action).await?.is_within(permit.reach()))
}

/// A request that one may see; any other looks like none.
async fn seen<C: Capability>(reader: &mut Reader, permit: &Permit<C>, id: RequestId) -> Result<StoredRequest, Refusal> {
    let stored = request(reader, permit.actor().tenant, id).await?;
    if may_see(reader, permit, &stored).await? { Ok(stored) } else { Err(Code::NotFound.into()) }
}

/// One request.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadRequests>,
    Id(id): Id<RequestId>,
) -> Result<Json<api::AuthorizationRequest>, Refusal> {
    let stored = seen(&mut app.store.read().await?, &permit, id).await?;
    Ok(Json(view::request(&app, &stored, permit.actor()).await?))
}

/// One person's answer. Where it was the last one missing, the action is done before this returns.
pub(crate) async fn prove(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ProveRequests>,
    Id(id): Id<RequestId>,
    Json(body): Json<api::NewProof>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let stored = provable(&app, &permit, id).await?;
    heard_the_number(&app, actor, &stored, body.number.as_deref()).await?;
    let used = proven(&app, actor, &stored, &body).await?.counting()?;
    let at = app.clock.now();
    let proof = Proof { user: actor.user, email: actor.email.clone(), method: method(&used), at };
    let mut proofs = stored.proofs.clone();
    proofs.push(proof.clone());
    match release(stored.frozen.clone(), proofs, at) {
        Ok(released) => {
            let window = opens_window(actor, &stored).then(|| Token::from_bytes(app.random()));
            let renewed = window.as_ref().map(|token| NewWindow { session: actor.session, token: token.stored(Purpose::Session) });
            let result = execute::execute(&app, released, Spent { used: Some(used), window: renewed }).await?;
            let stored = request(&mut app.store.read().await?, actor.tenant, id).await?;
            let mut body = view::request(&app, &stored, actor).await?;
            body.result = Some(result);
            let cookie = window.map(|token| [(header::SET_COOKIE, accounts::renewed_cookie(&token))]);
            Ok((cookie, Json(body)).into_response())
        }
        Err(Missing::Asker | Missing::Another) => {
            app.store.commit(AddProof { tenant: actor.tenant, request: id, proof, used, salt: app.random() }).await?;
            app.events.tell(actor.tenant, Event::Request { request: id.to_string(), state: "open".to_owned() });
            let stored = request(&mut app.store.read().await?, actor.tenant, id).await?;
            Ok(Json(view::request(&app, &stored, actor).await?).into_response())
        }
        Err(Missing::Lapsed) => Err(Code::RequestClosed.into()),
    }
}

/// The second person types the number on the asker's screen: they have talked. The try is charged before it is compared, and before any
/// code is.
async fn heard_the_number(app: &App, actor: &policy::Actor, stored: &StoredRequest, typed: Option<&str>) -> Result<(), Refusal> {
    let (tenant, request) = (actor.tenant, stored.frozen.id);
    if stored.frozen.asker.user == actor.user {
        return Ok(());
    }
    let wrong = || Refusal::from(Code::NumberRefused).at("number");
    let typed = Number::parse(typed.unwrap_or_default()).map_err(|why| wrong().because(why))?;
    let charged = app.store.reserve(ChargeNumber { tenant, request }).await?;
    let right = typed.is(&app.numbers.of(request));
    if right && charged <= limits::NUMBER_FAILURES {
        return app.store.reserve(RefundNumber { tenant, request }).await.map_err(Refusal::from);
    }
    if charged < limits::NUMBER_FAILURES {
        return Err(wrong());
    }
    app.store.commit(EndGuessed { tenant, request, by: actor.user, at: app.clock.now(), salt: app.random() }).await?;
    app.events.tell(tenant, Event::Request { request: request.to_string(), state: "denied".to_owned() });
    Err(Refusal::from(Code::RequestClosed).because("Too many wrong numbers: the request is over."))
}

/// A code for a remote session of class 1 opens the step-up window anew, in the session that asked and for no other one (STEP-08).
fn opens_window(actor: &policy::Actor, stored: &StoredRequest) -> bool {
    let frozen = &stored.frozen;
    frozen.action.remote_kind().is_some() && frozen.class == Class::OneDevice && frozen.asker.session == actor.session
}

/// A code, or a passkey's answer whose challenge is the digest of this very request.
async fn proven(app: &App, actor: &policy::Actor, stored: &StoredRequest, body: &api::NewProof) -> Result<ProvenFactor, Refusal> {
    match (&body.totp, &body.passkey) {
        (Some(code), None) => accounts::prove_totp(app, actor, code).await,
        (None, Some(answer)) => accounts::prove_passkey(app, actor, &answer.credential, stored.frozen.digest.as_bytes()).await,
        _ => Err(Refusal::field("totp", "there must be either totp or passkey")),
    }
}

fn method(used: &UsedFactor) -> Method {
    match used {
        UsedFactor::Totp { .. } => Method::Totp,
        UsedFactor::Passkey(_) => Method::Passkey,
    }
}

/// Begins a proof by passkey: the challenge is the digest of what is authorized.
pub(crate) async fn begin_passkey(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ProveRequests>,
    Id(id): Id<RequestId>,
) -> Result<Json<api::StartedAssertion>, Refusal> {
    let stored = provable(&app, &permit, id).await?;
    accounts::begin_request(&app, permit.actor(), &stored.frozen.digest).await.map(Json)
}

/// A request that this person can prove now: looked at before a code is charged for it, and again where it is executed.
/// The asker proves their own; others prove what takes two people, once they are not new any more.
async fn provable(app: &App, permit: &Permit<policy::ProveRequests>, id: RequestId) -> Result<StoredRequest, Refusal> {
    let (actor, now) = (permit.actor(), app.clock.now());
    let mut reader = app.store.read().await?;
    let stored = seen(&mut reader, permit, id).await?;
    let (frozen, asker) = (&stored.frozen, stored.frozen.asker.user);
    if stored.state != RequestState::Open || now >= frozen.expires {
        return Err(Code::RequestClosed.into());
    }
    if asker != actor.user && frozen.requirement.people() == 1 {
        return Err(Refusal::from(Code::RoleRefused).because("Only the person who asked can prove this request."));
    }
    if asker != actor.user && !may_be_second(&mut reader, actor.tenant, actor.user, &frozen.action, now).await? {
        let why = "The second person must be allowed this, everywhere where it reaches, with an account older than seven days.";
        return Err(Refusal::from(Code::RoleRefused).because(why));
    }
    if !still_suffices(&mut reader, frozen, now).await? {
        let why = "Since it was asked for, other actions of the same person raised what it takes. Start the action again.";
        return Err(Refusal::from(Code::RequestClosed).because(why));
    }
    Ok(stored)
}

/// Says no: the request is over for everybody.
pub(crate) async fn deny(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ProveRequests>,
    Id(id): Id<RequestId>,
) -> Result<StatusCode, Refusal> {
    let actor = permit.actor();
    seen(&mut app.store.read().await?, &permit, id).await?;
    app.store.commit(Deny { tenant: actor.tenant, request: id, by: actor.user, at: app.clock.now(), salt: app.random() }).await?;
    app.events.tell(actor.tenant, Event::Request { request: id.to_string(), state: "denied".to_owned() });
    Ok(StatusCode::NO_CONTENT)
}
