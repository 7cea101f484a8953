//! Grants on their way to devices: what a device needs to check everything by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use sallyport_grant::targets::TargetProof;
use sallyport_model::{DeviceId, JobId, TenantId};
use sallyport_store::ops::runs::{JobParts, Offered, cancelled_of_device, job_parts, secrets, waiting_of_device, waiting_of_job};
use sallyport_store::{Reader, StoreError, log};
use sallyport_wire::{GrantOffer, Inclusion, SealedSecret, ToAgent, UnsignedToAgent};

use super::link::{LinkEnd, Linked};
use crate::{App, remote};

/// What all offers of a job share: the envelope, the script, and the proof that the grant is in the log.
struct Template {
    parts: JobParts,
    log_entry: Inclusion,
    checkpoint: String,
}

async fn template(reader: &mut Reader, tenant: TenantId, job: JobId) -> Result<Arc<Template>, StoreError> {
    let parts = job_parts(reader, tenant, job).await?;
    let head = log::head(reader, tenant).await?;
    let hashes = log::inclusion(reader, tenant, parts.log_index, head.size).await?;
    let log_entry = Inclusion { index: parts.log_index, hashes };
    Ok(Arc::new(Template { parts, log_entry, checkpoint: head.checkpoint }))
}

async fn offer(reader: &mut Reader, template: &Template, run: Offered) -> Result<ToAgent, StoreError> {
    let secrets = match template.parts.has_secrets {
        true => secrets(reader, run.grant, run.device).await?,
        false => Vec::new(),
    };
    Ok(ToAgent::GrantOffer(Box::new(GrantOffer {
        envelope: template.parts.envelope.clone(),
        target: TargetProof { index: run.target_index, hashes: run.target_proof },
        log_entry: template.log_entry.clone(),
        checkpoint: template.checkpoint.clone(),
        content: template.parts.content.clone(),
        secrets: secrets.into_iter().map(|(name, sealed)| SealedSecret { name, sealed }).collect(),
        stream_ticket: None,
        occurrence: template.parts.due,
    })))
}

/// Offers a new job to its devices that are connected; the others get it when they connect.
pub(crate) async fn deliver_job(app: &App, tenant: TenantId, job: JobId) -> Result<(), StoreError> {
    deliver(app, tenant, job, |_| true).await
}

/// Offers a job to some of its devices, as far as they are connected.
pub(crate) async fn deliver_to(app: &App, tenant: TenantId, job: JobId, devices: &BTreeSet<DeviceId>) -> Result<(), StoreError> {
    deliver(app, tenant, job, |device| devices.contains(&device)).await
}

async fn deliver(app: &App, tenant: TenantId, job: JobId, is_meant: impl Fn(DeviceId) -> bool) -> Result<(), StoreError> {
    let mut reader = app.store.read().await?;
    let template = template(&mut reader, tenant, job).await?;
    for run in waiting_of_job(&mut reader, job).await? {
        let device = run.device;
        if is_meant(device) && app.hub.is_online(device) {
            let offer = offer(&mut reader, &template, run).await?;
            app.hub.send(device, offer);
        }
    }
    Ok(())
}

/// Offers a device that has just connected what waits for it, and repeats cancellations.
pub(super) async fn deliver_device(linked: &mut Linked) -> Result<(), LinkEnd> {
    let (app, tenant, device) = (linked.app.clone(), linked.tenant, linked.device);
    let mut reader = app.store.read().await?;
    let waiting = waiting_of_device(&mut reader, device, app.clock.now()).await?;
    let cancelled = cancelled_of_device(&mut reader, device).await?;
    let mut offers = Vec::with_capacity(waiting.len());
    for run in waiting {
        let template = template(&mut reader, tenant, run.job).await?;
        offers.push(offer(&mut reader, &template, run).await?);
    }
    // The snapshot is given back before the network is waited for.
    drop(reader);
    for offer in &offers {
        linked.send(offer).await?;
    }
    for ended in remote::tell_again(&app, device).await? {
        linked.send(&ended.into()).await?;
    }
    for grant in cancelled {
        linked.send(&UnsignedToAgent::CancelRun { grant }.into()).await?;
    }
    Ok(())
}
