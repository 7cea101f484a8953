//! Asking for a guarded operation: it is frozen, and done at once only where an open step-up window is enough.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::approvals::NotNow;
use sallyport_decide::actions::{Action, Classified, CreateInstaller, Frozen, Hour, Method, Proof, Requirement, Target, classify, freeze};
use sallyport_decide::enrolment::Network;
use sallyport_decide::policy::{self, Actor, Capability, Permit};
use sallyport_grant::KeyId;
use sallyport_model::{ConnectionId, DeviceId, GrantId, Name, RequestId, SiteId, Timestamp, limits};
use sallyport_store::ops::bridge::SealedSecret;
use sallyport_store::ops::people::{devices_within, sites_within};
use sallyport_store::ops::requests::{self, Freeze, NotFrozen, Sealed, StoredRequest, Waits};
use sallyport_store::ops::targets::{DeviceFacts, devices_by_id, site_place};

use super::{execute, view};
use crate::events::Event;
use crate::{Allowed, App, Json, Refusal};

/// What a guarded operation stands on, apart from its own content.
pub(super) struct Ground {
    pub(super) hour: Hour,
    pub(super) now: Timestamp,
}

/// Loads what the class is decided on.
pub(super) async fn ground(app: &App, actor: &Actor) -> Result<Ground, Refusal> {
    let now = app.clock.now();
    let hour = requests::hour_of(&mut app.store.read().await?, actor.tenant, actor.user, now).await?;
    Ok(Ground { hour, now })
}

/// What is frozen together with an action.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) grant: Option<GrantId>,
    pub(super) secrets: Vec<Sealed>,
    pub(super) credential: Option<(ConnectionId, SealedSecret)>,
}

/// Asks for an action on a connection, with the sealed credential that comes with it.
pub(crate) async fn ask_with_credential(
    app: &App,
    actor: &Actor,
    action: Action,
    credential: Option<(ConnectionId, SealedSecret)>,
) -> Result<Response, Refusal> {
    let ground = ground(app, actor).await?;
    let classified = classify(&action, &ground.hour);
    ask(app, actor, action, classified, ground, Extra { credential, ..Extra::default() }).await
}

/// Asks for an action that brings nothing beside itself.
pub(crate) async fn ask_plainly(app: &App, actor: &Actor, action: Action) -> Result<Response, Refusal> {
    let ground = ground(app, actor).await?;
    let classified = classify(&action, &ground.hour);
    ask(app, actor, action, classified, ground, Extra::default()).await
}

/// Freezes an action; executes it where the asker's open window is all that it takes.
pub(super) async fn ask(
    app: &App,
    actor: &Actor,
    action: Action,
    classified: Classified,
    ground: Ground,
    extra: Extra,
) -> Result<Response, Refusal> {
    let id = RequestId::new(ground.now, app.random());
    let asker = (actor.tenant, actor.user);
    let eligible = requests::eligible(&mut app.store.read().await?, asker, &action, classified.class, ground.now).await?;
    let frozen = freeze((id, app.random()), actor, action, classified, eligible, ground.now);
    let at_once = frozen.requirement == Requirement::StepUp && actor.window_covers(&frozen.action, ground.now);
    let waits = if at_once { Waits::ForNobody } else { Waits::ForPeople };
    let (grant, secrets, credential) = (extra.grant, extra.secrets, extra.credential);
    let change = Freeze { frozen: frozen.clone(), grant, secrets, credential, waits, salt: app.random() };
    if at_once {
        let proof = Proof { user: actor.user, email: actor.email.clone(), method: Method::StepUp, at: ground.now };
        let result = execute::at_once(app, change, proof).await?.map_err(|why| refused(why, ground.now))?;
        return Ok((StatusCode::CREATED, Json(result)).into_response());
    }
    app.store.commit(change).await?.map_err(|why| refused(why, ground.now))?;
    tell(app, actor, &frozen, "open");
    let stored = StoredRequest {
        frozen,
        state: sallyport_decide::actions::RequestState::Open,
        proofs: Vec::new(),
        grant: extra.grant,
        job: None,
        log_index: None,
    };
    let body = view::request(app, &stored, actor).await?;
    let mut response = (StatusCode::ACCEPTED, Json(body)).into_response();
    let location = HeaderValue::from_str(&format!("/v1/authorization-requests/{id}")).expect("an id is ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// Why an action was not frozen; where nobody else is asked, with the time that is left (A10).
fn refused(why: NotFrozen, now: Timestamp) -> Refusal {
    match why {
        NotFrozen::TooMany => Code::TooManyRequests.into(),
        NotFrozen::NotNow(NotNow::TooMany) => {
            let why = format!("{} of your requests wait for a second person, and more would only press them.", limits::OPEN_APPROVALS);
            Refusal::from(Code::TooManyRequests).because(why)
        }
        NotFrozen::NotNow(NotNow::Muted(until)) => {
            let left = u32::try_from(until.micros_since(now).max(0) / 1_000_000).unwrap_or(u32::MAX).saturating_add(1);
            let why = format!("A second person said no. Talk to them; nobody is asked again for {} min.", left.div_ceil(60));
            Refusal::from(Code::AskerMuted).because(why).retry_after(left)
        }
    }
}

pub(super) fn tell(app: &App, actor: &Actor, frozen: &Frozen, state: &str) {
    app.events.tell(actor.tenant, Event::Request { request: frozen.id.to_string(), state: state.to_owned() });
}

/// Reads ids of devices; each of them must be in the wanted state now.
/// What lies outside of the permit's reach looks like what does not exist.
pub(super) async fn targets<C: Capability>(
    app: &App,
    permit: &Permit<C>,
    ids: &[String],
    wanted: &str,
) -> Result<Vec<DeviceFacts>, Refusal> {
    if ids.is_empty() {
        return Err(Refusal::from(Code::NothingToDo).at("devices"));
    }
    if ids.len() > limits::TARGETS {
        return Err(Refusal::field("devices", format!("at most {} at once", limits::TARGETS)));
    }
    let mut ids: Vec<DeviceId> =
        ids.iter().map(|id| id.parse()).collect::<Result<_, _>>().map_err(|error| Refusal::field("devices", error))?;
    ids.sort_unstable();
    ids.dedup();
    let mut reader = app.store.read().await?;
    let tenant = permit.actor().tenant;
    let facts = devices_by_id(&mut reader, tenant, &ids).await?;
    let within = devices_within(&mut reader, tenant, permit.reach()).await?;
    if facts.len() != ids.len() || !ids.iter().all(|id| within.has(id)) {
        return Err(Refusal::field("devices", "one of them does not exist"));
    }
    match facts.iter().find(|facts| facts.state != wanted && (wanted != "any" || facts.state == "removed")) {
        Some(other) => Err(Refusal::field("devices", format!("{} is {}", other.name, other.state))),
        None => Ok(facts),
    }
}

pub(super) fn target(facts: &DeviceFacts) -> Target {
    Target { device: facts.device, name: facts.name.clone(), thumbprint: KeyId(facts.thumbprint) }
}

/// Asks for the approval of pending devices.
pub(crate) async fn approve_devices(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ApproveDevices>,
    Json(body): Json<api::Devices>,
) -> Result<Response, Refusal> {
    let facts = targets(&app, &permit, &body.devices, "pending").await?;
    let action = Action::ApproveDevices(facts.iter().map(target).collect());
    let ground = ground(&app, permit.actor()).await?;
    let classified = classify(&action, &ground.hour);
    ask(&app, permit.actor(), action, classified, ground, Extra::default()).await
}

/// Asks for the removal of devices.
pub(crate) async fn remove_devices(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::RemoveDevices>,
    Json(body): Json<api::Devices>,
) -> Result<Response, Refusal> {
    let facts = targets(&app, &permit, &body.devices, "any").await?;
    let action = Action::RemoveDevices(facts.iter().map(target).collect());
    let ground = ground(&app, permit.actor()).await?;
    let classified = classify(&action, &ground.hour);
    ask(&app, permit.actor(), action, classified, ground, Extra::default()).await
}

/// Asks for an installer.
pub(crate) async fn create_installer(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManageInstallers>,
    Json(body): Json<api::NewInstaller>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let ground = ground(&app, actor).await?;
    let action = Action::CreateInstaller(wanted_installer(&app, &permit, body, ground.now).await?);
    let classified = classify(&action, &ground.hour);
    ask(&app, actor, action, classified, ground, Extra::default()).await
}

async fn wanted_installer(
    app: &App,
    permit: &Permit<policy::ManageInstallers>,
    body: api::NewInstaller,
    now: Timestamp,
) -> Result<CreateInstaller, Refusal> {
    if body.platform != "linux" {
        return Err(Refusal::field("platform", "must be linux"));
    }
    if body.uses == 0 || body.uses > limits::INSTALLER_USES {
        return Err(Refusal::field("uses", format!("must be 1 to {}", limits::INSTALLER_USES)));
    }
    let lifetime = i64::from(body.lifetime_secs);
    if lifetime == 0 || lifetime > limits::INSTALLER_LIFETIME_SECS {
        return Err(Refusal::field("lifetime_secs", format!("must be 1 to {}", limits::INSTALLER_LIFETIME_SECS)));
    }
    let network = body.network.filter(|text| !text.trim().is_empty());
    let network = network.map(|text| text.trim().parse::<Network>()).transpose().map_err(|error| Refusal::field("network", error))?;
    let site: SiteId = body.site.parse().map_err(|error| Refusal::field("site", error))?;
    let mut reader = app.store.read().await?;
    let tenant = permit.actor().tenant;
    let within = sites_within(&mut reader, tenant, permit.reach()).await?;
    let place = site_place(&mut reader, tenant, site).await?.filter(|_| within.has(&site));
    let place = place.ok_or_else(|| Refusal::field("site", "does not exist"))?;
    Ok(CreateInstaller {
        label: Name::parse(&body.label).map_err(|error| Refusal::field("label", error))?.into_string(),
        site,
        place: format!("{} / {}", place.customer, place.site),
        uses: body.uses,
        expires: now.plus_secs(lifetime),
        network: network.map(|network| network.to_string()),
    })
}

/// Asks for new recovery codes of one's own.
pub(crate) async fn regenerate_recovery_codes(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::RegenerateRecoveryCodes>,
) -> Result<Response, Refusal> {
    let ground = ground(&app, permit.actor()).await?;
    let action = Action::RegenerateRecoveryCodes;
    let classified = classify(&action, &ground.hour);
    ask(&app, permit.actor(), action, classified, ground, Extra::default()).await
}
