//! What a connection is: where requests go, which are allowed, how the credential goes in, who may send them, and how it is replaced.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_model::{ConnectionId, Digest, Name, Timestamp, limits};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::path::{Pattern, PatternError, SafePath, SafePathError};
use super::secret::Placement;
use crate::outbound::{Target, TargetError};

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

/// Where the new credential comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum NewSecret {
    /// The server makes it, and the request has it at `{new}`.
    Made,
    /// The vendor makes it, and its answer has it there (RFC 6901).
    Answer {
        /// Where: `/data/token`.
        pointer: String,
    },
}

/// The request that replaces a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Days between two replacements.
    pub every_days: u32,
    /// What it does.
    pub method: Verb,
    /// Its path below the connection's address.
    pub path: String,
    /// Its body: JSON, in whose texts `{new}` and `{old}` stand for the credentials. Empty for none.
    #[serde(default)]
    pub body: String,
    /// Where the new credential comes from.
    pub new: NewSecret,
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

/// Why terms are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The name is none.
    #[error("must be 1 to 100 characters on one line")]
    Name,
    /// The address is none.
    #[error(transparent)]
    Address(#[from] TargetError),
    /// The path of the address is none that requests could begin with.
    #[error("its path: {0}")]
    BasePath(SafePathError),
    /// The address has a query.
    #[error("the address must not have a query: what stands there lands in logs")]
    Query,
    /// A header that the connection sets by itself, or that is no header.
    #[error("{0} is no header that a connection may set")]
    Header(String),
    /// A header's value that cannot be sent.
    #[error("the value of {0} must be visible ASCII, at most {most} bytes", most = limits::CONNECTION_HEADER_BYTES)]
    HeaderValue(String),
    /// The user name of a basic credential cannot be sent.
    #[error("the user name must be visible ASCII without a colon")]
    User,
    /// No rule at all, or too many.
    #[error("name 1 to {} requests that are allowed", limits::CONNECTION_RULES)]
    Rules,
    /// A rule without a method.
    #[error("{0} allows no method")]
    NoMethod(String),
    /// A rule whose path is none.
    #[error("{0}: {1}")]
    Pattern(String, PatternError),
    /// Too many callers, or no ids.
    #[error("name at most {} ids of users and API clients", limits::CONNECTION_CALLERS)]
    Callers,
    /// A rate that is none.
    #[error("must be 1 to {}", limits::CONNECTION_CALLS_PER_MINUTE)]
    Rate,
    /// In the past, or too far away.
    #[error("must be in the future, and at most 400 days away")]
    Expiry,
    /// The path of the check is none.
    #[error("{0}")]
    Check(PatternError),
    /// A rotation cannot prove what it made without one.
    #[error("name a path that proves a credential: a new one is used only once it has proved itself")]
    NoCheck,
    /// What is wrong with the rotation.
    #[error("{0}")]
    Rotation(&'static str),
}

impl ShapeError {
    /// The field that it is about.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Address(_) | Self::BasePath(_) | Self::Query => "base_url",
            Self::Header(_) | Self::HeaderValue(_) => "headers",
            Self::User => "credential",
            Self::Rules | Self::NoMethod(_) | Self::Pattern(..) => "allows",
            Self::Callers => "callers",
            Self::Rate => "per_minute",
            Self::Expiry => "expires",
            Self::Check(_) | Self::NoCheck => "check",
            Self::Rotation(_) => "rotation",
        }
    }
}

impl Shape {
    /// Checks terms that somebody wants.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn check(&self, now: Timestamp) -> Result<(), ShapeError> {
        Name::parse(&self.name).map_err(|_| ShapeError::Name)?;
        self.base()?;
        self.headers_fit()?;
        self.rules_fit()?;
        if self.callers.len() > limits::CONNECTION_CALLERS
            || !self.callers.iter().all(|id| id.starts_with("usr_") || id.starts_with("cli_"))
        {
            return Err(ShapeError::Callers);
        }
        if self.per_minute == 0 || self.per_minute > limits::CONNECTION_CALLS_PER_MINUTE {
            return Err(ShapeError::Rate);
        }
        let lifetime_micros = self.expires.micros_since(now);
        if lifetime_micros <= 0 || lifetime_micros > limits::CONNECTION_LIFETIME_SECS * 1_000_000 {
            return Err(ShapeError::Expiry);
        }
        if let Some(path) = &self.check {
            below(path).map_err(ShapeError::Check)?;
        }
        self.rotation.as_ref().map_or(Ok(()), |hook| self.hook_fits(hook))
    }

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

    fn headers_fit(&self) -> Result<(), ShapeError> {
        let (own, user) = match &self.placement {
            Placement::Bearer => (None, None),
            Placement::Header { name, prefix } => (Some((name, prefix)), None),
            Placement::Basic { user } => (None, Some(user)),
        };
        if user.is_some_and(|user| {
            user.contains(':') || user.len() > limits::CONNECTION_HEADER_BYTES || !user.bytes().all(|byte| byte.is_ascii_graphic())
        }) {
            return Err(ShapeError::User);
        }
        let taken = self.placement.header();
        let too_many = self.headers.len() > limits::CONNECTION_HEADERS;
        if let Some(name) = self.headers.keys().find(|name| too_many || name.eq_ignore_ascii_case(&taken)) {
            return Err(ShapeError::Header(name.clone()));
        }
        for (name, value) in self.headers.iter().chain(own) {
            // The credential's own header may be the one that is made for it.
            let own_name = own.is_some_and(|(own, _)| own == name) && name.eq_ignore_ascii_case("authorization");
            if !own_name && !may_set(name) {
                return Err(ShapeError::Header(name.clone()));
            }
            if value.len() > limits::CONNECTION_HEADER_BYTES || !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
                return Err(ShapeError::HeaderValue(name.clone()));
            }
        }
        Ok(())
    }

    fn rules_fit(&self) -> Result<(), ShapeError> {
        if self.allows.is_empty() || self.allows.len() > limits::CONNECTION_RULES {
            return Err(ShapeError::Rules);
        }
        for rule in &self.allows {
            if rule.methods.is_empty() {
                return Err(ShapeError::NoMethod(rule.path.clone()));
            }
            let wrong = |why| ShapeError::Pattern(rule.path.clone(), why);
            if rule.path.len() > limits::CONNECTION_PATH_BYTES {
                return Err(wrong(PatternError::Path(SafePathError::Long)));
            }
            Pattern::parse(&rule.path).map_err(wrong)?;
        }
        Ok(())
    }

    fn hook_fits(&self, hook: &Hook) -> Result<(), ShapeError> {
        if self.check.is_none() {
            return Err(ShapeError::NoCheck);
        }
        let (least, most) = limits::ROTATION_DAYS;
        if !(least..=most).contains(&hook.every_days) {
            return Err(ShapeError::Rotation("the days between two replacements must be 1 to 366"));
        }
        let path = below(&hook.path).map_err(|_| ShapeError::Rotation("its path must begin with / and name one request"))?;
        if hook.method == Verb::Get {
            return Err(ShapeError::Rotation("GET changes nothing: name POST, PUT, PATCH or DELETE"));
        }
        if self.rule(hook.method, &path).is_some() {
            return Err(ShapeError::Rotation(
                "the request that replaces the credential must not be allowed to callers: they would see its answer",
            ));
        }
        let body = hook.body_with("NEW", "OLD").ok_or(ShapeError::Rotation("its body must be JSON of at most 4096 bytes"))?;
        match &hook.new {
            NewSecret::Made if !body.contains("NEW") || !hook.body.contains("{new}") => {
                Err(ShapeError::Rotation("its body must have {new} in a text"))
            }
            NewSecret::Answer { .. } if hook.body.contains("{new}") => {
                Err(ShapeError::Rotation("the vendor makes the new one: there is no {new} yet"))
            }
            NewSecret::Answer { pointer } if !pointer.starts_with('/') || pointer.len() > limits::CONNECTION_PATH_BYTES => {
                Err(ShapeError::Rotation("the place in the answer must be a JSON pointer like /data/token"))
            }
            _ => Ok(()),
        }
    }
}

impl Hook {
    /// The body with both credentials in its texts; `None` where it is no JSON, or too long.
    pub fn body_with(&self, new: &str, old: &str) -> Option<String> {
        if self.body.is_empty() {
            return Some(String::new());
        }
        if self.body.len() > limits::ROTATION_BODY_BYTES {
            return None;
        }
        let mut body: Value = serde_json::from_str(&self.body).ok()?;
        fill(&mut body, new, old);
        Some(body.to_string())
    }
}

/// One pass over each text: what a credential itself looks like changes nothing.
fn fill(value: &mut Value, new: &str, old: &str) {
    match value {
        Value::String(text) => {
            let parts: Vec<String> = text.split("{new}").map(|part| part.replace("{old}", old)).collect();
            *text = parts.join(new);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, new, old)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, new, old)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A path of the connection's own requests.
pub(super) fn below(text: &str) -> Result<SafePath, PatternError> {
    if text.len() > limits::CONNECTION_PATH_BYTES {
        return Err(SafePathError::Long.into());
    }
    Ok(SafePath::parse(text.strip_prefix('/').ok_or(PatternError::Slash)?)?)
}

/// Whether a connection may set a header: a name that belongs neither to the connection between two servers nor to the caller.
fn may_set(name: &str) -> bool {
    const NOT: [&str; 17] = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "expect",
        "te",
        "trailer",
        "cookie",
        "accept-encoding",
        "authorization",
        "dpop",
        "content-type",
        "range",
        "forwarded",
        "via",
    ];
    let name = name.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let begins = |with: &[&str]| with.iter().any(|start| name.starts_with(start));
    (1..=64).contains(&name.len())
        && name.bytes().all(token)
        && !NOT.contains(&name.as_str())
        && !begins(&["proxy-", "x-forwarded-", "sec-", "sallyport-"])
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

#[cfg(test)]
mod tests;
