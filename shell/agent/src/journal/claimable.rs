//! What the journal remembers of the actions that it spends grants for.

use sallyport_grant::body::{Entry, OpenRemoteSession, RunScript};
use sallyport_grant::occurrence::Occurrence;
use sallyport_model::{GrantId, RemoteSessionId, Timestamp};
use serde::{Deserialize, Serialize};

/// What the journal remembers of an action.
pub trait Claimable {
    /// For people.
    fn title(&self) -> String;
    /// Where it lets somebody attach to a remote session.
    fn attach(&self) -> Option<Attach>;
}

impl Claimable for RunScript {
    fn title(&self) -> String {
        self.name.as_str().to_owned()
    }

    fn attach(&self) -> Option<Attach> {
        None
    }
}

impl Claimable for OpenRemoteSession {
    fn title(&self) -> String {
        self.kind.as_str().to_owned()
    }

    fn attach(&self) -> Option<Attach> {
        Some(Attach { session: self.session, entry: self.joins })
    }
}

/// A grant's part in a remote session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    pub session: RemoteSessionId,
    pub entry: Entry,
}

impl Attach {
    /// Whether the session's recording stands in the receipt of this grant.
    pub fn opens(self) -> bool {
        self.entry == Entry::Opens
    }
}

/// An occurrence of a published schedule that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Began {
    pub publication: GrantId,
    pub due: Timestamp,
}

impl From<Occurrence> for Began {
    fn from(Occurrence { publication, due }: Occurrence) -> Self {
        Self { publication, due }
    }
}
