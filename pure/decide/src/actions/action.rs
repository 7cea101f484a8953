//! The closed set of guarded operations. A new one is a new variant here, with its class written down.

use sallyport_grant::body::{Class, RemoteKind};
use sallyport_grant::{KeyId, pae, sha256};
use sallyport_model::{DeviceId, Digest, SiteId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{OpenRemoteSession, RunScript};

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
}

impl ActionKind {
    /// All of them.
    pub const ALL: [ActionKind; 6] = [
        Self::RunScript,
        Self::CreateInstaller,
        Self::ApproveDevices,
        Self::RemoveDevices,
        Self::RegenerateRecoveryCodes,
        Self::OpenRemoteSession,
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
        }
    }

    /// The lowest class that it can have; sums and numbers of targets only raise it.
    pub fn class(self) -> Class {
        match self {
            Self::RunScript | Self::ApproveDevices | Self::OpenRemoteSession => Class::OneDevice,
            Self::CreateInstaller | Self::RemoveDevices | Self::RegenerateRecoveryCodes => Class::Fleet,
        }
    }

    /// Whether something reaches the devices, so that they count into the sum of the hour.
    pub fn touches_devices(self) -> bool {
        match self {
            Self::RunScript | Self::RemoveDevices | Self::OpenRemoteSession => true,
            Self::ApproveDevices | Self::CreateInstaller | Self::RegenerateRecoveryCodes => false,
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
        }
    }

    /// The devices that it names.
    pub fn targets(&self) -> &[Target] {
        match self {
            Self::RunScript(run) => &run.targets,
            Self::OpenRemoteSession(open) => std::slice::from_ref(&open.target),
            Self::ApproveDevices(targets) | Self::RemoveDevices(targets) => targets,
            Self::CreateInstaller(_) | Self::RegenerateRecoveryCodes => &[],
        }
    }

    /// The kind of remote session that it opens or joins: what a step-up window is bound to.
    pub fn remote_kind(&self) -> Option<RemoteKind> {
        match self {
            Self::OpenRemoteSession(open) => Some(open.kind),
            Self::RunScript(_)
            | Self::CreateInstaller(_)
            | Self::ApproveDevices(_)
            | Self::RemoveDevices(_)
            | Self::RegenerateRecoveryCodes => None,
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
        }
    }

    /// SHA-256 of the exact bytes that are authorized: for a run, of what the devices verify.
    pub fn digest(&self, place: &[u8]) -> Digest {
        match self {
            Self::RunScript(run) => run.digest(),
            Self::OpenRemoteSession(open) => open.digest(),
            other => {
                let body = serde_json::to_vec(other).expect("an action is plain data");
                sha256(&[&pae("application/vnd.sallyport.action.v1+json", &[place, &body].concat())])
            }
        }
    }
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
