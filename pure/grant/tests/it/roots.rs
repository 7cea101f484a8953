//! Trust roots, rotations and enrolment files.

use sallyport_grant::body::{Body, BodyError, EnrolmentBody, EnrolmentType, Platform, RootBody, ServerUrl, TokenSecret};
use sallyport_grant::enrol::{self, Enrolment, EnrolmentError};
use sallyport_grant::root::RootError;
use sallyport_grant::{AuthorityPin, Envelope, SignatureKind, TrustRoot, VerifyKey, sha256};
use sallyport_model::{InstallerId, Name, SiteId, TenantId, Timestamp};

use crate::world::World;

fn world() -> World {
    World::seeded(1)
}

fn verify(envelope: &Envelope, pin: AuthorityPin) -> Result<TrustRoot, RootError> {
    TrustRoot::verify(&envelope.to_bytes(), pin, world().now)
}

/// The next root of the world's, changed and signed by these authorities.
fn next(change: impl FnOnce(&mut RootBody), authorities: &[&str]) -> Envelope {
    let mut body = world().root_body();
    body.version = 2;
    change(&mut body);
    world().sign_root(body, authorities)
}

fn rotated(envelope: &Envelope) -> Result<u32, RootError> {
    world().root().rotate(&envelope.to_bytes(), world().now).map(|root| root.body().version)
}

#[test]
fn the_pinned_authority_makes_a_root() {
    let root = world().root();
    assert_eq!((root.body(), root.pin(), root.tenant()), (&world().root_body(), world().pin(), world().tenant));
}

#[test]
fn the_pin_is_the_hash_of_threshold_and_sorted_keys() {
    let (a, b) = (world().public("authority"), world().public("second"));
    assert_eq!(AuthorityPin::of(1, &[a, b]), AuthorityPin::of(1, &[b, a]));
    assert_ne!(AuthorityPin::of(1, &[a, b]), AuthorityPin::of(2, &[a, b]));
    assert_eq!(AuthorityPin::of(1, &[a]).0, sha256(&[b"sallyport.authority/1\n\0\0\0\x01", a.as_bytes()]));
}

#[test]
fn a_server_that_is_taken_over_cannot_install_its_own_root() {
    let mut body = world().root_body();
    body.authority = vec![world().public("stranger")];
    let own = world().sign_root(body, &["stranger"]);
    assert_eq!(verify(&own, world().pin()), Err(RootError::OtherAuthority));
    let unsigned_by_authority = world().sign_root(world().root_body(), &["attestation"]);
    assert_eq!(verify(&unsigned_by_authority, world().pin()), Err(RootError::TooFewSignatures));
    let lower = AuthorityPin::of(2, &[world().public("authority")]);
    assert_eq!(verify(&world().root_envelope(), lower), Err(RootError::OtherAuthority));
}

#[test]
fn a_forged_signature_in_the_authoritys_name_is_refused() {
    let good = world().root_envelope();
    let mut body = world().root_body();
    body.attestation = world().public("stranger");
    let forged = good.signatures().iter().cloned().fold(body.into_envelope().unwrap(), Envelope::and_signature);
    assert_eq!(verify(&forged, world().pin()), Err(RootError::BadSignature));
}

#[test]
fn the_threshold_counts_distinct_keys() {
    let keys = ["authority", "second", "third"];
    let two_of_three = |signers: &[&str]| {
        let mut body = world().root_body();
        body.threshold = 2;
        body.authority = keys.iter().map(|key| world().public(key)).collect();
        let pin = AuthorityPin::of(2, &body.authority);
        verify(&world().sign_root(body, signers), pin).map(|root| root.body().version)
    };
    assert_eq!(two_of_three(&["authority", "third"]), Ok(1));
    assert_eq!(two_of_three(&["second"]), Err(RootError::TooFewSignatures));
    assert_eq!(two_of_three(&["second", "stranger"]), Err(RootError::TooFewSignatures));
}

#[test]
fn a_root_expires() {
    let expires = world().root_body().expires;
    let just_before = Timestamp::from_micros(expires.micros() - 1);
    let bytes = world().root_envelope().to_bytes();
    assert!(TrustRoot::verify(&bytes, world().pin(), just_before).is_ok());
    assert_eq!(TrustRoot::verify(&bytes, world().pin(), expires), Err(RootError::Expired(expires)));
}

#[test]
fn a_rotation_is_signed_by_the_old_and_the_new_authority() {
    let replace = |body: &mut RootBody| body.authority = vec![world().public("second")];
    assert_eq!(rotated(&next(|_| (), &["authority"])), Ok(2));
    assert_eq!(rotated(&next(replace, &["authority", "second"])), Ok(2));
    assert_eq!(rotated(&next(replace, &["authority"])), Err(RootError::TooFewSignatures));
    assert_eq!(rotated(&next(replace, &["second"])), Err(RootError::TooFewSignatures));
}

#[test]
fn versions_go_up_by_one_within_a_tenant() {
    for version in [1, 3, u32::MAX] {
        assert_eq!(rotated(&next(|body| body.version = version, &["authority"])), Err(RootError::NotTheNext), "{version}");
    }
    let elsewhere = |body: &mut RootBody| {
        body.tenant = TenantId::from_bytes([9; 16]);
        body.log.origin = format!("sallyport/{}", body.tenant);
    };
    assert_eq!(rotated(&next(elsewhere, &["authority"])), Err(RootError::OtherTenant));
}

#[test]
fn a_device_that_was_away_follows_the_chain_through_expired_roots() {
    let old = world().root_envelope().to_bytes();
    let later = world().root_body().expires.plus_secs(86_400);
    let fresh = next(|body| body.expires = later.plus_secs(1), &["authority"]).to_bytes();
    assert_eq!(TrustRoot::verify_chain(&[&old, &fresh], world().pin(), later).map(|root| root.body().version), Ok(2));
    assert_eq!(TrustRoot::verify_chain(&[&fresh, &old], world().pin(), later), Err(RootError::NotTheNext));
    assert_eq!(TrustRoot::verify_chain(&[], world().pin(), later), Err(RootError::ChainLength));
}

#[test]
fn bounds_of_a_root() {
    let refusal = |change: fn(&mut RootBody)| {
        let mut body = world().root_body();
        change(&mut body);
        body.into_bytes().err()
    };
    assert_eq!(refusal(|body| body.version = 0), Some(BodyError::OutOfRange));
    assert_eq!(refusal(|body| body.threshold = 0), Some(BodyError::Threshold));
    assert_eq!(refusal(|body| body.threshold = 2), Some(BodyError::Threshold));
    assert_eq!(refusal(|body| body.expires = body.issued), Some(BodyError::TimeOrder));
    assert_eq!(refusal(|body| body.log.origin.push('x')), Some(BodyError::Origin));
    assert_eq!(refusal(|body| body.fresh = body.attestation), Some(BodyError::Repeated));
    assert_eq!(refusal(|body| body.attestation = body.authority[0]), Some(BodyError::Repeated));
    assert_eq!(refusal(|body| body.authority = vec![body.authority[0]; 17]), Some(BodyError::TooMany));
}

pub(crate) fn enrolment(world: &World) -> EnrolmentBody {
    let name = |text: &str| Name::parse(text).unwrap();
    EnrolmentBody {
        r#type: EnrolmentType::V1,
        tenant: world.tenant,
        tenant_name: name("Example IT"),
        site: SiteId::from_bytes([4; 16]),
        site_name: name("Lyon"),
        customer_name: name("Bakery"),
        server: ServerUrl::parse("wss://rmm.example.test/agent/link").unwrap(),
        authority_pin: world.pin().0,
        root: world.root_envelope(),
        token_id: InstallerId::from_bytes([6; 16]),
        token_secret: TokenSecret::from_bytes([7; 32]),
        expires: world.now.plus_secs(86_400),
        platform: Platform::Linux,
        ca: None,
    }
}

fn enrolled(change: impl FnOnce(&mut EnrolmentBody), key: &str) -> Result<VerifyKey, EnrolmentError> {
    let mut body = enrolment(&world());
    change(&mut body);
    let file = enrol::sign(body, &world().key(key)).unwrap();
    Enrolment::verify(&file, world().now).map(|enrolment| enrolment.root().body().attestation)
}

#[test]
fn an_enrolment_file_leads_to_its_root() {
    assert_eq!(enrolled(|_| (), "enrolment"), Ok(world().public("attestation")));
}

#[test]
fn wrong_enrolment_files_are_refused() {
    assert_eq!(enrolled(|_| (), "attestation"), Err(EnrolmentError::NotSigned));
    assert_eq!(enrolled(|body| body.expires = world().now, "enrolment"), Err(EnrolmentError::Expired(world().now)));
    assert_eq!(enrolled(|body| body.authority_pin = sha256(&[]), "enrolment"), Err(RootError::OtherAuthority.into()));
    assert_eq!(enrolled(|body| body.tenant = TenantId::from_bytes([9; 16]), "enrolment"), Err(EnrolmentError::OtherTenant));
    let by_stranger = |body: &mut EnrolmentBody| body.root = world().sign_root(world().root_body(), &["stranger"]);
    assert_eq!(enrolled(by_stranger, "enrolment"), Err(RootError::TooFewSignatures.into()));
}

#[test]
fn the_token_is_never_shown() {
    let shown = format!("{:?}", enrolment(&world()));
    assert!(shown.contains("TokenSecret(..)") && !shown.contains("0707"));
}

#[test]
fn a_root_is_no_grant_and_a_passkey_no_authority() {
    let body = world().root_body().into_bytes().unwrap();
    let relabelled = Envelope::signed(sallyport_grant::PayloadType::Grant, body, SignatureKind::NativeEd25519, &world().key("authority"));
    assert!(matches!(verify(&relabelled, world().pin()), Err(RootError::Envelope(_))));
    let envelope = world().root_body().into_envelope().unwrap().and_signed(SignatureKind::Webauthn, &world().key("authority"));
    assert_eq!(verify(&envelope, world().pin()), Err(RootError::TooFewSignatures));
}
