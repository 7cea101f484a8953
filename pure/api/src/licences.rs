//! Licences: what lets a tool's program in, beside its client's key.

use std::collections::BTreeSet;

use sallyport_model::{ApiClientId, Digest, LicenceId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether an API client must show a licence to get a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LicenceRule {
    /// Its key is enough.
    #[default]
    NotNeeded,
    /// A licence, and a host that the licence names and that says which program asks.
    Needed,
}

/// Where the key of a host is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyKind {
    /// In the machine's TPM, which does not give it out.
    Tpm,
    /// In a file: root of that machine can copy it.
    File,
}

/// What keys the hosts of a licence must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyRule {
    /// Either kind.
    #[default]
    Any,
    /// In a TPM.
    Tpm,
}

/// A machine that a tool may run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LicenceHost {
    /// For people.
    pub name: String,
    /// Where its key is kept, as you found it on that machine: the server cannot see it.
    pub kind: HostKeyKind,
    /// Its public key, as `sallyport tool host-key` prints it: a compressed P-256 point, 66 hexadecimal digits.
    pub key: String,
}

/// A licence that is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLicence {
    /// What the tool is called.
    pub tool: String,
    /// Who makes it.
    pub publisher: String,
    /// The first version that may run, as `2.14.0`.
    pub from: String,
    /// The first version that is too new.
    pub below: String,
    /// SHA-256 of each executable that may run; 1 to 16.
    #[schema(value_type = Vec<String>)]
    pub executables: Vec<Digest>,
    /// SHA-256 of each script that the executable may be given; none leaves open what it reads.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub scripts: Vec<Digest>,
    /// What it may do, of what its client may do.
    pub scopes: BTreeSet<String>,
    /// Where it may run; 1 to 32.
    pub hosts: Vec<LicenceHost>,
    /// What keys those hosts must have.
    #[serde(default)]
    pub host_keys: HostKeyRule,
    /// When it ends, within 400 days.
    #[schema(value_type = String)]
    pub expires: Timestamp,
}

/// What a licence says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LicenceTerms {
    /// What the tool is called.
    pub tool: String,
    /// Who makes it.
    pub publisher: String,
    /// The first version.
    pub from: String,
    /// The first version that is too new.
    pub below: String,
    /// SHA-256 of each executable that may run.
    #[schema(value_type = Vec<String>)]
    pub executables: Vec<Digest>,
    /// SHA-256 of each script that the executable may be given; none leaves open what it reads.
    #[schema(value_type = Vec<String>)]
    pub scripts: Vec<Digest>,
    /// What it may do, within what its client may do.
    pub scopes: BTreeSet<String>,
    /// Where it may run.
    pub hosts: Vec<LicenceHost>,
    /// What keys those hosts must have.
    pub host_keys: HostKeyRule,
    /// When it ends, within 400 days.
    #[schema(value_type = String)]
    pub expires: Timestamp,
}

/// Where a licence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LicenceState {
    /// It lets its tool in.
    Valid,
    /// It does, for less than two weeks more.
    ExpiringSoon,
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

/// A licence.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Licence {
    /// Its id, which is in the file too.
    #[schema(value_type = String)]
    pub id: LicenceId,
    /// The API client that it is for.
    #[schema(value_type = String)]
    pub client: ApiClientId,
    /// Where it stands.
    pub state: LicenceState,
    /// What it says.
    #[serde(flatten)]
    pub terms: LicenceTerms,
    /// SHA-256 of what is signed.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// When it was issued.
    #[schema(value_type = String)]
    pub issued: Timestamp,
    /// By whom.
    pub issued_by: String,
    /// When it was revoked.
    #[schema(value_type = Option<String>)]
    pub revoked: Option<Timestamp>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// When it last let its tool in.
    #[schema(value_type = Option<String>)]
    pub last_used: Option<Timestamp>,
    /// On which host.
    pub last_host: Option<String>,
}

/// The licences of an API client.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Licences {
    /// The newest first, 200 at most.
    pub items: Vec<Licence>,
}

/// A licence as a file: a signed document, no secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LicenceFile {
    /// Which.
    #[schema(value_type = String)]
    pub id: LicenceId,
    /// What to call the file.
    pub file_name: String,
    /// Its content.
    pub file: String,
}

/// A licence that is issued, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LicenceDetails {
    /// Which.
    #[schema(value_type = String)]
    pub licence: LicenceId,
    /// The API client that it is for.
    #[schema(value_type = String)]
    pub client: ApiClientId,
    /// What people call that client.
    pub client_name: String,
    /// What it says.
    #[serde(flatten)]
    pub terms: LicenceTerms,
}

/// A token that a client did not get for want of a licence.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LicenceRefused {
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// `missing`, `not_signed`, `revoked`, `expired`, `host_missing`, `other_host`, `version`, `executable`, ...
    pub reason: String,
    /// The same for people.
    pub why: String,
    /// From where.
    pub address: String,
}

/// The description of `invalid_client` wherever a licence, its host or the program was not right: which it was, the client's owner reads in the
/// console and in the log.
pub const LICENCE_REFUSED: &str = "the client needs a licence that lets this program in on this host";
