//! Entries as sentences. One table: a kind of entry, and the sentence that it becomes.
//!
//! In a sentence, `{actor}` is who did it; `{key}` a value of the payload; `{key=other}` the id in `key` under the text in
//! `other`; `{key#thing}` a number or the length of a list with its noun. Ids become today's names, with a link.

use std::collections::BTreeMap;

use sallyport_api::{AuditParty, SentencePart};
use serde_json::Value;

/// Things of a list that are named; of longer lists only the number is told.
pub(super) const NAMED: usize = 3;

const SENTENCES: &[(&str, &str)] = &[
    ("setup.finished", "{actor} set up {tenant_name}"),
    ("sign_in.failed", "{attempts#failed sign-in} as {user|an unknown name}"),
    ("session.opened", "{actor} signed in from {address}"),
    ("session.opened:device_code", "A program that {actor} let in by a device code signed in as them from {address}"),
    ("session.ended", "{actor} ended {sessions#session}"),
    ("session.ended:signed_out", "{actor} signed out"),
    ("factor.locked", "The authenticator of {user} was locked after too many wrong codes"),
    ("factor.added", "{actor} added the factor {factor=name}"),
    ("factor.removed", "{actor} removed the factor {factor=name}"),
    ("factor.renamed", "{actor} named a factor {factor=name}"),
    ("factor.refused", "{actor} has as many factors as they may have: {factor=name} was not added"),
    ("factor.checked", "{actor} showed that their factor still works, by {method}"),
    ("factor.copied", "A passkey of {user} was refused: its counter went back, so somebody has a copy of its key"),
    ("session.elevated", "{actor} proved a factor by {method}"),
    ("session.two_networks", "A session of {user} was used from {here} and from {there} at the same time"),
    ("session.bound", "The browser of {actor} keeps a session to its device"),
    ("program.approved", "{actor} let {program} sign in as them"),
    ("program.code_reused", "A code that had let a program in as {user} was used again: its session ended"),
    ("device_code.approved", "{actor} let {program} at {address} sign in as them by a device code"),
    ("device_code.denied", "{actor} said no to {program} at {address}, which asked by a device code"),
    ("session.challenged", "A session of {user} waits for a factor: its address became {address}"),
    ("password.changed", "{actor} changed their password"),
    ("password.breached", "{user} signed in with a password that is known from a data breach, and must change it"),
    ("passwords.imported", "On the server's own machine, a list of {passwords#breached password} was imported"),
    ("passwords.unchecked", "{passwords#password} passed the {list} list of breached ones unseen, as it did not answer"),
    ("networks.changed", "{actor} changed the networks that are trusted and required"),
    ("address.asked", "A sign-in of {user} from the new address {address} waits for approval"),
    ("address.approved", "{actor} approved the address {address}"),
    ("address.removed", "{actor} removed the approved address {address}"),
    ("address.paused", "{actor} paused the verification of addresses for {user}"),
    ("address.resumed", "{actor} ended the pause of the verification of addresses for {user}"),
    ("recovery_code.used", "{actor} signed in with a recovery code"),
    ("recovery_code.issued", "{actor} got a recovery code in place of the one that was used"),
    ("authority_kit.used", "{actor} signed in with the authority kit from {address}"),
    ("authority_kit.refused", "A sign-in as {user} with the authority kit was refused: another owner can help"),
    ("recovery_codes.saved", "{actor} saved their recovery codes"),
    ("recovery_codes.regenerated", "{actor} replaced their recovery codes"),
    ("customer.created", "{actor} added customer {customer=name}"),
    ("site.created", "{actor} added site {site=name} to {customer}"),
    ("device.enrolled", "{device=name} enrolled from {from} with installer {installer}"),
    ("device.enrolment_refused", "A device at {from} was refused with installer {installer}: {reason}"),
    ("device.quarantined", "{device} was quarantined: two machines use its key"),
    ("device.tagged", "{actor} tagged {device=name}: {tags|no tags}"),
    ("devices.approved", "{actor} approved {devices#device}"),
    ("devices.removed", "{actor} removed {devices#device}"),
    ("installer.created", "{actor} created installer {installer=label} for {place}, good for {uses#device}"),
    ("installer.revoked", "{actor} revoked installer {installer=label}"),
    ("script.created", "{actor} created script {script=name}"),
    ("script.saved", "{actor} saved {script=name} as version {version}"),
    ("script.deleted", "{actor} deleted script {script=name}"),
    ("request.created", "{actor} asked: {request=summary}"),
    ("request.proved", "{actor} proved {request=request} by {method}"),
    ("request.denied", "{actor} denied {request=request}"),
    ("request.guessed", "{actor} did not know the number of {request=request}, which ended it"),
    ("request.refused", "{actor} asked for {kind} and was refused: {reason}"),
    ("job.created", "{actor} ran {job=name} version {version} on {targets#device}"),
    ("job.ended", "{job} ended: {runs}"),
    ("run.refused", "{actor} refused {job}: {reason}"),
    ("run.cancelled", "{actor} cancelled {runs#run} of {job}"),
    ("remote_session.opened", "{actor} opened a {session_kind} session on {device=name}"),
    ("remote_session.joined", "{actor} joined a {session_kind} session on {device=name}"),
    ("remote_session.left", "{user} was cut from a remote session on {device}: {reason}"),
    ("remote_session.receipt", "{actor} signed for the end of a remote session: {reason}"),
    ("remote_session.ended", "{actor} ended a {session_kind} session on {device}"),
    ("remote_session.ended:device", "A {session_kind} session on {device} ended"),
    ("remote_session.ended:revoked", "A {session_kind} session on {device} was cut: a right behind it ended"),
    ("remote_session.ended:limit", "A {session_kind} session on {device} ended at its limit"),
    ("remote_session.ended:undelivered", "A {session_kind} session on {device} did not begin: the device was not there"),
    ("remote_session.recorded", "{actor} recorded a {session_kind} session: {bytes} bytes"),
    ("user.invited", "{actor} invited {user=name} ({email})"),
    ("user.activated", "{actor} activated their account from {address}"),
    ("user.link_renewed", "{actor} made a new link for {user}"),
    ("user.enrolment_restarted", "On the server's own machine, the enrolment of {user} was restarted"),
    ("user.role_changed", "{actor} changed the roles of a user"),
    ("user.expired", "The account of {user} ended"),
    ("user.not_me", "{actor} said \"not me\": {sessions#session} ended"),
    ("users.disabled", "{actor} disabled {users#user}"),
    ("users.enabled", "{actor} enabled {users#user}"),
    ("users.mfa_required", "{actor} changed whether {users#user} must have a second factor"),
    ("factor.reset", "{actor} reset the factors of a user"),
    ("factor.reset_held", "{actor} asked to reset the factors of an administrator: it waits until {until}"),
    ("factor.reset_stopped", "{actor} stopped the reset of their factors"),
    ("factor.reset_void", "The reset of the factors of {user} came to nothing: whoever asked for it may no longer ask"),
    ("policy.mfa_changed", "{actor} changed who must have a second factor"),
    ("policy.sessions_changed", "{actor} changed how long sessions last"),
    ("policy.remote_changed", "{actor} changed what is recorded and asked in remote sessions"),
    ("posture.accepted", "{actor} accepted {rule} ({title}) until {until}: {because}"),
    ("posture.reopened", "{actor} accepts {rule} ({title}) no longer"),
    ("role.saved", "{actor} saved the role {name}"),
    ("role.deleted", "{actor} took away the role {name}"),
    ("client.created", "{actor} created the API client {client=name}"),
    ("client.changed", "{actor} changed the API client {client=name}"),
    ("client.stopped", "{actor} stopped the API client {client=name}"),
    ("client.stopped:rotation_missed", "The API client {client=name} was stopped: it did not replace its key in time"),
    ("client.stopped:key_reused", "The API client {client=name} was stopped: a key that it had replaced was used again"),
    ("client.key_rotated", "{actor} replaced its key"),
    ("client.key_due", "The API client {client=name} did not replace its key yet"),
    ("client.used", "{actor} worked from {address}"),
    ("licence.issued", "{actor} issued a licence for {tool} to {client=name}"),
    ("licence.revoked", "{actor} revoked the licence for {tool} of {client=name}"),
    ("licence.refused", "{client=name} got no token from {source}: {why}"),
    ("webhook.created", "{actor} made the webhook {name}: it tells {url} what happens"),
    ("webhook.changed", "{actor} changed the webhook {name}: it tells {url} what happens"),
    ("webhook.rotated", "{actor} replaced the secret of the webhook {name}"),
    ("webhook.removed", "{actor} removed the webhook {name}"),
    ("webhook.paused", "{actor} paused the webhook {name}"),
    ("webhook.paused:failing", "The webhook {name} was paused: nothing reached it for about a day"),
    ("webhook.paused:gone", "The webhook {name} was paused: its receiver is gone"),
    ("webhook.resumed", "{actor} let the webhook {name} go on"),
    ("webhook.tested", "{actor} sent a test to the webhook {name}"),
    ("webhook.redelivered", "{actor} sent {event} to the webhook {name} once more"),
    ("schedule.published", "{actor} published {schedule=name}: {script=script_name} version {version} unattended on {targets#device}"),
    ("schedule.ran", "{schedule=name} began on {targets#device}"),
    ("schedule.missed", "{schedule=name} left out {missed#occurrence}: no server was there in time"),
    ("schedule.paused", "{actor} paused {schedule=name}"),
    ("schedule.paused:not_me", "{schedule=name} was paused: {actor} said \"not me\""),
    ("schedule.resumed", "{actor} let {schedule=name} go on"),
    ("schedule.stopped", "{actor} stopped {schedule=name}"),
    ("schedule.expired", "{schedule=name} ended: its time is over"),
    ("schedule.voided", "{schedule=name} is void"),
    ("schedule.voided:script_changed", "{schedule=name} is void: its script was changed"),
    ("schedule.voided:script_deleted", "{schedule=name} is void: its script was deleted"),
    ("schedule.voided:group_grew", "{schedule=name} is void: its group means more devices than were published"),
    ("schedule.voided:rule_changed", "{schedule=name} is void: the rule of its group is not the one that was published"),
    ("schedule.voided:publisher_gone", "{schedule=name} is void: whoever published it may no longer do so"),
    ("schedule.voided:no_devices", "{schedule=name} is void: none of its devices is left"),
    ("connection.created", "{actor} connected {connection=name}"),
    ("connection.changed", "{actor} changed the connection {connection=name}"),
    ("connection.stopped", "{actor} stopped the connection {connection=name}"),
    ("connection.used", "{actor} sent {calls#request} over the connection {connection=name}"),
    ("connection.refused", "{actor} was refused {calls#request} over the connection {connection=name}"),
    ("connection.rotation_asked", "{actor} had the credential of {connection=name} replaced"),
    ("connection.rotation_began", "The credential of {connection=name} is being replaced"),
    ("connection.rotated", "The credential of {connection=name} was replaced"),
    ("connection.rotation_failed", "The credential of {connection=name} was not replaced: {reason}"),
    ("log.entry_erased", "{actor} erased what entry {index} says"),
];

/// What an entry says, as one sentence. Kinds without a sentence and erased entries still say what they are.
pub(super) fn of(kind: &str, actor: Option<&AuditParty>, payload: &Value, names: &BTreeMap<String, String>) -> Vec<SentencePart> {
    match template(kind, payload) {
        _ if payload.is_null() => vec![words(format!("Erased: {kind}"))],
        Some(template) => fill(template, &Facts { actor, payload, names }),
        None => vec![party(actor), words(format!(": {kind}"))],
    }
}

/// What stands in the place of an entry that was changed: nothing of it is believed.
pub(super) fn damaged(kind: &str) -> Vec<SentencePart> {
    vec![words(format!("Damaged: this is not what was logged here ({kind})"))]
}

/// A sentence of its own where the entry's reason has one.
fn template(kind: &str, payload: &Value) -> Option<&'static str> {
    let find = |wanted: &str| SENTENCES.iter().find(|(known, _)| *known == wanted).map(|(_, sentence)| *sentence);
    let reason = payload["reason"].as_str().and_then(|reason| find(&format!("{kind}:{reason}")));
    reason.or_else(|| find(kind))
}

struct Facts<'a> {
    actor: Option<&'a AuditParty>,
    payload: &'a Value,
    names: &'a BTreeMap<String, String>,
}

fn fill(template: &str, facts: &Facts<'_>) -> Vec<SentencePart> {
    let mut parts = Vec::new();
    for piece in template.split('{') {
        let (place, text) = piece.split_once('}').unwrap_or(("", piece));
        if !place.is_empty() {
            parts.extend(facts.place(place));
        }
        if !text.is_empty() {
            parts.push(words(text.to_owned()));
        }
    }
    parts
}

impl Facts<'_> {
    fn place(&self, place: &str) -> Vec<SentencePart> {
        if place == "actor" {
            return vec![party(self.actor)];
        }
        if let Some((key, noun)) = place.split_once('#') {
            return self.counted(&self.payload[key], noun);
        }
        if let Some((key, other)) = place.split_once('=') {
            return vec![self.named(&self.payload[key], &self.payload[other])];
        }
        let (key, otherwise) = place.split_once('|').unwrap_or((place, "something unknown"));
        match &self.payload[key] {
            Value::String(id) => vec![self.linked(id)],
            value => match plain(value) {
                text if text.is_empty() => vec![words(otherwise.to_owned())],
                text => vec![words(text)],
            },
        }
    }

    /// A text; a link with a name where it is the id of something known.
    fn linked(&self, text: &str) -> SentencePart {
        match self.names.get(text) {
            Some(name) => SentencePart { text: name.clone(), link: Some(text.to_owned()) },
            None => words(said(text)),
        }
    }

    /// An id under the text that the entry itself has for it.
    fn named(&self, id: &Value, text: &Value) -> SentencePart {
        let link = id.as_str().map(str::to_owned);
        SentencePart { text: text.as_str().map_or_else(|| plain(text), shortened), link }
    }

    fn counted(&self, value: &Value, noun: &str) -> Vec<SentencePart> {
        let count = value.as_array().map_or(value.as_u64().unwrap_or(0), |list| list.len() as u64);
        let things: Vec<_> = value.as_array().into_iter().flatten().filter(|thing| thing["name"].is_string()).collect();
        if things.is_empty() || things.len() > NAMED {
            let plural = if count == 1 { "" } else { "s" };
            return vec![words(format!("{count} {noun}{plural}"))];
        }
        let mut parts = Vec::new();
        for (at, thing) in things.into_iter().enumerate() {
            if at > 0 {
                parts.push(words(", ".to_owned()));
            }
            parts.push(self.named(&thing["id"], &thing["name"]));
        }
        parts
    }
}

/// Who did it, at the beginning of a sentence.
fn party(actor: Option<&AuditParty>) -> SentencePart {
    match actor {
        Some(actor) => SentencePart { text: actor.name.clone(), link: Some(actor.id.clone()) },
        None => words("The server".to_owned()),
    }
}

fn words(text: String) -> SentencePart {
    SentencePart { text, link: None }
}

/// Codes read as words; everything else stays as it is.
fn said(text: &str) -> String {
    let is_code = text.contains('_') && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_code { text.replace('_', " ") } else { text.to_owned() }
}

/// An id stands for itself by its last eight digits, as people compare it elsewhere.
fn shortened(text: &str) -> String {
    let is_id = text.len() == 30 && text.as_bytes()[3] == b'_' && text.is_ascii();
    if is_id { format!("{}-{}", &text[22..26], &text[26..]).to_uppercase() } else { text.to_owned() }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => said(text),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields.iter().map(|(key, value)| format!("{} {}", plain(value), said(key))).collect::<Vec<_>>().join(", "),
        number => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::json;

    use super::*;

    const ANNA: &str = "usr_00000000000000000000000001";
    const WEB: &str = "dev_00000000000000000000000002";

    fn text(kind: &str, payload: &Value) -> String {
        let actor = AuditParty { id: ANNA.into(), name: "Anna".into() };
        parts(kind, Some(&actor), payload).into_iter().map(|part| part.text).collect()
    }

    fn parts(kind: &str, actor: Option<&AuditParty>, payload: &Value) -> Vec<SentencePart> {
        let names = [(ANNA.to_owned(), "Anna".to_owned()), (WEB.to_owned(), "web-1".to_owned())].into();
        of(kind, actor, payload, &names)
    }

    #[test]
    fn entries_read_as_sentences() {
        assert_eq!(
            text("device.tagged", &json!({ "device": WEB, "name": "web-1", "tags": ["db", "prod"] })),
            "Anna tagged web-1: db, prod"
        );
        assert_eq!(text("device.tagged", &json!({ "device": WEB, "name": "web-1", "tags": [] })), "Anna tagged web-1: no tags");
        assert_eq!(text("session.ended", &json!({ "sessions": ["a"], "reason": "revoked" })), "Anna ended 1 session");
        assert_eq!(text("session.ended", &json!({ "sessions": ["a"], "reason": "signed_out" })), "Anna signed out");
        let cut = json!({ "session_kind": "terminal", "device": WEB, "reason": "revoked" });
        assert_eq!(text("remote_session.ended", &cut), "A terminal session on web-1 was cut: a right behind it ended");
        assert_eq!(text("sign_in.failed", &json!({ "user": null, "attempts": 2 })), "2 failed sign-ins as an unknown name");
        assert_eq!(text("sign_in.failed", &json!({ "user": ANNA, "attempts": 1 })), "1 failed sign-in as Anna");
        assert_eq!(
            text("job.created", &json!({ "job": "job_00000000000000000000000003", "name": "disk-clean", "version": 3, "targets": 37 })),
            "Anna ran disk-clean version 3 on 37 devices"
        );
        assert_eq!(
            text("job.ended", &json!({ "job": "x", "runs": { "succeeded": 3, "timed_out": 1 } })),
            "x ended: 3 succeeded, 1 timed out"
        );
        assert_eq!(text("request.denied", &json!({ "request": "req_0000000000000000007k2m9qx4" })), "Anna denied 7K2M-9QX4");
    }

    #[test]
    fn few_things_are_named_and_many_are_counted() {
        let devices = |count: usize| json!({ "devices": vec![json!({ "id": WEB, "name": "web-1" }); count] });
        assert_eq!(text("devices.approved", &devices(2)), "Anna approved web-1, web-1");
        assert_eq!(text("devices.approved", &devices(4)), "Anna approved 4 devices");
    }

    #[test]
    fn names_are_links_to_what_they_name() {
        let parts = parts("device.quarantined", None, &json!({ "device": WEB, "from": "192.0.2.1" }));
        assert_eq!((parts[0].text.as_str(), parts[0].link.as_deref()), ("web-1", Some(WEB)));
        assert!(parts[1..].iter().all(|part| part.link.is_none()));
    }

    #[test]
    fn unknown_and_erased_entries_still_say_what_they_are() {
        assert_eq!(text("thing.done", &json!({ "x": 1 })), "Anna: thing.done");
        assert_eq!(text("script.saved", &Value::Null), "Erased: script.saved");
    }

    /// Every kind that the store writes has a sentence, and no sentence is about a kind that nothing writes.
    #[test]
    fn every_kind_of_entry_has_a_sentence() {
        let mut written = BTreeSet::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/src/ops"), &mut written);
        let known: BTreeSet<String> = SENTENCES.iter().map(|(kind, _)| kind.split(':').next().unwrap_or(kind).to_owned()).collect();
        assert_eq!(known, written);
    }

    fn collect(folder: &Path, kinds: &mut BTreeSet<String>) {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                collect(&path, kinds);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let direct = ["Entry::new(\"", "Entry::grant(\"", ".entry(\"", "Told(\""];
            let chosen = ["Way::Opens => \"", "Way::Joins => \"", "Stopped, \"", "Ok((\"", "None, \""];
            for begin in direct.into_iter().chain(chosen) {
                kinds.extend(source.split(begin).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
            }
        }
    }
}
