//! Authorization requests: actions that are frozen and wait for proofs.

use sallyport_model::{DeviceId, Digest, GrantId, JobId, RequestId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ChangeMfaPolicyDetails, ChangeRoleDetails, ChangeSessionLimitsDetails, ChangedUsers, CreatedInstaller, CreatedInvitation,
    InviteUserDetails, OpenedRemoteSession, PeopleDetails, RecoveryCodes, RemoteSessionDetails, RequireMfaDetails, ResetFactorDetails,
    ResetHeld, RoleDetails, Variable,
};

/// Where an authorization request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Waits for proofs.
    Open,
    /// Its requirement was met and it was done.
    Executed,
    /// Somebody said no.
    Denied,
    /// It waited too long.
    Expired,
}

/// An action, frozen, with what it takes to release it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuthorizationRequest {
    /// Its id.
    #[schema(value_type = String)]
    pub id: RequestId,
    /// The end of the id, to compare by eye: `7K2M-9QX4`.
    pub short: String,
    /// Where it stands.
    pub state: RequestState,
    /// What will happen, as one sentence.
    pub summary: String,
    /// What will happen, exactly.
    pub action: ActionDetails,
    /// 1 one device, 2 fleet or privileged, 3 trust or mass.
    pub class: u8,
    /// Why it is of that class.
    pub class_reason: String,
    /// SHA-256 of the exact bytes that are authorized.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The steps that are needed, in order.
    pub requirement: Vec<RequirementStep>,
    /// Where people approve it: a page of the console. What a tool asks for waits until somebody goes there.
    pub approve_at: String,
    /// Who asked.
    #[schema(value_type = String)]
    pub requested_by: UserId,
    /// Their name.
    pub requested_by_name: String,
    /// Their address, for names can be alike.
    pub requested_by_email: String,
    /// For its asker alone, where it takes two people: the number that they read to the second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Whether your proof wants the number on the asker's screen: you are the second person.
    #[serde(default)]
    pub wants_number: bool,
    /// When it was asked for.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it lapses.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// Devices that this person touched within the hour, this action included.
    pub hour_devices: u64,
    /// From how many devices within the hour the next class applies.
    pub hour_limit: u64,
    /// What came of it, once it was executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ActionResult>,
}

/// One thing that must be there before the action is done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RequirementStep {
    /// `you`, `another_person` or `device`.
    pub who: String,
    /// The words to show.
    pub text: String,
    /// `code` (a fresh code for this very request), `step_up` (an open window is enough) or `verifies` (the devices).
    pub proof: String,
    /// Whether it is there.
    pub met: bool,
    /// Who met it.
    pub by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>)]
    pub at: Option<Timestamp>,
}

/// What will happen, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one value per request, serialised at once")]
pub enum ActionDetails {
    /// A script runs on devices.
    RunScript(RunScriptDetails),
    /// An installer is made.
    CreateInstaller(CreateInstallerDetails),
    /// Devices may receive work.
    ApproveDevices(TargetDetails),
    /// Devices are no longer managed.
    RemoveDevices(TargetDetails),
    /// All recovery codes of the asking person are replaced.
    RegenerateRecoveryCodes,
    /// A client attaches to a remote session.
    OpenRemoteSession(RemoteSessionDetails),
    /// Somebody is invited.
    InviteUser(InviteUserDetails),
    /// Users may no longer sign in.
    DisableUsers(PeopleDetails),
    /// Users may sign in again.
    EnableUsers(PeopleDetails),
    /// A user gets other roles.
    ChangeRole(ChangeRoleDetails),
    /// Users must have a second factor, or need not.
    RequireMfa(RequireMfaDetails),
    /// A user's factors are taken away, so that they enrol new ones.
    ResetFactor(ResetFactorDetails),
    /// Who must have a second factor changes.
    ChangeMfaPolicy(ChangeMfaPolicyDetails),
    /// How long sessions last changes.
    ChangeSessionLimits(ChangeSessionLimitsDetails),
    /// A custom role is made or changed.
    SaveRole(RoleDetails),
    /// A custom role is taken away.
    DeleteRole(RoleDetails),
    /// A factor of the asking person is removed.
    RemoveFactor(RemoveFactorDetails),
    /// The rules about addresses are replaced.
    ChangeNetworks(ChangeNetworksDetails),
    /// The rules for remote sessions change.
    ChangeRemotePolicy(crate::ChangeRemotePolicyDetails),
    /// An API client is made.
    CreateClient(crate::ApiClientDetails),
    /// An API client gets another shape.
    ChangeClient(crate::ApiClientDetails),
    /// A script runs unattended at its times.
    PublishSchedule(crate::PublishScheduleDetails),
    /// A connection to another vendor's API is made.
    CreateConnection(crate::ConnectionDetails),
    /// A connection gets other terms, or another credential.
    ChangeConnection(crate::ConnectionDetails),
    /// A licence is issued.
    IssueLicence(crate::LicenceDetails),
    /// A webhook is made.
    CreateWebhook(crate::WebhookDetails),
    /// A webhook gets another name, address or other events.
    ChangeWebhook(crate::WebhookDetails),
    /// A webhook gets another secret.
    RotateWebhook(crate::RotateWebhookDetails),
}

/// A factor that goes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RemoveFactorDetails {
    /// Which.
    #[schema(value_type = String)]
    pub factor: sallyport_model::FactorId,
    /// `totp` or `passkey`.
    pub factor_kind: String,
    /// What its owner calls it.
    pub name: String,
}

/// Rules about addresses, as they will be and as they were when this was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChangeNetworksDetails {
    /// Trusted networks.
    pub trusted: Vec<crate::TrustedNetwork>,
    /// Required networks.
    pub required: Vec<crate::RequiredNetwork>,
    /// Whether a sign-in from a new address wants a mailed link or a passkey.
    pub address_verification: crate::Switch,
    /// What held before.
    pub before: crate::NetworkRules,
}

/// A script run, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunScriptDetails {
    /// The script's name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Its text.
    pub text: String,
    /// SHA-256 of the text.
    #[schema(value_type = String)]
    pub sha256: Digest,
    /// Bytes of the text.
    pub bytes: u64,
    /// The version that last ran, for a comparison.
    pub previous: Option<PreviousScript>,
    /// `bash`, `sh`, `python3` or `pwsh`.
    pub interpreter: String,
    /// The account on the devices; absent means root.
    pub run_as: Option<String>,
    /// Arguments, in order.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<Variable>,
    /// Names of secret variables.
    pub secrets: Vec<String>,
    /// Ends the run after this.
    pub time_limit_secs: u32,
    /// Ends the run after this much output.
    pub output_limit_bytes: u64,
    /// Where it runs.
    pub targets: TargetDetails,
}

/// The text that was run before.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PreviousScript {
    /// Its version.
    pub version: u32,
    /// Its text.
    pub text: String,
}

/// Devices that an action names.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetDetails {
    /// How many.
    pub count: u64,
    /// How many of them are connected now.
    pub online: u64,
    /// How many never had a script by this person.
    pub first_time: u64,
    /// All of them.
    pub devices: Vec<TargetDevice>,
}

/// One device that an action names.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TargetDevice {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DeviceId,
    /// Its name.
    pub name: String,
    /// Is it connected now.
    pub online: bool,
    /// Customer and site.
    pub place: String,
}

/// An installer, exactly.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreateInstallerDetails {
    /// What people call it.
    pub label: String,
    /// Customer and site that new devices land in.
    pub place: String,
    /// `linux`.
    pub platform: String,
    /// Devices that may enrol with it.
    pub uses: u32,
    /// When it stops working.
    #[schema(value_type = String)]
    pub expires: Timestamp,
    /// The only network that devices may enrol from.
    pub network: Option<String>,
}

/// What came of an action. Secrets in it are returned once, to the proof that released it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "built once per executed action and serialised at once")]
pub enum ActionResult {
    /// The installer, with its file.
    Installer(CreatedInstaller),
    /// The devices that changed.
    Devices(ChangedDevices),
    /// The new codes.
    RecoveryCodes(RecoveryCodes),
    /// The remote session, with what the client dials it by.
    RemoteSession(OpenedRemoteSession),
    /// The invitation or activation link.
    Invitation(CreatedInvitation),
    /// The users that changed.
    Users(ChangedUsers),
    /// A reset of a factor that waits for a day.
    ResetHeld(ResetHeld),
    /// A webhook's secret.
    WebhookSecret(crate::WebhookSecret),
    /// The job that began, or what is left to tell later: secrets are not shown twice.
    Done(Done),
}

impl std::fmt::Debug for ActionResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ActionResult")
    }
}

/// Devices that changed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChangedDevices {
    /// Their ids.
    #[schema(value_type = Vec<String>)]
    pub devices: Vec<DeviceId>,
}

/// A finished action, without its secrets.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// The job, where one began.
    #[schema(value_type = Option<String>)]
    pub job: Option<JobId>,
    /// The grant, where one was made.
    #[schema(value_type = Option<String>)]
    pub grant: Option<GrantId>,
    /// The audit log's entry.
    pub log_index: u64,
}

/// One person's answer: a code or a passkey's, and of the second person the number.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProof {
    /// A fresh code from the authenticator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp: Option<String>,
    /// A passkey's answer over the request's digest, begun at `/v1/authorization-requests/{id}/passkey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<crate::PasskeyProof>,
    /// The three digits on the asker's screen, where somebody else asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
}
