//! One agent from start to stop: waits until it is enrolled, keeps a link, works at its desk.
//!
//! Everything that it touches comes in through its [`Ports`]; a process may hold one agent or many thousands.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sallyport_grant::verify::Profile;
use sallyport_model::AgentText;
use sallyport_wire::{Enrol, HelloClaims};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backoff::{Backoff, Jitter};
use crate::desk::Desk;
use crate::gate::Gate;
use crate::identity::{Identity, IdentityError};
use crate::journal::{Journal, JournalError};
use crate::link::{Connection, Greeting, LinkEnd, Uplink};
use crate::ports::Ports;
use crate::remote::{self, Host, RemoteTiming};
use crate::report::Reporter;
use crate::session::Session;
use crate::status::{Commanders, LinkState, STATUS_FILE, Status};
use crate::trust::{ENROLMENT_FILE, Standing, Token, Trust};

/// What one agent is set to.
#[derive(Debug, Clone)]
pub struct Config {
    pub version: String,
    /// Spreads this agent's moments; equal seeds give equal waits.
    pub seed: u64,
    pub timing: Timing,
}

/// The lengths of time of an agent; tests shorten them.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    pub heartbeat: Duration,
    /// A link on which nothing is heard for so long is given up.
    pub silence: Duration,
    pub handshake: Duration,
    pub inventory: Duration,
    /// Between two inventories, also where somebody looks.
    pub inventory_least: Duration,
    /// How often an agent that is not enrolled looks for its file.
    pub watch: Duration,
    /// The shortest wait after the server said that it does not know the device.
    pub not_known: Duration,
    /// How long runs may take to end when the agent stops.
    pub stop: Duration,
    pub remote: RemoteTiming,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(u64::from(sallyport_model::limits::HEARTBEAT_SECS)),
            silence: Duration::from_secs(sallyport_model::limits::SILENCE_SECS.unsigned_abs()),
            handshake: Duration::from_secs(sallyport_model::limits::HANDSHAKE_SECS),
            inventory: Duration::from_secs(15 * 60),
            inventory_least: Duration::from_secs(10),
            watch: Duration::from_millis(500),
            not_known: Duration::from_secs(30),
            stop: Duration::from_secs(8),
            remote: RemoteTiming::default(),
        }
    }
}

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// One device's agent.
pub struct Agent {
    pub(crate) config: Config,
    pub(crate) ports: Ports,
    pub(crate) status: Status,
    pub(crate) jitter: Jitter,
    pub(crate) wake: Arc<Notify>,
    pub(crate) backoff: Backoff,
    pub(crate) uplink: Uplink,
    pub(crate) desk: Option<Desk>,
    identity: Arc<Identity>,
    journal: Arc<Journal>,
    published: Option<Status>,
    /// What the device was to the server when the last link ended.
    last_state: LinkState,
}

impl Agent {
    /// Reads keys and journal, or makes them.
    pub fn new(config: Config, ports: Ports) -> Result<Self, StartError> {
        let identity = Arc::new(Identity::load_or_make(&*ports.disk, &*ports.entropy)?);
        let now = ports.clock.now();
        let journal = Arc::new(Journal::open(ports.disk.clone(), now)?);
        let status = Status::new(config.version.clone(), identity.thumbprint().to_string(), now);
        Ok(Self {
            jitter: Jitter(config.seed),
            backoff: Backoff::seeded(config.seed),
            wake: Arc::new(Notify::new()),
            uplink: Uplink::default(),
            desk: None,
            published: None,
            last_state: LinkState::WaitingForEnrolment,
            config,
            ports,
            status,
            identity,
            journal,
        })
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Lives until `stop` is ready, then ends its runs and lets go.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => {}
            never = self.live() => match never {},
        }
        self.end_runs().await;
        self.show(LinkState::Stopped);
    }

    async fn live(&mut self) -> std::convert::Infallible {
        loop {
            let before = self.enrolment_file();
            let end = match Standing::load(&*self.ports.disk, self.ports.clock.now()) {
                Ok(Standing::NotEnrolled) => {
                    self.not_enrolled(before, None).await;
                    continue;
                }
                Err(error) => {
                    self.not_enrolled(before, Some(error.to_string())).await;
                    continue;
                }
                Ok(Standing::Enrolling(trust, token)) => self.link(&trust, Some(token)).await,
                Ok(Standing::Enrolled(trust)) => self.link(&trust, None).await,
            };
            self.link_ended(&end);
            let wait = match end {
                _ if self.is_unwanted() => self.backoff.after_failure().max(self.config.timing.not_known),
                LinkEnd::EnrolmentChanged => Duration::ZERO,
                _ => self.backoff.after_failure(),
            };
            self.wait(wait, before.as_deref()).await;
        }
    }

    /// Waits for a file, or for another one than the one that was refused. `before` was read before it was judged: a file
    /// that comes in between is a new one.
    async fn not_enrolled(&mut self, before: Option<Vec<u8>>, trouble: Option<String>) {
        if self.status.link_trouble != trouble || self.published.is_none() {
            match &trouble {
                None => tracing::info!("not enrolled: waiting for {ENROLMENT_FILE}"),
                Some(trouble) => tracing::error!("not enrolled: {trouble}"),
            }
        }
        self.status.link_trouble = trouble;
        self.show(LinkState::WaitingForEnrolment);
        while self.enrolment_file() == before {
            tokio::time::sleep(self.config.timing.watch).await;
        }
    }

    fn enrolment_file(&self) -> Option<Vec<u8>> {
        self.ports.disk.read(ENROLMENT_FILE).ok().flatten()
    }

    /// Waits to dial again; a new enrolment file ends the wait.
    async fn wait(&mut self, wait: Duration, before: Option<&[u8]>) {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            let slice = until.min(Instant::now() + self.config.timing.watch.max(Duration::from_secs(1)));
            tokio::time::sleep_until(slice).await;
            let file = self.enrolment_file();
            if file.is_some() && file.as_deref() != before {
                return;
            }
        }
    }

    /// One link, from dialling to its end.
    async fn link(&mut self, trust: &Trust, token: Option<Token>) -> LinkEnd {
        self.sit_down(trust);
        self.status.commanders = Some(Commanders::of(trust));
        if self.published.as_ref().is_none_or(|published| published.link == LinkState::WaitingForEnrolment) {
            self.show(LinkState::Connecting);
        }
        let Ok(seed) = self.ports.entropy.random_32() else { return LinkEnd::NoEntropy };
        let greeting = Greeting { trust, identity: &self.identity, claims: self.claims(token.as_ref()), seed };
        match Connection::open(&*self.ports.dial, greeting, self.config.timing.handshake).await {
            Ok(connection) => Session::new(self, connection, trust, token.is_some()).last().await,
            Err(end) => end,
        }
    }

    /// The desk stays over all links, since runs do.
    fn sit_down(&mut self, trust: &Trust) {
        if let Some(desk) = &mut self.desk {
            desk.trust(trust);
            return;
        }
        let reporter = Reporter::new(self.identity.clone(), trust.root.tenant(), self.ports.clock.clone());
        let sessions = Host::new(remote::Start {
            ports: self.ports.clone(),
            identity: self.identity.clone(),
            journal: self.journal.clone(),
            reporter: reporter.clone(),
            wake: self.wake.clone(),
            timing: self.config.timing.remote,
            server: trust.server.clone(),
            ca: trust.ca.clone(),
        });
        let gate = Gate {
            root: trust.root.clone(),
            profile: Profile::Starter,
            identity: self.identity.clone(),
            journal: self.journal.clone(),
            runs: self.ports.runs.clone(),
            sessions: Arc::new(sessions),
            clock: self.ports.clock.clone(),
        };
        self.desk = Some(Desk::new(gate, reporter, self.wake.clone()));
    }

    fn claims(&self, token: Option<&Token>) -> HelloClaims {
        let enrol = token.map(|token| {
            let introduction = self.ports.facts.introduction();
            Enrol {
                token_id: token.id,
                token_secret: token.secret.clone(),
                hostname: introduction.hostname,
                os: introduction.os,
                arch: introduction.arch,
            }
        });
        HelloClaims { agent_version: AgentText::tame(&self.config.version, sallyport_model::limits::AGENT_NAME_CHARS), enrol }
    }

    /// Whether the server wants nothing of this device; then there is no hurry.
    fn is_unwanted(&self) -> bool {
        matches!(self.last_state, LinkState::NotKnown | LinkState::Removed)
    }

    fn link_ended(&mut self, end: &LinkEnd) {
        if let Some(desk) = &mut self.desk {
            desk.link_lost();
        }
        self.last_state = if matches!(end, LinkEnd::NotKnown) { LinkState::NotKnown } else { self.status.link };
        self.status.link_trouble = Some(end.to_string());
        tracing::warn!(reason = %end, "the link ended");
        self.show(if self.is_unwanted() { self.last_state } else { LinkState::Connecting });
    }

    /// Shows people what is; a status that cannot be written harms nothing else.
    pub(crate) fn show(&mut self, link: LinkState) {
        let now = self.ports.clock.now();
        self.status.set_link(link, now);
        self.status.remote_sessions = self.desk.as_ref().map(|desk| desk.sessions().shown()).unwrap_or_default();
        self.status.obeyed = self.journal.history().iter().map(crate::status::Obeyed::of).collect();
        self.status.updated = self.published.as_ref().map_or(now, |published| published.updated);
        if self.published.as_ref() == Some(&self.status) {
            return;
        }
        self.status.updated = now;
        let written = serde_json::to_vec_pretty(&self.status).map_err(std::io::Error::other);
        if let Err(error) = written.and_then(|bytes| self.ports.disk.publish(STATUS_FILE, &bytes)) {
            tracing::warn!(%error, "the status cannot be written");
        }
        self.published = Some(self.status.clone());
    }

    async fn end_runs(&mut self) {
        let Some(desk) = &mut self.desk else { return };
        desk.stop_all();
        let until = Instant::now() + self.config.timing.stop;
        while !desk.is_idle() && Instant::now() < until {
            let woken = tokio::time::timeout(Duration::from_millis(100), self.wake.notified());
            // Time is only the other reason to look again.
            let _ = woken.await;
        }
    }
}

#[cfg(test)]
mod tests;
