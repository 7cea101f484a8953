//! The script library.

use sallyport_model::{Digest, ScriptId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A script in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Script {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ScriptId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// `bash`, `sh`, `python3` or `pwsh`.
    pub interpreter: String,
    /// The newest version.
    pub version: u32,
    /// SHA-256 of that version's text.
    #[schema(value_type = String)]
    pub sha256: Digest,
    /// When that version was saved.
    #[schema(value_type = String)]
    pub updated: Timestamp,
    /// Who saved it.
    pub updated_by: String,
    /// When it last ran.
    #[schema(value_type = Option<String>)]
    pub last_run: Option<Timestamp>,
}

/// One version of a script in full.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScriptDetails {
    /// As in the list, of the shown version.
    pub script: Script,
    /// The text.
    pub text: String,
    /// What it asks for when it is run.
    pub parameters: Vec<Parameter>,
    /// Its versions, newest first.
    pub versions: Vec<ScriptVersion>,
    /// The text that last ran, for a comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run_version: Option<u32>,
}

/// A version in the history of a script.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScriptVersion {
    /// Counts from 1.
    pub version: u32,
    /// SHA-256 of its text.
    #[schema(value_type = String)]
    pub sha256: Digest,
    /// When it was saved.
    #[schema(value_type = String)]
    pub saved: Timestamp,
    /// Who saved it.
    pub saved_by: String,
}

/// Something that a script asks for when it is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The environment variable that carries it.
    pub name: String,
    /// What to show beside the field.
    #[serde(default)]
    pub label: String,
    /// Whether its value is secret: sealed to each device, never stored or shown.
    #[serde(default)]
    pub secret: bool,
    /// Whether it must be given.
    #[serde(default)]
    pub required: bool,
    /// What is filled in; never for a secret.
    #[serde(default)]
    pub default: String,
}

/// Saves a script: a new one, or a new version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveScript {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// `bash`, `sh`, `python3` or `pwsh`.
    pub interpreter: String,
    /// The text.
    pub text: String,
    /// What it asks for when it is run.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// The version that was edited; another one in the meantime is a conflict. Absent for a new script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub based_on: Option<u32>,
}
