//! From checked settings to a running server.

use std::sync::Arc;

use sallyport_decide::actions::approvals::Numbers;
use sallyport_grant::body::LogKey;
use sallyport_grant::checkpoint;
use sallyport_grant::merkle::TreeHead;
use sallyport_model::TenantId;
use sallyport_store::{CheckpointSigner, Store};

use crate::accounts::{self, BreachedLists};
use crate::client::Rate;
use crate::config::Config;
use crate::events::Events;
use crate::hub::Hub;
use crate::keys::Keys;
use crate::outbound::Outbound;
use crate::outside::Outside;
use crate::places::Places;
use crate::remote::{self, Remote};
use crate::{App, Parts, ServeError, background, bridge, mail, schedules, webhooks};

/// Signs the head of each tenant's log with that tenant's key.
struct Signer(Arc<Keys>);

impl CheckpointSigner for Signer {
    fn sign(&self, tenant: TenantId, head: TreeHead) -> Option<String> {
        let keys = self.0.of(tenant)?;
        Some(checkpoint::sign(&LogKey::origin_of(tenant), head, &keys.log))
    }
}

/// Opens the store and the keys, and starts what runs in the background.
///
/// # Errors
/// When the folder, the database or a key cannot be used.
pub async fn open(config: Config, outside: Outside) -> Result<App, ServeError> {
    let app = quietly(config, outside).await?;
    tokio::spawn(background::run(app.clone()));
    tokio::spawn(background::tell_growth(app.clone()));
    tokio::spawn(remote::sweep(app.clone()));
    tokio::spawn(schedules::time::run(app.clone()));
    tokio::spawn(bridge::time::run(app.clone()));
    tokio::spawn(webhooks::run(app.clone()));
    tokio::spawn(webhooks::watch_presence(app.clone()));
    tokio::spawn(mail::run(app.clone()));
    tokio::spawn(mail::tell(app.clone()));
    Ok(app)
}

/// Opens the store and the keys, and starts nothing.
///
/// # Errors
/// When the folder, the database or a key cannot be used.
pub(crate) async fn quietly(config: Config, outside: Outside) -> Result<App, ServeError> {
    std::fs::create_dir_all(&config.data_dir).map_err(|error| ServeError::Folder(config.data_dir.clone(), error))?;
    let keys = Arc::new(Keys::open(&config.master_key, outside.entropy.clone())?);
    let store = Store::open(&config.database, Arc::new(Signer(keys.clone()))).await?;
    accounts::open_keys(&store, &keys).await?;
    let breached = BreachedLists::open(&config)?;
    let places = Places::open(config.place_database.as_deref(), config.network_database.as_deref())?;
    let accounts = accounts::Live::new(&keys, breached, outside.entropy.clone());
    let webhooks = Outbound::open(config.outbound.clone(), config.outbound_ca.as_deref()).map_err(ServeError::Outbound)?;
    let outbound = Outbound::open(config.outbound.clone(), config.outbound_ca.as_deref()).map_err(ServeError::Outbound)?;
    let numbers = Numbers::new(*keys.derive("approval-numbers"));
    Ok(App::new(Parts {
        config,
        store,
        clock: outside.clock,
        entropy: outside.entropy,
        keys,
        hub: Hub::default(),
        events: Events::default(),
        rate: Rate::default(),
        numbers,
        places,
        accounts,
        outbound,
        webhooks,
        remote: Remote::default(),
    }))
}
