//! Signatures by the Standard Webhooks specification (standardwebhooks.com), symmetric scheme `v1`: HMAC-SHA-256 over id, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sallyport_model::Timestamp;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

/// What the secret's text begins with.
const PREFIX: &str = "whsec_";

/// A webhook's secret: 32 bytes that its receiver knows too.
#[derive(Clone)]
pub struct Secret([u8; 32]);

/// The bytes are not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the 32 bytes of a secret")]
pub struct SecretError;

impl Secret {
    /// Takes 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Takes stored bytes.
    ///
    /// # Errors
    /// Where they are not 32.
    pub fn parse(bytes: &[u8]) -> Result<Self, SecretError> {
        bytes.try_into().map(Self).map_err(|_| SecretError)
    }

    /// The bytes, to be sealed.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As receivers are given it: `whsec_` and base64.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(self.0)))
    }

    /// One signature of the header `webhook-signature`: `v1,` and base64 of the HMAC over `{id}.{seconds}.{body}`.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        sign_with(&self.0, id, at, body)
    }
}

fn sign_with(key: &[u8], id: &str, at: Timestamp, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    for part in [id.as_bytes(), b".", at.secs().to_string().as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = sign_with(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp::from_secs(1_614_265_330), b"{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn id_time_and_body_are_all_signed() {
        let (secret, at) = (Secret::from_bytes([7; 32]), Timestamp::from_secs(1_790_000_000));
        let signed = secret.sign("evt_1", at, b"{}");
        assert!(signed.starts_with("v1,") && signed.len() == 3 + 44);
        let others = [
            secret.sign("evt_2", at, b"{}"),
            secret.sign("evt_1", Timestamp::from_secs(1_790_000_001), b"{}"),
            secret.sign("evt_1", at, b"{ }"),
            Secret::from_bytes([8; 32]).sign("evt_1", at, b"{}"),
        ];
        assert!(others.iter().all(|other| *other != signed));
    }

    #[test]
    fn a_secret_is_written_as_receivers_expect_it() {
        let text = Secret::from_bytes([0xff; 32]).to_text();
        assert_eq!(STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap(), [0xff; 32]);
        assert!(Secret::parse(&[1; 31]).is_err());
    }
}
