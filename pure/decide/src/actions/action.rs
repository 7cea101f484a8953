//! The closed set of guarded operations, each with everything that it does. A new one is a new variant here, a row in [`kind`](super::kind)
//! and a sentence in [`sentence`](super::sentence).

use sallyport_grant::body::{Class, RemoteKind};
use sallyport_grant::{KeyId, pae, sha256};
use sallyport_model::{DeviceId, Digest, FactorId, RequestId, SiteId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::{ActionKind, OpenRemoteSession, PublishSchedule, RunScript};
use crate::automation::{ChangeClient, IssueLicence};
use crate::bridge::ChangeConnection;
use crate::networks::Rules;
use crate::people::{
    ChangeMfaPolicy, ChangeRole, ChangeSessionLimits, ChangedRole, InviteUser, Person, RequireMfa, ResetFactor, ResetTakes,
};
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
            Self::CreateInstaller(_)
            | Self::RegenerateRecoveryCodes
            | Self::InviteUser(_)
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
            | Self::IssueLicence(_)
            | Self::CreateWebhook(_)
            | Self::ChangeWebhook(_)
            | Self::RotateWebhook(_) => &[],
        }
    }

    /// The kind of remote session that it opens or joins: what a step-up window is bound to.
    pub fn remote_kind(&self) -> Option<RemoteKind> {
        match self {
            Self::OpenRemoteSession(open) => Some(open.kind),
            _ => None,
        }
    }

    /// SHA-256 of the exact bytes that are authorized: for a run, of what the devices verify, which has a nonce of its own; for
    /// everything else, of the request's id and nonce and the action.
    pub fn digest(&self, request: RequestId, nonce: Option<[u8; 16]>) -> Digest {
        match self {
            Self::RunScript(run) => run.digest(),
            Self::PublishSchedule(publish) => publish.digest(),
            Self::OpenRemoteSession(open) => open.digest(),
            other => {
                let body = serde_json::to_vec(other).expect("an action is plain data");
                sha256(&[&pae(
                    "application/vnd.sallyport.action.v1+json",
                    &[request.as_bytes().as_slice(), nonce.as_slice().as_flattened(), &body].concat(),
                )])
            }
        }
    }
}
