//! Golden vectors: what other implementations check themselves against.
//!
//! `UPDATE_VECTORS=1 cargo nextest run -p sallyport-grant vectors` writes them anew.

use std::path::Path;

use sallyport_grant::body::{
    Access, Body, Clipboard, Consent, Entry, GrantAction, GrantBody, OpenRemoteSession, ProofMethod, RemoteKind, RunAs, RunSchedule,
    Statement, Unanswered, VirtualDisplay,
};
use sallyport_grant::schedule::{DayWindow, Offset, ScheduleTerms, occurrence_id};
use sallyport_grant::targets::TargetProof;
use sallyport_grant::verify::{Clock, Offer, Profile, Verified, Verifier};
use sallyport_grant::{AuthorityPin, Envelope, Hex, PayloadType, SignatureKind, TrustRoot, VerifyKey, checkpoint, json, sha256};
use sallyport_model::{Digest, GrantId, ScheduleId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::world::{Offered, SCRIPT, Used, World, class, run_script, terminal};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/grants.json");

#[derive(Serialize, Deserialize)]
struct Vectors {
    about: String,
    authority_pin: Digest,
    root: String,
    cases: Vec<Case>,
}

#[derive(Serialize, Deserialize)]
struct Case {
    name: String,
    /// `obeyed`, or the code of the refusal.
    expected: String,
    now: Timestamp,
    device: VerifyKey,
    used: Vec<GrantId>,
    /// Of a published schedule: which of its occurrences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurrence: Option<Timestamp>,
    envelope: String,
    target_index: u32,
    target_proof: Vec<Digest>,
    log_index: u64,
    log_proof: Vec<Digest>,
    checkpoint: String,
    script: String,
}

/// The parts of a case that are not in the offer.
struct Around {
    now: Timestamp,
    device: VerifyKey,
    used: Vec<GrantId>,
    script: String,
}

fn case(
    name: &str,
    expected: &str,
    count: usize,
    change: impl FnOnce(&mut GrantBody),
    bend: impl FnOnce(&mut World, &mut Offered, &mut Around),
) -> Case {
    let mut world = World::seeded(42);
    let mut body = world.body(count);
    change(&mut body);
    let mut offered = world.grant(body, count);
    let mut around =
        Around { now: world.now, device: world.public("device-0"), used: Vec::new(), script: String::from_utf8(SCRIPT.to_vec()).unwrap() };
    bend(&mut world, &mut offered, &mut around);
    Case {
        name: name.to_owned(),
        expected: expected.to_owned(),
        now: around.now,
        device: around.device,
        used: around.used,
        occurrence: None,
        envelope: String::from_utf8(offered.envelope).unwrap(),
        target_index: offered.target.index,
        target_proof: offered.target.hashes,
        log_index: offered.log_index,
        log_proof: offered.log_proof,
        checkpoint: offered.checkpoint,
        script: around.script,
    }
}

fn good(name: &str, count: usize) -> Case {
    case(name, "obeyed", count, |_| (), |_, _, _| ())
}

fn signed_wrong(name: &str, expected: &str, count: usize, change: impl FnOnce(&mut GrantBody)) -> Case {
    case(name, expected, count, change, |_, _, _| ())
}

fn bent(name: &str, expected: &str, bend: impl FnOnce(&mut World, &mut Offered, &mut Around)) -> Case {
    case(name, expected, 3, |_| (), bend)
}

fn attested_wrong(name: &str, expected: &str, count: usize, change: impl FnOnce(&mut World, &mut Statement)) -> Case {
    case(
        name,
        expected,
        count,
        |_| (),
        |world, offered, _| {
            let body = GrantBody::parse(unsigned(offered).payload()).unwrap();
            let mut statement = world.statement(&unsigned(offered));
            change(world, &mut statement);
            *offered = world.grant_stating(body, count, |honest| *honest = statement);
        },
    )
}

fn unsigned(offered: &Offered) -> Envelope {
    let envelope = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
    Envelope::unsigned(PayloadType::Grant, envelope.payload().to_vec())
}

/// Another grant of the same world, with an honest statement.
fn another(world: &mut World) -> Offered {
    let body = world.body(3);
    world.grant(body, 3)
}

/// Takes the signature and its statement of another grant.
fn borrow_statement(world: &mut World, offered: &mut Offered) {
    let other = Envelope::parse(&another(world).envelope, PayloadType::Grant).unwrap();
    offered.envelope = unsigned(offered).and_signature(other.signatures()[0].clone()).to_bytes();
}

/// Changes the statement and keeps the signature over the honest one.
fn edit_statement(offered: &mut Offered) {
    let envelope = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
    let mut signature = envelope.signatures()[0].clone();
    let text = String::from_utf8(signature.statement.take().unwrap()).unwrap().replace("ada@", "bob@");
    signature.statement = Some(text.into_bytes());
    offered.envelope = unsigned(offered).and_signature(signature).to_bytes();
}

/// Logs and offers the payload of an offer again, signed otherwise.
fn sign_again(world: &mut World, offered: &mut Offered, sign: impl FnOnce(&World, Envelope) -> Envelope) {
    let envelope = sign(world, unsigned(offered));
    let body = GrantBody::parse(envelope.payload()).unwrap();
    *offered = world.publish(&envelope, &body, 3);
}

/// Changes one byte of the signed payload and keeps the signature.
fn edit_payload(offered: &mut Offered) {
    let envelope = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
    let text = String::from_utf8(envelope.payload().to_vec()).unwrap().replace("/var", "/etc");
    let edited = Envelope::unsigned(PayloadType::Grant, text.into_bytes());
    offered.envelope = envelope.signatures().iter().cloned().fold(edited, Envelope::and_signature).to_bytes();
}

/// Signs and logs a payload that no honest server writes.
fn publish_text(world: &mut World, offered: &mut Offered, edit: impl Fn(&str) -> String) {
    let body = world.body(3);
    let text = String::from_utf8(body.clone().into_bytes().unwrap()).unwrap();
    let envelope = world.attest_by(Envelope::unsigned(PayloadType::Grant, edit(&text).into_bytes()), "attestation");
    *offered = world.publish(&envelope, &body, 3);
}

fn cases() -> Vec<Case> {
    let mut cases = vec![good("one device", 1), good("three devices", 3), good("twenty-six devices", 26)];
    cases.extend(wrong_bodies());
    cases.extend(wrong_statements());
    cases.extend(wrong_offers());
    cases.extend(wrong_evidence());
    cases.extend(remote_sessions());
    cases.extend(schedules());
    cases
}

fn wrong_bodies() -> Vec<Case> {
    vec![
        signed_wrong("class 1 on three devices", "class_too_low", 3, |body| body.class = class(1)),
        signed_wrong("class 2 on twenty-six devices", "class_too_low", 26, |body| body.class = class(2)),
        signed_wrong("another tenant", "wrong_tenant", 1, |body| body.tenant = TenantId::from_bytes([9; 16])),
        signed_wrong("a window of an hour", "window_too_long", 1, |body| body.expires = body.not_before.plus_secs(3600)),
        bent("not yet", "not_yet_valid", |_, _, around| around.now = around.now.plus_secs(-61)),
        signed_wrong("expired", "expired", 1, |body| {
            (body.not_before, body.expires) = (body.not_before.plus_secs(-840), body.expires.plus_secs(-840));
        }),
        bent("an unknown key", "malformed", |world, offered, _| publish_text(world, offered, |text| text.replacen('{', "{\"note\":1,", 1))),
        bent("a key twice", "malformed", |world, offered, _| publish_text(world, offered, |text| text.replacen('{', "{\"class\":3,", 1))),
    ]
}

fn wrong_statements() -> Vec<Case> {
    let signed_plainly = |kind: SignatureKind| {
        |world: &mut World, offered: &mut Offered, _: &mut Around| {
            sign_again(world, offered, |world, unsigned| unsigned.and_signed(kind, &world.key("attestation")));
        }
    };
    vec![
        attested_wrong("a step-up window for three devices", "proof_missing", 3, |_, it| it.proofs[0].method = ProofMethod::StepUp),
        attested_wrong("a step-up window for one device", "obeyed", 1, |_, it| it.proofs[0].method = ProofMethod::StepUp),
        attested_wrong("no proofs", "malformed", 1, |_, it| it.proofs.clear()),
        attested_wrong("seventeen proofs", "malformed", 1, |_, it| it.proofs = vec![it.proofs[0].clone(); 17]),
        attested_wrong("a proof from before the grant", "proof_time", 1, |_, it| it.proofs[0].at = it.proofs[0].at.plus_secs(-61)),
        attested_wrong("a proof from after the grant", "proof_time", 1, |_, it| it.proofs[0].at = it.proofs[0].at.plus_secs(841)),
        attested_wrong("a statement with another digest", "wrong_grant", 3, |_, it| it.grant = sha256(&[b"another"])),
        bent("the statement of another grant", "wrong_grant", |world, offered, _| borrow_statement(world, offered)),
        bent("a name changed in the statement", "bad_signature", |_, offered, _| edit_statement(offered)),
        bent("no statement", "malformed", signed_plainly(SignatureKind::Server)),
        bent("signed as a native key", "unknown_signer", signed_plainly(SignatureKind::NativeEd25519)),
        bent("a statement beside a native signature", "malformed", |world, offered, _| {
            sign_again(world, offered, |world, unsigned| {
                let mut signature = world.attest_by(unsigned.clone(), "attestation").signatures()[0].clone();
                signature.kind = SignatureKind::NativeEd25519;
                unsigned.and_signature(signature)
            });
        }),
    ]
}

fn wrong_offers() -> Vec<Case> {
    vec![
        bent("an argument changed after signing", "wrong_grant", |_, offered, _| edit_payload(offered)),
        bent("signed by a stranger", "unknown_signer", |world, offered, _| {
            sign_again(world, offered, |world, unsigned| world.attest_by(unsigned, "stranger"));
        }),
        bent("another device", "wrong_device", |world, _, around| around.device = world.public("device-3")),
        bent("another place among the targets", "wrong_device", |_, offered, _| offered.target.index ^= 1),
        bent("used before", "used", |_, offered, around| {
            let envelope = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
            around.used.push(GrantBody::parse(envelope.payload()).unwrap().id);
        }),
        bent("the same text with crlf", "content_differs", |_, _, around| around.script = around.script.replace('\n', "\r\n")),
    ]
}

fn wrong_evidence() -> Vec<Case> {
    vec![
        bent("another place in the log", "not_in_log", |_, offered, _| offered.log_index -= 1),
        bent("a log proof cut short", "not_in_log", |_, offered, _| offered.log_proof.truncate(1)),
        bent("a signature added after logging", "not_in_log", |world, offered, _| {
            let envelope = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
            offered.envelope = envelope.and_signed(SignatureKind::NativeEd25519, &world.key("late")).to_bytes();
        }),
        bent("a checkpoint by another key", "bad_checkpoint", |world, offered, _| {
            let origin = world.root().body().log.origin.clone();
            offered.checkpoint = checkpoint::sign(&origin, world.head(), &world.key("fresh"));
        }),
        bent("a checkpoint of another log", "bad_checkpoint", |world, offered, _| {
            offered.checkpoint = checkpoint::sign("sallyport/elsewhere", world.head(), &world.key("log"));
        }),
    ]
}

fn remote(name: &str, expected: &str, count: usize, change: impl FnOnce(&mut OpenRemoteSession)) -> Case {
    let mut world = World::seeded(42);
    let (mut body, mut open) = (world.body(count), terminal());
    change(&mut open);
    body.action = GrantAction::OpenRemoteSession(open);
    let offered = world.grant_unchecked(&body, count);
    Case {
        name: format!("a remote session: {name}"),
        expected: expected.to_owned(),
        now: world.now,
        device: world.public("device-0"),
        used: Vec::new(),
        occurrence: None,
        envelope: String::from_utf8(offered.envelope).unwrap(),
        target_index: offered.target.index,
        target_proof: offered.target.hashes,
        log_index: offered.log_index,
        log_proof: offered.log_proof,
        checkpoint: offered.checkpoint,
        script: String::new(),
    }
}

fn remote_sessions() -> Vec<Case> {
    let files = |open: &mut OpenRemoteSession| (open.kind, open.columns, open.rows) = (RemoteKind::Files, 0, 0);
    vec![
        remote("a terminal", "obeyed", 1, |_| ()),
        remote("files as another account", "obeyed", 1, |open| {
            files(open);
            open.run_as = Some(RunAs::parse("deploy").unwrap());
        }),
        remote("watching a terminal", "obeyed", 1, |open| {
            (open.joins, open.access, open.columns, open.rows) = (Entry::Joins, Access::View, 0, 0);
        }),
        remote("on two devices", "malformed", 2, |_| ()),
        remote("files with columns", "malformed", 1, |open| open.kind = RemoteKind::Files),
        remote("a terminal without size", "malformed", 1, |open| open.rows = 0),
        remote("a terminal that nobody may type into", "malformed", 1, |open| open.access = Access::View),
        remote("an idle time above the longest life", "malformed", 1, |open| open.max_secs = open.idle_secs - 1),
        remote("a life of more than twelve hours", "malformed", 1, |open| open.max_secs = 43_201),
        remote("an account for the screen", "malformed", 1, |open| {
            files(open);
            (open.kind, open.run_as) = (RemoteKind::Viewer, Some(RunAs::parse("deploy").unwrap()));
        }),
        remote("somebody is asked", "obeyed", 1, |open| {
            (open.consent, open.ask_secs, open.unanswered) = (Consent::Ask, 30, Unanswered::Allow);
        }),
        remote("a screen with a clipboard", "obeyed", 1, |open| {
            files(open);
            (open.kind, open.clipboard, open.virtual_display) = (RemoteKind::Viewer, Clipboard::Both, VirtualDisplay::Allowed);
        }),
        remote("somebody is asked for no time at all", "malformed", 1, |open| open.consent = Consent::Ask),
        remote("nobody is asked, and their silence is consent", "malformed", 1, |open| open.unanswered = Unanswered::Allow),
        remote("a terminal with a clipboard", "malformed", 1, |open| open.clipboard = Clipboard::Both),
        remote("files with a display", "malformed", 1, |open| {
            files(open);
            open.virtual_display = VirtualDisplay::Allowed;
        }),
        remote("a key of zeros", "malformed", 1, |open| open.client_key = Hex([0; 32])),
        Case { script: "id".to_owned(), ..remote("with content", "content_differs", 1, |_| ()) },
    ]
}

/// What a device is offered of a publication that runs at the full hour, in a zone whose clock goes back an hour at 18:00 UTC. The
/// world's time is 14:13:20 UTC.
fn unattended(
    name: &str,
    expected: &str,
    (due_secs, after_secs): (i64, i64),
    change: impl FnOnce(&mut ScheduleTerms, &mut GrantBody),
) -> Case {
    let mut world = World::seeded(42);
    let day = Timestamp::from_secs(world.now.secs() / 86_400 * 86_400);
    let offset = |hour: i64, secs| Offset { from: day.plus_secs(hour * 3600), secs };
    let mut terms = ScheduleTerms {
        cron: "0 * * * *".to_owned(),
        zone: "Europe/Vienna".to_owned(),
        offsets: vec![offset(0, 7200), offset(18, 3600)],
        window: None,
        late_secs: 3600,
        jitter_secs: 600,
        gap_secs: 0,
        at_once: 0,
    };
    let mut body = world.body(1);
    (body.class, body.expires) = (class(2), world.now.plus_secs(300 * 86_400));
    change(&mut terms, &mut body);
    body.action =
        GrantAction::RunSchedule(RunSchedule { schedule: ScheduleId::from_bytes([4; 16]), run: run_script(SCRIPT), terms, rule: None });
    let offered = world.grant_unchecked(&body, 1);
    let due = day.plus_secs(due_secs);
    Case {
        name: format!("a schedule: {name}"),
        expected: expected.to_owned(),
        now: due.plus_secs(after_secs),
        occurrence: Some(due),
        envelope: String::from_utf8(offered.envelope).unwrap(),
        target_index: offered.target.index,
        target_proof: offered.target.hashes,
        log_index: offered.log_index,
        log_proof: offered.log_proof,
        checkpoint: offered.checkpoint,
        ..good("one device", 1)
    }
}

fn schedules() -> Vec<Case> {
    const HOUR: i64 = 3600;
    let at = |cron: &'static str| move |terms: &mut ScheduleTerms, _: &mut GrantBody| cron.clone_into(&mut terms.cron);
    let window = |from: u32, to: u32| {
        move |terms: &mut ScheduleTerms, _: &mut GrantBody| {
            terms.window = Some(DayWindow { from_minute: from * 60, to_minute: to * 60, days: 127 });
        }
    };
    let once = unattended("used before", "used", (15 * HOUR, 5), |_, _| ());
    let published = Envelope::parse(once.envelope.as_bytes(), PayloadType::Grant).unwrap();
    let id = occurrence_id(sha256(&[&published.pae()]), once.occurrence.unwrap());
    vec![
        unattended("an occurrence", "obeyed", (15 * HOUR, 5), |_, _| ()),
        Case { used: vec![id], ..once },
        Case { occurrence: None, ..unattended("no occurrence", "not_an_occurrence", (15 * HOUR, 5), |_, _| ()) },
        Case { occurrence: Some(Timestamp::from_secs(0)), ..good("a script once, with an occurrence", 1) }.expecting("not_an_occurrence"),
        unattended("another minute", "not_an_occurrence", (15 * HOUR + 60, 5), |_, _| ()),
        unattended("a second past the minute", "not_an_occurrence", (15 * HOUR + 1, 5), |_, _| ()),
        unattended("too early", "not_yet_valid", (15 * HOUR, -121), |_, _| ()),
        unattended("too late", "expired", (15 * HOUR, 4200), |_, _| ()),
        unattended("just in time", "obeyed", (15 * HOUR, 4199), |_, _| ()),
        unattended("in the window", "obeyed", (15 * HOUR, 5), window(17, 18)),
        unattended("outside of the window", "outside_window", (15 * HOUR, 5), window(18, 19)),
        unattended("a window over midnight", "obeyed", (15 * HOUR, 5), window(17, 2)),
        unattended("of class 1", "class_too_low", (15 * HOUR, 5), |_, body| body.class = class(1)),
        unattended("for more than 400 days", "window_too_long", (15 * HOUR, 5), |_, body| {
            body.expires = body.expires.plus_secs(101 * 86_400);
        }),
        unattended("half past seven, the first time", "obeyed", (17 * HOUR + 1800, 5), at("30 19 * * *")),
        unattended("half past seven, the second time", "not_an_occurrence", (18 * HOUR + 1800, 5), at("30 19 * * *")),
        unattended("a rhythm, the second time", "obeyed", (18 * HOUR + 1800, 5), at("*/30 * * * *")),
        unattended("words, lists and steps", "obeyed", (15 * HOUR, 5), at("0 1-23/2 * jan-dec sun,mon-sat")),
    ]
}

impl Case {
    fn expecting(self, expected: &str) -> Self {
        Self { expected: expected.to_owned(), ..self }
    }
}

fn written() -> String {
    let world = World::seeded(42);
    let vectors = Vectors {
        about: "Sallyport grants: what a device with the given key and clock does with each offer; see docs/verify-grant.py".to_owned(),
        authority_pin: world.pin().0,
        root: String::from_utf8(world.root_envelope().to_bytes()).unwrap(),
        cases: cases(),
    };
    serde_json::to_string_pretty(&vectors).unwrap() + "\n"
}

#[test]
fn vectors_are_up_to_date() {
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::create_dir_all(Path::new(FILE).parent().unwrap()).unwrap();
        std::fs::write(FILE, written()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(FILE).unwrap(), written(), "write them anew with UPDATE_VECTORS=1 after review");
}

#[test]
fn vectors_are_decided_as_they_say() {
    let vectors: Vectors = serde_json::from_str(&written()).unwrap();
    assert_eq!(json::parse::<serde::de::IgnoredAny>(vectors.root.as_bytes(), 1 << 20).map(|_| ()), Ok(()));
    for case in &vectors.cases {
        assert_eq!(decide(&vectors, case), case.expected, "{}", case.name);
    }
}

fn decide(vectors: &Vectors, case: &Case) -> &'static str {
    let root = TrustRoot::verify(vectors.root.as_bytes(), AuthorityPin(vectors.authority_pin), case.now).unwrap();
    let verifier = Verifier {
        root: &root,
        profile: Profile::Starter,
        device: &case.device,
        clock: Clock { now: case.now, floor: Timestamp::default() },
        used: &Used(case.used.iter().copied().collect(), None),
    };
    let offer = Offer {
        envelope: case.envelope.as_bytes(),
        target: &TargetProof { index: case.target_index, hashes: case.target_proof.clone() },
        log_index: case.log_index,
        log_proof: &case.log_proof,
        checkpoint: &case.checkpoint,
        occurrence: case.occurrence,
    };
    let content = (sha256(&[case.script.as_bytes()]), case.script.len() as u64);
    let ready = verifier.verify(&offer).and_then(|grant| match grant {
        Verified::RunScript(grant) => grant.with_content(content.0, content.1).map(|_| ()),
        Verified::OpenRemoteSession(grant) => grant.without_content(case.script.len()).map(|_| ()),
    });
    ready.map_or_else(|error| error.code(), |()| "obeyed")
}
