//! Who is at the other end: a known device, a new one with a token, or a stranger.

use std::net::IpAddr;

use sallyport_decide::enrolment::accept;
use sallyport_grant::{VerifyKey, sha256};
use sallyport_model::{AgentText, DeviceId, Digest, TenantId};
use sallyport_store::StoreError;
use sallyport_store::ops::enrolment::{Enrol, EnrolRefused, LinkedDevice, Quarantine, by_thumbprint, token};
use sallyport_wire::{DeviceState, Hello};

use super::tell_presence;
use crate::App;

/// Finds the device of a hello, or makes one where a good token is shown.
pub(super) async fn identify(
    app: &App,
    tenant: TenantId,
    hello: &Hello,
    from: IpAddr,
) -> Result<Option<(DeviceId, DeviceState)>, StoreError> {
    let thumbprint = hello.device_key().id().0;
    match known(app, tenant, thumbprint).await? {
        Some(known) => Box::pin(welcome_back(app, tenant, known, from)).await.map(Some),
        None if hello.claims().enrol.is_some() => {
            let _turn = app.hub.turn().await;
            Box::pin(enrol(app, tenant, hello, from)).await
        }
        None => Ok(None),
    }
}

/// A storm of devices waits here for the store; what the store needs for one is not in memory for those who wait.
async fn known(app: &App, tenant: TenantId, thumbprint: Digest) -> Result<Option<LinkedDevice>, StoreError> {
    let _turn = app.hub.turn().await;
    Box::pin(async { by_thumbprint(&mut app.store.read().await?, tenant, thumbprint).await }).await
}

async fn welcome_back(app: &App, tenant: TenantId, known: LinkedDevice, from: IpAddr) -> Result<(DeviceId, DeviceState), StoreError> {
    let device = known.device;
    let state = state(&known.state)?;
    if matches!(state, DeviceState::Removed | DeviceState::Quarantined) || !app.hub.has_living_twin(device).await {
        return Ok((device, state));
    }
    let at = app.clock.now();
    app.store.commit(Quarantine { tenant, device, from: from.to_string(), at, salt: app.random() }).await?;
    tracing::warn!(%device, "two machines use one device key");
    app.hub.state_changed(&[device], DeviceState::Quarantined);
    tell_presence(app, tenant, device, false);
    Ok((device, DeviceState::Quarantined))
}

/// What a device is now, that it is entered in the hub: a change from here on reaches its link.
pub(super) async fn state_now(app: &App, tenant: TenantId, key: &VerifyKey) -> Result<DeviceState, StoreError> {
    let known = by_thumbprint(&mut app.store.read().await?, tenant, key.id().0).await?;
    known.map_or(Ok(DeviceState::Removed), |known| state(&known.state))
}

fn state(word: &str) -> Result<DeviceState, StoreError> {
    match word {
        "pending" => Ok(DeviceState::Pending),
        "approved" => Ok(DeviceState::Approved),
        "removed" => Ok(DeviceState::Removed),
        "quarantined" => Ok(DeviceState::Quarantined),
        _ => Err(StoreError::Corrupt("state")),
    }
}

async fn enrol(app: &App, tenant: TenantId, hello: &Hello, from: IpAddr) -> Result<Option<(DeviceId, DeviceState)>, StoreError> {
    let Some(shown) = &hello.claims().enrol else { return Ok(None) };
    let (at, salt) = (app.clock.now(), app.random());
    let installer = shown.token_id;
    let Some(stored) = token(&mut app.store.read().await?, tenant, installer).await? else { return Ok(None) };
    let site = match accept(&stored, sha256(&[shown.token_secret.as_bytes()]), from, at) {
        Ok(site) => site,
        Err(refused) => {
            let reason = refused.code();
            app.store.commit(EnrolRefused { tenant, installer, reason, from: from.to_string(), at, salt }).await?;
            return Ok(None);
        }
    };
    let device = DeviceId::new(at, app.random());
    let change = Enrol {
        tenant,
        device,
        installer,
        site,
        thumbprint: hello.device_key().id().0,
        device_key: *hello.device_key().as_bytes(),
        seal_key: hello.seal_key().0,
        name: name(&shown.hostname),
        os: shown.os.clone(),
        agent_version: hello.claims().agent_version.clone(),
        from: from.to_string(),
        at,
        salt,
    };
    match app.store.commit(change).await {
        Ok(()) => Ok(Some((device, DeviceState::Pending))),
        // Somebody else had the last use, or the same key enrolled at this moment.
        Err(StoreError::Conflict | StoreError::Exists) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A device needs some name to be clicked on.
pub(super) fn name(hostname: &AgentText) -> AgentText {
    if hostname.as_str().trim().is_empty() { AgentText::tame("(no name)", 20) } else { hostname.clone() }
}
