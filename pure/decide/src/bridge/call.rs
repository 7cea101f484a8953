//! From what a caller sent to what leaves the server.

use sallyport_model::headers::OF_CALLERS;
use std::collections::BTreeSet;

use sallyport_model::{ApiClientId, UserId};

use super::check::ShapeError;
use super::path::{SafePath, SafePathError};
use super::shape::{Shape, Verb};
use crate::outbound::Target;
use crate::policy::Actor;

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A person.
    User(UserId),
    /// A tool, and not the person in whose name it works.
    Client(ApiClientId),
}

impl Sender {
    /// Of an actor.
    pub fn of(actor: &Actor) -> Self {
        actor.client().map_or(Self::User(actor.user), Self::Client)
    }

    /// Its id.
    pub fn id(&self) -> String {
        match self {
            Self::User(id) => id.to_string(),
            Self::Client(id) => id.to_string(),
        }
    }

    /// Whether a connection is for it, as far as its terms name anybody.
    pub fn may_use(&self, callers: &BTreeSet<String>) -> bool {
        callers.is_empty() || callers.contains(&self.id())
    }
}

/// Why a request is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The connection names others.
    #[error("the connection is for others")]
    Caller,
    /// The path could be read in two ways.
    #[error(transparent)]
    Path(#[from] SafePathError),
    /// No rule allows it.
    #[error("the connection does not allow this method and path")]
    Rule,
    /// Too long, or with characters that no query has.
    #[error("the query is too long, or has characters that must be escaped")]
    Query,
}

impl CallError {
    /// A stable word for records.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Caller => "caller_refused",
            Self::Path(_) => "path_refused",
            Self::Rule => "rule_refused",
            Self::Query => "query_refused",
        }
    }
}

/// A request that a rule allows: there is no way to make one but [`clear`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    verb: Verb,
    target: Target,
    path: String,
    rule: String,
    headers: Vec<(String, String)>,
}

impl Cleared {
    /// What it does.
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// Where it goes.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The path that the caller named, as it is sent: without the query, which nobody writes down.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The rule that allows it.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// What goes with it, beside the credential.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }
}

/// Clears a request: who sends it, its path and method, and what of its headers goes on.
///
/// # Errors
/// Says why it is not sent.
pub fn clear<'a>(
    shape: &Shape,
    sender: Sender,
    (verb, raw_path, query): (Verb, &str, Option<&str>),
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Cleared, CallError> {
    if !sender.may_use(&shape.callers) {
        return Err(CallError::Caller);
    }
    let path = SafePath::parse(raw_path)?;
    let rule = shape.rule(verb, &path).ok_or(CallError::Rule)?.path.clone();
    let target = shape.target(&path, query).map_err(|error| match error {
        ShapeError::Address(_) => CallError::Query,
        _ => CallError::Rule,
    })?;
    let passed = headers.into_iter().filter(|(name, _)| OF_CALLERS.contains(name));
    let own = shape.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let mut all: Vec<_> = passed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.retain(|(name, _)| !shape.headers.keys().any(|own| own.eq_ignore_ascii_case(name)));
    all.extend(own);
    Ok(Cleared { verb, target, path: path.to_text(), rule, headers: all })
}

#[cfg(test)]
mod tests;
