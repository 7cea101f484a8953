//! Which terms of a connection are taken, and why others are not.

use sallyport_model::{Name, Timestamp, limits};

use super::path::{Pattern, PatternError, SafePath, SafePathError};
use super::secret::Placement;
use super::shape::Shape;
use crate::outbound::TargetError;

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
        self.rotation.as_ref().map_or(Ok(()), |hook| hook.fits(self))
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

#[cfg(test)]
mod tests;
