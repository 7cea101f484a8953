//! Device Bound Session Credentials (W3C WebAppSec draft): a browser keeps a key in hardware for a session, and renews a short-lived cookie
//! by signing our challenges with it. A copied cookie dies within minutes, because nobody else can renew it.
//!
//! It comes on top of the key that signs each request; browsers that do not know it ignore the offer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use sallyport_model::{SessionId, Timestamp, limits};
use serde::Deserialize;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

const KEY_BYTES: usize = 64;
const MAC_BYTES: usize = 32;
const LABEL: &[u8] = b"sallyport.device-cookie/1\n";

/// Why a browser's response proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a JWT of the agreed form.
    #[error("the response is not a well-formed proof")]
    Malformed,
    /// `typ` is not `dbsc+jwt`, or `alg` is not ES256.
    #[error("the response is of another type or algorithm")]
    Type,
    /// A registration without a key, a renewal with one, or no key of P-256.
    #[error("the response has not the key that belongs into it")]
    Key,
    /// Another key signed it.
    #[error("the response is signed by another key")]
    Signature,
}

/// A browser's public key: X and Y of a point of P-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceKey([u8; KEY_BYTES]);

impl DeviceKey {
    /// Takes the stored bytes back.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    fn verifying(&self) -> Result<VerifyingKey, Refused> {
        let point = [&[4], self.0.as_slice()].concat();
        VerifyingKey::from_sec1_bytes(&point).map_err(|_| Refused::Key)
    }
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Option<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

/// Browsers add claims that are ours to ignore: what counts is the challenge.
#[derive(Deserialize)]
struct Claims {
    jti: String,
}

/// What a response says once its signature holds. The challenge is still to be recognised and spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The challenge that it answers.
    pub challenge: String,
    /// The key that signed it.
    pub key: DeviceKey,
}

/// Opens the response of a registration, which brings its key along.
///
/// # Errors
/// Says what is wrong with it.
pub fn open_registration(jwt: &str) -> Result<Response, Refused> {
    let (header, _) = parts(jwt)?;
    let key = key_of(header.jwk.as_ref().ok_or(Refused::Key)?)?;
    open(jwt, key)
}

/// Opens the response of a renewal. A key that it brings along would be anybody's: the stored one alone counts.
///
/// # Errors
/// Says what is wrong with it.
pub fn open_renewal(jwt: &str, stored: DeviceKey) -> Result<Response, Refused> {
    let (header, _) = parts(jwt)?;
    if header.jwk.is_some() {
        return Err(Refused::Key);
    }
    open(jwt, stored)
}

fn open(jwt: &str, key: DeviceKey) -> Result<Response, Refused> {
    let (signed, signature) = jwt.rsplit_once('.').ok_or(Refused::Malformed)?;
    let signature = Signature::from_slice(&decode(signature)?).map_err(|_| Refused::Signature)?;
    key.verifying()?.verify(signed.as_bytes(), &signature).map_err(|_| Refused::Signature)?;
    let (_, claims) = parts(jwt)?;
    Ok(Response { challenge: claims.jti, key })
}

/// Header and claims; they mean nothing before the signature was verified.
fn parts(jwt: &str) -> Result<(Header, Claims), Refused> {
    let jwt = Some(jwt).filter(|jwt| jwt.len() <= limits::DEVICE_BOUND_BYTES).ok_or(Refused::Malformed)?;
    let mut parts = jwt.split('.');
    let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Refused::Malformed);
    };
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Refused::Malformed)?;
    if header.typ != "dbsc+jwt" || header.alg != "ES256" {
        return Err(Refused::Type);
    }
    Ok((header, serde_json::from_slice(&decode(claims)?).map_err(|_| Refused::Malformed)?))
}

fn key_of(jwk: &Jwk) -> Result<DeviceKey, Refused> {
    if jwk.kty != "EC" || jwk.crv != "P-256" {
        return Err(Refused::Key);
    }
    let both = [decode(&jwk.x)?, decode(&jwk.y)?];
    if both.iter().any(|coordinate| coordinate.len() != KEY_BYTES / 2) {
        return Err(Refused::Key);
    }
    let key = DeviceKey::from_stored(&both.concat()).ok_or(Refused::Key)?;
    key.verifying().map(|_| key)
}

fn decode(text: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed)
}

/// Whether a request without the cookie may have been under way when its session was bound. The time counts from the binding and from
/// nothing else, so that nobody prolongs it.
pub fn was_under_way(bound_at: Timestamp, now: Timestamp) -> bool {
    (0..limits::DEVICE_GRACE_SECS).contains(&now.secs().saturating_sub(bound_at.secs()))
}

/// Makes and recognises the short-lived cookies: each has its own end and a keyed hash over session, key and end, so that nothing is
/// stored when one is renewed.
pub struct DeviceCookies([u8; 32]);

impl DeviceCookies {
    /// The key is the installation's, the same in all of its processes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// A cookie for [`limits::DEVICE_COOKIE_SECS`].
    pub fn issue(&self, session: SessionId, key: &DeviceKey, now: Timestamp) -> String {
        let ends = now.secs().saturating_add(limits::DEVICE_COOKIE_SECS).to_be_bytes();
        URL_SAFE_NO_PAD.encode([ends.as_slice(), &self.mac(session, key, ends)].concat())
    }

    /// Whether a cookie was made for this session and key, and is young enough. Clocks of processes differ, and a request takes its time:
    /// both ends have [`limits::DEVICE_COOKIE_SKEW_SECS`] to spare.
    pub fn accepts(&self, cookie: &str, session: SessionId, key: &DeviceKey, now: Timestamp) -> bool {
        let bytes: Option<[u8; 8 + MAC_BYTES]> = URL_SAFE_NO_PAD.decode(cookie).ok().and_then(|bytes| bytes.try_into().ok());
        let Some((ends, mac)) = bytes.as_ref().and_then(|bytes| bytes.split_first_chunk::<8>()) else { return false };
        let left = i64::from_be_bytes(*ends).saturating_sub(now.secs());
        let is_ours = bool::from(self.mac(session, key, *ends).as_slice().ct_eq(mac));
        let skew = limits::DEVICE_COOKIE_SKEW_SECS;
        is_ours && (1 - skew..=limits::DEVICE_COOKIE_SECS + skew).contains(&left)
    }

    fn mac(&self, session: SessionId, key: &DeviceKey, ends: [u8; 8]) -> [u8; MAC_BYTES] {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.chain_update(LABEL).chain_update(session.as_bytes()).chain_update(key.0).chain_update(ends).finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::Signer as _;
    use serde_json::{Value, json};

    use super::*;

    fn signer(seed: u8) -> SigningKey {
        SigningKey::from_slice(&[seed; 32]).expect("a scalar")
    }

    fn jwk(key: &SigningKey) -> Value {
        let point = key.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    fn jwt(key: &SigningKey, header: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(&json!({ "jti": "a challenge", "aud": "ignored" })));
        let signature: Signature = key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    fn registration(key: &SigningKey) -> String {
        jwt(key, &json!({ "typ": "dbsc+jwt", "alg": "ES256", "jwk": jwk(key) }))
    }

    #[test]
    fn ses_12_a_registration_brings_its_key_and_a_renewal_is_by_the_stored_one() {
        let key = open_registration(&registration(&signer(1))).expect("well-formed").key;
        let renewal = |seed| jwt(&signer(seed), &json!({ "typ": "dbsc+jwt", "alg": "ES256" }));
        assert_eq!(open_renewal(&renewal(1), key).map(|response| response.challenge), Ok("a challenge".to_owned()));
        assert_eq!(open_renewal(&renewal(2), key), Err(Refused::Signature));
        assert_eq!(open_renewal(&registration(&signer(2)), key), Err(Refused::Key), "a key that comes along counts for nothing");
        assert_eq!(open_registration(&renewal(1)), Err(Refused::Key));
    }

    #[test]
    fn ses_12_other_types_algorithms_and_forms_are_refused() {
        let key = signer(1);
        for (header, wanted) in [
            (json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk(&key) }), Refused::Type),
            (json!({ "typ": "dbsc+jwt", "alg": "none", "jwk": jwk(&key) }), Refused::Type),
            (json!({ "typ": "dbsc+jwt", "alg": "HS256", "jwk": jwk(&key) }), Refused::Type),
            (json!({ "typ": "dbsc+jwt", "alg": "ES256", "jwk": jwk(&signer(2)) }), Refused::Signature),
            (json!({ "typ": "dbsc+jwt", "alg": "ES256", "jwk": { "kty": "EC", "crv": "P-384", "x": "", "y": "" } }), Refused::Key),
        ] {
            assert_eq!(open_registration(&jwt(&key, &header)), Err(wanted), "{header}");
        }
        let right = registration(&key);
        for wrong in ["", "a.b", "a.b.c.d", &right[..right.len() - 4], &format!("{right}.x"), &"x".repeat(5000)] {
            assert!(open_registration(wrong).is_err(), "{wrong:.20}");
        }
    }

    #[test]
    fn ses_12_the_grace_begins_with_the_binding_and_ends_by_itself() {
        let bound_at = Timestamp::from_secs(1_790_000_000);
        let held = |secs| was_under_way(bound_at, bound_at.plus_secs(secs));
        assert!(held(0) && held(limits::DEVICE_GRACE_SECS - 1));
        assert!(!held(limits::DEVICE_GRACE_SECS) && !held(-1), "nor does a clock that goes back open it again");
        assert!(!was_under_way(Timestamp::from_secs(0), bound_at));
    }

    #[test]
    fn ses_12_a_cookie_is_for_one_session_and_key_and_five_minutes() {
        let cookies = DeviceCookies::new([7; 32]);
        let (session, now) = (SessionId::from_bytes([1; 16]), Timestamp::from_secs(1_790_000_000));
        let key = |seed| open_registration(&registration(&signer(seed))).expect("well-formed").key;
        let cookie = cookies.issue(session, &key(1), now);
        assert!(cookies.accepts(&cookie, session, &key(1), now));
        let ends = limits::DEVICE_COOKIE_SECS + limits::DEVICE_COOKIE_SKEW_SECS;
        assert!(cookies.accepts(&cookie, session, &key(1), now.plus_secs(ends - 1)));
        assert!(!cookies.accepts(&cookie, session, &key(1), now.plus_secs(ends)));
        let behind = -limits::DEVICE_COOKIE_SKEW_SECS;
        assert!(cookies.accepts(&cookie, session, &key(1), now.plus_secs(behind)), "another process is a little behind");
        assert!(!cookies.accepts(&cookie, session, &key(1), now.plus_secs(behind - 1)), "from the future");
        assert!(!cookies.accepts(&cookie, SessionId::from_bytes([2; 16]), &key(1), now));
        assert!(!cookies.accepts(&cookie, session, &key(2), now));
        assert!(!DeviceCookies::new([8; 32]).accepts(&cookie, session, &key(1), now));
        assert!(!cookies.accepts("", session, &key(1), now));
    }
}
