//! `/v1/audit`: the log for people, and what it takes to check it elsewhere.

mod sentence;

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use sallyport_api as api;
use sallyport_decide::policy::ReadAudit;
use sallyport_grant::body::LogKey;
use sallyport_grant::log::entry_leaf_data;
use sallyport_grant::merkle::leaf_hash;
use sallyport_model::{Digest, TenantId};
use sallyport_store::log::{self, Filter, Head, Logged};
use sallyport_store::ops::names::names;
use sallyport_store::{Reader, StoreError};
use serde::Deserialize;
use serde_json::Value;

use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

/// Which entries, and which page of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListEntries {
    before: Option<u64>,
    cursor: Option<u64>,
    limit: Option<u32>,
    kind: Option<String>,
    actor: Option<String>,
    device: Option<String>,
}

/// Entries, the newest first. `before` and `cursor` are the same: entries older than this index.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadAudit>,
    Query(query): Query<ListEntries>,
) -> Result<Json<api::Page<api::AuditEntry>>, Refusal> {
    let limit = paging::limit(query.limit)?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = Filter { kind: given(query.kind), actor: given(query.actor), device: paging::parsed("device", query.device.as_deref())? };
    let tenant = permit.actor().tenant;
    let mut reader = app.store.read().await?;
    let page = log::page(&mut reader, tenant, &filter, query.cursor.or(query.before), limit).await?;
    let total = log::head(&mut reader, tenant).await?.size;
    let entries: Vec<Entry> = page.entries.into_iter().map(Entry::read).collect();
    let names = names(&mut reader, tenant, &entries.iter().flat_map(Entry::ids).collect()).await?;
    let items = entries.into_iter().map(|entry| entry.shown(&names)).collect();
    Ok(Json(api::Page { items, next: page.next.map(|index| index.to_string()), total: Some(total) }))
}

/// A stored entry with its payload read; null once erased, or where it is not what was logged.
struct Entry {
    logged: Logged,
    payload: Value,
    as_logged: bool,
}

impl Entry {
    fn read(logged: Logged) -> Self {
        let as_logged = logged.is_as_logged();
        let body: Option<Value> = logged.body.as_deref().filter(|_| as_logged).and_then(|body| serde_json::from_str(body).ok());
        if !as_logged {
            tracing::error!(entry = logged.index, "an entry of the audit log was changed after it was logged");
        }
        Self { payload: body.map_or(Value::Null, |mut body| body["payload"].take()), logged, as_logged }
    }

    /// Every text that could be an id.
    fn ids(&self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        collect(&self.payload, &mut ids);
        ids.extend(self.logged.actor.clone());
        ids
    }

    /// The leaf in the tree; for what is not as it was logged, the one that it would have, which nothing proves.
    fn leaf(&self) -> Digest {
        match self.as_logged {
            true => leaf_hash(&self.logged.data),
            false => {
                let body = self.logged.body.as_deref().unwrap_or_default();
                leaf_hash(&entry_leaf_data(&self.logged.salt.unwrap_or_default(), &[body.as_bytes(), &self.logged.data].concat()))
            }
        }
    }

    fn shown(self, names: &BTreeMap<String, String>) -> api::AuditEntry {
        let leaf = self.leaf();
        let actor = self.logged.actor.filter(|actor| actor != "system");
        let actor = actor.map(|id| api::AuditParty { name: names.get(&id).cloned().unwrap_or_else(|| id.clone()), id });
        let sentence = match self.as_logged {
            true => sentence::of(&self.logged.kind, actor.as_ref(), &self.payload, names),
            false => sentence::damaged(&self.logged.kind),
        };
        api::AuditEntry {
            index: self.logged.index,
            at: self.logged.at,
            sentence,
            leaf,
            kind: self.logged.kind,
            actor,
            details: self.payload,
        }
    }
}

fn collect(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        // `dev_` and 26 digits.
        Value::String(text) if text.len() == 30 && text.as_bytes()[3] == b'_' => {
            ids.insert(text.clone());
        }
        Value::Object(fields) => fields.values().for_each(|value| collect(value, ids)),
        Value::Array(values) if values.len() <= sentence::NAMED => values.iter().for_each(|value| collect(value, ids)),
        _ => {}
    }
}

/// The newest signed checkpoint.
pub(crate) async fn checkpoint(State(app): State<App>, Allowed(permit): Allowed<ReadAudit>) -> Result<Json<api::Checkpoint>, Refusal> {
    let tenant = permit.actor().tenant;
    let mut reader = app.store.read().await?;
    let head = log::head(&mut reader, tenant).await?;
    Ok(Json(shown(&mut reader, tenant, head).await?))
}

/// A checkpoint is signed with the entry that it ends with.
async fn shown(reader: &mut Reader, tenant: TenantId, head: Head) -> Result<api::Checkpoint, StoreError> {
    let last = log::entry(reader, tenant, head.size.saturating_sub(1)).await?;
    Ok(api::Checkpoint { origin: LogKey::origin_of(tenant), size: head.size, root: head.root, note: head.checkpoint, at: last.at })
}

/// Shows that an entry is in the log of the newest checkpoint.
pub(crate) async fn proof(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadAudit>,
    Id(index): Id<u64>,
) -> Result<Json<api::InclusionProof>, Refusal> {
    let tenant = permit.actor().tenant;
    let mut reader = app.store.read().await?;
    let leaf = leaf_hash(&log::entry(&mut reader, tenant, index).await?.data);
    let head = log::head(&mut reader, tenant).await?;
    let hashes = log::inclusion(&mut reader, tenant, index, head.size).await?;
    let checkpoint = shown(&mut reader, tenant, head).await?;
    Ok(Json(api::InclusionProof { index, leaf, checkpoint, hashes }))
}
