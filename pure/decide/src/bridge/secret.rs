//! A vendor's credential: how it is read, how it goes into a request, and where it is looked for on the way back.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use sallyport_model::limits;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A credential in the clear. It has no `Debug` and goes nowhere but into the header that its placement names.
pub struct Secret(Zeroizing<String>);

/// Why a text is no credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short to be found again in an answer, or longer than headers are.
    #[error("must be {} to {} characters", limits::CONNECTION_SECRET_BYTES.0, limits::CONNECTION_SECRET_BYTES.1)]
    Length,
    /// A header cannot carry it.
    #[error("must be visible ASCII characters without blanks")]
    Characters,
}

impl Secret {
    /// Reads one.
    ///
    /// # Errors
    /// Says what is wrong with it, and nothing of it.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let (least, most) = limits::CONNECTION_SECRET_BYTES;
        if !(least..=most).contains(&text.len()) {
            return Err(SecretError::Length);
        }
        match text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(Zeroizing::new(text.to_owned()))),
            false => Err(SecretError::Characters),
        }
    }

    /// Makes one of random bytes: 43 characters that every vendor takes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// For sealing it, and for the request that replaces it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// How the credential goes in. There is no place for it in the address: addresses land in logs of proxies and vendors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "snake_case", deny_unknown_fields)]
pub enum Placement {
    /// `Authorization: Bearer SECRET`.
    Bearer,
    /// A header of the vendor's own.
    Header {
        /// Its name.
        name: String,
        /// What stands before the secret, with its blank.
        #[serde(default)]
        prefix: String,
    },
    /// `Authorization: Basic`, of a user name and the secret as the password (RFC 7617).
    Basic {
        /// The user name.
        user: String,
    },
}

impl Placement {
    /// The header's name, in small letters.
    pub fn header(&self) -> String {
        match self {
            Self::Bearer | Self::Basic { .. } => "authorization".to_owned(),
            Self::Header { name, .. } => name.to_ascii_lowercase(),
        }
    }

    /// The header's value.
    pub fn value(&self, secret: &Secret) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Bearer => format!("Bearer {}", secret.expose()),
            Self::Header { prefix, .. } => format!("{prefix}{}", secret.expose()),
            Self::Basic { user } => format!("Basic {}", self.basic(user, secret).as_str()),
        })
    }

    fn basic(&self, user: &str, secret: &Secret) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(Zeroizing::new(format!("{user}:{}", secret.expose()))))
    }

    /// The shapes in which a vendor could send the credential back.
    pub(super) fn needles(&self, secret: &Secret) -> Vec<Zeroizing<String>> {
        let plain = secret.expose();
        let mut texts = vec![
            plain.to_owned(),
            percent(plain),
            percent(plain).to_ascii_lowercase(),
            json(plain),
            html(plain),
            plain.chars().rev().collect(),
        ];
        texts.extend([STANDARD_NO_PAD.encode(plain), URL_SAFE_NO_PAD.encode(plain), data_encoding::HEXLOWER.encode(plain.as_bytes())]);
        texts.push(data_encoding::HEXUPPER.encode(plain.as_bytes()));
        if let Self::Basic { user } = self {
            texts.push(self.basic(user, secret).trim_end_matches('=').to_owned());
            texts.push(URL_SAFE.encode(format!("{user}:{plain}")).trim_end_matches('=').to_owned());
        }
        texts.into_iter().map(Zeroizing::new).collect()
    }
}

fn percent(plain: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }
    };
    plain.bytes().map(one).collect()
}

fn json(plain: &str) -> String {
    let quoted = serde_json::Value::from(plain).to_string();
    // Some writers escape the slash too.
    quoted[1..quoted.len() - 1].replace('/', "\\/")
}

fn html(plain: &str) -> String {
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_what_a_header_can_carry() {
        for bad in ["", "short", "with blank in it", "line\r\nend-of-header", "umlaut-\u{e4}\u{e4}\u{e4}\u{e4}", &"x".repeat(5_000)] {
            assert!(Secret::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Secret::parse("abc/def+12==").map(|secret| secret.expose().to_owned()), Ok("abc/def+12==".to_owned()));
        assert_eq!(Secret::from_random([7; 32]).expose().len(), 43);
        assert!(Secret::parse(Secret::from_random([255; 32]).expose()).is_ok());
    }

    #[test]
    fn it_goes_into_the_header_that_was_named() {
        let secret = Secret::parse("s3cr3t-word").unwrap_or_else(|_| panic!("a secret"));
        let header = Placement::Header { name: "X-Api-Key".into(), prefix: "Token ".into() };
        assert_eq!((header.header().as_str(), header.value(&secret).as_str()), ("x-api-key", "Token s3cr3t-word"));
        assert_eq!(Placement::Bearer.value(&secret).as_str(), "Bearer s3cr3t-word");
        // RFC 7617, section 2: user-id, colon, password.
        let basic = Placement::Basic { user: "company+public".into() };
        assert_eq!(basic.value(&secret).as_str(), "Basic Y29tcGFueStwdWJsaWM6czNjcjN0LXdvcmQ=");
    }
}
