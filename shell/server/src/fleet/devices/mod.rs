//! `/v1/devices`: lists, details, inventories, labels.

mod inventory;
mod listing;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use sallyport_api as api;
use sallyport_decide::policy::{Permit, ReadDevices, TagDevices};
use sallyport_model::{DeviceId, SiteId, Tag, limits};
use sallyport_store::Reader;
use sallyport_store::ops::customers::{Place, places};
use sallyport_store::ops::devices::{self as store, DeviceFacts, DeviceRow, DeviceState, TagDevice, Which};
use sallyport_store::ops::people::{device_within, sites_within};
use sallyport_wire::Inventory;

use crate::events::Event;
use crate::{Allowed, App, Id, Json, Query, Refusal};

use super::search::devices_having;
use listing::Fleet;
use wanted::Wanted;

/// One page of devices, with the counts for the tabs.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadDevices>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<api::DevicePage>, Refusal> {
    let wanted = Wanted::parse(&query)?;
    let fleet = load(&app, &permit, &wanted).await?;
    Ok(Json(fleet.page(&wanted)))
}

async fn load(app: &App, permit: &Permit<ReadDevices>, wanted: &Wanted) -> Result<Fleet, Refusal> {
    let mut reader = app.store.read().await?;
    let tenant = permit.actor().tenant;
    let sites = sites_within(&mut reader, tenant, permit.reach()).await?;
    let mut rows = store::list(&mut reader, tenant, Which::Managed).await?;
    if wanted.removed() {
        rows.extend(store::list(&mut reader, tenant, Which::Removed).await?);
    }
    rows.retain(|row| sites.has(&row.site));
    let having = devices_having(&mut reader, tenant, &wanted.having).await?;
    let places = places(&mut reader, tenant).await?.by_site();
    Ok(Fleet { rows, places, online: app.hub.online(tenant), having })
}

/// A device out of reach looks like none.
async fn within(reader: &mut Reader, permit: &Permit<ReadDevices>, id: DeviceId) -> Result<(), Refusal> {
    match device_within(reader, permit.actor().tenant, permit.reach(), id).await? {
        true => Ok(()),
        false => Err(api::Code::NotFound.into()),
    }
}

/// A device in full, without its inventory.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadDevices>,
    Id(id): Id<DeviceId>,
) -> Result<Json<api::DeviceDetails>, Refusal> {
    let tenant = permit.actor().tenant;
    let mut reader = app.store.read().await?;
    within(&mut reader, &permit, id).await?;
    let facts = store::device(&mut reader, tenant, id).await?;
    let places = places(&mut reader, tenant).await?.by_site();
    let memory = store::inventory(&mut reader, tenant, id).await?.and_then(|bytes| Inventory::from_bytes(&bytes).ok());
    let figures = app.hub.figures(id).map(|beat| api::Figures {
        load_milli: beat.load_permille.into(),
        memory_used: beat.memory_used_bytes,
        memory_total: memory.map_or(0, |inventory| inventory.hardware.memory_bytes),
        uptime_secs: beat.uptime_secs,
    });
    Ok(Json(details(facts, &places, app.hub.is_online(id), figures)))
}

fn details(facts: DeviceFacts, places: &BTreeMap<SiteId, Place>, online: bool, figures: Option<api::Figures>) -> api::DeviceDetails {
    api::DeviceDetails {
        device: shown(&facts.row, places, online),
        thumbprint: facts.thumbprint.to_string(),
        agent_version: facts.agent_version,
        enrolled: facts.enrolled,
        enrolled_from: facts.enrolled_from,
        approved: facts.approved,
        approved_by: facts.approved_by,
        inventory_at: facts.inventory_at,
        figures,
    }
}

fn shown(row: &DeviceRow, places: &BTreeMap<SiteId, Place>, online: bool) -> api::Device {
    let place = places.get(&row.site);
    let lines = |text: &str| text.lines().map(str::to_owned).collect();
    api::Device {
        id: row.id,
        name: row.name.clone(),
        state: shown_state(row.state),
        online,
        last_seen: row.last_seen,
        // Every site has a customer; the schema sees to it.
        customer: place.map_or(sallyport_model::CustomerId::from_bytes([0; 16]), |place| place.customer),
        customer_name: place.map(|place| place.customer_name.clone()).unwrap_or_default(),
        site: row.site,
        site_name: place.map(|place| place.site_name.clone()).unwrap_or_default(),
        os: row.os.clone(),
        signed_in: lines(&row.signed_in),
        alerts: lines(&row.alerts),
        tags: row.tags.split_whitespace().map(str::to_owned).collect(),
    }
}

fn shown_state(state: DeviceState) -> api::DeviceState {
    match state {
        DeviceState::Pending => api::DeviceState::Pending,
        DeviceState::Approved => api::DeviceState::Approved,
        DeviceState::Quarantined => api::DeviceState::Quarantined,
        DeviceState::Removed => api::DeviceState::Removed,
    }
}

/// What a device said of itself last; empty before it said anything.
pub(crate) async fn inventory(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadDevices>,
    Id(id): Id<DeviceId>,
) -> Result<Json<api::Inventory>, Refusal> {
    let mut reader = app.store.read().await?;
    within(&mut reader, &permit, id).await?;
    let stored = store::inventory(&mut reader, permit.actor().tenant, id).await?;
    let Some(bytes) = stored else { return Ok(Json(api::Inventory::default())) };
    let inventory = Inventory::from_bytes(&bytes).map_err(|error| {
        tracing::error!(%error, device = %id, "a stored inventory cannot be read");
        Refusal::from(api::Code::Internal)
    })?;
    Ok(Json(inventory::shown(inventory)))
}

/// Replaces a device's labels.
pub(crate) async fn tag(
    State(app): State<App>,
    Allowed(permit): Allowed<TagDevices>,
    Id(device): Id<DeviceId>,
    Json(body): Json<api::SetTags>,
) -> Result<Json<api::Device>, Refusal> {
    let tags = tags(&body.tags)?;
    let tenant = permit.actor().tenant;
    app.store.commit(TagDevice { permit, device, tags, at: app.clock.now(), salt: app.random() }).await?;
    let online = app.hub.is_online(device);
    app.events.tell(tenant, Event::Device { device: device.to_string(), online });
    let mut reader = app.store.read().await?;
    let facts = store::device(&mut reader, tenant, device).await?;
    Ok(Json(shown(&facts.row, &places(&mut reader, tenant).await?.by_site(), online)))
}

fn tags(texts: &[String]) -> Result<BTreeSet<Tag>, Refusal> {
    let tags: BTreeSet<Tag> =
        texts.iter().map(|text| Tag::parse(text)).collect::<Result<_, _>>().map_err(|error| Refusal::field("tags", error))?;
    if tags.len() > limits::TAGS_PER_DEVICE {
        return Err(Refusal::field("tags", format!("at most {}", limits::TAGS_PER_DEVICE)));
    }
    Ok(tags)
}
