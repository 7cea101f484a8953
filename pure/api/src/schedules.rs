//! Schedules: scripts that devices run unattended.

use sallyport_model::{DeviceId, Digest, GrantId, ScheduleId, ScriptId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Variable;

/// Asks to publish a schedule: what it says is frozen, signed, and checked by each device at each occurrence.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// What people call it.
    pub name: String,
    /// The script of the library.
    pub script: String,
    /// The version that was seen; only the newest one can be published.
    pub version: u32,
    /// The devices, by id; empty where a group is named.
    #[serde(default)]
    pub devices: Vec<String>,
    /// The devices by a rule. Once it means one more, the publication is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<DeviceGroup>,
    /// Arguments, in order.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Environment variables. Secret ones cannot be published.
    #[serde(default)]
    pub environment: Vec<Variable>,
    /// The account on the device; absent means the agent's own (root).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<String>,
    /// Ends a run after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_secs: Option<u32>,
    /// Ends a run after this much output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_limit_bytes: Option<u64>,
    /// When it runs.
    pub timing: ScheduleTiming,
    /// The schedule that ends when this one begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// Approved devices by where they are and how they are tagged; what is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceGroup {
    /// Of this customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// At this site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// With this tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// When a schedule runs, and what holds it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleTiming {
    /// Minute, hour, day of the month, month, day of the week, as in crontab(5).
    pub cron: String,
    /// IANA name of the time zone, like `Europe/Berlin`.
    pub zone: String,
    /// When the publication ends, within 400 days.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// Runs begin only within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<MaintenanceWindow>,
    /// A device that was off begins at most so much later: 5 minutes to 7 days; an hour where nothing is said.
    #[serde(default = "hour")]
    pub late_secs: u32,
    /// Devices begin spread over so much time; at most 12 hours.
    #[serde(default)]
    pub jitter_secs: u32,
    /// At least so much time between the beginnings of two runs on one device.
    #[serde(default)]
    pub gap_secs: u32,
    /// So many devices at once; 0 is all of them.
    #[serde(default)]
    pub at_once: u32,
}

fn hour() -> u32 {
    3600
}

/// A time of the day in the schedule's zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceWindow {
    /// Like `22:00`.
    pub from: String,
    /// Like `04:00`; at or before `from`, it ends on the next day.
    pub to: String,
    /// Days on which it begins, from `sun` to `sat`; all of them where nothing is said.
    #[serde(default)]
    pub days: Vec<String>,
}

/// Asks what a timing means; nothing is kept.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleQuestion {
    /// When it would run.
    pub timing: ScheduleTiming,
}

/// What a timing means.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleAnswer {
    /// The expression in words, like `at 02:30 on Monday to Friday`.
    pub words: String,
    /// The next occurrences.
    pub next: Vec<Occurrence>,
}

/// A moment at which a schedule is due.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Occurrence {
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// By the clock of the schedule's zone, like `2026-11-22 02:30`.
    pub local: String,
    /// That zone's offset from UTC, like `+01:00`.
    pub offset: String,
}

/// Where a schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleState {
    /// It runs.
    Active,
    /// Somebody paused it.
    Paused,
    /// What was published is no longer so: publish it anew.
    Voided,
    /// Somebody stopped it, for good.
    Stopped,
    /// Its time is over.
    Expired,
}

/// A published schedule; what it does is read from the bytes that were signed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ScheduleId,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub state: ScheduleState,
    /// Why it is voided, paused or stopped by something else than a person: `script_changed`, `script_deleted`, `group_grew`,
    /// `rule_changed`, `publisher_gone`, `no_devices`, `replaced` or `not_me`.
    pub why: Option<String>,
    /// When that began.
    #[schema(value_type = String)]
    pub changed: Timestamp,
    /// Whose doing it was.
    pub changed_by: String,
    /// The script.
    #[schema(value_type = String)]
    pub script: ScriptId,
    /// Its name when it was published.
    pub script_name: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of the text that runs.
    #[schema(value_type = String)]
    pub sha256: Digest,
    /// `bash`, `sh`, `python3` or `pwsh`.
    pub interpreter: String,
    /// The account on the devices; absent means root.
    pub run_as: Option<String>,
    /// Arguments.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<Variable>,
    /// Ends a run after this.
    pub time_limit_secs: u32,
    /// When it runs.
    pub timing: ScheduleTiming,
    /// The expression in words.
    pub words: String,
    /// The next occurrences; none unless it is active.
    pub next: Vec<Occurrence>,
    /// How its devices were found; absent where they were named one by one.
    pub group: Option<DeviceGroup>,
    /// The same in words.
    pub group_words: Option<String>,
    /// How many devices were published.
    pub targets: u64,
    /// Those of them that the reader reaches.
    #[schema(value_type = Vec<String>)]
    pub devices: Vec<DeviceId>,
    /// When it was published.
    #[schema(value_type = String)]
    pub published: Timestamp,
    /// By whom.
    pub published_by: String,
    /// The grant that its devices check.
    #[schema(value_type = String)]
    pub grant: GrantId,
    /// SHA-256 of the grant's signed encoding.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The audit log's entry.
    pub log_index: u64,
    /// Occurrences that nobody ran since the server was not there.
    pub missed: u64,
}

/// Of a job that a schedule began: which, and which of its occurrences.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct JobOccurrence {
    /// The schedule.
    #[schema(value_type = String)]
    pub schedule: ScheduleId,
    /// Its name.
    pub name: String,
    /// When it was due.
    #[schema(value_type = String)]
    pub due: Timestamp,
}

/// A publication, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PublishScheduleDetails {
    /// What people call it.
    pub schedule_name: String,
    /// When it runs.
    pub timing: ScheduleTiming,
    /// The expression in words.
    pub words: String,
    /// Its first occurrences.
    pub next: Vec<Occurrence>,
    /// How its devices were found, in words.
    pub group_words: Option<String>,
    /// The schedule that ends when this one begins.
    #[schema(value_type = Option<String>)]
    pub replaces: Option<ScheduleId>,
    /// What runs, and where.
    #[serde(flatten)]
    pub run: crate::RunScriptDetails,
}
