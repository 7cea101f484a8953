//! Licences: what is frozen when one is asked for, and whether one lets a program in.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_grant::VerifyKey;
use sallyport_grant::body::{Body, BodyError, LicenceBody};
use sallyport_grant::licence::{Licence, LicenceError, NotCovered};
use sallyport_model::{ApiClientId, Digest, LicenceId, Timestamp, limits};
use serde::{Deserialize, Serialize};

use super::client::{Shape, scopes};
use super::host::{self, Asked, HostError};
use crate::policy::Rights;

/// Whether a client needs a licence to get a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenceRule {
    /// Its key is enough.
    #[default]
    NotNeeded,
    /// It shows a licence, and the host that the licence names says which program asks.
    Needed,
}

impl LicenceRule {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotNeeded => "not_needed",
            Self::Needed => "needed",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::NotNeeded, Self::Needed].into_iter().find(|rule| rule.as_str() == word)
    }
}

/// A licence is issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueLicence {
    /// Which.
    pub licence: LicenceId,
    /// The client that it lets in.
    pub client: ApiClientId,
    /// What people call that client.
    pub client_name: String,
    /// The licence's body, verbatim: what is shown, signed and verified.
    pub body: String,
}

/// Why a licence cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// A scope that its client does not have.
    #[error("{0} is not among the client's scopes")]
    Scope(String),
    /// The asker does not have it.
    #[error("you may not {0} yourself")]
    NotYours(String),
    /// In the past, or too far away.
    #[error("must be in the future, and at most 400 days away")]
    Expiry,
    /// A key that is no point of its curve.
    #[error("must be a compressed P-256 point in hexadecimal digits, as `sallyport tool host-key` prints it: {0} is none")]
    HostKey(String),
    /// Out of its bounds, or too large as a whole.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl IssueLicence {
    /// Freezes a licence for a client of this shape, by the asker's rights of this moment.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn freeze(body: LicenceBody, shape: &Shape, asker: &Rights, now: Timestamp) -> Result<Self, IssueError> {
        for scope in &body.scopes {
            let word = scope.as_str();
            let row = scopes().find(|row| row.name == word && shape.scopes.contains(word));
            let row = row.ok_or_else(|| IssueError::Scope(word.to_owned()))?;
            asker.reach(row).ok_or_else(|| IssueError::NotYours(word.to_owned()))?;
        }
        let lifetime_micros = body.expires.micros_since(now);
        if lifetime_micros <= 0 || lifetime_micros > limits::LICENCE_LIFETIME_SECS * 1_000_000 {
            return Err(IssueError::Expiry);
        }
        let broken = |key: &[u8; 33]| p256::ecdsa::VerifyingKey::from_sec1_bytes(key).is_err();
        if let Some(host) = body.hosts.iter().find(|host| broken(&host.key.0)) {
            return Err(IssueError::HostKey(host.key.to_string()));
        }
        let (licence, client) = (body.id, body.client);
        let body = String::from_utf8(body.into_bytes()?).map_err(|_| IssueError::Body(BodyError::Contradiction))?;
        Ok(Self { licence, client, client_name: shape.name.clone(), body })
    }

    /// What it says.
    ///
    /// # Errors
    /// Where the stored text is none of ours.
    pub fn licence_body(&self) -> Result<LicenceBody, BodyError> {
        LicenceBody::parse(self.body.as_bytes())
    }

    /// What will happen, as one sentence for people.
    pub fn sentence(&self) -> String {
        match self.licence_body() {
            Ok(body) => format!("Issue a licence for {} to the API client {}", body.tool, self.client_name),
            Err(_) => format!("Issue a licence to the API client {}", self.client_name),
        }
    }
}

/// Why a program is not let in. Outside they are all one answer; the client's owner reads which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenceRefusal {
    /// No licence was shown.
    Missing,
    /// What was shown is none.
    Malformed,
    /// Another tenant or installation signed it, or nobody.
    NotSigned,
    /// It is for another client.
    OtherClient,
    /// Nobody issued it here.
    Unknown,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
    /// The host said nothing.
    HostMissing,
    /// What the host said cannot be read.
    HostMalformed,
    /// The host's key did not sign it.
    HostSignature,
    /// What the host said is too old, or from the future.
    HostTime,
    /// The host said it about another request: it was used before, or is somebody else's.
    HostReplayed,
    /// The licence does not name this host.
    OtherHost,
    /// The licence wants the host's key in a TPM.
    HostKind,
    /// Another version.
    Version,
    /// Other bytes.
    Executable,
    /// Another script.
    Script,
}

impl LicenceRefusal {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Missing,
        Self::Malformed,
        Self::NotSigned,
        Self::OtherClient,
        Self::Unknown,
        Self::Revoked,
        Self::Expired,
        Self::HostMissing,
        Self::HostMalformed,
        Self::HostSignature,
        Self::HostTime,
        Self::HostReplayed,
        Self::OtherHost,
        Self::HostKind,
        Self::Version,
        Self::Executable,
        Self::Script,
    ];

    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::NotSigned => "not_signed",
            Self::OtherClient => "other_client",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::HostMissing => "host_missing",
            Self::HostMalformed => "host_malformed",
            Self::HostSignature => "host_signature",
            Self::HostTime => "host_time",
            Self::HostReplayed => "host_replayed",
            Self::OtherHost => "other_host",
            Self::HostKind => "host_kind",
            Self::Version => "version",
            Self::Executable => "executable",
            Self::Script => "script",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.as_str() == word)
    }

    /// What it means, for the client's owner.
    pub fn words(self) -> &'static str {
        match self {
            Self::Missing => "no licence was shown",
            Self::Malformed => "what was shown is not a licence",
            Self::NotSigned => "the licence is not signed by this tenant",
            Self::OtherClient => "the licence is for another API client",
            Self::Unknown => "the licence was never issued here",
            Self::Revoked => "the licence was revoked",
            Self::Expired => "the licence has expired",
            Self::HostMissing => "no host vouched for the program",
            Self::HostMalformed => "what the host signed cannot be read",
            Self::HostSignature => "the host's signature is wrong",
            Self::HostTime => "what the host signed is too old, or its clock is wrong",
            Self::HostReplayed => "what the host signed is about another request",
            Self::OtherHost => "the licence does not name this host",
            Self::HostKind => "the host's key is not kept where the licence says",
            Self::Version => "the licence is for other versions",
            Self::Executable => "the licence names another executable",
            Self::Script => "the licence names another script",
        }
    }
}

impl From<NotCovered> for LicenceRefusal {
    fn from(why: NotCovered) -> Self {
        match why {
            NotCovered::Expired(_) => Self::Expired,
            NotCovered::Host => Self::OtherHost,
            NotCovered::HostKind => Self::HostKind,
            NotCovered::Version => Self::Version,
            NotCovered::Executable => Self::Executable,
            NotCovered::Script => Self::Script,
        }
    }
}

impl From<HostError> for LicenceRefusal {
    fn from(why: HostError) -> Self {
        match why {
            HostError::Malformed => Self::HostMalformed,
            HostError::Signature => Self::HostSignature,
            HostError::Time => Self::HostTime,
            HostError::OtherRequest => Self::HostReplayed,
        }
    }
}

/// An issued licence as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    /// The client that it was issued for.
    pub client: ApiClientId,
    /// SHA-256 of its signed encoding.
    pub digest: Digest,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// Proof that a licence lets this program in on this host, for this one request. Only [`admit`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licensed {
    licence: LicenceId,
    scopes: BTreeSet<String>,
    host: String,
    expires: Timestamp,
}

impl Licensed {
    /// The licence.
    pub fn licence(&self) -> LicenceId {
        self.licence
    }

    /// What it allows at most.
    pub fn scopes(&self) -> &BTreeSet<String> {
        &self.scopes
    }

    /// What people call the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// When it ends.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// Reads a licence as it is shown at the token endpoint (base64url of the file), so that what was issued can be looked up.
///
/// # Errors
/// When there is none, or not one that this tenant's key signed for this client.
pub fn read(shown: Option<&str>, key: &VerifyKey, client: ApiClientId) -> Result<Licence, LicenceRefusal> {
    let shown = shown.filter(|text| !text.is_empty()).ok_or(LicenceRefusal::Missing)?;
    if shown.len() > limits::LICENCE_BYTES.div_ceil(3) * 4 {
        return Err(LicenceRefusal::Malformed);
    }
    let file = URL_SAFE_NO_PAD.decode(shown).map_err(|_| LicenceRefusal::Malformed)?;
    let licence = Licence::verify_by(&file, key).map_err(|error| match error {
        LicenceError::NotSigned => LicenceRefusal::NotSigned,
        _ => LicenceRefusal::Malformed,
    })?;
    if licence.body().client == client { Ok(licence) } else { Err(LicenceRefusal::OtherClient) }
}

/// Whether a licence, as it was issued, lets in the program that a host vouches for.
///
/// # Errors
/// Says what is missing or another one.
pub fn admit(
    licence: &Licence,
    issued: Option<Issued>,
    host: Option<&str>,
    asked: &Asked<'_>,
    now: Timestamp,
) -> Result<Licensed, LicenceRefusal> {
    let body = licence.body();
    let same = |issued: &Issued| issued.client == body.client && issued.digest == licence.digest();
    let issued = issued.filter(same).ok_or(LicenceRefusal::Unknown)?;
    if issued.revoked {
        return Err(LicenceRefusal::Revoked);
    }
    licence.stands(now)?;
    let jwt = host.filter(|text| !text.is_empty()).ok_or(LicenceRefusal::HostMissing)?;
    let says = host::verify(jwt, asked, now)?;
    let named = licence.host(&says.key, says.kind)?;
    licence.covers(&says.program)?;
    Ok(Licensed {
        licence: body.id,
        scopes: body.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        host: named.name.to_string(),
        expires: body.expires,
    })
}

#[cfg(test)]
mod tests;
