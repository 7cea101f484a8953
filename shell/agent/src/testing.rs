//! A small world for the agent's own tests: a tenant's keys, one device, offers for it, and a server's end of the link.

use std::sync::{Arc, Mutex};

use sallyport_grant::body::{
    Body, Class, EnrolmentBody, EnrolmentType, EnvName, FactorProof, GrantAction, GrantBody, GrantType, Interpreter, LogKey,
    OpenRemoteSession, Person, Platform, ProofMethod, RemoteKind, RootBody, RootType, RunScript, SecretParameter, ServerUrl, TokenSecret,
};
use sallyport_grant::merkle::{self, TreeHead};
use sallyport_grant::sealed::{self, Place, SecretValue};
use sallyport_grant::targets::TargetTree;
use sallyport_grant::verify::Profile;
use sallyport_grant::{
    AuthorityPin, Envelope, Hex, PayloadType, SignatureKind, SigningKey, TrustRoot, VerifyKey, attest, checkpoint, enrol, log, sha256,
};
use sallyport_model::{Email, GrantId, InstallerId, Name, SiteId, TenantId, Timestamp, UserId};
use sallyport_wire::{GrantOffer, Inclusion, LinkSecret, SealedSecret};
use tokio::sync::Notify;

use crate::desk::Desk;
use crate::dial::{Dial, Dialing};
use crate::disk::{Disk, MemoryDisk};
use crate::gate::Gate;
use crate::identity::Identity;
use crate::inventory::MachineFacts;
use crate::journal::{Entry, Journal, Phase};
use crate::ports::{Clock, Ports, SystemEntropy};
use crate::remote::notice::{Nobody, Notice};
use crate::remote::{self, Host, Kinds, NoKinds, RemoteTiming};
use crate::report::Reporter;
use crate::runner::{Runs, ScriptRunner};

pub(crate) const NOW: i64 = 1_790_000_000;

/// A clock that tests set.
#[derive(Debug)]
pub(crate) struct TestClock(Mutex<Timestamp>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("clock")
    }
}

impl TestClock {
    pub(crate) fn set(&self, secs: i64) {
        *self.0.lock().expect("clock") = Timestamp::from_secs(secs);
    }
}

pub(crate) struct World {
    pub(crate) disk: Arc<MemoryDisk>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) link: LinkSecret,
    root: Envelope,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// Another one in each process: tests that run at the same time must not end each other's scripts.
pub(crate) fn grant_id(number: u8) -> GrantId {
    let mut bytes = [number; 16];
    bytes[..4].copy_from_slice(&std::process::id().to_be_bytes());
    GrantId::from_bytes(bytes)
}

fn tenant() -> TenantId {
    TenantId::from_bytes([1; 16])
}

impl World {
    pub(crate) fn new() -> Self {
        Self::on(MemoryDisk::default())
    }

    /// The same tenant and, where the disk has its keys, the same device.
    pub(crate) fn on(disk: MemoryDisk) -> Self {
        let identity = Arc::new(Identity::load_or_make(&disk, &SystemEntropy).expect("identity"));
        let clock = Arc::new(TestClock(Mutex::new(Timestamp::from_secs(NOW))));
        let link = LinkSecret::from_bytes([9; 32]);
        let root = RootBody {
            r#type: RootType::V1,
            tenant: tenant(),
            version: 1,
            issued: Timestamp::from_secs(NOW - 1000),
            expires: Timestamp::from_secs(NOW + 1_000_000),
            threshold: 1,
            authority: vec![VerifyKey::of(&key(1))],
            link: Hex(*link.link_key().as_bytes()),
            attestation: VerifyKey::of(&key(2)),
            log: LogKey { origin: LogKey::origin_of(tenant()), key: VerifyKey::of(&key(3)) },
            fresh: VerifyKey::of(&key(4)),
            enrolment: VerifyKey::of(&key(5)),
        };
        let root = Envelope::signed(PayloadType::Root, root.into_bytes().expect("root"), SignatureKind::NativeEd25519, &key(1));
        Self { disk: Arc::new(disk), clock, identity, link, root }
    }

    pub(crate) fn enrolment(&self, server: &str) -> Vec<u8> {
        let body = EnrolmentBody {
            r#type: EnrolmentType::V1,
            tenant: tenant(),
            tenant_name: Name::parse("Acme IT").expect("name"),
            site: SiteId::from_bytes([2; 16]),
            site_name: Name::parse("Lyon").expect("name"),
            customer_name: Name::parse("Bakery").expect("name"),
            server: ServerUrl::parse(server).expect("url"),
            authority_pin: AuthorityPin::of(1, &[VerifyKey::of(&key(1))]).0,
            root: self.root.clone(),
            token_id: InstallerId::from_bytes([3; 16]),
            token_secret: TokenSecret::from_bytes([4; 32]),
            expires: Timestamp::from_secs(NOW + 5000),
            platform: Platform::Linux,
            ca: None,
        };
        enrol::sign(body, &key(5)).expect("enrolment")
    }

    pub(crate) fn journal(&self) -> Arc<Journal> {
        Arc::new(Journal::open(self.disk.clone(), self.clock.now()).expect("journal"))
    }

    pub(crate) fn gate(&self) -> Gate {
        self.gate_with(Arc::new(ScriptRunner::of(std::path::Path::new("test"))))
    }

    pub(crate) fn gate_with(&self, runs: Arc<dyn Runs>) -> Gate {
        let pin = AuthorityPin::of(1, &[VerifyKey::of(&key(1))]);
        let journal = self.journal();
        Gate {
            root: TrustRoot::verify_envelope(&self.root, pin, self.clock.now()).expect("root"),
            profile: Profile::Starter,
            identity: self.identity.clone(),
            sessions: Arc::new(self.host_with(
                journal.clone(),
                Arc::new(NoKinds),
                Arc::new(Unreachable),
                Arc::new(Nobody),
                RemoteTiming::default(),
            )),
            journal,
            runs,
            clock: self.clock.clone(),
        }
    }

    /// The remote sessions of this device.
    pub(crate) fn host_with(
        &self,
        journal: Arc<Journal>,
        remote: Arc<dyn Kinds>,
        dial: Arc<dyn Dial>,
        notice: Arc<dyn Notice>,
        timing: RemoteTiming,
    ) -> Host {
        Host::new(remote::Start {
            ports: Ports {
                clock: self.clock.clone(),
                entropy: Arc::new(SystemEntropy),
                disk: self.disk.clone(),
                dial,
                runs: Arc::new(ScriptRunner::of(std::path::Path::new("test"))),
                facts: Arc::new(MachineFacts { agent_version: "1.0.0".to_owned() }),
                remote,
                notice,
            },
            identity: self.identity.clone(),
            journal,
            reporter: self.reporter(),
            wake: Arc::default(),
            timing,
            server: ServerUrl::parse("ws://127.0.0.1:1/agent/link").expect("url"),
            ca: None,
        })
    }

    pub(crate) fn desk(&self) -> (Desk, Arc<Notify>) {
        let (gate, wake) = (self.gate(), Arc::new(Notify::new()));
        (Desk::new(gate, self.reporter(), wake.clone()), wake)
    }

    pub(crate) fn reporter(&self) -> Reporter {
        Reporter::new(self.identity.clone(), tenant(), self.clock.clone())
    }

    pub(crate) fn script(&self, number: u8, text: &str) -> Script<'_> {
        let script = RunScript {
            name: Name::parse("test").expect("name"),
            interpreter: Interpreter::Bash,
            script_sha256: sha256(&[text.as_bytes()]),
            script_bytes: u32::try_from(text.len()).expect("short"),
            run_as: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            secrets: Vec::new(),
            time_limit_secs: 60,
            output_limit_bytes: 1024 * 1024,
        };
        Script { world: self, id: grant_id(number), action: script, text: text.to_owned(), sealed: Vec::new() }
    }

    /// An offer to attach to a remote session, by the client that holds this key.
    pub(crate) fn session(&self, number: u8, client_key: Hex<32>, change: impl FnOnce(&mut OpenRemoteSession)) -> GrantOffer {
        let mut action = crate::remote::kind::rig::session(RemoteKind::Terminal);
        action.client_key = client_key;
        change(&mut action);
        let body = GrantBody { action: GrantAction::OpenRemoteSession(action), ..self.script(number, "").body() };
        GrantOffer { stream_ticket: Some([number; 32]), ..self.offer(body) }
    }

    fn targets(&self) -> TargetTree {
        TargetTree::build(tenant(), [self.identity.thumbprint()]).expect("targets")
    }

    /// Attests a grant, logs it and offers it, without content.
    pub(crate) fn offer(&self, body: GrantBody) -> GrantOffer {
        let target = self.targets().proof(self.identity.thumbprint()).expect("target");
        let Person { user, email } = body.requested_by.clone();
        let proof = FactorProof { user, email, method: ProofMethod::Totp, at: Timestamp::from_secs(NOW) };
        let unsigned = body.clone().into_envelope().expect("body");
        let envelope = attest::sign(unsigned, vec![proof], &key(2)).expect("attested");
        let head = TreeHead { size: 1, root: merkle::leaf_hash(&log::grant_leaf_data(&envelope, &body)) };
        GrantOffer {
            envelope: envelope.to_bytes(),
            target,
            log_entry: Inclusion { index: 0, hashes: Vec::new() },
            checkpoint: checkpoint::sign(&LogKey::origin_of(tenant()), head, &key(3)),
            content: Vec::new(),
            secrets: Vec::new(),
            stream_ticket: None,
            occurrence: None,
        }
    }

    /// Waits until a run is over.
    pub(crate) fn wait_for(&self, journal: &Journal, grant: GrantId) -> Entry {
        for _ in 0..1500 {
            match journal.entry(grant) {
                Some(entry) if entry.phase != Phase::Claimed => return entry,
                _ => std::thread::sleep(std::time::Duration::from_millis(10)),
            }
        }
        panic!("the run does not end");
    }
}

/// There is no network.
pub(crate) struct Unreachable;

impl Dial for Unreachable {
    fn dial<'a>(&'a self, _: &'a ServerUrl, _: Option<&'a str>) -> Dialing<'a> {
        Box::pin(std::future::ready(Err(std::io::ErrorKind::HostUnreachable.into())))
    }
}

/// An offer in the making.
pub(crate) struct Script<'a> {
    world: &'a World,
    pub(crate) id: GrantId,
    pub(crate) action: RunScript,
    text: String,
    sealed: Vec<SealedSecret>,
}

impl Script<'_> {
    pub(crate) fn with_secret(mut self, name: &str, value: &str) -> Self {
        let name = EnvName::parse(name).expect("name");
        let value = SecretValue::parse(value.as_bytes()).expect("value");
        let place = Place { grant: self.id, name: &name };
        let sealed = sealed::seal(&self.world.identity.seal_public(), place, &[5; 32], &value, [6; 32]).expect("sealed");
        self.sealed.push(SealedSecret { name: name.as_str().to_owned(), sealed });
        self.action.secrets.push(SecretParameter { name, commitment: sealed::commitment(&[5; 32], &value) });
        self
    }

    pub(crate) fn and(mut self, change: impl FnOnce(&mut RunScript)) -> Self {
        change(&mut self.action);
        self
    }

    pub(crate) fn body(&self) -> GrantBody {
        let targets = self.world.targets();
        let email = Email::parse("ada@example.test").expect("email");
        let user = UserId::from_bytes([8; 16]);
        GrantBody {
            r#type: GrantType::V1,
            id: self.id,
            tenant: tenant(),
            class: Class::OneDevice,
            action: GrantAction::RunScript(self.action.clone()),
            targets: targets.targets(),
            not_before: Timestamp::from_secs(NOW - 5),
            expires: Timestamp::from_secs(NOW + 600),
            nonce: Hex([7; 16]),
            requested_by: Person { user, email },
        }
    }

    pub(crate) fn offer(self) -> GrantOffer {
        let offer = self.world.offer(self.body());
        GrantOffer { content: self.text.into_bytes(), secrets: self.sealed, ..offer }
    }
}

/// The whole stored output of a run, as text.
pub(crate) fn output(journal: &Journal, grant: GrantId) -> String {
    let chunks = (0..).map_while(|seq| journal.chunk(grant, seq).expect("chunk"));
    chunks.map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned()).collect()
}

/// All bytes that the agent keeps.
pub(crate) fn everything_stored(disk: &MemoryDisk) -> Vec<u8> {
    let names = disk.names().expect("names");
    names.iter().flat_map(|name| disk.read(name).expect("read").unwrap_or_default()).collect()
}
