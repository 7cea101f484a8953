//! The table of guarded operations: one row for each, with its stable word, its class, who may ask for it and what it reaches.

use sallyport_grant::body::Class;

use crate::policy::{self, Capability, Row};

/// What an operation reaches in the moment of its execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaches {
    /// Devices: they count into the sum of the hour.
    Devices,
    /// No device.
    Nothing,
}

macro_rules! table {
    ($($kind:ident: $word:literal, $class:ident, $capability:ident, $reaches:ident;)+) => {
        /// Which operation it is, without its content.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ActionKind {
            $(#[doc = concat!("See [`Action::", stringify!($kind), "`](super::Action::", stringify!($kind), ").")] $kind,)+
        }

        impl ActionKind {
            /// All of them.
            pub const ALL: [ActionKind; [$($word),+].len()] = [$(Self::$kind),+];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }

            /// The lowest class that it can have; sums and numbers of targets only raise it.
            pub fn class(self) -> Class {
                match self {
                    $(Self::$kind => Class::$class,)+
                }
            }

            /// The capability that asking for it needs, and still needs when it is executed.
            pub fn capability(self) -> &'static Row {
                match self {
                    $(Self::$kind => const { &policy::$capability::ROW },)+
                }
            }

            /// Whether something reaches the devices, so that they count into the sum of the hour.
            pub fn touches_devices(self) -> bool {
                let reaches = match self {
                    $(Self::$kind => Reaches::$reaches,)+
                };
                reaches == Reaches::Devices
            }
        }
    };
}

table! {
    RunScript:               "run_script",                OneDevice, RunScripts,              Devices;
    CreateInstaller:         "create_installer",          Fleet,     ManageInstallers,        Nothing;
    ApproveDevices:          "approve_devices",           OneDevice, ApproveDevices,          Nothing;
    RemoveDevices:           "remove_devices",            Fleet,     RemoveDevices,           Devices;
    RegenerateRecoveryCodes: "regenerate_recovery_codes", Fleet,     RegenerateRecoveryCodes, Nothing;
    OpenRemoteSession:       "open_remote_session",       OneDevice, OpenRemoteSessions,      Devices;
    InviteUser:              "invite_user",               Fleet,     ManagePeople,            Nothing;
    DisableUsers:            "disable_users",             Fleet,     ManagePeople,            Nothing;
    EnableUsers:             "enable_users",              Fleet,     ManagePeople,            Nothing;
    ChangeRole:              "change_role",               Fleet,     ManagePeople,            Nothing;
    RequireMfa:              "require_mfa",               Fleet,     ManagePeople,            Nothing;
    ResetFactor:             "reset_factor",              Fleet,     ManagePeople,            Nothing;
    ChangeMfaPolicy:         "change_mfa_policy",         Fleet,     ChangePolicy,            Nothing;
    ChangeSessionLimits:     "change_session_limits",     Fleet,     ChangePolicy,            Nothing;
    SaveRole:                "save_role",                 Fleet,     ManageRoles,             Nothing;
    DeleteRole:              "delete_role",               Fleet,     ManageRoles,             Nothing;
    RemoveFactor:            "remove_factor",             Fleet,     RemoveOwnFactor,         Nothing;
    ChangeNetworks:          "change_networks",           Fleet,     ChangeNetworks,          Nothing;
    ChangeRemotePolicy:      "change_remote_policy",      Fleet,     ChangePolicy,            Nothing;
    CreateClient:            "create_client",             Fleet,     ManageClients,           Nothing;
    ChangeClient:            "change_client",             Fleet,     ManageClients,           Nothing;
    PublishSchedule:         "publish_schedule",          Fleet,     PublishSchedules,        Devices;
    CreateConnection:        "create_connection",         Fleet,     ManageConnections,       Nothing;
    ChangeConnection:        "change_connection",         Fleet,     ManageConnections,       Nothing;
    IssueLicence:            "issue_licence",             Fleet,     ManageClients,           Nothing;
    CreateWebhook:           "create_webhook",            Fleet,     ManageWebhooks,          Nothing;
    ChangeWebhook:           "change_webhook",            Fleet,     ManageWebhooks,          Nothing;
    RotateWebhook:           "rotate_webhook",            Fleet,     ManageWebhooks,          Nothing;
}

impl ActionKind {
    /// The capability of whoever is the second person of it.
    pub fn second(self) -> &'static Row {
        match self {
            Self::ResetFactor => const { &policy::ManagePeople::ROW },
            _ => const { &policy::SecondRequests::ROW },
        }
    }
}
