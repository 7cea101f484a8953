//! The table itself: what there is to allow, which built-in roles have it, in which sessions, and where.

use super::Role::{self, Admin, Auditor, Owner, Support, Technician};
use super::Stage::{Client, Codes, DeviceCode, Factorless, Full, NewPassword, Restricted};
use super::{Capability, Holds, Row};

macro_rules! table {
    ($($(#[doc = $about:literal])* $name:ident = $word:literal: $roles:tt in [$($stage:ident),*], $holds:ident;)*) => {
        $($(#[doc = $about])* #[derive(Debug)] pub enum $name {}
        impl Capability for $name {
            const ROW: Row = Row {
                name: $word,
                about: concat!($($about),*).trim_ascii(),
                roles: roles!($roles),
                stages: &[$($stage),*],
                holds: Holds::$holds,
            };
        })*
        /// The whole policy.
        pub const TABLE: &[Row] = &[$(<$name as Capability>::ROW),*];
    };
}

macro_rules! roles {
    (everybody) => {
        &Role::ALL
    };
    ([$($role:ident),*]) => {
        &[$($role),*]
    };
}

table! {
    /// See oneself and one's session.
    ReadSelf = "self.read": everybody in [Codes, Full, DeviceCode, Restricted, Factorless, NewPassword], Oneself;
    /// Sign out.
    SignOut = "self.sign_out": everybody in [Codes, Full, DeviceCode, Restricted, Factorless, NewPassword], Oneself;
    /// Confirm that the recovery codes are saved.
    ConfirmRecoveryCodes = "self.confirm_recovery_codes": everybody in [Codes], Oneself;
    /// See and end one's own sessions.
    ManageOwnSessions = "self.sessions": everybody in [Full], Oneself;
    /// Let a program in as oneself.
    ApprovePrograms = "self.programs": everybody in [Full], Oneself;
    /// See one's own factors.
    ReadOwnFactors = "self.factors": everybody in [Full, Restricted, NewPassword], Oneself;
    /// Ask for new recovery codes of one's own.
    RegenerateRecoveryCodes = "self.recovery_codes": everybody in [Full], Oneself;
    /// Enrol factors of one's own, and name them.
    EnrolFactors = "self.enrol": everybody in [Full, Restricted], Oneself;
    /// Ask for the removal of a factor of one's own.
    RemoveOwnFactor = "self.remove_factor": everybody in [Full], Oneself;
    /// Change one's own password.
    ChangeOwnPassword = "self.password": everybody in [Full, NewPassword], Oneself;
    /// Prove a factor: lift the session, or open its step-up window.
    Elevate = "self.elevate": everybody in [Full, Factorless, NewPassword], Oneself;
    /// Show that one's own factor still works.
    CheckUp = "self.check_up": everybody in [Full], Oneself;
    /// See and remove addresses that one approved.
    ManageOwnAddresses = "self.addresses": everybody in [Full], Oneself;
    /// See the rules about addresses.
    ReadNetworks = "networks.read": [Owner, Admin, Auditor] in [Full, DeviceCode], Tenant;
    /// Ask for other rules about addresses.
    ChangeNetworks = "networks.write": [Owner, Admin] in [Full, DeviceCode], Tenant;
    /// See customers, sites, devices and their inventory.
    ReadDevices = "devices.read": [Owner, Admin, Technician, Auditor, Support] in [Full, DeviceCode, Factorless, Client], Places;
    /// Label devices.
    TagDevices = "devices.tag": [Owner, Admin, Technician, Support] in [Full, DeviceCode, Client], Places;
    /// Ask for the approval of pending devices.
    ApproveDevices = "devices.approve": [Owner, Admin] in [Full, DeviceCode, Client], Places;
    /// Ask for the removal of devices.
    RemoveDevices = "devices.remove": [Owner, Admin] in [Full, DeviceCode, Client], Places;
    /// Add customers and sites.
    ManageCustomers = "customers.write": [Owner, Admin] in [Full, DeviceCode, Client], Places;
    /// See installers.
    ReadInstallers = "installers.read": [Owner, Admin, Technician, Auditor] in [Full, DeviceCode, Factorless, Client], Places;
    /// Ask for installers, and revoke them.
    ManageInstallers = "installers.write": [Owner, Admin] in [Full, DeviceCode], Places;
    /// See the script library.
    ReadScripts = "scripts.read": [Owner, Admin, Technician, Auditor, Support] in [Full, DeviceCode, Factorless, Client], Anywhere;
    /// Change the script library.
    WriteScripts = "scripts.write": [Owner, Admin, Technician] in [Full, DeviceCode, Client], Tenant;
    /// See jobs, runs and output.
    ReadJobs = "jobs.read": [Owner, Admin, Technician, Auditor, Support] in [Full, DeviceCode, Factorless, Client], Places;
    /// Ask to run scripts.
    RunScripts = "jobs.run": [Owner, Admin, Technician, Support] in [Full, DeviceCode, Client], Places;
    /// Ask to open remote sessions, and to come back to one's own.
    OpenRemoteSessions = "remote.open": [Owner, Admin, Technician, Support] in [Full, DeviceCode], Places;
    /// See which remote sessions there are, and play recordings.
    ReadRemoteSessions = "remote.read": [Owner, Admin, Technician, Auditor, Support] in [Full, DeviceCode, Client], Places;
    /// End one's own remote sessions.
    EndRemoteSessions = "remote.end": [Owner, Admin, Technician, Support] in [Full, DeviceCode], Places;
    /// Ask to join other people's remote sessions, and end them.
    WatchRemoteSessions = "remote.watch": [Owner, Admin] in [Full, DeviceCode], Places;
    /// Cancel runs.
    CancelRuns = "jobs.cancel": [Owner, Admin, Technician, Support] in [Full, DeviceCode, Client], Places;
    /// Ask to publish schedules, and let paused ones go on.
    PublishSchedules = "schedules.publish": [Owner, Admin, Technician] in [Full, DeviceCode], Places;
    /// Pause and stop schedules.
    StopSchedules = "schedules.stop": [Owner, Admin, Technician, Support] in [Full, DeviceCode, Client], Places;
    /// See authorization requests.
    ReadRequests = "requests.read": [Owner, Admin, Technician, Support] in [Full, DeviceCode, Client], Places;
    /// Prove or deny authorization requests.
    ProveRequests = "requests.prove": [Owner, Admin, Technician, Support] in [Full], Places;
    /// Be the second person of a request that takes two.
    SecondRequests = "requests.second": [Owner, Admin, Technician] in [Full], Places;
    /// Read the audit log.
    ReadAudit = "audit.read": [Owner, Admin, Auditor] in [Full, DeviceCode, Client], Tenant;
    /// Follow live changes.
    FollowEvents = "events.read": [Owner, Admin, Technician, Auditor, Support] in [Full, DeviceCode, Factorless], Places;
    /// See users, their roles and whether they have a second factor.
    ReadPeople = "people.read": [Owner, Admin, Auditor] in [Full, DeviceCode], Tenant;
    /// Invite and disable users, change their roles, reset their factors, end their sessions.
    ManagePeople = "people.write": [Owner, Admin] in [Full, DeviceCode], Tenant;
    /// The same for owners.
    ManageOwners = "people.owners": [Owner] in [Full, DeviceCode], Tenant;
    /// See the policy of factors, sessions and remote sessions, and what became of mails.
    ReadPolicy = "policy.read": [Owner, Admin, Auditor] in [Full, DeviceCode], Tenant;
    /// Ask for changes of the policy of factors, sessions and remote sessions.
    ChangePolicy = "policy.write": [Owner, Admin] in [Full, DeviceCode], Tenant;
    /// See how the configuration is judged, and ask what would happen if.
    ReadPosture = "posture.read": [Owner, Admin, Auditor] in [Full, DeviceCode], Tenant;
    /// Accept what was found for a while, with a reason.
    AcceptFindings = "posture.accept": [Owner, Admin] in [Full, DeviceCode], Tenant;
    /// Make, change and take away custom roles.
    ManageRoles = "roles.write": [Owner, Admin] in [Full, DeviceCode], Tenant;
    /// See API clients.
    ReadClients = "clients.read": [Owner, Admin, Auditor] in [Full, DeviceCode], Tenant;
    /// Ask for API clients in one's own name, for changes of them, and stop them.
    ManageClients = "clients.write": [Owner, Admin] in [Full, DeviceCode], Tenant;
    /// See connections to other vendors' APIs, and how they were used.
    ReadConnections = "connections.read": [Owner, Admin, Technician, Auditor] in [Full, DeviceCode, Client], Tenant;
    /// Send requests over connections, with credentials that nobody sees.
    UseConnections = "connections.use": [Owner, Admin, Technician] in [Full, Client], Tenant;
    /// Ask for connections and for changes of them, replace their credentials, and stop them.
    ManageConnections = "connections.manage": [Owner, Admin] in [Full, DeviceCode], Tenant;
    /// See webhooks and what became of their deliveries.
    ReadWebhooks = "webhooks.read": [Owner, Admin, Auditor] in [Full, DeviceCode], Tenant;
    /// Ask for webhooks in one's own name and for changes of them; pause, try and remove them.
    ManageWebhooks = "webhooks.write": [Owner, Admin] in [Full, DeviceCode], Tenant;
    /// Say "not me": end all of one's sessions, requests and undelivered jobs.
    SayNotMe = "self.not_me": everybody in [Codes, Full, DeviceCode, Restricted, Factorless, NewPassword], Oneself;
    /// Ask for the link that begins the activation of one's own factor.
    ActivateOwnFactor = "self.activate": everybody in [Factorless], Oneself;
    /// Stop the reset of one's own factor.
    StopOwnReset = "self.stop_reset": everybody in [Full], Oneself;
}
