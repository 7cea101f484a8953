//! Offers that differ from genuine ones in one thing.

use sallyport_grant::body::{Body as _, FactorProof, GrantBody, ProofMethod, Statement};
use sallyport_grant::envelope::Signature;
use sallyport_grant::merkle::{self, TreeHead};
use sallyport_grant::targets::TargetTree;
use sallyport_grant::{Envelope, PayloadType, SignatureKind, SigningKey, VerifyKey, attest, checkpoint, log, sha256};
use sallyport_model::TenantId;
use sallyport_wire::{GrantOffer, Inclusion, LinkSecret};

/// What it is, and the offer.
pub(super) type Forgery = (&'static str, GrantOffer);

/// The line that an attacker would like to see in the file that genuine scripts write to.
pub(super) const EVIL_LINE: &str = "EVIL";

/// What an attacker would like to run: it shows where it ran as the genuine script does.
pub(super) fn evil(genuine: &GrantOffer) -> String {
    let text = String::from_utf8(genuine.content.clone()).expect("a text");
    let (_, to) = text.split_once(" >> ").expect("a script that writes a line");
    format!("echo {EVIL_LINE} >> {to}")
}

fn envelope(offer: &GrantOffer) -> Envelope {
    Envelope::parse(&offer.envelope, PayloadType::Grant).expect("a genuine envelope")
}

fn body(offer: &GrantOffer) -> GrantBody {
    GrantBody::parse(envelope(offer).payload()).expect("a genuine body")
}

fn attacker(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(super) fn with_content(offer: &GrantOffer, content: impl Into<Vec<u8>>) -> GrantOffer {
    GrantOffer { content: content.into(), ..offer.clone() }
}

/// The body's text bent, the signatures as they were.
fn bent(offer: &GrantOffer, from: &str, to: &str) -> GrantOffer {
    let genuine = envelope(offer);
    let text = String::from_utf8(genuine.payload().to_vec()).expect("JSON");
    assert!(text.contains(from), "{from} is in {text}");
    let payload = text.replacen(from, to, 1).into_bytes();
    let bent = genuine.signatures().iter().cloned().fold(Envelope::unsigned(PayloadType::Grant, payload), Envelope::and_signature);
    GrantOffer { envelope: bent.to_bytes(), ..offer.clone() }
}

/// A25.
pub(super) fn other_bytes(genuine: &GrantOffer, other: &GrantOffer) -> Vec<Forgery> {
    let text = String::from_utf8(genuine.content.clone()).expect("a text");
    let evil = evil(genuine);
    let evil_hash = sha256(&[evil.as_bytes()]).to_string();
    let mine = body(genuine);
    let script = mine.action.script().expect("a script");
    let true_hash = script.script_sha256.to_string();
    let resized = format!("\"script_bytes\":{}", script.script_bytes);
    let evil_body = bent(&bent(genuine, &true_hash, &evil_hash), &resized, &format!("\"script_bytes\":{}", evil.len()));
    vec![
        ("another script", with_content(genuine, evil.clone())),
        ("another authorized script", with_content(genuine, other.content.clone())),
        ("a byte order mark", with_content(genuine, format!("\u{feff}{text}"))),
        ("CRLF", with_content(genuine, text.replace('\n', "\r\n"))),
        ("one more line break", with_content(genuine, format!("{text}\n"))),
        ("no line break", with_content(genuine, text.trim_end())),
        ("nothing", with_content(genuine, "")),
        ("one bit", with_content(genuine, text.replacen('e', "d", 1))),
        ("another digest in the body, with its script", with_content(&evil_body, evil)),
        ("arguments", bent(genuine, "\"arguments\":[]", "\"arguments\":[\"--force\"]")),
        ("environment", bent(genuine, "\"environment\":[]", "\"environment\":[[\"LD_PRELOAD\",\"/tmp/x.so\"]]")),
        ("interpreter", bent(genuine, "\"interpreter\":\"sh\"", "\"interpreter\":\"bash\"")),
        ("account", bent(genuine, "\"run_as\":null", "\"run_as\":\"daemon\"")),
        ("time limit", bent(genuine, "\"time_limit_secs\":", "\"time_limit_secs\":8")),
        ("a later end", bent(genuine, "\"expires\":\"20", "\"expires\":\"21")),
        ("an unknown key", bent(genuine, "{\"type\"", "{\"admin\":true,\"type\"")),
        ("a key twice", bent(genuine, "\"run_as\":null", "\"run_as\":null,\"run_as\":\"root\"")),
        (
            "a secret that nobody asked for",
            GrantOffer { secrets: vec![sallyport_wire::SealedSecret { name: "PATH".to_owned(), sealed: vec![7; 96] }], ..genuine.clone() },
        ),
    ]
}

/// A26.
pub(super) fn other_targets(genuine: &GrantOffer, neighbours: &GrantOffer, device: &SigningKey) -> Vec<Forgery> {
    let thumbprint = VerifyKey::of(device).id();
    let mine = body(genuine);
    let shifted = |index| {
        let mut offer = genuine.clone();
        offer.target.index = index;
        offer
    };
    let mut long = genuine.clone();
    long.target.hashes.push(sha256(&[b"x"]));
    let ours = TargetTree::build(mine.tenant, [thumbprint]).expect("one target").proof(thumbprint).expect("a proof");
    let digest = |offer: &GrantOffer| body(offer).targets.root.to_string();
    vec![
        ("a neighbour's grant", neighbours.clone()),
        ("a neighbour's grant with our place in the tree", GrantOffer { target: ours, ..neighbours.clone() }),
        ("a neighbour's grant with our root", bent(neighbours, &digest(neighbours), &digest(genuine))),
        ("another place in the tree", shifted(1)),
        ("a place beyond the tree", shifted(u32::MAX)),
        ("a longer path", long),
        ("more targets", bent(genuine, "\"count\":1", "\"count\":2")),
        ("another tenant, its own keys", foreign(&mine, device, TenantId::from_bytes([9; 16]), &evil(genuine))),
        ("another tenant's keys in our tenant's name", foreign(&mine, device, mine.tenant, &evil(genuine))),
    ]
}

/// Everything consistent, and signed by keys that another tenant's devices would obey.
fn foreign(like: &GrantBody, device: &SigningKey, tenant: TenantId, evil: &str) -> GrantOffer {
    let thumbprint = VerifyKey::of(device).id();
    let tree = TargetTree::build(tenant, [thumbprint]).expect("one target");
    let mut body = like.clone();
    body.tenant = tenant;
    body.targets = tree.targets();
    let script = body.action.script_mut().expect("a script");
    script.script_sha256 = sha256(&[evil.as_bytes()]);
    script.script_bytes = u32::try_from(evil.len()).unwrap_or(0);
    let signed = attest::sign(unsigned(&body), vec![proof(&body)], &attacker(71)).expect("attested");
    complete(signed, &body, tree.proof(thumbprint).expect("a proof"), evil)
}

fn unsigned(body: &GrantBody) -> Envelope {
    Envelope::unsigned(PayloadType::Grant, body.clone().into_bytes().expect("a body"))
}

fn proof(body: &GrantBody) -> FactorProof {
    let person = body.requested_by.clone();
    FactorProof { user: person.user, email: person.email, method: ProofMethod::Totp, at: body.not_before.plus_secs(1) }
}

/// A log of one entry, signed by the attacker.
fn complete(signed: Envelope, body: &GrantBody, target: sallyport_grant::targets::TargetProof, content: &str) -> GrantOffer {
    let head = TreeHead { size: 1, root: merkle::leaf_hash(&log::grant_leaf_data(&signed, body)) };
    let origin = sallyport_grant::body::LogKey::origin_of(body.tenant);
    GrantOffer {
        envelope: signed.to_bytes(),
        target,
        log_entry: Inclusion { index: 0, hashes: Vec::new() },
        checkpoint: checkpoint::sign(&origin, head, &attacker(72)),
        content: content.as_bytes().to_vec(),
        secrets: Vec::new(),
        stream_ticket: None,
        occurrence: None,
    }
}

/// A33.
pub(super) fn other_signers(genuine: &GrantOffer, other: &GrantOffer, link: &LinkSecret) -> Vec<Forgery> {
    let (signed, body) = (envelope(genuine), body(genuine));
    let true_signature = signed.signatures()[0].clone();
    let with = |envelope: Envelope| GrantOffer { envelope: envelope.to_bytes(), ..genuine.clone() };
    let by = |key: &SigningKey| attest::sign(unsigned(&body), vec![proof(&body)], key).expect("attested");
    let in_their_name = Signature { keyid: true_signature.keyid, ..by(&attacker(73)).signatures()[0].clone() };
    let others_word = envelope(other).signatures()[0].clone();
    let link_key = SigningKey::from_bytes(link.as_bytes());
    let fresh_id =
        unsigned(&body).signatures().is_empty().then(|| bent(genuine, "\"nonce\":\"", "\"nonce\":\"0")).expect("no signature yet");
    vec![
        ("nobody", with(unsigned(&body))),
        ("a key of the attacker", with(by(&attacker(73)))),
        ("a key of the attacker in the attestation key's name", with(unsigned(&body).and_signature(in_their_name))),
        ("the link key", with(by(&link_key))),
        ("an operator that nobody knows", with(unsigned(&body).and_signed(SignatureKind::NativeEd25519, &attacker(74)))),
        ("a passkey that nobody knows", with(unsigned(&body).and_signed(SignatureKind::Webauthn, &attacker(74)))),
        ("the server's word about another grant", with(unsigned(&body).and_signature(others_word))),
        ("the server's word, its proofs rewritten", with(unsigned(&body).and_signature(rewritten(&true_signature, &body)))),
        ("another nonce", fresh_id),
        ("a lower class", bent(genuine, "\"class\":1", "\"class\":0")),
        ("a log that the attacker signs", log_of_the_attacker(genuine, &signed, &body)),
        ("no place in the log", GrantOffer { log_entry: Inclusion { index: 0, hashes: Vec::new() }, ..genuine.clone() }),
        (
            "another grant's place in the log",
            GrantOffer { log_entry: other.log_entry.clone(), checkpoint: other.checkpoint.clone(), ..genuine.clone() },
        ),
        ("no checkpoint", GrantOffer { checkpoint: String::new(), ..genuine.clone() }),
    ]
}

/// "A second factor was proved just now", written into a signed statement.
fn rewritten(signature: &Signature, body: &GrantBody) -> Signature {
    let statement = signature.statement.as_deref().expect("a server's signature has a statement");
    let mut statement = Statement::parse(statement).expect("a genuine statement");
    statement.proofs = vec![proof(body)];
    Signature { statement: Some(statement.to_bytes().expect("a statement")), ..signature.clone() }
}

fn log_of_the_attacker(genuine: &GrantOffer, signed: &Envelope, body: &GrantBody) -> GrantOffer {
    let made = complete(signed.clone(), body, genuine.target.clone(), "");
    GrantOffer { log_entry: made.log_entry, checkpoint: made.checkpoint, ..genuine.clone() }
}
