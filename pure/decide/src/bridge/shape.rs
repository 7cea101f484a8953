//! What a connection is: where requests go, which are allowed, how the credential goes in, and who may send them. Which terms are taken is
//! in [`super::check`], and how the credential is replaced in [`super::hook`].

use std::collections::{BTreeMap, BTreeSet};

use sallyport_model::{ConnectionId, Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::check::ShapeError;
use super::hook::Hook;
use super::path::{Pattern, SafePath};
use super::secret::Placement;
use crate::outbound::Target;

/// What a request does, in HTTP's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verb {
    /// Reads.
    Get,
    /// Makes, or does something.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Takes away.
    Delete,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Reads what is sent.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == word)
    }
}

/// Requests that are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// By what they do.
    pub methods: BTreeSet<Verb>,
    /// By their path below the connection's address: `/tickets/*`.
    pub path: String,
}

/// A connection's terms, as they are frozen when it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// What people call it.
    pub name: String,
    /// Scheme, host, port and the path that all requests begin with.
    pub base_url: String,
    /// How the credential goes in.
    pub placement: Placement,
    /// Headers that go with every request and are no secret.
    pub headers: BTreeMap<String, String>,
    /// What is allowed; nothing else is.
    pub allows: Vec<Allow>,
    /// Ids of the people and API clients who may use it; all who have the right where it is empty.
    pub callers: BTreeSet<String>,
    /// Calls within a minute.
    pub per_minute: u32,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// A path that answers 2xx to a good credential and 401 or 403 to any other.
    pub check: Option<String>,
    /// How the credential is replaced, where it is.
    pub rotation: Option<Hook>,
}

/// A connection is made, or gets other terms or another credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeConnection {
    /// Which.
    pub connection: ConnectionId,
    /// The terms that it had; none where it is made.
    pub before: Option<Shape>,
    /// The terms that it gets.
    pub after: Shape,
    /// SHA-256 of the sealed credential that comes with it, where one does: the sealed bytes are kept apart, and never shown.
    pub secret: Option<Digest>,
}

impl Shape {
    /// Where requests go: everything before the path that a caller names.
    ///
    /// # Errors
    /// Says what is wrong with the address.
    pub fn base(&self) -> Result<Target, ShapeError> {
        let target = Target::parse(&self.base_url)?;
        if target.path_and_query().contains('?') {
            return Err(ShapeError::Query);
        }
        let path = SafePath::parse(target.path_and_query().trim_matches('/')).map_err(ShapeError::BasePath)?;
        Ok(Target::parse(&format!("{}{}", target.origin(), path.to_text()))?)
    }

    /// The address of a path below the connection's own.
    ///
    /// # Errors
    /// Where the address or the path is none.
    pub fn target(&self, path: &SafePath, query: Option<&str>) -> Result<Target, ShapeError> {
        let base = self.base()?.to_string();
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        Ok(Target::parse(&format!("{}{}{query}", base.trim_end_matches('/'), path.to_text()))?)
    }

    /// Whether another credential must come with other terms: one that goes elsewhere, or elsewhere in a request, is not what was
    /// entrusted. The request that replaces it can have it in its body, so another one of these counts.
    pub fn wants_new_secret(&self, before: &Self) -> bool {
        let other_hook = match (&self.rotation, &before.rotation) {
            (Some(hook), Some(before)) => Hook { every_days: before.every_days, ..hook.clone() } != *before,
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.base_url != before.base_url || self.placement != before.placement || other_hook
    }

    /// The rule that allows a request.
    pub fn rule(&self, verb: Verb, path: &SafePath) -> Option<&Allow> {
        let fits = |rule: &&Allow| rule.methods.contains(&verb) && Pattern::parse(&rule.path).is_ok_and(|pattern| pattern.means(path));
        self.allows.iter().find(fits)
    }
}

/// Whether a connection works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Works,
    /// Somebody stopped it.
    Stopped,
    /// Its time is over.
    Expired,
}

impl Standing {
    /// Of a connection with these facts.
    pub fn of(stopped: Option<Timestamp>, expires: Timestamp, now: Timestamp) -> Self {
        match stopped {
            Some(_) => Self::Stopped,
            None if now >= expires => Self::Expired,
            None => Self::Works,
        }
    }
}
