//! Jobs and their runs.

use sallyport_model::{DeviceId, Digest, GrantId, JobId, RunId, ScriptId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks to run a script on devices.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    /// The script of the library.
    pub script: String,
    /// The version that was seen; another one in the meantime is a conflict.
    pub version: u32,
    /// The devices, by id.
    pub devices: Vec<String>,
    /// Arguments, in order.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Environment variables, parameters that are not secret among them.
    #[serde(default)]
    pub environment: Vec<Variable>,
    /// Secret variables.
    #[serde(default)]
    pub secrets: Vec<Variable>,
    /// The account on the device; absent means the agent's own (root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<String>,
    /// Ends the run after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_secs: Option<u32>,
    /// Ends the run after this much output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_limit_bytes: Option<u64>,
}

/// A named value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// `[A-Za-z_][A-Za-z0-9_]*`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits for its device.
    Waiting,
    /// Sent, and not yet begun as far as is known.
    Delivered,
    /// Its script runs.
    Running,
    /// Ended with exit code 0.
    Succeeded,
    /// The script ended with another code or by a signal.
    Failed,
    /// The device refused the grant, and says why.
    Refused,
    /// Somebody cancelled it.
    Cancelled,
    /// It reached its time limit.
    TimedOut,
    /// It reached its output limit.
    OutputLimit,
    /// The agent or the machine stopped while it ran; it is never run again by itself.
    Interrupted,
    /// The device did not come back before the grant lapsed.
    Expired,
}

/// How many runs of a job are where.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct RunCounts {
    /// All of them.
    pub total: u64,
    /// Waiting or delivered.
    pub waiting: u64,
    /// Running.
    pub running: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Failed, timed out, or over their output limit.
    pub failed: u64,
    /// Refused by their device.
    pub refused: u64,
    /// Cancelled, interrupted or expired.
    pub other: u64,
}

/// A script on devices.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    #[schema(value_type = String)]
    pub id: JobId,
    /// The grant that its devices obey.
    #[schema(value_type = String)]
    pub grant: GrantId,
    /// The script.
    #[schema(value_type = Option<String>)]
    pub script: Option<ScriptId>,
    /// The script's name when it was authorized.
    pub name: String,
    /// The script's version.
    pub version: u32,
    /// SHA-256 of the text that ran.
    #[schema(value_type = String)]
    pub sha256: Digest,
    /// `bash`, `sh`, `python3` or `pwsh`.
    pub interpreter: String,
    /// The account on the devices.
    pub run_as: Option<String>,
    /// Arguments.
    pub arguments: Vec<String>,
    /// Names of its secret variables.
    pub secrets: Vec<String>,
    /// Who asked.
    pub requested_by: String,
    /// When it was authorized.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When the grant lapses for devices that have not begun.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// When its last run ended.
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
    /// The audit log's entry.
    pub log_index: u64,
    /// Where its runs stand.
    pub counts: RunCounts,
    /// Where a schedule began it.
    pub occurrence: Option<crate::JobOccurrence>,
}

/// A job on one device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its id.
    #[schema(value_type = String)]
    pub id: RunId,
    /// Its job.
    #[schema(value_type = String)]
    pub job: JobId,
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The device's name.
    pub device_name: String,
    /// Where it stands.
    pub state: RunState,
    /// The script's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended the script.
    pub signal: Option<i32>,
    /// Why the device refused, as a code.
    pub reason: Option<String>,
    /// SHA-256 of all output, from the device's receipt.
    #[schema(value_type = Option<String>)]
    pub output_sha256: Option<Digest>,
    /// Bytes of output that are stored.
    pub output_bytes: u64,
    /// When the script began, by the device's clock.
    #[schema(value_type = Option<String>)]
    pub started: Option<Timestamp>,
    /// When it ended, by the device's clock.
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
    /// Whether the device's signed receipt is stored.
    pub receipt: bool,
}

/// Output of a run, from a given chunk on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Output {
    /// The chunks, in order.
    pub chunks: Vec<OutputChunk>,
    /// Ask again with `after` set to this.
    pub next: u64,
    /// Whether there is more than was returned.
    pub more: bool,
}

/// A piece of output.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OutputChunk {
    /// Its number, from 0.
    pub seq: u64,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// What a device signed about a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The run.
    #[schema(value_type = String)]
    pub run: RunId,
    /// The signed envelope (DSSE), verbatim.
    pub envelope: String,
}
