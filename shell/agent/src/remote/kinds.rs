//! Which kinds of remote sessions a device has.

use std::path::Path;

use sallyport_grant::body::{OpenRemoteSession, RemoteKind};
use sallyport_grant::sha256;
use sallyport_model::RemoteSessionId;
use sallyport_os::Account;

use super::kind::Kind;
use super::{CannotOpen, background, files, screen, terminal};

/// Makes the work of sessions: the real one on a machine, an invented one in a simulated fleet.
pub trait Kinds: Send + Sync {
    /// Whether this device can do it at all; asked before the grant's id is spent.
    fn check(&self, session: &OpenRemoteSession) -> Result<(), CannotOpen>;

    /// Begins. The session was verified, its grant claimed, and the person at the machine asked.
    fn open(&self, session: &OpenRemoteSession) -> Result<Box<dyn Kind>, CannotOpen>;

    /// Ends what a crash of the agent left of a session.
    fn end_leftovers(&self, session: RemoteSessionId);
}

/// The kinds of sessions of this machine.
#[derive(Debug, Clone)]
pub struct MachineKinds {
    /// Tells the processes of this agent from those of another one on the same machine.
    place: String,
}

impl MachineKinds {
    /// The kinds of the agent that keeps its state in this folder.
    pub fn of(state: &Path) -> Self {
        Self { place: sha256(&[state.as_os_str().as_encoded_bytes()]).to_string()[..16].to_owned() }
    }

    /// What marks all processes of a session.
    fn mark(&self, session: RemoteSessionId) -> String {
        format!("{session}@{}", self.place)
    }
}

impl Kinds for MachineKinds {
    fn check(&self, session: &OpenRemoteSession) -> Result<(), CannotOpen> {
        match session.kind {
            RemoteKind::Terminal | RemoteKind::Files | RemoteKind::Viewer => terminal::check(session),
            RemoteKind::Background => Ok(()),
        }
    }

    fn open(&self, session: &OpenRemoteSession) -> Result<Box<dyn Kind>, CannotOpen> {
        match session.kind {
            RemoteKind::Terminal => terminal::open(session, &self.mark(session.session)).map(|kind| Box::new(kind) as Box<dyn Kind>),
            RemoteKind::Files => Ok(Box::new(files::files)),
            RemoteKind::Background => Ok(Box::new(background::background)),
            RemoteKind::Viewer => {
                let account = session.run_as.as_ref().map(|name| Account::named(name.as_str())).transpose();
                let account = account.map_err(|_| CannotOpen::AccountUnknown)?;
                Ok(Box::new(screen::kind(screen::Rules::of(session), account, self.mark(session.session))))
            }
        }
    }

    fn end_leftovers(&self, session: RemoteSessionId) {
        sallyport_os::end_marked(&self.mark(session));
    }
}

/// A device without remote sessions.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoKinds;

impl Kinds for NoKinds {
    fn check(&self, _: &OpenRemoteSession) -> Result<(), CannotOpen> {
        Err(CannotOpen::KindMissing)
    }

    fn open(&self, _: &OpenRemoteSession) -> Result<Box<dyn Kind>, CannotOpen> {
        Err(CannotOpen::KindMissing)
    }

    fn end_leftovers(&self, _: RemoteSessionId) {}
}
