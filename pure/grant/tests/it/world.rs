//! A tenant with keys, devices and an audit log, all from one seed.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_grant::body::{
    Access, Body, Class, Clipboard, Consent, Entry, EnvName, FactorProof, GrantAction, GrantBody, GrantType, Interpreter, LogKey,
    OpenRemoteSession, Person, ProofMethod, Record, RemoteKind, RootBody, RootType, RunScript, Statement, StatementType, Unanswered,
    VirtualDisplay,
};
use sallyport_grant::merkle::{self, Frontier, NodeId, TreeHead};
use sallyport_grant::occurrence::LastRun;
use sallyport_grant::targets::{TargetProof, TargetTree};
use sallyport_grant::verify::{Clock, Offer, Profile, UsedIds, Verified, VerifiedGrant, Verifier, derived_class};
use sallyport_grant::{
    AuthorityPin, Envelope, GrantError, Hex, PayloadType, Signature, SignatureKind, SigningKey, TrustRoot, VerifyKey, attest, checkpoint,
    json, keys, log, pae, sha256,
};
use sallyport_model::{Digest, Email, GrantId, Name, RemoteSessionId, TenantId, Timestamp, UserId};

pub(crate) const SCRIPT: &[u8] = b"#!/bin/sh\ndf -h \"$1\"\n";

pub(crate) struct World {
    seed: u8,
    pub(crate) tenant: TenantId,
    pub(crate) now: Timestamp,
    pub(crate) used: Used,
    grants: u8,
    frontier: Frontier,
    nodes: BTreeMap<NodeId, Digest>,
}

#[derive(Default)]
pub(crate) struct Used(pub(crate) BTreeSet<GrantId>, pub(crate) Option<LastRun>);

impl UsedIds for Used {
    fn is_used(&self, grant: GrantId) -> bool {
        self.0.contains(&grant)
    }

    fn last_run(&self, _: GrantId) -> Option<LastRun> {
        self.1
    }
}

/// An offer that owns its parts, so that tests can bend them.
#[derive(Clone)]
pub(crate) struct Offered {
    pub(crate) envelope: Vec<u8>,
    pub(crate) target: TargetProof,
    pub(crate) log_index: u64,
    pub(crate) log_proof: Vec<Digest>,
    pub(crate) checkpoint: String,
    pub(crate) occurrence: Option<Timestamp>,
}

impl World {
    pub(crate) fn seeded(seed: u8) -> Self {
        let mut world = Self {
            seed,
            tenant: TenantId::from_bytes([seed; 16]),
            now: Timestamp::from_secs(1_790_000_000),
            used: Used::default(),
            grants: 0,
            frontier: Frontier::default(),
            nodes: BTreeMap::new(),
        };
        for entry in 0..5 {
            world.append(&log::entry_leaf_data(&[entry; 32], b"{\"type\":\"sign_in\"}"));
        }
        world
    }

    /// A key of this world by its purpose: `authority`, `attestation`, `log`, `fresh`, `enrolment`, `device-0`...
    pub(crate) fn key(&self, purpose: &str) -> SigningKey {
        SigningKey::from_bytes(sha256(&[&[self.seed], purpose.as_bytes()]).as_bytes())
    }

    pub(crate) fn public(&self, purpose: &str) -> VerifyKey {
        VerifyKey::of(&self.key(purpose))
    }

    pub(crate) fn root_body(&self) -> RootBody {
        RootBody {
            r#type: RootType::V1,
            tenant: self.tenant,
            version: 1,
            issued: self.now,
            expires: self.now.plus_secs(365 * 86_400),
            threshold: 1,
            authority: vec![self.public("authority")],
            link: Hex([7; 32]),
            attestation: self.public("attestation"),
            log: LogKey { origin: LogKey::origin_of(self.tenant), key: self.public("log") },
            fresh: self.public("fresh"),
            enrolment: self.public("enrolment"),
        }
    }

    pub(crate) fn sign_root(&self, body: RootBody, authorities: &[&str]) -> Envelope {
        let unsigned = body.into_envelope().unwrap();
        authorities.iter().fold(unsigned, |envelope, key| envelope.and_signed(SignatureKind::NativeEd25519, &self.key(key)))
    }

    pub(crate) fn root_envelope(&self) -> Envelope {
        self.sign_root(self.root_body(), &["authority"])
    }

    pub(crate) fn pin(&self) -> AuthorityPin {
        AuthorityPin::of(1, &[self.public("authority")])
    }

    pub(crate) fn root(&self) -> TrustRoot {
        TrustRoot::verify(&self.root_envelope().to_bytes(), self.pin(), self.now).unwrap()
    }

    pub(crate) fn targets(&self, devices: std::ops::Range<usize>) -> TargetTree {
        TargetTree::build(self.tenant, devices.map(|n| self.public(&format!("device-{n}")).id())).unwrap()
    }

    /// A new grant body for devices `0..count`, with everything in order.
    pub(crate) fn body(&mut self, count: usize) -> GrantBody {
        self.grants += 1;
        let action = GrantAction::RunScript(run_script(SCRIPT));
        GrantBody {
            r#type: GrantType::V1,
            id: GrantId::new(self.now, [self.grants; 10]),
            tenant: self.tenant,
            class: derived_class(&action, count as u32),
            action,
            targets: self.targets(0..count).targets(),
            not_before: self.now.plus_secs(-60),
            expires: self.now.plus_secs(840),
            nonce: Hex([self.grants; 16]),
            requested_by: ada(),
        }
    }

    /// A code of the asker, now.
    pub(crate) fn proof(&self) -> FactorProof {
        let Person { user, email } = ada();
        FactorProof { user, email, method: ProofMethod::Totp, at: self.now }
    }

    /// An honest server's statement about an envelope.
    pub(crate) fn statement(&self, envelope: &Envelope) -> Statement {
        Statement { r#type: StatementType::V1, grant: envelope.digest(), proofs: vec![self.proof()] }
    }

    /// A body as an honest server signs it.
    pub(crate) fn attest(&self, body: GrantBody) -> Envelope {
        attest::sign(body.into_envelope().unwrap(), vec![self.proof()], &self.key("attestation")).unwrap()
    }

    /// What a server with a key could sign, honest or not, checking nothing.
    pub(crate) fn attest_text(&self, envelope: Envelope, statement: &[u8], key: &str) -> Envelope {
        let sig = keys::sign(&self.key(key), &pae(Statement::MEDIA_TYPE, statement)).to_vec();
        let statement = Some(statement.to_vec());
        envelope.and_signature(Signature { keyid: self.public(key).id(), kind: SignatureKind::Server, sig, statement })
    }

    /// Signs an honest statement with any key.
    pub(crate) fn attest_by(&self, envelope: Envelope, key: &str) -> Envelope {
        let statement = json::write(&self.statement(&envelope));
        self.attest_text(envelope, &statement, key)
    }

    /// Signs, logs and offers a body to device 0, one of `count`.
    pub(crate) fn grant(&mut self, body: GrantBody, count: usize) -> Offered {
        let envelope = self.attest_by(body.clone().into_envelope().unwrap(), "attestation");
        self.publish(&envelope, &body, count)
    }

    /// Signs, logs and offers a body that an honest server may refuse to write.
    pub(crate) fn grant_unchecked(&mut self, body: &GrantBody, count: usize) -> Offered {
        let envelope = self.attest_by(Envelope::unsigned(PayloadType::Grant, json::write(body)), "attestation");
        self.publish(&envelope, body, count)
    }

    /// Grants a body with a changed statement.
    pub(crate) fn grant_stating(&mut self, body: GrantBody, count: usize, change: impl FnOnce(&mut Statement)) -> Offered {
        let unsigned = body.clone().into_envelope().unwrap();
        let mut statement = self.statement(&unsigned);
        change(&mut statement);
        let envelope = self.attest_text(unsigned, &json::write(&statement), "attestation");
        self.publish(&envelope, &body, count)
    }

    /// Logs and offers an envelope to device 0, one of `count`.
    pub(crate) fn publish(&mut self, envelope: &Envelope, body: &GrantBody, count: usize) -> Offered {
        let log_index = self.append(&log::grant_leaf_data(envelope, body));
        self.append(&log::entry_leaf_data(&[9; 32], b"later"));
        let target = self.targets(0..count).proof(self.public("device-0").id()).unwrap();
        let log_proof = merkle::inclusion_proof(log_index, self.frontier.size(), |node| self.nodes.get(&node).copied()).unwrap();
        Offered { envelope: envelope.to_bytes(), target, log_index, log_proof, checkpoint: self.checkpoint(), occurrence: None }
    }

    pub(crate) fn checkpoint(&self) -> String {
        checkpoint::sign(&LogKey::origin_of(self.tenant), self.head(), &self.key("log"))
    }

    pub(crate) fn head(&self) -> TreeHead {
        TreeHead { size: self.frontier.size(), root: self.frontier.root() }
    }

    pub(crate) fn append(&mut self, data: &[u8]) -> u64 {
        let index = self.frontier.size();
        let nodes = self.frontier.append(merkle::leaf_hash(data));
        self.nodes.extend(nodes.into_iter().map(|node| (node.id, node.hash)));
        index
    }

    /// What the device makes of an offered script.
    pub(crate) fn offer(&self, device: &str, offered: &Offered) -> Result<VerifiedGrant<RunScript>, GrantError> {
        match self.offer_any(device, offered)? {
            Verified::RunScript(grant) => Ok(grant),
            Verified::OpenRemoteSession(_) => panic!("a script was offered"),
        }
    }

    pub(crate) fn offer_any(&self, device: &str, offered: &Offered) -> Result<Verified, GrantError> {
        let verifier = Verifier {
            root: &self.root(),
            profile: Profile::Starter,
            device: &self.public(device),
            clock: Clock { now: self.now, floor: Timestamp::from_secs(0) },
            used: &self.used,
        };
        verifier.verify(&offered.as_offer())
    }
}

impl Offered {
    pub(crate) fn as_offer(&self) -> Offer<'_> {
        Offer {
            envelope: &self.envelope,
            target: &self.target,
            log_index: self.log_index,
            log_proof: &self.log_proof,
            checkpoint: &self.checkpoint,
            occurrence: self.occurrence,
        }
    }
}

fn ada() -> Person {
    Person { user: UserId::from_bytes([3; 16]), email: Email::parse("ada@example.test").unwrap() }
}

/// A terminal that Ada opens.
pub(crate) fn terminal() -> OpenRemoteSession {
    OpenRemoteSession {
        session: RemoteSessionId::from_bytes([7; 16]),
        kind: RemoteKind::Terminal,
        access: Access::Control,
        joins: Entry::Opens,
        client_key: Hex([8; 32]),
        run_as: None,
        columns: 80,
        rows: 24,
        consent: Consent::Banner,
        record: Record::Session,
        ask_secs: 0,
        unanswered: Unanswered::Refuse,
        clipboard: Clipboard::Off,
        virtual_display: VirtualDisplay::Never,
        idle_secs: 1800,
        max_secs: 43_200,
    }
}

pub(crate) fn run_script(script: &[u8]) -> RunScript {
    RunScript {
        name: Name::parse("disk-clean").unwrap(),
        interpreter: Interpreter::Sh,
        script_sha256: sha256(&[script]),
        script_bytes: script.len() as u32,
        run_as: None,
        arguments: vec!["/var".to_owned()],
        environment: vec![(EnvName::parse("LANG").unwrap(), "C.UTF-8".to_owned())],
        secrets: Vec::new(),
        time_limit_secs: 600,
        output_limit_bytes: 1 << 20,
    }
}

pub(crate) fn class(number: u8) -> Class {
    Class::try_from(number).unwrap()
}
