//! What lets a tool's program in: which bytes, on which hosts, for what, until when.

use sallyport_model::{ApiClientId, Digest, LicenceId, Name, TenantId, Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::enrolment::nested_root;
use super::fields::{self, FieldError, checked_text};
use super::{Body, BodyError, at_most, distinct, type_tag};
use crate::Hex;
use crate::envelope::{Envelope, PayloadType};

type_tag!(
    /// The type of a licence.
    LicenceType = "sallyport.licence/1"
);

/// The content of a licence. Everything in it is public: it opens nothing without the keys that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenceBody {
    /// Always the same text.
    pub r#type: LicenceType,
    /// Its name in the log, and where it is revoked.
    pub id: LicenceId,
    /// Whose.
    pub tenant: TenantId,
    /// The API client that it lets in.
    pub client: ApiClientId,
    /// What the tool is called.
    #[serde(deserialize_with = "fields::name")]
    pub tool: Name,
    /// Who makes it.
    #[serde(deserialize_with = "fields::name")]
    pub publisher: Name,
    /// Which versions of it.
    pub versions: Versions,
    /// SHA-256 of each executable that may run; 1 to [`limits::LICENCE_PROGRAMS`].
    pub executables: Vec<Digest>,
    /// SHA-256 of each script that it may be given; none leaves open what the executable reads.
    pub scripts: Vec<Digest>,
    /// What it may do, within what its client may do; 1 to [`limits::LICENCE_SCOPES`].
    pub scopes: Vec<Scope>,
    /// Where it may run; 1 to [`limits::LICENCE_HOSTS`].
    pub hosts: Vec<LicenceHost>,
    /// What keys those hosts must have.
    pub host_keys: HostKeys,
    /// When somebody asked for it.
    pub issued: Timestamp,
    /// It lets nobody in from then on.
    pub expires: Timestamp,
    /// See [`crate::AuthorityPin`].
    pub authority_pin: Digest,
    /// The envelope of the trust root whose enrolment key signs it.
    #[serde(with = "nested_root")]
    pub root: Envelope,
}

/// Versions from one, which counts, up to another, which does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The first one.
    pub from: ToolVersion,
    /// The first one that is too new.
    pub below: ToolVersion,
}

impl Versions {
    /// Whether a version is among them.
    pub fn hold(&self, version: &ToolVersion) -> bool {
        (self.from.numbers()..self.below.numbers()).contains(&version.numbers())
    }
}

checked_text!(
    /// One to four numbers with dots between them, without leading zeros; numbers that are missing are zero.
    ToolVersion,
    FieldError::Version,
    |text| {
        let number = |part: &str| part == "0" || (!part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit()));
        let parts: Vec<&str> = text.split('.').collect();
        parts.len() <= 4 && parts.iter().all(|part| (1..=9).contains(&part.len()) && number(part))
    }
);

impl ToolVersion {
    /// For comparing: `1.2` and `1.2.0` are the same.
    fn numbers(&self) -> [u32; 4] {
        let mut numbers = [0; 4];
        for (place, part) in numbers.iter_mut().zip(self.as_str().split('.')) {
            // Nine digits fit; that they are digits was checked when the text was taken.
            *place = part.parse().unwrap_or(u32::MAX);
        }
        numbers
    }
}

checked_text!(
    /// The word of a capability, as `devices.read`: 1 to 64 of `a-z_.`.
    Scope,
    FieldError::Scope,
    |text| (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.')
);

/// A machine that the tool may run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenceHost {
    /// For people.
    #[serde(deserialize_with = "fields::name")]
    pub name: Name,
    /// Where its key is kept, as whoever issued the licence found it.
    pub kind: HostKind,
    /// The host's public key: a P-256 point, compressed (SEC 1, section 2.3.3).
    pub key: Hex<33>,
}

/// Where the key of a host is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKind {
    /// Inside of the machine's TPM, which does not give it out.
    Tpm,
    /// In a file, which whoever reads it can copy.
    File,
}

impl HostKind {
    /// The word, as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tpm => "tpm",
            Self::File => "file",
        }
    }
}

/// What keys the hosts of a licence must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostKeys {
    /// Either kind.
    Any,
    /// In a TPM.
    Tpm,
}

impl Body for LicenceBody {
    const TYPE: PayloadType = PayloadType::Licence;

    fn check(&self) -> Result<(), BodyError> {
        if self.executables.is_empty() || self.scopes.is_empty() || self.hosts.is_empty() {
            return Err(BodyError::Empty);
        }
        at_most(self.executables.len(), limits::LICENCE_PROGRAMS)?;
        at_most(self.scripts.len(), limits::LICENCE_PROGRAMS)?;
        at_most(self.scopes.len(), limits::LICENCE_SCOPES)?;
        at_most(self.hosts.len(), limits::LICENCE_HOSTS)?;
        distinct(&self.executables)?;
        distinct(&self.scripts)?;
        distinct(&self.scopes)?;
        distinct(self.hosts.iter().map(|host| host.key))?;
        if self.versions.from.numbers() >= self.versions.below.numbers() {
            return Err(BodyError::OutOfRange);
        }
        let lifetime_micros = self.expires.micros_since(self.issued);
        if lifetime_micros <= 0 {
            return Err(BodyError::TimeOrder);
        }
        if lifetime_micros > limits::LICENCE_LIFETIME_SECS * 1_000_000 {
            return Err(BodyError::OutOfRange);
        }
        let elsewhere = self.hosts.iter().any(|host| host.kind != HostKind::Tpm);
        if self.host_keys == HostKeys::Tpm && elsewhere { Err(BodyError::Contradiction) } else { Ok(()) }
    }
}
