//! What the agent says of itself to people at the machine: a small file, rewritten whenever something changes.

use sallyport_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::{Entry, Phase};
use crate::remote::Shown;
use crate::trust::{Names, Trust};

/// Name of the status file in the agent's directory.
pub const STATUS_FILE: &str = "status.json";
/// How many refusals are remembered.
const REFUSALS: usize = 10;

/// Whom the device obeys, and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub agent_version: String,
    pub device_thumbprint: String,
    pub pid: u32,
    pub updated: Timestamp,
    pub link: LinkState,
    pub link_since: Timestamp,
    /// Why the last link ended, or why there is none.
    pub link_trouble: Option<String>,
    pub device: Option<String>,
    pub commanders: Option<Commanders>,
    /// Who is connected to this computer now.
    #[serde(default)]
    pub remote_sessions: Vec<Shown>,
    /// Newest first.
    pub obeyed: Vec<Obeyed>,
    /// Newest first.
    pub refused: Vec<Refused>,
}

/// How far the agent came with its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    WaitingForEnrolment,
    Connecting,
    Pending,
    Approved,
    Removed,
    Quarantined,
    NotKnown,
    Stopped,
}

/// Who may command the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commanders {
    pub tenant_id: String,
    pub names: Names,
    pub server: String,
    pub profile: String,
    pub authority_pin: String,
    pub authority_keys: Vec<String>,
    pub authority_threshold: u32,
    pub attestation_key: String,
    pub log_origin: String,
    pub log_key: String,
    pub link_key: String,
    pub root_version: u32,
    pub root_expires: Timestamp,
}

impl Commanders {
    pub fn of(trust: &Trust) -> Self {
        let root = trust.root.body();
        Self {
            tenant_id: root.tenant.to_string(),
            names: trust.names.clone(),
            server: trust.server.to_string(),
            profile: "starter".to_owned(),
            authority_pin: trust.root.pin().0.to_string(),
            authority_keys: root.authority.iter().map(ToString::to_string).collect(),
            authority_threshold: root.threshold,
            attestation_key: root.attestation.to_string(),
            log_origin: root.log.origin.clone(),
            log_key: root.log.key.to_string(),
            link_key: root.link.to_string(),
            root_version: root.version,
            root_expires: root.expires,
        }
    }
}

/// A grant that was obeyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obeyed {
    pub grant: String,
    pub name: String,
    pub by: String,
    pub at: Timestamp,
    /// `running`, or how it ended.
    pub outcome: String,
}

impl Obeyed {
    pub fn of(entry: &Entry) -> Self {
        let outcome = match &entry.phase {
            Phase::Claimed => "running".to_owned(),
            // The outcome's name in receipts.
            Phase::Ended { outcome, .. } | Phase::Acknowledged { outcome } => {
                serde_json::to_string(outcome).unwrap_or_default().trim_matches('"').to_owned()
            }
        };
        Self { grant: entry.grant.to_string(), name: entry.name.clone(), by: entry.by.clone(), at: entry.claimed_at, outcome }
    }
}

/// An offer that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// As the offer claimed; absent where it could not be read.
    pub grant: Option<String>,
    pub at: Timestamp,
    pub code: String,
    pub reason: String,
}

impl Status {
    pub fn new(agent_version: String, device_thumbprint: String, now: Timestamp) -> Self {
        Self {
            agent_version,
            device_thumbprint,
            pid: std::process::id(),
            updated: now,
            link: LinkState::WaitingForEnrolment,
            link_since: now,
            link_trouble: None,
            device: None,
            commanders: None,
            remote_sessions: Vec::new(),
            obeyed: Vec::new(),
            refused: Vec::new(),
        }
    }

    pub(crate) fn set_link(&mut self, link: LinkState, now: Timestamp) {
        if self.link != link {
            self.link = link;
            self.link_since = now;
        }
    }

    pub(crate) fn note_refusal(&mut self, refused: Refused) {
        self.refused.insert(0, refused);
        self.refused.truncate(REFUSALS);
    }
}
