//! Licences: signed by the tenant's enrolment key, which devices believe for no grant, and checked by anybody who has the authority's pin.

use sallyport_model::{Digest, Timestamp};

use crate::body::{Body, BodyError, HostKeys, HostKind, LicenceBody, LicenceHost, ToolVersion};
use crate::envelope::{Envelope, EnvelopeError, PayloadType, SignatureKind, SignatureState};
use crate::keys::{SigningKey, VerifyKey};
use crate::root::{AuthorityPin, RootError, TrustRoot};

/// Why a file is no licence of this tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LicenceError {
    /// Not an envelope of a licence.
    #[error("not a licence: {0}")]
    Envelope(#[from] EnvelopeError),
    /// Not the body of a licence.
    #[error("not a licence: {0}")]
    Body(#[from] BodyError),
    /// The root inside is not trusted by the pin.
    #[error("its trust root: {0}")]
    Root(#[from] RootError),
    /// The enrolment key did not sign it.
    #[error("the tenant did not sign it")]
    NotSigned,
    /// The root inside is of another tenant.
    #[error("its trust root is of another tenant")]
    OtherTenant,
}

/// Why a licence does not let this program in, here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCovered {
    /// It is over.
    #[error("the licence expired at {0}")]
    Expired(Timestamp),
    /// Another machine.
    #[error("the licence does not name this host")]
    Host,
    /// The host's key is of another kind than the licence says.
    #[error("the licence wants this host's key in its TPM")]
    HostKind,
    /// Another version.
    #[error("the licence is for other versions")]
    Version,
    /// Other bytes.
    #[error("the licence names another executable")]
    Executable,
    /// Another script, or none where one is named.
    #[error("the licence names another script")]
    Script,
}

/// What a host says of the program that it is about to run: bytes as they were measured, the version as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The version, which nobody measures.
    pub version: ToolVersion,
    /// SHA-256 of the executable.
    pub executable: Digest,
    /// SHA-256 of the script that it is given, where one is named.
    pub script: Option<Digest>,
}

/// A licence that the tenant signed.
#[derive(Debug, Clone)]
pub struct Licence {
    body: LicenceBody,
    digest: Digest,
}

/// Signs the exact bytes that were frozen.
///
/// # Errors
/// Where they are no licence.
pub fn sign(body: &[u8], key: &SigningKey) -> Result<Envelope, BodyError> {
    LicenceBody::parse(body)?;
    Ok(Envelope::signed(PayloadType::Licence, body.to_vec(), SignatureKind::Server, key))
}

impl Licence {
    /// Checks a file against the tenant's own enrolment key.
    ///
    /// # Errors
    /// When it is no licence that this key signed.
    pub fn verify_by(file: &[u8], key: &VerifyKey) -> Result<Self, LicenceError> {
        let envelope = Envelope::parse(file, PayloadType::Licence)?;
        if envelope.signature_by(key, &SignatureKind::Server) != SignatureState::Good {
            return Err(LicenceError::NotSigned);
        }
        let body = LicenceBody::parse(envelope.payload())?;
        Ok(Self { digest: envelope.digest(), body })
    }

    /// Checks a file by what is in it and a pin that came another way; without one, by the pin inside: then it says what it is and not whose.
    ///
    /// # Errors
    /// When it is no licence, or not one of the pinned authority's tenant. Its time is for [`Licence::stands`] to judge.
    pub fn verify(file: &[u8], pin: Option<AuthorityPin>, now: Timestamp) -> Result<Self, LicenceError> {
        let envelope = Envelope::parse(file, PayloadType::Licence)?;
        let body = LicenceBody::parse(envelope.payload())?;
        let root = TrustRoot::verify_envelope(&body.root, pin.unwrap_or(AuthorityPin(body.authority_pin)), now)?;
        if root.tenant() != body.tenant {
            return Err(LicenceError::OtherTenant);
        }
        Self::verify_by(file, &root.body().enrolment)
    }

    /// What it says.
    pub fn body(&self) -> &LicenceBody {
        &self.body
    }

    /// SHA-256 of its signed encoding.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether its time is not over. Whether it was revoked, the server knows.
    ///
    /// # Errors
    /// [`NotCovered::Expired`].
    pub fn stands(&self, now: Timestamp) -> Result<(), NotCovered> {
        if now < self.body.expires { Ok(()) } else { Err(NotCovered::Expired(self.body.expires)) }
    }

    /// The host with this key, where it is kept as the licence wants it.
    ///
    /// # Errors
    /// [`NotCovered::Host`] and [`NotCovered::HostKind`].
    pub fn host(&self, key: &[u8; 33], kind: HostKind) -> Result<&LicenceHost, NotCovered> {
        let host = self.body.hosts.iter().find(|host| host.key.0 == *key).ok_or(NotCovered::Host)?;
        let wanted = if self.body.host_keys == HostKeys::Tpm { HostKind::Tpm } else { host.kind };
        if host.kind == wanted && kind == wanted { Ok(host) } else { Err(NotCovered::HostKind) }
    }

    /// Whether it names this program.
    ///
    /// # Errors
    /// Says what is another one.
    pub fn covers(&self, program: &Measured) -> Result<(), NotCovered> {
        if !self.body.versions.hold(&program.version) {
            return Err(NotCovered::Version);
        }
        self.names(&program.executable, program.script.as_ref())
    }

    /// Whether it names these bytes.
    ///
    /// # Errors
    /// [`NotCovered::Executable`] and [`NotCovered::Script`].
    pub fn names(&self, executable: &Digest, script: Option<&Digest>) -> Result<(), NotCovered> {
        if !self.body.executables.contains(executable) {
            return Err(NotCovered::Executable);
        }
        let named = self.body.scripts.is_empty() || script.is_some_and(|script| self.body.scripts.contains(script));
        if named { Ok(()) } else { Err(NotCovered::Script) }
    }
}
