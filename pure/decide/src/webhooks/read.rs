//! Which entries of the audit log are events, and what of them is told: named members, one by one. What is not named here stays here.

use serde_json::{Map, Value, json};

use super::{Event, EventKind};

/// The events of an entry: none for most, one for each device of a bulk change.
pub fn of_entry(kind: &str, payload: &Value) -> Vec<Event> {
    use EventKind as K;
    let one = |kind, keys: &[&str]| vec![Event { kind, data: picked(payload, keys) }];
    match kind {
        "device.enrolled" => one(K::DeviceEnrolled, &["device", "name", "installer"]),
        "devices.approved" => each(K::DeviceApproved, payload),
        "devices.removed" => each(K::DeviceRemoved, payload),
        "device.quarantined" => one(K::DeviceQuarantined, &["device"]),
        "job.created" => one(K::JobCreated, &["job", "name", "script", "version", "targets", "request"]),
        "schedule.ran" => one(K::JobCreated, &["job", "name", "schedule", "targets"]),
        "job.ended" => one(K::JobFinished, &["job", "runs"]),
        // What an open step-up window releases in the same moment waits for nobody.
        "request.created" if payload["released"] == "at_once" => Vec::new(),
        "request.created" => {
            let mut event = picked(payload, &["request", "summary", "class", "targets"]);
            event["action"] = payload["kind"].clone();
            vec![Event { kind: K::RequestWaiting, data: event }]
        }
        "request.denied" => one(K::RequestDenied, &["request"]),
        "remote_session.opened" => one(K::RemoteSessionOpened, &["remote_session", "device", "name", "session_kind"]),
        "remote_session.ended" => one(K::RemoteSessionEnded, &["remote_session", "device", "session_kind", "reason"]),
        "schedule.voided" => one(K::ScheduleVoided, &["schedule", "name", "reason"]),
        "schedule.missed" => one(K::ScheduleMissed, &["schedule", "name", "missed", "last"]),
        "schedule.expired" => one(K::ScheduleExpired, &["schedule", "name"]),
        "installer.created" => one(K::InstallerCreated, &["installer", "label", "site", "place", "uses", "expires"]),
        "client.stopped" => one(K::ClientStopped, &["client", "name", "user", "reason"]),
        "client.key_due" => one(K::ClientKeyDue, &["client", "name", "user"]),
        "address.asked" => one(K::SignInNewAddress, &["user", "address"]),
        "sign_in.failed" => one(K::SignInFailed, &["user", "attempts"]),
        "factor.locked" => one(K::FactorLocked, &["user", "factor"]),
        "user.not_me" => one(K::UserNotMe, &["user"]),
        "policy.mfa_changed" | "policy.sessions_changed" | "policy.remote_changed" | "networks.changed" | "role.saved" | "role.deleted" => {
            vec![Event { kind: K::PolicyChanged, data: json!({ "entry": kind }) }]
        }
        _ => Vec::new(),
    }
}

fn picked(payload: &Value, keys: &[&str]) -> Value {
    let member = |key: &&str| Some(((*key).to_owned(), payload.get(*key)?.clone()));
    Value::Object(keys.iter().filter_map(member).collect::<Map<_, _>>())
}

fn each(kind: EventKind, payload: &Value) -> Vec<Event> {
    let devices = payload["devices"].as_array().into_iter().flatten();
    devices.map(|device| Event { kind, data: json!({ "device": device["id"], "name": device["name"] }) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_named_members_of_its_entry_and_no_other() {
        let payload = json!({ "device": "dev_1", "name": "web-1", "installer": "ins_1", "from": "192.0.2.7", "thumbprint": "aa" });
        let told = of_entry("device.enrolled", &payload);
        assert_eq!(told[0].kind, EventKind::DeviceEnrolled);
        assert_eq!(told[0].data, json!({ "device": "dev_1", "name": "web-1", "installer": "ins_1" }));
        assert_eq!(of_entry("session.opened", &payload), [], "not on the list");
    }

    #[test]
    fn a_bulk_change_is_an_event_for_each_device() {
        let payload =
            json!({ "devices": [{ "id": "dev_1", "name": "a", "thumbprint": "x" }, { "id": "dev_2", "name": "b" }], "proofs": [1] });
        let told = of_entry("devices.approved", &payload);
        assert_eq!(
            told.iter().map(|event| event.data.clone()).collect::<Vec<_>>(),
            [json!({ "device": "dev_1", "name": "a" }), json!({ "device": "dev_2", "name": "b" })]
        );
    }

    #[test]
    fn what_is_done_at_once_waits_for_nobody() {
        let payload = json!({ "request": "req_1", "kind": "run_script", "summary": "Run x", "class": 1, "targets": 1, "digest": "aa" });
        let told = of_entry("request.created", &payload);
        assert_eq!(told[0].data, json!({ "request": "req_1", "action": "run_script", "summary": "Run x", "class": 1, "targets": 1 }));
        let mut at_once = payload;
        at_once["released"] = json!("at_once");
        assert_eq!(of_entry("request.created", &at_once), []);
    }
}
