//! Programs that sign in as a person: a page of the console asks them, the answer goes to the loopback of their computer (RFC 8252), and only
//! whoever has the verifier (RFC 7636, S256) and the key that the answer is bound to (RFC 9449, section 10) gets a session for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_model::{Timestamp, limits};
use sha2::{Digest as _, Sha256};

use super::assurance::{Acr, Wanted};
use super::proof::{ProvenKey, Thumbprint};

/// The one program that may ask: it has no secret, so whoever calls itself so is nobody in particular.
pub const CLIENT_ID: &str = "sallyport-cli";
/// Addresses that never leave the computer of the browser. The path is always the same.
const LOOPBACKS: [&str; 2] = ["http://127.0.0.1:", "http://[::1]:"];
const PATH: &str = "/callback";
/// An authentication cannot be younger than it takes to go from the proof to the button.
const YOUNGEST_SECS: i64 = 60;

/// What is wrong with what a program asks; it never gets an answer then, for nobody knows where to send one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Another client, or another kind of answer.
    #[error("only sallyport-cli can ask, for a code")]
    Client,
    /// The answer would go elsewhere.
    #[error("the answer goes to http://127.0.0.1:PORT/callback or http://[::1]:PORT/callback, and nowhere else")]
    Redirect,
    /// No challenge, or a plain one.
    #[error("the proof key must be an S256 challenge")]
    Challenge,
    /// No thumbprint of a key.
    #[error("dpop_jkt must be the thumbprint of a key")]
    Key,
    /// State is missing, too long, or not plain.
    #[error("state must be 16 to 200 unreserved characters")]
    State,
    /// Classes of authentication that are nobody's.
    #[error("acr_values names no class of authentication of this server")]
    Acr,
}

/// What a program says, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// `client_id`.
    pub client_id: &'a str,
    /// `response_type`.
    pub response_type: &'a str,
    /// `redirect_uri`.
    pub redirect_uri: &'a str,
    /// `code_challenge`.
    pub code_challenge: &'a str,
    /// `code_challenge_method`.
    pub code_challenge_method: &'a str,
    /// `dpop_jkt`.
    pub dpop_jkt: &'a str,
    /// `state`.
    pub state: &'a str,
    /// `acr_values`, with spaces between them; none where nothing is said.
    pub acr_values: &'a str,
    /// `max_age`, in seconds.
    pub max_age_secs: Option<i64>,
}

/// What a program asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Where the answer goes.
    pub redirect: Redirect,
    /// SHA-256 of the verifier.
    pub challenge: [u8; 32],
    /// The key that the session will be bound to.
    pub key: Thumbprint,
    /// Comes back with the answer.
    pub state: String,
    /// How the person must have proved themselves.
    pub wanted: Wanted,
}

impl Asked {
    /// Reads what a program asks for.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(words: &Words<'_>) -> Result<Self, AskError> {
        if words.client_id != CLIENT_ID || words.response_type != "code" {
            return Err(AskError::Client);
        }
        let challenge = Some(words.code_challenge).filter(|_| words.code_challenge_method == "S256").and_then(hash);
        Ok(Self {
            redirect: Redirect::parse(words.redirect_uri)?,
            challenge: challenge.ok_or(AskError::Challenge)?,
            key: hash(words.dpop_jkt).map(Thumbprint::from_bytes).ok_or(AskError::Key)?,
            state: Some(words.state).filter(|state| is_plain(state, 16, 200)).ok_or(AskError::State)?.to_owned(),
            wanted: wanted(words)?,
        })
    }
}

/// Two factors at least, proved within minutes; more where the program asks for more.
fn wanted(words: &Words<'_>) -> Result<Wanted, AskError> {
    let mut acr = Vec::new();
    for word in words.acr_values.split_whitespace() {
        acr.push(Acr::parse(word).ok_or(AskError::Acr)?.max(Acr::MultiFactor));
    }
    let least = acr.iter().min().copied().unwrap_or(Acr::MultiFactor);
    let most = limits::PROGRAM_APPROVAL_AGE_SECS;
    let max_age_secs = words.max_age_secs.map_or(most, |secs| secs.clamp(YOUNGEST_SECS, most));
    Ok(Wanted { least, max_age_secs })
}

/// Where the answer goes: a program on the computer of the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect(String);

impl Redirect {
    /// Reads it. It is compared as text, never resolved: what is not written exactly so is refused.
    ///
    /// # Errors
    /// Where it leads anywhere else.
    pub fn parse(text: &str) -> Result<Self, AskError> {
        let rest = LOOPBACKS.iter().find_map(|start| text.strip_prefix(start));
        let port = rest.and_then(|rest| rest.strip_suffix(PATH)).filter(|port| is_port(port));
        port.map(|_| Self(text.to_owned())).ok_or(AskError::Redirect)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_port(text: &str) -> bool {
    text.len() <= 5 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// 43 base64url characters.
fn hash(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// RFC 3986's unreserved characters, so many of them.
fn is_plain(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// A code that was issued, as facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCode {
    /// The key that the program announced.
    pub key: Thumbprint,
    /// SHA-256 of the verifier.
    pub challenge: [u8; 32],
    /// Where it was sent.
    pub redirect: String,
    /// Until when it is good.
    pub expires: Timestamp,
}

/// Why a code gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// It is older than [`limits::PROGRAM_CODE_SECS`].
    #[error("the code is too old")]
    Expired,
    /// The request is signed by another key: the code was copied.
    #[error("the code is bound to another key")]
    OtherKey,
    /// Not the verifier of its challenge.
    #[error("the verifier is not that of the challenge")]
    Verifier,
    /// Not the address that it was sent to.
    #[error("the redirect_uri is not the one that the code was sent to")]
    Redirect,
}

impl IssuedCode {
    /// Whether a code is good, for the one who shows it. It is used up before this is asked.
    ///
    /// # Errors
    /// Says why not.
    pub fn judge(&self, verifier: &str, redirect: &str, proof: &ProvenKey, now: Timestamp) -> Result<(), CodeError> {
        if now >= self.expires {
            return Err(CodeError::Expired);
        }
        if *proof.key() != self.key {
            return Err(CodeError::OtherKey);
        }
        let shown: [u8; 32] = Sha256::digest(verifier.as_bytes()).into();
        if !is_plain(verifier, 43, 128) || shown != self.challenge {
            return Err(CodeError::Verifier);
        }
        if redirect == self.redirect { Ok(()) } else { Err(CodeError::Redirect) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    /// RFC 7636, appendix B.
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn words() -> Words<'static> {
        Words {
            client_id: CLIENT_ID,
            response_type: "code",
            redirect_uri: "http://127.0.0.1:43210/callback",
            code_challenge: CHALLENGE,
            code_challenge_method: "S256",
            dpop_jkt: CHALLENGE,
            state: "0123456789abcdef",
            acr_values: "",
            max_age_secs: None,
        }
    }

    #[test]
    fn oa_23_an_answer_goes_to_the_loopback_and_nowhere_else() {
        for good in ["http://127.0.0.1:1/callback", "http://[::1]:65535/callback"] {
            assert_eq!(Redirect::parse(good).as_ref().map(Redirect::as_str), Ok(good));
        }
        for evil in [
            "https://127.0.0.1:80/callback",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:+80/callback",
            "http://127.0.0.1:080/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:80/callback/",
            "http://127.0.0.1:80/callback?x=1",
            "http://127.0.0.1:80/callback#x",
            "http://127.0.0.1:80/",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1:80\\@evil.example/callback",
            "http://127.0.0.1.evil.example:80/callback",
            "http://localhost:80/callback",
            "http://127.1:80/callback",
            "http://[::ffff:127.0.0.1]:80/callback",
            "HTTP://127.0.0.1:80/callback",
            " http://127.0.0.1:80/callback",
            "javascript:alert(1)//http://127.0.0.1:80/callback",
            "",
        ] {
            assert_eq!(Redirect::parse(evil), Err(AskError::Redirect), "{evil}");
        }
    }

    #[test]
    fn oa_23_only_s256_and_a_key_are_taken() {
        let asked = Asked::parse(&words()).expect("good words");
        assert_eq!((asked.wanted.least, asked.wanted.max_age_secs), (Acr::MultiFactor, limits::PROGRAM_APPROVAL_AGE_SECS));
        let cases = [
            (Words { client_id: "another", ..words() }, AskError::Client),
            (Words { response_type: "token", ..words() }, AskError::Client),
            (Words { code_challenge_method: "plain", ..words() }, AskError::Challenge),
            (Words { code_challenge_method: "", ..words() }, AskError::Challenge),
            (Words { code_challenge: VERIFIER.trim_end_matches('k'), ..words() }, AskError::Challenge),
            (Words { dpop_jkt: "", ..words() }, AskError::Key),
            (Words { state: "short", ..words() }, AskError::State),
            (Words { state: "0123456789abcdef&x=", ..words() }, AskError::State),
            (Words { acr_values: "urn:sallyport:acr:pwd urn:other", ..words() }, AskError::Acr),
        ];
        for (words, error) in cases {
            assert_eq!(Asked::parse(&words), Err(error), "{words:?}");
        }
    }

    #[test]
    fn step_04_a_program_asks_for_more_and_never_for_less() {
        let wanted = |acr_values, max_age_secs| Asked::parse(&Words { acr_values, max_age_secs, ..words() }).expect("good words").wanted;
        assert_eq!(wanted("urn:sallyport:acr:pwd", None).least, Acr::MultiFactor);
        assert_eq!(wanted("urn:sallyport:acr:phr", None).least, Acr::PhishingResistant);
        assert_eq!(wanted("urn:sallyport:acr:phr urn:sallyport:acr:mfa", None).least, Acr::MultiFactor, "any one of them is enough");
        assert_eq!(wanted("", Some(86_400)).max_age_secs, limits::PROGRAM_APPROVAL_AGE_SECS);
        assert_eq!(wanted("", Some(0)).max_age_secs, YOUNGEST_SECS);
    }

    #[test]
    fn oa_23_a_code_is_for_one_key_one_verifier_one_address_and_a_minute() {
        let key = Thumbprint::from_bytes([1; 32]);
        let begun = Timestamp::from_secs(1_790_000_000);
        let redirect = "http://127.0.0.1:43210/callback".to_owned();
        let challenge = hash(CHALLENGE).expect("a hash");
        let code = IssuedCode { key, challenge, redirect: redirect.clone(), expires: begun.plus_secs(limits::PROGRAM_CODE_SECS) };
        let (own, other) = (ProvenKey::for_tests(key), ProvenKey::for_tests(Thumbprint::from_bytes([2; 32])));
        assert_eq!(code.judge(VERIFIER, &redirect, &own, begun.plus_secs(59)), Ok(()));
        assert_eq!(code.judge(VERIFIER, &redirect, &own, begun.plus_secs(60)), Err(CodeError::Expired));
        assert_eq!(code.judge(VERIFIER, &redirect, &other, begun), Err(CodeError::OtherKey));
        assert_eq!(code.judge(CHALLENGE, &redirect, &own, begun), Err(CodeError::Verifier));
        assert_eq!(code.judge("", &redirect, &own, begun), Err(CodeError::Verifier));
        assert_eq!(code.judge(VERIFIER, "http://127.0.0.1:43211/callback", &own, begun), Err(CodeError::Redirect));
    }
}
