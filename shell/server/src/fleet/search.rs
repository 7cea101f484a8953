//! `/v1/search`: what runs, is installed or listens on which devices, answered from what their inventories said last.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sallyport_api as api;
use sallyport_decide::policy::ReadDevices;
use sallyport_decide::search::{Find, FindError, FindKind, Finding, NameIs, VersionIs, unpack};
use sallyport_model::{DeviceId, TenantId, limits};
use sallyport_store::Reader;
use sallyport_store::ops::customers::places;
use sallyport_store::ops::devices::{self, Which};
use sallyport_store::ops::people::{Within, devices_within};
use sallyport_store::ops::search::candidates;
use sallyport_wire::UnsignedToAgent;

use crate::{Allowed, App, Json, Query, Refusal, paging};

/// Candidates that are read at once.
const BATCH: u32 = 200;

/// A page of devices as JSON, or all of them as CSV.
pub(crate) async fn search(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadDevices>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Refusal> {
    let wanted = Wanted::parse(&query)?;
    let tenant = permit.actor().tenant;
    let mut reader = app.store.read().await?;
    // One more than the page has shows that another one follows.
    let most = if wanted.format == Format::Csv { limits::SEARCH_EXPORT_DEVICES } else { wanted.limit as usize + 1 };
    let reached = devices_within(&mut reader, tenant, permit.reach()).await?;
    let mut hits = hits(&mut reader, tenant, &wanted.find, &reached, wanted.after, most).await?;
    let next = (wanted.format == Format::Json && hits.len() == most).then(|| hits.pop()).flatten();
    let next = next.and_then(|_| hits.last()).map(|(device, _)| device.to_string());
    let items = placed(&app, &mut reader, tenant, hits).await?;
    Ok(match wanted.format {
        Format::Json => Json(api::Page { items, next, total: None }).into_response(),
        Format::Csv => ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv(&items)).into_response(),
    })
}

/// Asks connected devices for a new inventory, so many at a time: what was found is then what there is now.
pub(crate) async fn refresh(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadDevices>,
    Json(body): Json<api::RefreshSearch>,
) -> Result<Json<api::RefreshedSearch>, Refusal> {
    let after: Option<DeviceId> = paging::parsed("after", body.after.as_deref())?;
    let tenant = permit.actor().tenant;
    let reached = devices_within(&mut app.store.read().await?, tenant, permit.reach()).await?;
    let mut online = app.hub.online(tenant).into_iter().filter(|device| reached.has(device) && after.is_none_or(|after| *device > after));
    let asked: Vec<DeviceId> = online.by_ref().take(limits::SEARCH_REFRESH_DEVICES).collect();
    let next = online.next().and(asked.last()).map(ToString::to_string);
    let asked = asked.into_iter().filter(|device| app.hub.send(*device, UnsignedToAgent::InventoryWanted.into())).count();
    Ok(Json(api::RefreshedSearch { asked: u32::try_from(asked).unwrap_or(u32::MAX), next }))
}

/// The devices that have one thing of each kind that is named; nothing where none is.
pub(super) async fn devices_having(reader: &mut Reader, tenant: TenantId, finds: &[Find]) -> Result<Option<BTreeSet<DeviceId>>, Refusal> {
    let mut having: Option<BTreeSet<DeviceId>> = None;
    for kind in FindKind::ALL {
        let of_kind: Vec<&Find> = finds.iter().filter(|find| find.kind() == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let found = devices_with(reader, tenant, &of_kind).await?;
        having = Some(having.map_or(found.clone(), |before| &before & &found));
    }
    Ok(having)
}

async fn devices_with(reader: &mut Reader, tenant: TenantId, finds: &[&Find]) -> Result<BTreeSet<DeviceId>, Refusal> {
    let mut found = BTreeSet::new();
    for find in finds {
        found.extend(hits(reader, tenant, find, &Within::All, None, limits::TARGETS).await?.into_iter().map(|(device, _)| device));
    }
    Ok(found)
}

type Hit = (DeviceId, Vec<Finding>);

/// Devices behind `after` with what was looked for, at most so many, in the order of their ids.
async fn hits(
    reader: &mut Reader,
    tenant: TenantId,
    find: &Find,
    reached: &Within<DeviceId>,
    after: Option<DeviceId>,
    most: usize,
) -> Result<Vec<Hit>, Refusal> {
    let (mut hits, mut after) = (Vec::new(), after);
    loop {
        let batch = candidates(reader, tenant, find.kind(), find.needle(), after, BATCH).await?;
        let is_last = batch.len() < BATCH as usize;
        after = batch.last().map(|candidate| candidate.device);
        for candidate in batch.into_iter().filter(|candidate| reached.has(&candidate.device)) {
            let found: Vec<Finding> =
                unpack(&candidate.content).filter(|finding| find.is(finding)).take(limits::SEARCH_ITEMS_PER_DEVICE).collect();
            if !found.is_empty() {
                hits.push((candidate.device, found));
            }
            if hits.len() == most {
                return Ok(hits);
            }
        }
        if is_last {
            return Ok(hits);
        }
    }
}

async fn placed(app: &App, reader: &mut Reader, tenant: TenantId, hits: Vec<Hit>) -> Result<Vec<api::FoundOn>, Refusal> {
    let rows = devices::list(reader, tenant, Which::Managed).await?;
    let rows: BTreeMap<DeviceId, _> = rows.into_iter().map(|row| (row.id, row)).collect();
    let places = places(reader, tenant).await?.by_site();
    let found_on = |(device, found): Hit| {
        let row = rows.get(&device)?;
        let place = places.get(&row.site);
        Some(api::FoundOn {
            device,
            name: row.name.clone(),
            online: app.hub.is_online(device),
            customer_name: place.map(|place| place.customer_name.clone()).unwrap_or_default(),
            site_name: place.map(|place| place.site_name.clone()).unwrap_or_default(),
            found: found.into_iter().map(|found| api::Found { name: found.name, version: found.version, detail: found.detail }).collect(),
        })
    };
    Ok(hits.into_iter().filter_map(found_on).collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

struct Wanted {
    find: Find,
    after: Option<DeviceId>,
    limit: u32,
    format: Format,
}

impl Wanted {
    fn parse(query: &[(String, String)]) -> Result<Self, Refusal> {
        let mut given: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in query {
            if !["kind", "name", "version_op", "version", "cursor", "limit", "format"].contains(&name.as_str()) {
                return Err(Refusal::field(name, "is not known here"));
            }
            if given.insert(name, value).is_some() {
                return Err(Refusal::field(name, "must be given once"));
            }
        }
        let text = |name: &str| given.get(name).copied().filter(|value| !value.is_empty());
        let format = match text("format") {
            None | Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            Some(_) => return Err(Refusal::field("format", "must be json or csv")),
        };
        let limit = paging::limit(paging::parsed("limit", text("limit"))?)?;
        Ok(Self { find: find(text)?, after: paging::parsed("cursor", text("cursor"))?, limit, format })
    }
}

fn find<'a>(text: impl Fn(&str) -> Option<&'a str>) -> Result<Find, Refusal> {
    let kind = text("kind").and_then(FindKind::parse);
    let kind = kind.ok_or_else(|| Refusal::field("kind", "must be process, service, software or port"))?;
    let is =
        text("version_op").map(|sign| VersionIs::parse(sign).ok_or_else(|| Refusal::field("version_op", "must be lt, le, eq, ge or gt")));
    let version = match (is.transpose()?, text("version")) {
        (None, None) => None,
        (is, version) => Some((is.unwrap_or(VersionIs::Same), version.unwrap_or_default())),
    };
    Find::new(kind, text("name").unwrap_or_default(), NameIs::Part, version).map_err(|error| match error {
        FindError::Empty | FindError::TooLong(_) => Refusal::field("name", error),
        FindError::Version => Refusal::field("version", error),
    })
}

fn csv(items: &[api::FoundOn]) -> String {
    let mut text = String::from("device,device_name,customer,site,online,name,version,detail\r\n");
    for item in items {
        for found in &item.found {
            let online = if item.online { "yes" } else { "no" };
            let cells = [
                item.device.to_string(),
                cell(&item.name),
                cell(&item.customer_name),
                cell(&item.site_name),
                online.to_owned(),
                cell(&found.name),
                cell(&found.version),
                cell(&found.detail),
            ];
            let _ = write!(text, "{}\r\n", cells.join(","));
        }
    }
    text
}

/// RFC 4180; what a spreadsheet would take for a formula is marked as text.
fn cell(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)]) -> Result<Wanted, Refusal> {
        let owned: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Wanted::parse(&owned)
    }

    #[test]
    fn what_is_not_a_search_is_refused() {
        assert!(parse(&[("kind", "software"), ("name", "nginx"), ("version_op", "lt"), ("version", "1.25"), ("format", "csv")]).is_ok());
        assert!(parse(&[("kind", "software"), ("name", "nginx"), ("version", "1.25")]).is_ok());
        for wrong in [
            [("kind", "script"), ("name", "x")],
            [("name", "x"), ("limit", "5")],
            [("kind", "port"), ("nam", "x")],
            [("kind", "port"), ("kind", "port")],
            [("kind", "port"), ("name", " ")],
        ] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
        for wrong in [("version_op", "lt"), ("version_op", "near"), ("cursor", "x"), ("format", "xml"), ("limit", "0")] {
            assert!(parse(&[("kind", "software"), ("name", "nginx"), wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(cell("a \"b\",c"), "\"a \"\"b\"\",c\"");
    }
}
