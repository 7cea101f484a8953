//! The client data: what the browser says of the page and the challenge (WebAuthn Level 3, section 5.8.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_model::limits;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::{Expected, Refused};

/// Which ceremony the client data must be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A registration.
    Create,
    /// A proof.
    Get,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Create => "webauthn.create",
            Kind::Get => "webauthn.get",
        }
    }
}

/// Browsers may add members; doubled ones of ours are refused.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
    #[serde(rename = "topOrigin")]
    top_origin: Option<String>,
}

/// Type, challenge, origin and frames, in the standard's order.
pub(super) fn check(bytes: &[u8], kind: Kind, expected: &Expected<'_>) -> Result<(), Refused> {
    if bytes.len() > limits::CLIENT_DATA_BYTES {
        return Err(Refused::ClientData);
    }
    let data: ClientData = serde_json::from_slice(bytes).map_err(|_| Refused::ClientData)?;
    if data.kind != kind.word() {
        return Err(Refused::Kind);
    }
    let challenge = URL_SAFE_NO_PAD.decode(&data.challenge).map_err(|_| Refused::Challenge)?;
    if !bool::from(challenge.ct_eq(expected.challenge)) {
        return Err(Refused::Challenge);
    }
    if data.origin != expected.site.origin {
        return Err(Refused::Origin);
    }
    if data.cross_origin || data.top_origin.is_some() {
        return Err(Refused::CrossOrigin);
    }
    Ok(())
}
