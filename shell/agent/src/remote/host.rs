//! The remote sessions of one device: which are open, and the only way into one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sallyport_grant::body::{Entry, OpenRemoteSession, ServerUrl};
use sallyport_model::{GrantId, RemoteSessionId, Timestamp, limits};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::open::OpenSession;
use super::recording::Recordings;
use super::socket::StreamPlace;
use super::{CannotOpen, RemoteTiming, Why};
use crate::gate::ClaimedSession;
use crate::identity::Identity;
use crate::journal::{Attach, Journal};
use crate::ports::Ports;
use crate::report::{Output, Reporter, RunEnd};

/// An open session, for people at the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub session: String,
    pub kind: String,
    /// Who opened it.
    pub by: String,
    pub since: Timestamp,
    /// Who is connected now, in the order of their grants.
    pub attached: Vec<String>,
    pub recorded: bool,
}

/// The open remote sessions of one device.
pub struct Host {
    pub(super) world: Arc<World>,
}

/// What all sessions of a device share.
pub(super) struct World {
    pub(super) ports: Ports,
    pub(super) identity: Arc<Identity>,
    pub(super) journal: Arc<Journal>,
    pub(super) recordings: Arc<Recordings>,
    pub(super) reporter: Reporter,
    pub(super) timing: RemoteTiming,
    wake: Arc<Notify>,
    place: Mutex<StreamPlace>,
    open: Mutex<BTreeMap<RemoteSessionId, Arc<OpenSession>>>,
    changed: AtomicBool,
}

/// What a host begins with.
pub struct Start {
    pub ports: Ports,
    pub identity: Arc<Identity>,
    pub journal: Arc<Journal>,
    pub reporter: Reporter,
    pub wake: Arc<Notify>,
    pub timing: RemoteTiming,
    pub server: ServerUrl,
    pub ca: Option<String>,
}

impl Host {
    pub fn new(start: Start) -> Self {
        let recordings = Arc::new(Recordings::open(start.ports.disk.clone(), start.wake.clone()));
        let world = World {
            ports: start.ports,
            identity: start.identity,
            journal: start.journal,
            recordings,
            reporter: start.reporter,
            timing: start.timing,
            wake: start.wake,
            place: Mutex::new(StreamPlace { server: start.server, ca: start.ca }),
            open: Mutex::default(),
            changed: AtomicBool::new(false),
        };
        Self { world: Arc::new(world) }
    }

    /// From now on streams are dialled there.
    pub fn dial_at(&self, server: ServerUrl, ca: Option<String>) {
        *self.world.place.lock().unwrap_or_else(PoisonError::into_inner) = StreamPlace { server, ca };
    }

    pub fn recordings(&self) -> &Recordings {
        &self.world.recordings
    }

    /// Whether this may be attached to here and now; asked before the grant's id is spent.
    pub fn check(&self, wanted: &OpenRemoteSession) -> Result<(), CannotOpen> {
        let open = self.world.open();
        match (wanted.joins, open.get(&wanted.session)) {
            (Entry::Opens, Some(_)) => Err(CannotOpen::OpenAlready),
            (Entry::Opens, None) if open.len() >= limits::REMOTE_SESSIONS_PER_DEVICE => Err(CannotOpen::TooMany),
            (Entry::Opens, None) => self.world.ports.remote.check(wanted),
            (Entry::Joins, None) => Err(CannotOpen::NotOpen),
            (Entry::Joins, Some(session)) => session.check(wanted),
        }
    }

    /// Lets a client attach: opens the session, or joins it. Returns at once; what becomes of it stands in a receipt.
    pub fn attach(&self, claimed: ClaimedSession) {
        let world = &self.world;
        let account = Account::new(world, &claimed);
        let attached = match claimed.action().joins {
            Entry::Opens => OpenSession::open(world, &claimed, account),
            Entry::Joins => match world.find(claimed.action().session) {
                Some(session) => session.join(world, &claimed, account),
                None => Err((account, CannotOpen::NotOpen.code())),
            },
        };
        if let Err((account, code)) = attached {
            account.settle(&RunEnd::without_code(sallyport_grant::body::Outcome::Refused, Some(code)), Output::none());
        }
    }

    /// Dials again for a grant that is attached; nothing happens for any other.
    pub fn ticket(&self, grant: GrantId, ticket: [u8; 32]) {
        let sessions: Vec<_> = self.world.open().values().cloned().collect();
        sessions.iter().for_each(|session| session.ticket(grant, ticket));
    }

    /// Ends a session, or one attachment of it.
    pub fn end(&self, session: RemoteSessionId, grant: Option<GrantId>) {
        let Some(session) = self.world.find(session) else { return };
        match grant {
            Some(grant) => session.send_away(grant),
            None => session.end(Why::Told),
        }
    }

    pub fn end_all(&self, why: Why) {
        self.world.open().values().for_each(|session| session.end(why));
    }

    /// Ends what a crash left of a session, and says what there is of its recording.
    pub(crate) fn end_leftovers(&self, attach: Attach) -> Output {
        self.world.ports.remote.end_leftovers(attach.session);
        let recorded = attach.opens().then(|| self.world.recordings.output(attach.session)).flatten();
        recorded.unwrap_or(Output::none())
    }

    pub fn is_idle(&self) -> bool {
        self.world.open().is_empty()
    }

    /// Whether anything that people see changed since this was asked for the last time.
    pub fn has_news(&self) -> bool {
        self.world.changed.swap(false, Ordering::AcqRel)
    }

    /// The open sessions, in the order of their ids.
    pub fn shown(&self) -> Vec<Shown> {
        self.world.open().values().map(|session| session.shown()).collect()
    }
}

impl World {
    fn open(&self) -> MutexGuard<'_, BTreeMap<RemoteSessionId, Arc<OpenSession>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, session: RemoteSessionId) -> Option<Arc<OpenSession>> {
        self.open().get(&session).cloned()
    }

    pub(super) fn place(&self) -> StreamPlace {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn list(&self, session: Arc<OpenSession>) {
        self.open().insert(session.id(), session);
        self.changed();
    }

    pub(super) fn unlist(&self, session: RemoteSessionId) {
        self.open().remove(&session);
        self.changed();
    }

    /// What is shown to people at the machine is another thing now.
    pub(super) fn changed(&self) {
        self.changed.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}

/// The account of one grant: it is settled by exactly one receipt, also where a task dies.
pub(super) struct Account {
    grant: GrantId,
    started: Timestamp,
    world: Arc<World>,
    settled: bool,
}

impl Account {
    fn new(world: &Arc<World>, claimed: &ClaimedSession) -> Self {
        Self { grant: claimed.id(), started: claimed.at(), world: world.clone(), settled: false }
    }

    /// Signs how it ended.
    pub(super) fn settle(mut self, end: &RunEnd, output: Output) {
        self.write(end, output);
    }

    fn write(&mut self, end: &RunEnd, output: Output) {
        self.settled = true;
        let receipt = self.world.reporter.receipt(self.grant, end, self.started, output);
        if let Err(error) = self.world.journal.end(self.grant, end.outcome, receipt) {
            tracing::error!(grant = %self.grant, %error, "the end of a remote session is known to this process only");
        }
        self.world.wake.notify_one();
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if !self.settled {
            let end = RunEnd::without_code(sallyport_grant::body::Outcome::Interrupted, Some("agent_failed"));
            self.write(&end, Output::none());
        }
    }
}
