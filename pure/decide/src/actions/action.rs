//! The closed set of guarded operations. A new one is a new variant here, with its class written down.

use sallyport_grant::body::{Class, RemoteKind};
use sallyport_grant::{KeyId, pae, sha256};
use sallyport_model::{DeviceId, Digest, FactorId, SiteId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{OpenRemoteSession, PublishSchedule, RunScript};
use crate::automation::{ChangeClient, IssueLicence};
use crate::bridge::ChangeConnection;
use crate::networks::Rules;
use crate::people::{
    self, ChangeMfaPolicy, ChangeRole, ChangeSessionLimits, ChangedRole, InviteUser, Person, RequireMfa, ResetFactor, ResetTakes,
};
use crate::policy::{self, Capability, Row};
use crate::remote_policy::ChangeRemotePolicy;
use crate::webhooks::{ChangeWebhook, RotateWebhook};

/// A device that an action names, as it was when the action was frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Which.
    pub device: DeviceId,
    /// Its name, for people.
    pub name: String,
    /// Its key: a device that enrolled again is another target.
    pub thumbprint: KeyId,
}

/// An installer that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateInstaller {
    /// What people call it.
    pub label: String,
    /// Where its devices land.
    pub site: SiteId,
    /// Customer and site, for people.
    pub place: String,
    /// How many devices may use it.
    pub uses: u32,
    /// When it stops working.
    pub expires: Timestamp,
    /// The only network that devices may enrol from.
    pub network: Option<String>,
}

/// A guarded operation with everything that it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "one value per request, never in bulk")]
pub enum Action {
    /// A script runs on devices.
    RunScript(RunScript),
    /// An installer is made.
    CreateInstaller(CreateInstaller),
    /// Pending devices may receive work.
    ApproveDevices(Vec<Target>),
    /// Devices are no longer managed.
    RemoveDevices(Vec<Target>),
    /// All recovery codes of the asking person are replaced.
    RegenerateRecoveryCodes,
    /// A client attaches to a remote session of a device.
    OpenRemoteSession(OpenRemoteSession),
    /// Somebody is invited.
    InviteUser(InviteUser),
    /// Users may no longer sign in.
    DisableUsers(Vec<Person>),
    /// Users may sign in again.
    EnableUsers(Vec<Person>),
    /// A user gets other roles.
    ChangeRole(ChangeRole),
    /// A factor is required of single users, or no longer.
    RequireMfa(RequireMfa),
    /// A user's factors are taken away.
    ResetFactor(ResetFactor),
    /// The policy of factors changes.
    ChangeMfaPolicy(ChangeMfaPolicy),
    /// The timers of sessions change.
    ChangeSessionLimits(ChangeSessionLimits),
    /// A custom role is made or changed.
    SaveRole(ChangedRole),
    /// A custom role is taken away.
    DeleteRole(ChangedRole),
    /// A factor of the asking person is removed.
    RemoveFactor(GoneFactor),
    /// The rules about addresses are replaced.
    ChangeNetworks(ChangeNetworks),
    /// The rules for remote sessions change.
    ChangeRemotePolicy(ChangeRemotePolicy),
    /// An API client is made.
    CreateClient(ChangeClient),
    /// An API client gets another shape.
    ChangeClient(ChangeClient),
    /// A script runs unattended at its times.
    PublishSchedule(PublishSchedule),
    /// A connection to another vendor's API is made.
    CreateConnection(ChangeConnection),
    /// A connection gets other terms, or another credential.
    ChangeConnection(ChangeConnection),
    /// A licence lets a tool's program in.
    IssueLicence(IssueLicence),
    /// A webhook is made.
    CreateWebhook(ChangeWebhook),
    /// A webhook gets another name, address or other events.
    ChangeWebhook(ChangeWebhook),
    /// A webhook gets another secret.
    RotateWebhook(RotateWebhook),
}

/// A factor that its owner wants to be without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneFactor {
    /// Which.
    pub factor: FactorId,
    /// `totp` or `passkey`.
    pub kind: String,
    /// What its owner calls it.
    pub name: String,
}

/// Rules about addresses in place of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeNetworks {
    /// The version that they replace.
    pub version: u64,
    /// What held when this was asked for, for comparing.
    #[serde(default)]
    pub before: Rules,
    /// The rules.
    pub rules: Rules,
}

/// Which operation it is, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActionKind {
    /// See [`Action::RunScript`].
    RunScript,
    /// See [`Action::CreateInstaller`].
    CreateInstaller,
    /// See [`Action::ApproveDevices`].
    ApproveDevices,
    /// See [`Action::RemoveDevices`].
    RemoveDevices,
    /// See [`Action::RegenerateRecoveryCodes`].
    RegenerateRecoveryCodes,
    /// See [`Action::OpenRemoteSession`].
    OpenRemoteSession,
    /// See [`Action::InviteUser`].
    InviteUser,
    /// See [`Action::DisableUsers`].
    DisableUsers,
    /// See [`Action::EnableUsers`].
    EnableUsers,
    /// See [`Action::ChangeRole`].
    ChangeRole,
    /// See [`Action::RequireMfa`].
    RequireMfa,
    /// See [`Action::ResetFactor`].
    ResetFactor,
    /// See [`Action::ChangeMfaPolicy`].
    ChangeMfaPolicy,
    /// See [`Action::ChangeSessionLimits`].
    ChangeSessionLimits,
    /// See [`Action::SaveRole`].
    SaveRole,
    /// See [`Action::DeleteRole`].
    DeleteRole,
    /// See [`Action::RemoveFactor`].
    RemoveFactor,
    /// See [`Action::ChangeNetworks`].
    ChangeNetworks,
    /// See [`Action::ChangeRemotePolicy`].
    ChangeRemotePolicy,
    /// See [`Action::CreateClient`].
    CreateClient,
    /// See [`Action::ChangeClient`].
    ChangeClient,
    /// See [`Action::PublishSchedule`].
    PublishSchedule,
    /// See [`Action::CreateConnection`].
    CreateConnection,
    /// See [`Action::ChangeConnection`].
    ChangeConnection,
    /// See [`Action::IssueLicence`].
    IssueLicence,
    /// See [`Action::CreateWebhook`].
    CreateWebhook,
    /// See [`Action::ChangeWebhook`].
    ChangeWebhook,
    /// See [`Action::RotateWebhook`].
    RotateWebhook,
}

impl ActionKind {
    /// All of them.
    pub const ALL: [ActionKind; 28] = [
        Self::RunScript,
        Self::CreateInstaller,
        Self::ApproveDevices,
        Self::RemoveDevices,
        Self::RegenerateRecoveryCodes,
        Self::OpenRemoteSession,
        Self::InviteUser,
        Self::DisableUsers,
        Self::EnableUsers,
        Self::ChangeRole,
        Self::RequireMfa,
        Self::ResetFactor,
        Self::ChangeMfaPolicy,
        Self::ChangeSessionLimits,
        Self::SaveRole,
        Self::DeleteRole,
        Self::RemoveFactor,
        Self::ChangeNetworks,
        Self::ChangeRemotePolicy,
        Self::CreateClient,
        Self::ChangeClient,
        Self::PublishSchedule,
        Self::CreateConnection,
        Self::ChangeConnection,
        Self::IssueLicence,
        Self::CreateWebhook,
        Self::ChangeWebhook,
        Self::RotateWebhook,
    ];

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunScript => "run_script",
            Self::CreateInstaller => "create_installer",
            Self::ApproveDevices => "approve_devices",
            Self::RemoveDevices => "remove_devices",
            Self::RegenerateRecoveryCodes => "regenerate_recovery_codes",
            Self::OpenRemoteSession => "open_remote_session",
            Self::InviteUser => "invite_user",
            Self::DisableUsers => "disable_users",
            Self::EnableUsers => "enable_users",
            Self::ChangeRole => "change_role",
            Self::RequireMfa => "require_mfa",
            Self::ResetFactor => "reset_factor",
            Self::ChangeMfaPolicy => "change_mfa_policy",
            Self::ChangeSessionLimits => "change_session_limits",
            Self::SaveRole => "save_role",
            Self::DeleteRole => "delete_role",
            Self::RemoveFactor => "remove_factor",
            Self::ChangeNetworks => "change_networks",
            Self::ChangeRemotePolicy => "change_remote_policy",
            Self::CreateClient => "create_client",
            Self::ChangeClient => "change_client",
            Self::PublishSchedule => "publish_schedule",
            Self::CreateConnection => "create_connection",
            Self::ChangeConnection => "change_connection",
            Self::IssueLicence => "issue_licence",
            Self::CreateWebhook => "create_webhook",
            Self::ChangeWebhook => "change_webhook",
            Self::RotateWebhook => "rotate_webhook",
        }
    }

    /// The lowest class that it can have; sums and numbers of targets only raise it.
    pub fn class(self) -> Class {
        match self {
            Self::RunScript | Self::ApproveDevices | Self::OpenRemoteSession => Class::OneDevice,
            Self::CreateInstaller | Self::RemoveDevices | Self::RegenerateRecoveryCodes => Class::Fleet,
            Self::InviteUser
            | Self::DisableUsers
            | Self::EnableUsers
            | Self::ChangeRole
            | Self::RequireMfa
            | Self::ResetFactor
            | Self::ChangeMfaPolicy
            | Self::ChangeSessionLimits
            | Self::SaveRole
            | Self::DeleteRole
            | Self::RemoveFactor
            | Self::ChangeNetworks
            | Self::ChangeRemotePolicy
            | Self::CreateClient
            | Self::ChangeClient
            | Self::PublishSchedule
            | Self::CreateConnection
            | Self::ChangeConnection
            | Self::IssueLicence => Class::Fleet,
            Self::CreateWebhook | Self::ChangeWebhook | Self::RotateWebhook => Class::Fleet,
        }
    }

    /// The capability that asking for it needs, and still needs when it is executed.
    pub fn capability(self) -> &'static Row {
        match self {
            Self::RunScript => const { &policy::RunScripts::ROW },
            Self::OpenRemoteSession => const { &policy::OpenRemoteSessions::ROW },
            Self::CreateInstaller => const { &policy::ManageInstallers::ROW },
            Self::ApproveDevices => const { &policy::ApproveDevices::ROW },
            Self::RemoveDevices => const { &policy::RemoveDevices::ROW },
            Self::RegenerateRecoveryCodes => const { &policy::RegenerateRecoveryCodes::ROW },
            Self::InviteUser | Self::DisableUsers | Self::EnableUsers | Self::ChangeRole | Self::RequireMfa | Self::ResetFactor => {
                const { &policy::ManagePeople::ROW }
            }
            Self::ChangeMfaPolicy | Self::ChangeSessionLimits | Self::ChangeRemotePolicy => const { &policy::ChangePolicy::ROW },
            Self::SaveRole | Self::DeleteRole => const { &policy::ManageRoles::ROW },
            Self::RemoveFactor => const { &policy::RemoveOwnFactor::ROW },
            Self::ChangeNetworks => const { &policy::ChangeNetworks::ROW },
            Self::CreateClient | Self::ChangeClient | Self::IssueLicence => const { &policy::ManageClients::ROW },
            Self::PublishSchedule => const { &policy::PublishSchedules::ROW },
            Self::CreateConnection | Self::ChangeConnection => const { &policy::ManageConnections::ROW },
            Self::CreateWebhook | Self::ChangeWebhook | Self::RotateWebhook => const { &policy::ManageWebhooks::ROW },
        }
    }

    /// The capability of whoever is the second person of it.
    pub fn second(self) -> &'static Row {
        match self {
            Self::ResetFactor => const { &policy::ManagePeople::ROW },
            _ => const { &policy::SecondRequests::ROW },
        }
    }

    /// Whether something reaches the devices, so that they count into the sum of the hour.
    pub fn touches_devices(self) -> bool {
        match self {
            Self::RunScript | Self::RemoveDevices | Self::OpenRemoteSession | Self::PublishSchedule => true,
            Self::ApproveDevices | Self::CreateInstaller | Self::RegenerateRecoveryCodes => false,
            Self::InviteUser
            | Self::DisableUsers
            | Self::EnableUsers
            | Self::ChangeRole
            | Self::RequireMfa
            | Self::ResetFactor
            | Self::ChangeMfaPolicy
            | Self::ChangeSessionLimits
            | Self::SaveRole
            | Self::DeleteRole
            | Self::RemoveFactor
            | Self::ChangeNetworks
            | Self::ChangeRemotePolicy
            | Self::CreateClient
            | Self::ChangeClient
            | Self::CreateConnection
            | Self::ChangeConnection
            | Self::IssueLicence => false,
            Self::CreateWebhook | Self::ChangeWebhook | Self::RotateWebhook => false,
        }
    }
}

impl Action {
    /// Which operation it is.
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::RunScript(_) => ActionKind::RunScript,
            Self::CreateInstaller(_) => ActionKind::CreateInstaller,
            Self::ApproveDevices(_) => ActionKind::ApproveDevices,
            Self::RemoveDevices(_) => ActionKind::RemoveDevices,
            Self::RegenerateRecoveryCodes => ActionKind::RegenerateRecoveryCodes,
            Self::OpenRemoteSession(_) => ActionKind::OpenRemoteSession,
            Self::InviteUser(_) => ActionKind::InviteUser,
            Self::DisableUsers(_) => ActionKind::DisableUsers,
            Self::EnableUsers(_) => ActionKind::EnableUsers,
            Self::ChangeRole(_) => ActionKind::ChangeRole,
            Self::RequireMfa(_) => ActionKind::RequireMfa,
            Self::ResetFactor(_) => ActionKind::ResetFactor,
            Self::ChangeMfaPolicy(_) => ActionKind::ChangeMfaPolicy,
            Self::ChangeSessionLimits(_) => ActionKind::ChangeSessionLimits,
            Self::SaveRole(_) => ActionKind::SaveRole,
            Self::DeleteRole(_) => ActionKind::DeleteRole,
            Self::RemoveFactor(_) => ActionKind::RemoveFactor,
            Self::ChangeNetworks(_) => ActionKind::ChangeNetworks,
            Self::ChangeRemotePolicy(_) => ActionKind::ChangeRemotePolicy,
            Self::CreateClient(_) => ActionKind::CreateClient,
            Self::ChangeClient(_) => ActionKind::ChangeClient,
            Self::PublishSchedule(_) => ActionKind::PublishSchedule,
            Self::CreateConnection(_) => ActionKind::CreateConnection,
            Self::ChangeConnection(_) => ActionKind::ChangeConnection,
            Self::IssueLicence(_) => ActionKind::IssueLicence,
            Self::CreateWebhook(_) => ActionKind::CreateWebhook,
            Self::ChangeWebhook(_) => ActionKind::ChangeWebhook,
            Self::RotateWebhook(_) => ActionKind::RotateWebhook,
        }
    }

    /// The lowest class that it can have: a reset of an administrator's own factor is as grave as a change of trust.
    pub fn class(&self) -> Class {
        match self {
            Self::ResetFactor(reset) if reset.takes != ResetTakes::OneAdmin => Class::Mass,
            other => other.kind().class(),
        }
    }

    /// Who cannot be the second person, whoever they are: a factor is never reset by a proof of its own account.
    pub fn about(&self) -> Option<UserId> {
        match self {
            Self::ResetFactor(reset) => Some(reset.user.user),
            _ => None,
        }
    }

    /// The devices that it names.
    pub fn targets(&self) -> &[Target] {
        match self {
            Self::RunScript(run) => &run.targets,
            Self::PublishSchedule(publish) => &publish.run.targets,
            Self::OpenRemoteSession(open) => std::slice::from_ref(&open.target),
            Self::ApproveDevices(targets) | Self::RemoveDevices(targets) => targets,
            Self::CreateInstaller(_) | Self::RegenerateRecoveryCodes => &[],
            Self::InviteUser(_)
            | Self::DisableUsers(_)
            | Self::EnableUsers(_)
            | Self::ChangeRole(_)
            | Self::RequireMfa(_)
            | Self::ResetFactor(_)
            | Self::ChangeMfaPolicy(_)
            | Self::ChangeSessionLimits(_)
            | Self::SaveRole(_)
            | Self::DeleteRole(_)
            | Self::RemoveFactor(_)
            | Self::ChangeNetworks(_)
            | Self::ChangeRemotePolicy(_)
            | Self::CreateClient(_)
            | Self::ChangeClient(_)
            | Self::CreateConnection(_)
            | Self::ChangeConnection(_)
            | Self::IssueLicence(_) => &[],
            Self::CreateWebhook(_) | Self::ChangeWebhook(_) | Self::RotateWebhook(_) => &[],
        }
    }

    /// The kind of remote session that it opens or joins: what a step-up window is bound to.
    pub fn remote_kind(&self) -> Option<RemoteKind> {
        match self {
            Self::OpenRemoteSession(open) => Some(open.kind),
            _ => None,
        }
    }

    /// What will happen, as one sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::RunScript(run) => run.sentence(),
            Self::CreateInstaller(installer) => {
                format!("Create installer {} for {}, good for {}", installer.label, installer.place, devices(installer.uses as usize))
            }
            Self::ApproveDevices(targets) => format!("Approve {}", named(targets)),
            Self::RemoveDevices(targets) => format!("Remove {}", named(targets)),
            Self::RegenerateRecoveryCodes => "Replace your recovery codes".to_owned(),
            Self::OpenRemoteSession(open) => open.sentence(),
            Self::InviteUser(invited) => format!("Invite {} ({}) as {}", invited.name, invited.email, people::roles(&invited.assignments)),
            Self::DisableUsers(users) => format!("Disable {}", people::named(users)),
            Self::EnableUsers(users) => format!("Enable {}", people::named(users)),
            Self::ChangeRole(change) => format!("Make {} {}", change.user.name, people::roles(&change.after)),
            Self::RequireMfa(wanted) => {
                let verb = if wanted.required == people::Required::Yes { "Require" } else { "Stop requiring" };
                format!("{verb} a second factor of {}", people::named(&wanted.users))
            }
            Self::ResetFactor(reset) => format!("Reset the factors of {}", reset.user.name),
            Self::ChangeMfaPolicy(_) => "Change who must have a second factor".to_owned(),
            Self::ChangeSessionLimits(_) => "Change how long sessions last".to_owned(),
            Self::SaveRole(role) => format!("Save the role {}", role.name),
            Self::DeleteRole(role) => format!("Take away the role {}", role.name),
            Self::RemoveFactor(gone) => format!("Remove your factor {}", gone.name),
            Self::ChangeNetworks(_) => "Change the networks that are trusted and required".to_owned(),
            Self::ChangeRemotePolicy(_) => "Change what is recorded and asked in remote sessions".to_owned(),
            Self::CreateClient(client) => format!("Create API client {} with {}", client.after.name, scopes(client)),
            Self::ChangeClient(client) => format!("Change API client {} to {}", client.after.name, scopes(client)),
            Self::PublishSchedule(publish) => publish.sentence(),
            Self::CreateConnection(new) => format!("Connect {} at {}", new.after.name, new.after.base_url),
            Self::ChangeConnection(change) => {
                let secret = if change.secret.is_some() { ", with another credential" } else { "" };
                format!("Change the connection {} at {}{secret}", change.after.name, change.after.base_url)
            }
            Self::IssueLicence(issue) => issue.sentence(),
            Self::CreateWebhook(webhook) => format!("Create webhook {} to {}", webhook.after.name, webhook.after.url),
            Self::ChangeWebhook(webhook) => format!("Change webhook {} to {}", webhook.after.name, webhook.after.url),
            Self::RotateWebhook(rotate) => format!("Replace the secret of webhook {}", rotate.name),
        }
    }

    /// SHA-256 of the exact bytes that are authorized: for a run, of what the devices verify.
    pub fn digest(&self, place: &[u8]) -> Digest {
        match self {
            Self::RunScript(run) => run.digest(),
            Self::PublishSchedule(publish) => publish.digest(),
            Self::OpenRemoteSession(open) => open.digest(),
            other => {
                let body = serde_json::to_vec(other).expect("an action is plain data");
                sha256(&[&pae("application/vnd.sallyport.action.v1+json", &[place, &body].concat())])
            }
        }
    }
}

fn scopes(client: &ChangeClient) -> String {
    client.after.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

pub(super) fn devices(count: usize) -> String {
    if count == 1 { "1 device".to_owned() } else { format!("{count} devices") }
}

pub(super) fn named(targets: &[Target]) -> String {
    match targets {
        [one] => one.name.clone(),
        many => devices(many.len()),
    }
}
