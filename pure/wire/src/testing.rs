//! Examples that several tests share.

use sallyport_grant::Hex;
use sallyport_grant::body::TokenSecret;
use sallyport_grant::keys::SigningKey;
use sallyport_grant::targets::TargetProof;
use sallyport_model::{AgentText, DeviceId, Digest, GrantId, InstallerId, RemoteSessionId, TenantId, Timestamp};

use crate::*;

pub(crate) fn tame(text: &str) -> AgentText {
    AgentText::tame(text, 255)
}

pub(crate) fn grant() -> GrantId {
    GrantId::from_bytes([9; 16])
}

pub(crate) fn session() -> RemoteSessionId {
    RemoteSessionId::from_bytes([10; 16])
}

pub(crate) fn device_secret() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

pub(crate) fn seal_key() -> Hex<32> {
    Hex([4; 32])
}

pub(crate) fn claims() -> HelloClaims {
    let enrol = Enrol {
        token_id: InstallerId::from_bytes([5; 16]),
        token_secret: TokenSecret::from_bytes([6; 32]),
        hostname: tame("web-1"),
        os: tame("Debian GNU/Linux 13"),
        arch: tame("x86_64"),
    };
    HelloClaims { agent_version: tame("0.1.0"), enrol: Some(enrol) }
}

fn some_time() -> Option<Timestamp> {
    Some(Timestamp::from_secs(1_790_000_000))
}

pub(crate) fn process(pid: u32, command_line: &str) -> Process {
    Process {
        pid,
        parent_pid: 1,
        user: tame("root"),
        name: tame("sshd"),
        command_line: AgentText::tame(command_line, 1024),
        cpu_permille: 3,
        memory_bytes: 1 << 33,
        started_at: some_time(),
    }
}

fn system() -> System {
    System {
        hostname: tame("web-1"),
        os_name: tame("Debian"),
        os_version: tame("13"),
        kernel: tame("6.12"),
        arch: tame("x86_64"),
        timezone: tame("Europe/Paris"),
        agent_version: tame("0.1.0"),
        booted_at: some_time(),
    }
}

fn hardware() -> Hardware {
    Hardware {
        cpu_model: tame("EPYC"),
        cores: 2,
        memory_bytes: 1 << 32,
        vendor: tame("QEMU"),
        product: tame("pc"),
        serial: tame("s/n"),
        is_virtual: true,
    }
}

pub(crate) fn inventory() -> Inventory {
    Inventory {
        collected_at: Timestamp::from_secs(1_790_000_100),
        system: system(),
        hardware: hardware(),
        disks: vec![Disk { device: tame("/dev/sda1"), mount: tame("/"), filesystem: tame("ext4"), total_bytes: u64::MAX, free_bytes: 1 }],
        interfaces: vec![Interface {
            name: tame("eth0"),
            mac: tame("52:54:00:12:34:56"),
            addresses: vec![tame("10.0.0.2/24"), tame("::1")],
        }],
        signed_in: vec![SignedIn { name: tame("ada"), terminal: tame("tty1"), origin: tame("10.0.0.9"), since: None }],
        local_users: vec![LocalUser { name: tame("ada"), id: tame("1000"), is_administrator: true }],
        software: vec![Software { name: tame("bash"), version: tame("5.2"), source: tame("dpkg") }],
        processes: vec![process(1, "/sbin/init"), process(2, "")],
        services: vec![Service {
            name: tame("ssh.service"),
            description: tame("OpenBSD Secure Shell server"),
            state: ServiceState::Changing,
            start: ServiceStart::Manual,
        }],
        ports: vec![ListeningPort { protocol: tame("tcp"), address: tame("::"), port: 22, pid: 77, process: tame("sshd") }],
        omitted: 7,
    }
}

pub(crate) fn offer() -> GrantOffer {
    let digests = |count: u8| (0..count).map(|at| Digest::from_bytes([at; 32])).collect();
    GrantOffer {
        envelope: b"{}".to_vec(),
        target: TargetProof { index: 3, hashes: digests(3) },
        log_entry: Inclusion { index: u64::MAX, hashes: digests(40) },
        checkpoint: "sallyport/ten\n".to_owned(),
        content: vec![b'x'; 1000],
        secrets: vec![SealedSecret { name: "DB_PASS".to_owned(), sealed: vec![8; 90] }],
        stream_ticket: Some([9; 32]),
        occurrence: Some(Timestamp::from_secs(60)),
    }
}

/// One of each kind that an agent sends.
pub(crate) fn all_to_server() -> Vec<ToServer> {
    let (grant, started_at) = (grant(), Timestamp::from_secs(5));
    let heartbeat = Heartbeat { sent_at: started_at, load_permille: 1250, memory_used_bytes: 1 << 31, uptime_secs: 86_400, signed_in: 2 };
    vec![
        ToServer::Inventory(Box::new(inventory())),
        ToServer::Heartbeat(heartbeat),
        ToServer::RunStarted { grant, started_at },
        ToServer::Output { grant, seq: 0, stream: Stream::Stdout, chunk: vec![0, 255, 10] },
        ToServer::Output { grant, seq: u64::MAX, stream: Stream::Stderr, chunk: vec![1; 32 * 1024] },
        ToServer::RunEnded { grant, receipt: b"{\"payload\":\"\"}".to_vec() },
        ToServer::Recording { session: session(), seq: 0, chunk: vec![2; 32 * 1024], place: Place::Inner },
        ToServer::Recording { session: session(), seq: 1, chunk: vec![], place: Place::Last },
    ]
}

/// One of each kind that the server sends without a grant; a new kind does not compile until it is here.
pub(crate) fn all_unsigned() -> Vec<UnsignedToAgent> {
    let (grant, server_time) = (grant(), Timestamp::from_secs(6));
    let (device, tenant) = (Some(DeviceId::from_bytes([1; 16])), Some(TenantId::from_bytes([2; 16])));
    let first = UnsignedToAgent::Welcome { state: DeviceState::Pending, server_time, device, tenant };
    let mut all = vec![first];
    while let Some(next) = match all[all.len() - 1] {
        UnsignedToAgent::Welcome { .. } => Some(UnsignedToAgent::StateChanged { state: DeviceState::Approved }),
        UnsignedToAgent::StateChanged { .. } => Some(UnsignedToAgent::CancelRun { grant }),
        UnsignedToAgent::CancelRun { .. } => Some(UnsignedToAgent::OutputAck { grant, next_seq: 1 << 40 }),
        UnsignedToAgent::OutputAck { .. } => Some(UnsignedToAgent::ReceiptAck { grant }),
        UnsignedToAgent::ReceiptAck { .. } => Some(UnsignedToAgent::HeartbeatAck { server_time }),
        UnsignedToAgent::HeartbeatAck { .. } => Some(UnsignedToAgent::EndRemoteSession { session: session(), grant: None }),
        UnsignedToAgent::EndRemoteSession { .. } => Some(UnsignedToAgent::StreamTicket { grant, ticket: [7; 32] }),
        UnsignedToAgent::StreamTicket { .. } => Some(UnsignedToAgent::RecordingAck { session: session(), next_seq: 3 }),
        UnsignedToAgent::RecordingAck { .. } => Some(UnsignedToAgent::InventoryWanted),
        UnsignedToAgent::InventoryWanted => None,
    } {
        all.push(next);
    }
    all
}

/// One of each kind that the server sends.
pub(crate) fn all_to_agent() -> Vec<ToAgent> {
    let unknown =
        UnsignedToAgent::Welcome { state: DeviceState::Unknown, server_time: Timestamp::from_secs(0), device: None, tenant: None };
    let states = [DeviceState::Pending, DeviceState::Removed, DeviceState::Quarantined];
    let mut all: Vec<ToAgent> = all_unsigned().into_iter().map(ToAgent::from).collect();
    all.extend(states.map(|state| ToAgent::Unsigned(UnsignedToAgent::StateChanged { state })));
    all.push(ToAgent::Unsigned(unknown));
    all.push(ToAgent::Unsigned(UnsignedToAgent::EndRemoteSession { session: session(), grant: Some(grant()) }));
    all.push(ToAgent::GrantOffer(Box::new(offer())));
    all
}
