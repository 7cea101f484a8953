//! Who may be told: what a webhook's owner may see at the moment when it is sent, and nothing of what they could see once.

use sallyport_decide::policy::{Holds, Reach, Rights};
use sallyport_decide::webhooks::{EventKind, Subject};
use sallyport_model::{RequestId, TenantId, Timestamp};
use sallyport_store::ops::people::{devices_within, rights_of, sites_within, touched};
use sallyport_store::ops::requests::request;
use sallyport_store::ops::webhooks::WebhookRow;
use sallyport_store::ops::{installers, schedules};
use sallyport_store::{Reader, StoreError};
use serde_json::Value;

use crate::live;

/// Whether the owner may see it now. What cannot be found is not told.
pub(super) async fn may_be_told(
    reader: &mut Reader,
    hook: &WebhookRow,
    kind: EventKind,
    data: &Value,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if !hook.owner_works(now) {
        return Ok(false);
    }
    let rights = rights_of(reader, hook.owner).await?;
    let Some(reach) = rights.reach(kind.needs()) else { return Ok(false) };
    let Some(subject) = Subject::of(kind, data) else { return Ok(false) };
    if let Subject::Request(id) = subject {
        return request_is_seen(reader, hook, (&rights, &reach), id).await;
    }
    if reach.is_tenant() {
        return Ok(true);
    }
    is_within(reader, (hook.tenant, &reach), kind, subject).await
}

/// As in the list of requests: one's own, and what reaches nothing but what one reaches. What concerns the tenant is for those who may ask
/// for it themselves.
async fn request_is_seen(
    reader: &mut Reader,
    hook: &WebhookRow,
    (rights, reach): (&Rights, &Reach),
    id: RequestId,
) -> Result<bool, StoreError> {
    let Some(stored) = found(request(reader, hook.tenant, id).await)? else { return Ok(false) };
    let (frozen, capability) = (&stored.frozen, stored.frozen.action.kind().capability());
    if frozen.asker.user == hook.owner {
        return Ok(true);
    }
    if capability.holds == Holds::Tenant {
        return Ok(rights.reach(capability).is_some());
    }
    Ok(reach.is_tenant() || touched(reader, hook.tenant, &frozen.action).await?.is_within(reach))
}

async fn is_within(
    reader: &mut Reader,
    (tenant, reach): (TenantId, &Reach),
    kind: EventKind,
    subject: Subject,
) -> Result<bool, StoreError> {
    match subject {
        Subject::Tenant => Ok(kind == EventKind::WebhookTest),
        Subject::Installer(id) => {
            let site = found(installers::one(reader, tenant, id).await)?.map(|installer| installer.site);
            let within = sites_within(reader, tenant, reach).await?;
            Ok(site.is_some_and(|site| within.has(&site)))
        }
        Subject::Schedule(id) => {
            let within = devices_within(reader, tenant, reach).await?;
            Ok(schedules::targets_of(reader, id).await?.iter().any(|device| within.has(device)))
        }
        Subject::Device(_) | Subject::Job(_) | Subject::Run(_) | Subject::RemoteSession(_) | Subject::Request(_) => {
            live::covers(reader, (tenant, reach), subject).await
        }
    }
}

fn found<T>(answer: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match answer {
        Ok(one) => Ok(Some(one)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
