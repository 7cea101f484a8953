//! A tenant's keys, and grants that they sign for one device among many.

use sallyport_agent_core::ports::{Clock as _, SystemClock};
use sallyport_grant::body::{
    Body, Class, FactorProof, GrantAction, GrantBody, GrantType, Interpreter, LogKey, Person, ProofMethod, RootBody, RootType, RunScript,
};
use sallyport_grant::merkle::{self, NodeId, TreeHead};
use sallyport_grant::targets::TargetTree;
use sallyport_grant::{
    AuthorityPin, Envelope, Hex, KeyId, PayloadType, SignatureKind, SigningKey, TrustRoot, VerifyKey, attest, checkpoint, log, sha256,
};
use sallyport_model::{Digest, Email, GrantId, Name, TenantId, Timestamp, UserId};
use sallyport_wire::{GrantOffer, Inclusion};

const TARGETS: u32 = 15_000;
/// The log is as large as one of a few years.
const LOG_SIZE: u64 = 1 << 20;
const SCRIPT: &str = "df -h / && journalctl --disk-usage\n";

/// The server's side of grants.
pub(super) struct Signer {
    device: KeyId,
    targets: TargetTree,
    now: Timestamp,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn tenant() -> TenantId {
    TenantId::from_bytes([1; 16])
}

impl Signer {
    pub(super) fn new(device: KeyId) -> Self {
        let others = (1..TARGETS).map(|number| KeyId(sha256(&[&number.to_be_bytes()])));
        let targets = TargetTree::build(tenant(), others.chain([device])).expect("different devices");
        Self { device, targets, now: SystemClock.now() }
    }

    pub(super) fn root(&self) -> TrustRoot {
        let body = RootBody {
            r#type: RootType::V1,
            tenant: tenant(),
            version: 1,
            issued: self.now.plus_secs(-1000),
            expires: self.now.plus_secs(1_000_000),
            threshold: 1,
            authority: vec![VerifyKey::of(&key(1))],
            link: Hex([9; 32]),
            attestation: VerifyKey::of(&key(2)),
            log: LogKey { origin: LogKey::origin_of(tenant()), key: VerifyKey::of(&key(3)) },
            fresh: VerifyKey::of(&key(4)),
            enrolment: VerifyKey::of(&key(5)),
        };
        let envelope = Envelope::signed(PayloadType::Root, body.into_bytes().expect("a root"), SignatureKind::NativeEd25519, &key(1));
        TrustRoot::verify_envelope(&envelope, AuthorityPin::of(1, &[VerifyKey::of(&key(1))]), self.now).expect("our own root")
    }

    /// One of many different genuine offers.
    pub(super) fn offer(&self, number: usize) -> GrantOffer {
        let body = self.body(number);
        let Person { user, email } = body.requested_by.clone();
        let proof = FactorProof { user, email, method: ProofMethod::Totp, at: self.now };
        let envelope = attest::sign(body.clone().into_envelope().expect("a body"), vec![proof], &key(2)).expect("attested");
        let leaf = merkle::leaf_hash(&log::grant_leaf_data(&envelope, &body));
        let (hashes, root) = path(leaf);
        GrantOffer {
            envelope: envelope.to_bytes(),
            target: self.targets.proof(self.device).expect("the device is a target"),
            log_entry: Inclusion { index: 0, hashes },
            checkpoint: checkpoint::sign(&LogKey::origin_of(tenant()), TreeHead { size: LOG_SIZE, root }, &key(3)),
            content: SCRIPT.as_bytes().to_vec(),
            secrets: Vec::new(),
            stream_ticket: None,
            occurrence: None,
        }
    }

    fn body(&self, number: usize) -> GrantBody {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        GrantBody {
            r#type: GrantType::V1,
            id: GrantId::from_bytes(id),
            tenant: tenant(),
            class: Class::Mass,
            action: GrantAction::RunScript(script()),
            targets: self.targets.targets(),
            not_before: self.now.plus_secs(-5),
            expires: self.now.plus_secs(600),
            nonce: Hex([7; 16]),
            requested_by: Person { user: UserId::from_bytes([8; 16]), email: Email::parse("ada@example.test").expect("an address") },
        }
    }
}

fn script() -> RunScript {
    RunScript {
        name: Name::parse("disk-usage").expect("a name"),
        interpreter: Interpreter::Sh,
        script_sha256: sha256(&[SCRIPT.as_bytes()]),
        script_bytes: u32::try_from(SCRIPT.len()).expect("short"),
        run_as: None,
        arguments: Vec::new(),
        environment: Vec::new(),
        secrets: Vec::new(),
        time_limit_secs: 60,
        output_limit_bytes: 1024 * 1024,
    }
}

/// A full tree whose first leaf is this one: the other halves may be anything.
fn path(leaf: Digest) -> (Vec<Digest>, Digest) {
    let levels: u32 = LOG_SIZE.trailing_zeros();
    let others: Vec<Digest> = (0..levels).map(|level| sha256(&[&level.to_be_bytes()])).collect();
    let root = others.iter().fold(leaf, |left, right| merkle::node_hash(&left, right));
    debug_assert_eq!(merkle::inclusion_nodes(0, LOG_SIZE).map(|nodes: Vec<NodeId>| nodes.len()), Ok(others.len()));
    (others, root)
}
