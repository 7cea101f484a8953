//! What signing in does when the server starts.

use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_store::ops::accounts::{OfferSetup, SetupState, server_keys};
use sallyport_store::{Store, StoreError};
use zeroize::Zeroizing;

use super::setup;
use crate::App;
use crate::keys::{KeyError, Keys};
use crate::serve::ServeError;

/// Opens every tenant's keys; without them no log can be written.
///
/// # Errors
/// When the store cannot be read, or keys were sealed by another master key.
pub async fn open_keys(store: &Store, keys: &Keys) -> Result<(), ServeError> {
    for row in server_keys(&mut store.read().await?).await? {
        let opened = setup::unseal_keys(keys, row.tenant, &row.sealed).map_err(|_| KeyError::Sealed)?;
        keys.keep(row.tenant, opened);
    }
    Ok(())
}

/// While there is no tenant: a new one-time link for the set-up, to be printed for whoever started the server. Earlier links are dead.
///
/// # Errors
/// When the store cannot be written.
pub async fn offer_setup(app: &App) -> Result<Option<Zeroizing<String>>, StoreError> {
    let token = Token::from_bytes(app.random());
    match app.store.reserve(OfferSetup { token: token.stored(Purpose::Setup) }).await? {
        // Behind '#': browsers do not send it, so that no server and no proxy writes it into a log.
        SetupState::Open => Ok(Some(Zeroizing::new(format!("{}/setup#{}", app.config.origin(), *token.to_text())))),
        SetupState::Closed => Ok(None),
    }
}
