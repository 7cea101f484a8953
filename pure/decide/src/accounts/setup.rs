//! The first tenant: what the authority signed in the owner's browser must be a root for exactly this server's keys.
//!
//! The server never holds the authority key, so that whoever takes the server over later cannot sign another root.

use sallyport_grant::body::{Body, BodyError, RootBody};
use sallyport_grant::root::RootError;
use sallyport_grant::{AuthorityPin, Envelope, Hex, PayloadType, Signature, SignatureKind, TrustRoot, VerifyKey};
use sallyport_model::{TenantId, Timestamp};

/// How long a set-up that was begun may take.
pub const DRAFT_LIFETIME_SECS: i64 = 60 * 60;
/// Shortest life of a first root: what expires sooner leaves devices without orders.
pub const ROOT_LIFETIME_MIN_SECS: i64 = 30 * DAY_SECS;
/// Longest life of a first root.
pub const ROOT_LIFETIME_MAX_SECS: i64 = 10 * 366 * DAY_SECS;
/// How far a browser's clock may be off.
pub const CLOCK_SKEW_SECS: i64 = DAY_SECS;

const DAY_SECS: i64 = 24 * 60 * 60;

/// The public keys that the server made for a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerKeys {
    /// X25519: the agent link.
    pub link: [u8; 32],
    /// Attests that a factor was verified.
    pub attestation: VerifyKey,
    /// Signs checkpoints.
    pub log: VerifyKey,
    /// Signs revocations.
    pub fresh: VerifyKey,
    /// Signs enrolment files.
    pub enrolment: VerifyKey,
}

/// Why a first root is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Not 32 bytes of a good Ed25519 key.
    #[error("the authority key is not an Ed25519 public key")]
    AuthorityKey,
    /// The body is none of a root.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The authority did not sign this body, or it has expired.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The root is of another tenant than the draft's.
    #[error("the root is of another tenant")]
    OtherTenant,
    /// A key of the server differs from the draft's.
    #[error("the root names other keys than this server's")]
    OtherKeys,
    /// A first root has version 1.
    #[error("the first root must have version 1")]
    Version,
    /// Issued in the future, or its life is too short or too long.
    #[error("the root must live between 30 days and ten years from now")]
    Lifetime,
}

/// What came back from the owner's browser.
#[derive(Debug, Clone, Copy)]
pub struct SignedRoot<'a> {
    /// The verbatim body.
    pub body: &'a [u8],
    /// The authority's public key.
    pub authority_key: &'a [u8; 32],
    /// Its signature over the body's pre-authentication encoding.
    pub signature: &'a [u8],
}

/// Checks a first root against what the server offered; gives back the envelope to store.
///
/// # Errors
/// Says which part is not as offered.
pub fn check_root(signed: &SignedRoot<'_>, tenant: TenantId, keys: &ServerKeys, now: Timestamp) -> Result<Envelope, SetupError> {
    let authority = VerifyKey::from_bytes(signed.authority_key).map_err(|_| SetupError::AuthorityKey)?;
    let body = RootBody::parse(signed.body)?;
    if body.tenant != tenant {
        return Err(SetupError::OtherTenant);
    }
    if body.version != 1 {
        return Err(SetupError::Version);
    }
    if keys_of(&body) != *keys {
        return Err(SetupError::OtherKeys);
    }
    check_lifetime(&body, now)?;
    let signature =
        Signature { keyid: authority.id(), kind: SignatureKind::NativeEd25519, sig: signed.signature.to_vec(), statement: None };
    let envelope = Envelope::unsigned(PayloadType::Root, signed.body.to_vec()).and_signature(signature);
    TrustRoot::verify(&envelope.to_bytes(), AuthorityPin::of(1, &[authority]), now)?;
    Ok(envelope)
}

fn keys_of(body: &RootBody) -> ServerKeys {
    let Hex(link) = body.link;
    ServerKeys { link, attestation: body.attestation, log: body.log.key, fresh: body.fresh, enrolment: body.enrolment }
}

fn check_lifetime(body: &RootBody, now: Timestamp) -> Result<(), SetupError> {
    let (earliest, latest) = (now.plus_secs(ROOT_LIFETIME_MIN_SECS), now.plus_secs(ROOT_LIFETIME_MAX_SECS));
    let issued_by_now = body.issued <= now.plus_secs(CLOCK_SKEW_SECS);
    if issued_by_now && (earliest..=latest).contains(&body.expires) { Ok(()) } else { Err(SetupError::Lifetime) }
}

#[cfg(test)]
mod tests {
    use sallyport_grant::SigningKey;
    use sallyport_grant::body::{LogKey, RootType};

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_secs(1_790_000_000)
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn verify_key(seed: u8) -> VerifyKey {
        VerifyKey::of(&key(seed))
    }

    fn tenant() -> TenantId {
        TenantId::from_bytes([9; 16])
    }

    fn server() -> ServerKeys {
        ServerKeys { link: [1; 32], attestation: verify_key(2), log: verify_key(3), fresh: verify_key(4), enrolment: verify_key(5) }
    }

    fn body() -> RootBody {
        RootBody {
            r#type: RootType::V1,
            tenant: tenant(),
            version: 1,
            issued: now(),
            expires: now().plus_secs(365 * DAY_SECS),
            threshold: 1,
            authority: vec![verify_key(7)],
            link: Hex([1; 32]),
            attestation: verify_key(2),
            log: LogKey { origin: LogKey::origin_of(tenant()), key: verify_key(3) },
            fresh: verify_key(4),
            enrolment: verify_key(5),
        }
    }

    fn check(body: &RootBody, signer: u8) -> Result<Envelope, SetupError> {
        let bytes = serde_json::to_vec(body).expect("plain data");
        let envelope = Envelope::signed(PayloadType::Root, bytes.clone(), SignatureKind::NativeEd25519, &key(signer));
        let signature = &envelope.signatures()[0].sig;
        check_root(&SignedRoot { body: &bytes, authority_key: verify_key(7).as_bytes(), signature }, tenant(), &server(), now())
    }

    #[test]
    fn what_the_authority_signed_is_stored_verbatim() {
        let envelope = check(&body(), 7).expect("all as offered");
        assert_eq!(envelope.payload(), serde_json::to_vec(&body()).expect("plain data"));
        assert!(TrustRoot::verify(&envelope.to_bytes(), AuthorityPin::of(1, &[verify_key(7)]), now()).is_ok());
    }

    #[test]
    fn another_signer_is_refused() {
        assert!(matches!(check(&body(), 8), Err(SetupError::Root(_))));
        let other = RootBody { authority: vec![verify_key(8)], ..body() };
        assert!(matches!(check(&other, 8), Err(SetupError::Root(_))), "the body names another authority than the request");
        let both = RootBody { authority: vec![verify_key(7), verify_key(8)], ..body() };
        assert!(matches!(check(&both, 7), Err(SetupError::Root(_))), "a second authority that nobody showed");
    }

    #[test]
    fn other_keys_and_tenants_are_refused() {
        assert_eq!(check(&RootBody { link: Hex([2; 32]), ..body() }, 7), Err(SetupError::OtherKeys));
        assert_eq!(check(&RootBody { fresh: verify_key(6), ..body() }, 7), Err(SetupError::OtherKeys));
        let other = TenantId::from_bytes([8; 16]);
        let log = LogKey { origin: LogKey::origin_of(other), key: verify_key(3) };
        assert_eq!(check(&RootBody { tenant: other, log, ..body() }, 7), Err(SetupError::OtherTenant));
        assert_eq!(check(&RootBody { version: 2, ..body() }, 7), Err(SetupError::Version));
    }

    #[test]
    fn lives_that_are_too_short_or_too_long_are_refused() {
        for days in [1, 29, 3661] {
            assert_eq!(check(&RootBody { expires: now().plus_secs(days * DAY_SECS), ..body() }, 7), Err(SetupError::Lifetime), "{days}");
        }
        assert_eq!(check(&RootBody { issued: now().plus_secs(2 * DAY_SECS), ..body() }, 7), Err(SetupError::Lifetime));
    }
}
