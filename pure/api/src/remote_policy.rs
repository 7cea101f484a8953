//! What holds for remote sessions: recording, consent, clipboard, displays.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Switch;

/// Whether sessions of a kind are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordRule {
    /// Each one.
    Always,
    /// None.
    Never,
    /// As whoever opens it says; recorded where they say nothing.
    Optional,
}

/// What the person at the machine is told or asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentRule {
    /// Nothing.
    None,
    /// They are told who is connected.
    Banner,
    /// They are asked, and nothing is seen before they allowed it.
    Ask,
}

/// What it means where nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SilenceRule {
    /// No.
    Refuse,
    /// Yes: for machines that nobody sits at.
    Allow,
}

/// The rules for one kind of remote session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoteKindRules {
    /// Whether it is recorded, by the device.
    pub record: RecordRule,
    /// What the person at the machine is told or asked.
    pub consent: ConsentRule,
    /// How long they have to answer, 10 to 120 seconds, where they are asked.
    pub ask_secs: u32,
    /// What it means where nobody answers, or nobody is there to be asked.
    pub unanswered: SilenceRule,
}

/// The tenant's rules for remote sessions. They are part of each grant, and the device keeps to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemotePolicy {
    /// For terminals.
    pub terminal: RemoteKindRules,
    /// For background management.
    pub background: RemoteKindRules,
    /// For files.
    pub files: RemoteKindRules,
    /// For screens.
    pub viewer: RemoteKindRules,
    /// Whether copied text goes between viewers and machines.
    pub clipboard: Switch,
    /// Whether a display is made on machines that show none.
    pub virtual_display: Switch,
}

/// The rules that hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredRemotePolicy {
    /// Which version; 0 where nobody ever changed them.
    pub version: u64,
    /// The rules.
    pub rules: RemotePolicy,
}

/// Asks for other rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRemotePolicy {
    /// The version that was read.
    pub version: u64,
    /// All rules, as they shall be.
    pub rules: RemotePolicy,
}

/// A change of the rules for remote sessions, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeRemotePolicyDetails {
    /// Until now.
    pub before: RemotePolicy,
    /// From now on.
    pub after: RemotePolicy,
}
