//! A fleet of invented devices in one process.
//!
//! Each device runs the real agent: identity, TLS, in-band handshake, journal, gate with every check of a grant, receipts.
//! Invented are only the machine that it describes ([`Invented`]) and what happens when a script is executed
//! ([`SimulatedScripts`]); its disk may be in memory. Equal seeds give equal devices.

mod disks;
mod entropy;
mod machine;
mod network;
mod scripts;

use std::sync::Arc;

use sallyport_agent_core::dial::Dial;
use sallyport_agent_core::ports::{Clock, Entropy, Ports, SystemClock};
use sallyport_agent_core::remote::NoKinds;
use sallyport_agent_core::remote::notice::Nobody;
use sallyport_agent_core::trust::ENROLMENT_FILE;
use sallyport_agent_core::{Agent, Config, StartError, Timing};
use sallyport_grant::SigningKey;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use disks::Disks;
pub use entropy::Seeded;
pub use machine::{Invented, PREFIX};
pub use network::{Certificate, Spread};
pub use scripts::{Pace, SimulatedScripts, Tally};

/// The version that simulated agents show.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-simulated");

/// Where the randomness of a fleet's devices comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// From the plan's seed: every run has the same devices. Anybody can compute these keys.
    Seeded,
    /// From the system, as on real devices.
    Random,
}

/// What a fleet is made of.
#[derive(Clone)]
pub struct Plan {
    /// How many devices.
    pub count: usize,
    /// Decides names, machines and moments.
    pub seed: u64,
    /// Where device keys come from.
    pub keys: Keys,
    /// How the agents reach the server.
    pub dial: Arc<dyn Dial>,
    /// Where the agents keep what they must not forget.
    pub disks: Disks,
    /// The agents' lengths of time.
    pub timing: Timing,
    /// How long simulated scripts take.
    pub pace: Pace,
    /// The clock of every device.
    pub clock: Arc<dyn Clock>,
}

impl Plan {
    /// Devices in memory, on the system's clock, whose scripts end at once.
    pub fn new(count: usize, seed: u64, dial: Arc<dyn Dial>) -> Self {
        Self {
            count,
            seed,
            keys: Keys::Seeded,
            dial,
            disks: Disks::Memory,
            timing: Timing::default(),
            pace: Pace::AtOnce,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Devices may follow the clock of a test.
impl Clock for crate::server::TestClock {
    fn now(&self) -> sallyport_model::Timestamp {
        sallyport_server::clock::Clock::now(self)
    }
}

/// Agents that live until they are stopped.
pub struct Fleet {
    agents: JoinSet<()>,
    stop: watch::Sender<bool>,
    tally: Arc<Tally>,
    keys: Vec<SigningKey>,
}

impl Fleet {
    /// Starts agents without anything on their disks but this enrolment file; devices that are enrolled already need none.
    ///
    /// # Errors
    /// When a disk cannot be used.
    pub fn start(plan: &Plan, enrolment: Option<&[u8]>) -> Result<Self, StartError> {
        let tally = Arc::new(Tally::default());
        let mut fleet = Self { agents: JoinSet::new(), stop: watch::Sender::new(false), tally, keys: Vec::with_capacity(plan.count) };
        for number in 0..plan.count {
            fleet.add(plan, number, enrolment)?;
        }
        Ok(fleet)
    }

    fn add(&mut self, plan: &Plan, number: usize, enrolment: Option<&[u8]>) -> Result<(), StartError> {
        let seed = entropy::seed_of(plan.seed, number);
        let disk = plan.disks.of(number).map_err(sallyport_agent_core::journal::JournalError::Io)?;
        if let Some(file) = enrolment {
            disk.replace(ENROLMENT_FILE, file).map_err(sallyport_agent_core::journal::JournalError::Io)?;
        }
        let entropy: Arc<dyn Entropy> = match plan.keys {
            Keys::Seeded => Arc::new(Seeded::new(seed)),
            Keys::Random => Arc::new(sallyport_agent_core::ports::SystemEntropy),
        };
        let ports = Ports {
            clock: plan.clock.clone(),
            entropy,
            disk,
            dial: plan.dial.clone(),
            runs: Arc::new(SimulatedScripts::new(seed, plan.pace, self.tally.clone())),
            facts: Arc::new(Invented { seed, number }),
            remote: Arc::new(NoKinds),
            notice: Arc::new(Nobody),
        };
        let agent = Agent::new(Config { version: VERSION.to_owned(), seed, timing: plan.timing }, ports)?;
        self.keys.push(agent.identity().signing_key().clone());
        let mut stop = self.stop.subscribe();
        self.agents.spawn(Box::pin(agent.run(async move {
            // A fleet that is dropped stops too.
            let _ = stop.wait_for(|stop| *stop).await;
        })));
        Ok(())
    }

    /// What scripts were begun, and whether any was begun twice.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The devices' own keys, in the order of their numbers: for harnesses that play a device.
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// Stops every agent in an orderly way.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while self.agents.join_next().await.is_some() {}
    }
}
