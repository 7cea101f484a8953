//! Authenticators' secrets, sealed at rest.

use sallyport_api::Code as Refused;
use sallyport_decide::accounts::totp::{SECRET_BYTES, Secret};
use sallyport_model::FactorId;

use crate::Refusal;
use crate::keys::Keys;

const LABEL: &str = "totp";

/// Seals a secret for its factor: moved to another row, it does not open.
pub(super) fn seal(keys: &Keys, factor: FactorId, secret: &Secret) -> Vec<u8> {
    keys.seal(LABEL, factor.as_bytes(), secret.as_bytes())
}

/// Opens a factor's secret.
pub(super) fn unseal(keys: &Keys, factor: FactorId, sealed: &[u8]) -> Result<Secret, Refusal> {
    let opened = keys.open_sealed(LABEL, factor.as_bytes(), sealed).map_err(|error| {
        tracing::error!(%error, %factor, "a secret does not open");
        Refusal::from(Refused::Internal)
    })?;
    <[u8; SECRET_BYTES]>::try_from(opened.as_slice()).map(Secret::from_bytes).map_err(|_| Refused::Internal.into())
}
