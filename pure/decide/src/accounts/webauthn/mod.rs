//! Passkeys: WebAuthn Level 3, sections 7.1 and 7.2, for sign-in, registration, step-up and authorization requests.
//!
//! One verifier for all of them, because a request's challenge is the digest of what is authorized, which libraries do not let one choose.
//! Strict where the standard leaves a choice: user verification is always asked for, frames of other sites are refused, extensions are
//! not looked at, and attestation is `none` or by the credential's own key: who made an authenticator is not what access depends on.

mod authenticator;
mod cbor;
mod challenge;
mod client;
mod cose;

use sallyport_model::limits;
use sha2::{Digest as _, Sha256};

use authenticator::AuthenticatorData;
use cbor::Item;

pub use challenge::{Challenge, Challenges, Scope, Stale};
pub use cose::{Algorithm, KeyError, PublicKey};

/// Why an answer of a browser or an authenticator proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The client data is no JSON of the agreed form.
    #[error("the client data is malformed")]
    ClientData,
    /// The client data is of the other ceremony.
    #[error("the answer is of another kind")]
    Kind,
    /// The challenge is another one.
    #[error("the answer is to another challenge")]
    Challenge,
    /// The page is of another origin.
    #[error("the answer is from another origin")]
    Origin,
    /// The page is framed by another site's.
    #[error("the answer is from a frame of another site")]
    CrossOrigin,
    /// The authenticator's data has another shape than the standard's.
    #[error("the authenticator's data is malformed")]
    AuthenticatorData,
    /// The authenticator answered for another site.
    #[error("the answer is for another site")]
    Site,
    /// Nobody touched the authenticator.
    #[error("nobody was present")]
    NotPresent,
    /// The authenticator did not make sure who it was.
    #[error("the user was not verified")]
    NotVerified,
    /// The backup flags contradict each other or what was registered.
    #[error("the backup flags are wrong")]
    Backup,
    /// The signature is not by the credential's key.
    #[error("the signature is wrong")]
    Signature,
    /// The credential's id is longer than allowed, or empty.
    #[error("the credential's id is not acceptable")]
    CredentialId,
    /// The attestation object is malformed.
    #[error("the attestation is malformed")]
    Attestation,
    /// The attestation is of a form that is not taken.
    #[error("the attestation's form is not accepted")]
    AttestationForm,
    /// The credential's key is not taken.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The site that credentials are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    origin: String,
    rp_id: String,
}

impl Site {
    /// Takes an origin as browsers write it; its host name is the relying party's id.
    pub fn of_origin(origin: &str) -> Self {
        let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        Self { origin: origin.to_owned(), rp_id: host.to_owned() }
    }

    /// The host name.
    pub fn rp_id(&self) -> &str {
        &self.rp_id
    }
}

/// Whether the authenticator must make sure who its user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserVerification {
    /// It must: always, in this product.
    Required,
    /// It may: only to check the verifier against the standard's vectors.
    Discouraged,
}

/// What an answer must be for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The site.
    pub site: &'a Site,
    /// The challenge's bytes.
    pub challenge: &'a [u8],
    /// Whether the user must be verified.
    pub verification: UserVerification,
}

/// A credential's id: 1 to [`limits::CREDENTIAL_ID_BYTES`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialId(Vec<u8>);

impl CredentialId {
    /// Takes the raw bytes.
    ///
    /// # Errors
    /// [`Refused::CredentialId`] for none and for too many.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        match bytes.len() {
            1..=limits::CREDENTIAL_ID_BYTES => Ok(Self(bytes.to_vec())),
            _ => Err(Refused::CredentialId),
        }
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a credential may leave the device that made it. Fixed at registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eligibility {
    /// Its maker's cloud may copy it: a synced passkey.
    Synced,
    /// It stays: a security key, or a platform that does not sync.
    DeviceBound,
}

/// Whether a credential is backed up now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// It is.
    Done,
    /// It is not, or not yet.
    None,
}

/// What a registration brings, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Registered {
    /// The credential's id.
    pub credential: CredentialId,
    /// Its COSE key, verbatim.
    pub cose: Vec<u8>,
    /// Its signature counter; 0 for authenticators that do not count.
    pub sign_count: u32,
    /// Whether it may be copied.
    pub eligibility: Eligibility,
    /// Whether it was.
    pub backup: Backup,
    /// The maker's id of the model.
    pub aaguid: [u8; 16],
}

/// Verifies a registration (section 7.1).
///
/// # Errors
/// Says which step failed.
pub fn register(client_data: &[u8], attestation_object: &[u8], expected: &Expected<'_>) -> Result<Registered, Refused> {
    client::check(client_data, client::Kind::Create, expected)?;
    if attestation_object.len() > limits::ATTESTATION_BYTES {
        return Err(Refused::Attestation);
    }
    let object = Item::whole(attestation_object).map_err(|_| Refused::Attestation)?;
    let bytes = object.named("authData").and_then(Item::bytes).ok_or(Refused::Attestation)?;
    let data = AuthenticatorData::parse(bytes)?;
    data.check(expected)?;
    let attested = data.attested.as_ref().ok_or(Refused::AuthenticatorData)?;
    let key = PublicKey::from_cose(attested.cose)?;
    let message = [bytes, &Sha256::digest(client_data)].concat();
    check_statement(&object, &key, &message)?;
    Ok(Registered {
        credential: CredentialId::from_bytes(attested.credential)?,
        cose: attested.cose.to_vec(),
        sign_count: data.sign_count,
        eligibility: data.eligibility()?,
        backup: data.backup(),
        aaguid: attested.aaguid,
    })
}

/// Attestation `none` (section 8.7), or `packed` by the credential's own key (section 8.2). The two say the same of the maker: nothing.
fn check_statement(object: &Item<'_>, key: &PublicKey, message: &[u8]) -> Result<(), Refused> {
    let statement = object.named("attStmt").ok_or(Refused::Attestation)?;
    match (object.named("fmt").and_then(Item::text), object.entries(), statement.entries()) {
        (Some("none"), Some(3), Some(0)) => Ok(()),
        (Some("packed"), Some(3), Some(2)) => {
            let algorithm = statement.named("alg").and_then(Item::int).ok_or(Refused::Attestation)?;
            let signature = statement.named("sig").and_then(Item::bytes).ok_or(Refused::Attestation)?;
            match algorithm == i64::from(key.algorithm().cose()) && key.verifies(message, signature) {
                true => Ok(()),
                false => Err(Refused::Signature),
            }
        }
        (Some("none"), _, _) => Err(Refused::Attestation),
        (Some(_), Some(3), Some(_)) => Err(Refused::AttestationForm),
        _ => Err(Refused::Attestation),
    }
}

/// What an authenticator answered.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The browser's client data, verbatim.
    pub client_data: &'a [u8],
    /// The authenticator's data, verbatim.
    pub authenticator_data: &'a [u8],
    /// The signature over both.
    pub signature: &'a [u8],
}

/// A credential as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its public key.
    pub key: PublicKey,
    /// The signature counter of its last use.
    pub sign_count: u32,
    /// Whether it may be copied, as it said at registration.
    pub eligibility: Eligibility,
}

/// Whether the signature counter went forward (section 7.2, step 22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// It did, or the authenticator does not count.
    Forward,
    /// It did not: somebody else has a copy of the key.
    Regressed,
}

/// An answer that holds. Only [`assert`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the counter must be stored, and a regressed one is a sign of a copied key"]
#[non_exhaustive]
pub struct Asserted {
    /// The counter to store.
    pub sign_count: u32,
    /// Whether the credential is backed up now.
    pub backup: Backup,
    /// Whether the counter went forward.
    pub counter: Counter,
}

/// Verifies an answer by a stored credential (section 7.2).
///
/// # Errors
/// Says which step failed.
pub fn assert(answer: &Answer<'_>, stored: &Stored, expected: &Expected<'_>) -> Result<Asserted, Refused> {
    client::check(answer.client_data, client::Kind::Get, expected)?;
    let data = AuthenticatorData::parse(answer.authenticator_data)?;
    data.check(expected)?;
    if data.attested.is_some() {
        return Err(Refused::AuthenticatorData);
    }
    if data.eligibility()? != stored.eligibility {
        return Err(Refused::Backup);
    }
    let message = [answer.authenticator_data, &Sha256::digest(answer.client_data)].concat();
    if answer.signature.len() > limits::SIGNATURE_BYTES || !stored.key.verifies(&message, answer.signature) {
        return Err(Refused::Signature);
    }
    let counts = data.sign_count != 0 || stored.sign_count != 0;
    let counter = if counts && data.sign_count <= stored.sign_count { Counter::Regressed } else { Counter::Forward };
    Ok(Asserted { sign_count: data.sign_count, backup: data.backup(), counter })
}

#[cfg(test)]
mod tests;
