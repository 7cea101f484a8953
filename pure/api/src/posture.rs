//! How the configuration is judged, and what would happen if.

use sallyport_model::{Digest, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant's configuration, judged rule by rule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Posture {
    /// When.
    #[schema(value_type = String)]
    pub judged: Timestamp,
    /// How many rules came to what.
    pub counts: PostureCounts,
    /// The rules, in the order of their ids.
    pub rules: Vec<PostureRule>,
}

/// How many rules came to what.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub struct PostureCounts {
    /// To be mended now.
    pub critical: u64,
    /// To be looked at.
    pub warning: u64,
    /// What they found is accepted for now.
    pub accepted: u64,
    /// They hold.
    pub holds: u64,
    /// The server cannot know.
    pub unseen: u64,
    /// About what the reader may not see: left out.
    pub hidden: u64,
}

/// What a rule came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PostureState {
    /// To be mended now.
    Critical,
    /// To be looked at.
    Warning,
    /// Everything that it found is accepted for now.
    Accepted,
    /// It holds.
    Holds,
    /// The server cannot know.
    Unseen,
}

/// One rule.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PostureRule {
    /// Its stable id: `P-03`.
    pub id: String,
    /// What it wants, as a sentence.
    pub wants: String,
    /// What it came to.
    pub state: PostureState,
    /// What was checked, or why it cannot be seen from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<String>,
    /// What it found, the worst first.
    pub findings: Vec<PostureFinding>,
}

/// Something that a rule found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PostureFinding {
    /// Names it while it stays what it is: rule, severity, what it is and whom it is about.
    #[schema(value_type = String)]
    pub id: Digest,
    /// `critical` or `warning`, whether it is accepted or not.
    pub state: PostureState,
    /// What it is.
    pub title: String,
    /// Why it matters.
    pub why: String,
    /// Whom or what it is about.
    pub subjects: Vec<ConsoleLink>,
    /// Where it is mended; absent where that is not in the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<ConsoleLink>,
    /// Who accepted it, why and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<AcceptedFinding>,
}

/// Somebody accepted a finding: it is shown, and not counted, until a moment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AcceptedFinding {
    /// Why.
    pub because: String,
    /// Who.
    pub by: String,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// When it comes back.
    #[schema(value_type = String)]
    pub until: Timestamp,
}

/// Accepts what is found now, for a while.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptFinding {
    /// The id of the finding.
    #[schema(value_type = String)]
    pub finding: Digest,
    /// Why: 1 to 300 characters on one line, for whoever asks later.
    pub reason: String,
    /// When it comes back: within a year, or within a month for what is to be fixed now.
    #[schema(value_type = String)]
    pub until: Timestamp,
}

/// A place in the console.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConsoleLink {
    /// What it is called.
    pub word: String,
    /// Its path: `/users?mfa=without`.
    pub path: String,
}

/// What somebody signs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhatIfWith {
    /// The password alone.
    Password,
    /// Password and a code of the authenticator.
    PasswordAndCode,
    /// A passkey.
    Passkey,
    /// Password and a recovery code.
    RecoveryCode,
}

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhatIfWish {
    /// See devices and their inventory.
    ReadDevices,
    /// Read the audit log.
    ReadAudit,
    /// Run a script.
    RunScript,
    /// Open a terminal.
    OpenTerminal,
    /// Make an installer.
    CreateInstaller,
    /// Stop managing devices.
    RemoveDevices,
    /// Invite a technician.
    InviteUser,
    /// Change the policy of factors.
    ChangeMfaPolicy,
    /// Change the rules about addresses.
    ChangeNetworks,
}

/// This user, from this address, with these factors, wants to do this: what happens? Nothing is changed, and nothing is logged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhatIf {
    /// Who.
    #[schema(value_type = String)]
    pub user: UserId,
    /// From which address.
    pub address: String,
    /// What they sign in with; all of it is right.
    pub with: WhatIfWith,
    /// What they want.
    pub wants: WhatIfWish,
    /// On how many devices, where it is about devices; 1 where nothing is said.
    #[serde(default)]
    pub devices: Option<u32>,
    /// Of which site; where nothing is said, devices that they reach.
    #[serde(default)]
    pub site: Option<String>,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhatIfOutcome {
    /// It is done, or shown.
    Done,
    /// It waits for proofs.
    Asks,
    /// A mailed link has to be pressed first.
    Link,
    /// It is refused.
    Refused,
}

/// How a step came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhatIfState {
    /// It goes on.
    Met,
    /// Something more is wanted.
    Wants,
    /// It ends here.
    Refuses,
}

/// One rule on the way.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WhatIfStep {
    /// Its stable id: `N-02`.
    pub id: String,
    /// What it came to, as a sentence.
    pub what: String,
    /// Whether it goes on.
    pub state: WhatIfState,
}

/// The answer, by the rules that decide for real.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WhatIfAnswer {
    /// What happens.
    pub outcome: WhatIfOutcome,
    /// The same as a sentence.
    pub sentence: String,
    /// The stable code of the refusal that they would get, where they get one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How many people have to prove it, where it waits for proofs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<u32>,
    /// What was judged, in order; the last one decides.
    pub steps: Vec<WhatIfStep>,
}
