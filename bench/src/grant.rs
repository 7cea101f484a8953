//! `grant`: how long a device takes from an offer to a claimed grant. The offer is one of 15,000 targets in a log of a million entries.

use std::sync::Arc;
use std::time::Instant;

use sallyport_agent_core::PrivateDir;
use sallyport_agent_core::dial::TcpDialer;
use sallyport_agent_core::disk::{Disk, MemoryDisk};
use sallyport_agent_core::gate::Gate;
use sallyport_agent_core::identity::Identity;
use sallyport_agent_core::inventory::MachineFacts;
use sallyport_agent_core::journal::Journal;
use sallyport_agent_core::ports::{Clock as _, Ports, SystemClock, SystemEntropy};
use sallyport_agent_core::remote::notice::Nobody;
use sallyport_agent_core::remote::{self, Host, NoKinds, RemoteTiming};
use sallyport_agent_core::report::Reporter;
use sallyport_grant::body::ServerUrl;
use sallyport_grant::verify::Profile;
use sallyport_testkit::simulated::{Pace, SimulatedScripts, Tally};

use crate::measure::millis;
use crate::report::Row;

mod offers;

use offers::Signer;

const IN_MEMORY: usize = 500;
const ON_DISK: usize = 200;

pub(crate) fn measure() -> Vec<Row> {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = PrivateDir::hold(&folder.path().join("state")).expect("a private directory");
    vec![
        Row::of("grant", "verify-and-claim-in-memory", "ms", &admit(Arc::new(MemoryDisk::default()), IN_MEMORY)),
        Row::of("grant", "verify-and-claim-on-disk", "ms", &admit(Arc::new(disk), ON_DISK)),
    ]
}

/// Takes different grants through the gate, one after another.
fn admit(disk: Arc<dyn Disk>, count: usize) -> Vec<f64> {
    let identity = Arc::new(Identity::load_or_make(&*disk, &SystemEntropy).expect("device keys"));
    let signer = Signer::new(identity.thumbprint());
    let (root, journal) = (signer.root(), Arc::new(Journal::open(disk.clone(), SystemClock.now()).expect("a journal")));
    let runs = Arc::new(SimulatedScripts::new(1, Pace::AtOnce, Arc::new(Tally::default())));
    let sessions = Host::new(remote::Start {
        ports: Ports {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            disk,
            dial: Arc::new(TcpDialer::default()),
            runs: runs.clone(),
            facts: Arc::new(MachineFacts { agent_version: "1.0.0".to_owned() }),
            remote: Arc::new(NoKinds),
            notice: Arc::new(Nobody),
        },
        identity: identity.clone(),
        journal: journal.clone(),
        reporter: Reporter::new(identity.clone(), root.tenant(), Arc::new(SystemClock)),
        wake: Arc::default(),
        timing: RemoteTiming::default(),
        server: ServerUrl::parse("ws://127.0.0.1:1/agent/link").expect("an address"),
        ca: None,
    });
    let (sessions, clock) = (Arc::new(sessions), Arc::new(SystemClock));
    let gate = Gate { root, profile: Profile::Starter, journal, identity, runs, sessions, clock };
    let offers: Vec<_> = (0..count).map(|number| signer.offer(number)).collect();
    let mut times = Vec::with_capacity(count);
    for offer in &offers {
        let begun = Instant::now();
        let claimed = gate.admit(offer).expect("a genuine offer");
        times.push(millis(begun));
        drop(claimed);
    }
    times
}
