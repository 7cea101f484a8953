//! The closed list of events: a word, what happened, what it takes to be told, and what it is about.

use std::fmt;
use std::str::FromStr;

use sallyport_model::{DeviceId, InstallerId, JobId, RemoteSessionId, RequestId, RunId, ScheduleId};
use serde_json::Value;

use crate::policy::{
    Capability as _, ReadAudit, ReadClients, ReadDevices, ReadInstallers, ReadJobs, ReadPeople, ReadRemoteSessions, ReadRequests, Row,
};

macro_rules! events {
    ($($(#[doc = $about:literal])* $name:ident = $word:literal: $needs:ident, $key:literal;)*) => {
        /// Something that can be told.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum EventKind {
            $($(#[doc = $about])* $name,)*
        }

        impl EventKind {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [EventKind] = &[$(Self::$name),*];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What happened, for people.
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => concat!($($about),*).trim_ascii(),)* }
            }

            /// What the owner of a webhook must be allowed to read, where it happened.
            pub fn needs(self) -> &'static Row {
                match self { $(Self::$name => const { &$needs::ROW },)* }
            }

            /// The member of the data that names what it is about; empty where it concerns the tenant.
            fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }
        }
    };
}

events! {
    /// A device enrolled and waits for approval.
    DeviceEnrolled = "device.enrolled": ReadDevices, "device";
    /// A device was approved.
    DeviceApproved = "device.approved": ReadDevices, "device";
    /// A device was removed.
    DeviceRemoved = "device.removed": ReadDevices, "device";
    /// Two machines used the key of a device: it receives nothing any more.
    DeviceQuarantined = "device.quarantined": ReadDevices, "device";
    /// A device is connected.
    DeviceOnline = "device.online": ReadDevices, "device";
    /// A device has not been connected for a minute.
    DeviceOffline = "device.offline": ReadDevices, "device";
    /// A script was started on devices.
    JobCreated = "job.created": ReadJobs, "job";
    /// All runs of a job are over.
    JobFinished = "job.finished": ReadJobs, "job";
    /// A script is over on one device, whatever came of it.
    RunFinished = "run.finished": ReadJobs, "run";
    /// Somebody, or a tool, asked for something that waits for people.
    RequestWaiting = "request.waiting": ReadRequests, "request";
    /// What was asked for was authorized and done.
    RequestExecuted = "request.executed": ReadRequests, "request";
    /// Somebody said no to what was asked for.
    RequestDenied = "request.denied": ReadRequests, "request";
    /// A remote session was opened.
    RemoteSessionOpened = "remote_session.opened": ReadRemoteSessions, "remote_session";
    /// A remote session is over.
    RemoteSessionEnded = "remote_session.ended": ReadRemoteSessions, "remote_session";
    /// A schedule is void: its script, its devices or its publisher are not what was published.
    ScheduleVoided = "schedule.voided": ReadJobs, "schedule";
    /// A schedule missed occurrences while the server was away.
    ScheduleMissed = "schedule.missed": ReadJobs, "schedule";
    /// A schedule came to its end.
    ScheduleExpired = "schedule.expired": ReadJobs, "schedule";
    /// An installer was made.
    InstallerCreated = "installer.created": ReadInstallers, "installer";
    /// An API client was stopped, by a person or by itself.
    ClientStopped = "client.stopped": ReadClients, "";
    /// An API client did not replace its key in time.
    ClientKeyDue = "client.key_due": ReadClients, "";
    /// A sign-in from a new address waits for approval.
    SignInNewAddress = "sign_in.new_address": ReadPeople, "";
    /// Sign-ins failed; summed up by a quarter of an hour.
    SignInFailed = "sign_in.failed": ReadPeople, "";
    /// A factor was locked after too many wrong codes.
    FactorLocked = "factor.locked": ReadPeople, "";
    /// Somebody pressed "Not me": everything of theirs was stopped.
    UserNotMe = "user.not_me": ReadPeople, "";
    /// The configuration of roles, networks or other policy changed; the entry of the audit log says how.
    PolicyChanged = "policy.changed": ReadAudit, "";
    /// Somebody pressed "Send a test".
    WebhookTest = "webhook.test": ReadDevices, "";
}

impl EventKind {
    /// Those that a webhook can be made for: a test is sent to whoever is tested.
    pub fn subscribable() -> impl Iterator<Item = EventKind> {
        Self::ALL.iter().copied().filter(|kind| *kind != Self::WebhookTest)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event")]
pub struct NotAnEvent;

impl FromStr for EventKind {
    type Err = NotAnEvent;
    fn from_str(text: &str) -> Result<Self, NotAnEvent> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(NotAnEvent)
    }
}

/// Something that happened, as it is told: ids, names and numbers, never a secret, a script or its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The `data` of what is sent.
    pub data: Value,
}

/// What an event is about: where it lies decides who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A device.
    Device(DeviceId),
    /// A job.
    Job(JobId),
    /// A run.
    Run(RunId),
    /// An authorization request.
    Request(RequestId),
    /// A remote session.
    RemoteSession(RemoteSessionId),
    /// A schedule.
    Schedule(ScheduleId),
    /// An installer.
    Installer(InstallerId),
    /// The tenant as a whole.
    Tenant,
}

impl Subject {
    /// What the data of such an event is about; `None` where it does not say, and nobody is told.
    pub fn of(kind: EventKind, data: &Value) -> Option<Self> {
        let id = data[kind.key()].as_str().unwrap_or_default();
        Some(match kind.key() {
            "device" => Self::Device(id.parse().ok()?),
            "job" => Self::Job(id.parse().ok()?),
            "run" => Self::Run(id.parse().ok()?),
            "request" => Self::Request(id.parse().ok()?),
            "remote_session" => Self::RemoteSession(id.parse().ok()?),
            "schedule" => Self::Schedule(id.parse().ok()?),
            "installer" => Self::Installer(id.parse().ok()?),
            _ => Self::Tenant,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::policy::Holds;

    #[test]
    fn every_event_has_its_own_word_and_says_what_happened() {
        let words: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), EventKind::ALL.len());
        for kind in EventKind::ALL {
            assert!(kind.about().ends_with('.'), "{kind}");
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        assert_eq!("device.exploded".parse::<EventKind>(), Err(NotAnEvent));
        assert!(EventKind::subscribable().all(|kind| kind != EventKind::WebhookTest));
    }

    #[test]
    fn what_names_no_place_takes_a_right_that_holds_for_the_tenant() {
        for kind in EventKind::subscribable().filter(|kind| kind.key().is_empty()) {
            assert_eq!(kind.needs().holds, Holds::Tenant, "{kind}");
        }
    }

    #[test]
    fn an_event_whose_subject_cannot_be_read_is_about_nothing() {
        let device = DeviceId::from_bytes([7; 16]);
        assert_eq!(Subject::of(EventKind::DeviceOnline, &json!({ "device": device })), Some(Subject::Device(device)));
        assert_eq!(Subject::of(EventKind::DeviceOnline, &json!({ "device": "dev_1" })), None);
        assert_eq!(Subject::of(EventKind::RunFinished, &json!({ "job": device })), None);
        assert_eq!(Subject::of(EventKind::ClientStopped, &json!({})), Some(Subject::Tenant));
    }
}
