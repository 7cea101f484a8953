//! Who proves nothing at a terminal: what they ask for is proved on its page in a browser, and waited for here.

use sallyport_api as api;

use crate::client::{Client, Query};
use crate::failure::Failure;

/// Why it takes a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The session was let in by a device code, and proves nothing itself.
    DeviceCode,
    /// There is no authenticator app whose code could be typed; passkeys are a browser's.
    PasskeysAlone,
}

impl Why {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::DeviceCode => "this session was let in by a device code and proves nothing",
            Self::PasskeysAlone => "you have passkeys and no authenticator app",
        }
    }
}

/// Whether this person proves what they ask for in a browser.
pub(crate) fn why(client: &mut Client) -> Result<Option<Why>, Failure> {
    let me: api::Me = client.read("/v1/me")?;
    if me.session.stage == api::SessionStage::DeviceCode {
        return Ok(Some(Why::DeviceCode));
    }
    let factors: Vec<api::Factor> = client.read_all("/v1/me/factors", &Query::default())?;
    let passkeys_alone = !factors.is_empty() && factors.iter().all(|factor| factor.passkey.is_some());
    Ok(passkeys_alone.then_some(Why::PasskeysAlone))
}
