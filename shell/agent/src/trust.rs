//! Whom the device obeys: the enrolment file on its way in, and what stays of it.
//!
//! The file carries a token; once the server knows the device, only the trust is kept and the file is removed.

use std::io;

use sallyport_grant::body::{EnrolmentBody, ServerUrl, TokenSecret};
use sallyport_grant::enrol::{Enrolment, EnrolmentError};
use sallyport_grant::root::RootError;
use sallyport_grant::{AuthorityPin, TrustRoot};
use sallyport_model::{Digest, InstallerId, SiteId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::disk::Disk;

/// Name of the enrolment file in the agent's directory, where people or installers put it.
pub const ENROLMENT_FILE: &str = "enrolment.json";
/// Name of the file that holds the trust of an enrolled device.
pub const TRUST_FILE: &str = "trust.json";

#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("the trust could not be read or written: {0}")]
    Io(#[from] io::Error),
    #[error("the file trust.json is damaged; remove it and enrol the device again")]
    Damaged,
    #[error("the stored trust root is refused: {0}")]
    Root(#[from] RootError),
    #[error("the enrolment file is refused: {0}")]
    Enrolment(#[from] EnrolmentError),
    #[error("this device obeys another authority; to move it, uninstall the agent first")]
    OtherAuthority,
}

/// Whom the device obeys, and where it dials.
#[derive(Debug, Clone)]
pub struct Trust {
    pub root: TrustRoot,
    pub names: Names,
    pub server: ServerUrl,
    /// PEM certificates to trust for TLS beside the machine's own.
    pub ca: Option<String>,
    /// The root's envelope as it was signed.
    envelope: String,
}

/// For people; decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub tenant: String,
    pub customer: String,
    pub site: String,
    pub site_id: SiteId,
}

/// What makes the server take a new device.
#[derive(Debug, Clone)]
pub struct Token {
    pub id: InstallerId,
    pub secret: TokenSecret,
}

/// How far the device's enrolment came.
#[derive(Debug, Clone)]
pub enum Standing {
    NotEnrolled,
    /// There is a file; the server has not answered it yet.
    Enrolling(Trust, Token),
    Enrolled(Trust),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    names: Names,
    server: ServerUrl,
    authority_pin: Digest,
    /// Envelopes in order, the pinned one first.
    roots: Vec<String>,
    ca: Option<String>,
}

const FORMAT: u32 = 1;

impl Standing {
    /// Reads what is there. A new file on an enrolled device must come from the same authority.
    pub fn load(disk: &dyn Disk, now: Timestamp) -> Result<Self, TrustError> {
        let known = disk.read(TRUST_FILE)?.map(|bytes| Trust::read(&bytes)).transpose()?;
        let Some(file) = disk.read(ENROLMENT_FILE)? else {
            return Ok(known.map_or(Self::NotEnrolled, Self::Enrolled));
        };
        let (trust, token) = accept(&file, now)?;
        match known {
            Some(known) if known.root.pin() != trust.root.pin() => Err(TrustError::OtherAuthority),
            _ => Ok(Self::Enrolling(trust, token)),
        }
    }
}

/// Checks an enrolment file completely.
pub fn accept(file: &[u8], now: Timestamp) -> Result<(Trust, Token), TrustError> {
    let enrolment = Enrolment::verify(file, now)?;
    let body: &EnrolmentBody = enrolment.body();
    let token = Token { id: body.token_id, secret: body.token_secret.clone() };
    let names = Names {
        tenant: body.tenant_name.as_str().to_owned(),
        customer: body.customer_name.as_str().to_owned(),
        site: body.site_name.as_str().to_owned(),
        site_id: body.site,
    };
    let envelope = String::from_utf8(body.root.to_bytes()).map_err(|_| TrustError::Damaged)?;
    let trust = Trust { root: enrolment.root().clone(), names, server: body.server.clone(), ca: body.ca.clone(), envelope };
    Ok((trust, token))
}

impl Trust {
    /// Reads stored trust. An expired root is read too: it still names the server, and each grant checks the expiry.
    pub fn read(bytes: &[u8]) -> Result<Self, TrustError> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|_| TrustError::Damaged)?;
        let roots: Vec<&[u8]> = stored.roots.iter().map(String::as_bytes).collect();
        let root = TrustRoot::verify_chain(&roots, AuthorityPin(stored.authority_pin), Timestamp::default())?;
        let envelope = stored.roots.into_iter().next_back().ok_or(TrustError::Damaged)?;
        Ok(Self { root, names: stored.names, server: stored.server, ca: stored.ca, envelope })
    }

    /// Keeps the trust and lets the token go; called once the server knows the device.
    pub fn keep(&self, disk: &dyn Disk) -> Result<(), TrustError> {
        let stored = Stored {
            format: FORMAT,
            names: self.names.clone(),
            server: self.server.clone(),
            authority_pin: self.root.pin().0,
            roots: vec![self.envelope.clone()],
            ca: self.ca.clone(),
        };
        let bytes = serde_json::to_vec_pretty(&stored).map_err(|_| TrustError::Damaged)?;
        disk.replace(TRUST_FILE, &bytes)?;
        Ok(disk.remove(ENROLMENT_FILE)?)
    }
}
