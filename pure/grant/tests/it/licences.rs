//! Licences: one written form, one key that signs them, and nothing else that they could be taken for.

use std::path::Path;

use sallyport_grant::body::{
    Body, BodyError, GrantBody, HostKeys, HostKind, LicenceBody, LicenceHost, LicenceType, RootBody, Scope, ToolVersion, Versions,
};
use sallyport_grant::envelope::EnvelopeError;
use sallyport_grant::json::JsonError;
use sallyport_grant::licence::{self, Licence, LicenceError, Measured, NotCovered};
use sallyport_grant::root::RootError;
use sallyport_grant::{AuthorityPin, Envelope, Hex, PayloadType, SignatureKind, json, sha256};
use sallyport_model::{ApiClientId, Digest, LicenceId, Name, limits};
use serde::{Deserialize, Serialize};

use crate::world::World;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/licences.json");
const KEY: [u8; 33] = [2; 33];

fn world() -> World {
    World::seeded(1)
}

fn version(text: &str) -> ToolVersion {
    ToolVersion::parse(text).unwrap()
}

fn digest(seed: u8) -> Digest {
    Digest::from_bytes([seed; 32])
}

fn body(world: &World) -> LicenceBody {
    LicenceBody {
        r#type: LicenceType::V1,
        id: LicenceId::from_bytes([3; 16]),
        tenant: world.tenant,
        client: ApiClientId::from_bytes([4; 16]),
        tool: Name::parse("Patch report").unwrap(),
        publisher: Name::parse("Nordwind").unwrap(),
        versions: Versions { from: version("1.2"), below: version("2") },
        executables: vec![digest(1), digest(2)],
        scripts: Vec::new(),
        scopes: vec![Scope::parse("devices.read").unwrap()],
        hosts: vec![LicenceHost { name: Name::parse("build-1").unwrap(), kind: HostKind::File, key: Hex(KEY) }],
        host_keys: HostKeys::Any,
        issued: world.now,
        expires: world.now.plus_secs(86_400),
        authority_pin: world.pin().0,
        root: world.root_envelope(),
    }
}

pub(crate) fn signed(world: &World, change: impl FnOnce(&mut LicenceBody)) -> Vec<u8> {
    let mut body = body(world);
    change(&mut body);
    licence::sign(&body.into_bytes().unwrap(), &world.key("enrolment")).unwrap().to_bytes()
}

fn checked(change: impl FnOnce(&mut LicenceBody)) -> Result<(), BodyError> {
    let mut body = body(&world());
    change(&mut body);
    body.check()
}

#[test]
fn a_licence_is_verified_by_the_authority_that_its_reader_knows() {
    let world = world();
    let file = signed(&world, |_| {});
    let good = Licence::verify(&file, Some(world.pin()), world.now).unwrap();
    assert_eq!((good.body(), good.digest()), (&body(&world), Envelope::parse(&file, PayloadType::Licence).unwrap().digest()));
    assert!(Licence::verify(&file, None, world.now).is_ok(), "by its own pin");
    assert!(Licence::verify_by(&file, &world.public("enrolment")).is_ok());
    let other = AuthorityPin(digest(9));
    assert_eq!(Licence::verify(&file, Some(other), world.now).unwrap_err(), RootError::OtherAuthority.into());
    let later = world.now.plus_secs(366 * 86_400);
    assert!(matches!(Licence::verify(&file, None, later), Err(LicenceError::Root(RootError::Expired(_)))));
}

#[test]
fn a17_a_licence_of_another_tenant_or_installation_is_none_of_ours() {
    let (ours, theirs) = (world(), World::seeded(2));
    let file = signed(&theirs, |_| {});
    assert!(Licence::verify(&file, Some(theirs.pin()), theirs.now).is_ok(), "it is theirs");
    assert_eq!(Licence::verify_by(&file, &ours.public("enrolment")).unwrap_err(), LicenceError::NotSigned);
    assert_eq!(Licence::verify(&file, Some(ours.pin()), ours.now).unwrap_err(), RootError::OtherAuthority.into());
    // Their key under our name, and our name under their root.
    let renamed = signed(&theirs, |body| body.tenant = ours.tenant);
    assert_eq!(Licence::verify(&renamed, None, ours.now).unwrap_err(), LicenceError::OtherTenant);
    let body = body(&ours).into_bytes().unwrap();
    let forged = licence::sign(&body, &theirs.key("enrolment")).unwrap().to_bytes();
    assert_eq!(Licence::verify(&forged, None, ours.now).unwrap_err(), LicenceError::NotSigned);
}

#[test]
fn a17_no_other_key_of_the_tenant_signs_licences() {
    let world = world();
    for purpose in ["attestation", "log", "fresh", "authority", "device-0"] {
        let file = licence::sign(&body(&world).into_bytes().unwrap(), &world.key(purpose)).unwrap().to_bytes();
        assert_eq!(Licence::verify(&file, None, world.now).unwrap_err(), LicenceError::NotSigned, "{purpose}");
    }
    let native =
        Envelope::signed(PayloadType::Licence, body(&world).into_bytes().unwrap(), SignatureKind::NativeEd25519, &world.key("enrolment"));
    assert_eq!(Licence::verify(&native.to_bytes(), None, world.now).unwrap_err(), LicenceError::NotSigned, "as another kind");
}

#[test]
fn a17_a_licence_is_no_grant_and_nothing_else_signed_is_a_licence() {
    let mut world = world();
    let file = signed(&world, |_| {});
    for other in [PayloadType::Grant, PayloadType::Root, PayloadType::Enrolment, PayloadType::Receipt, PayloadType::Answer] {
        assert_eq!(Envelope::parse(&file, other), Err(EnvelopeError::OtherType), "{other:?}");
        let relabelled = String::from_utf8(file.clone())
            .unwrap()
            .replace("vnd.sallyport.licence.v1", &other.media_type()["application/".len()..other.media_type().len() - "+json".len()]);
        let read = Envelope::parse(relabelled.as_bytes(), other);
        // A server's signature on a grant says what it attests; the others are read, and the type is signed too.
        if let Ok(read) = read {
            use sallyport_grant::envelope::SignatureState;
            assert_ne!(read.signature_by(&world.public("enrolment"), &SignatureKind::Server), SignatureState::Good, "{other:?}");
        }
    }
    assert!(
        GrantBody::parse(&body(&world).into_bytes().unwrap()).is_err() && RootBody::parse(&body(&world).into_bytes().unwrap()).is_err()
    );
    let grant = world.body(1).into_bytes().unwrap();
    assert!(matches!(licence::sign(&grant, &world.key("enrolment")), Err(BodyError::Json(_))));
    let enrolment = crate::roots::enrolment(&world).into_bytes().unwrap();
    assert!(matches!(licence::sign(&enrolment, &world.key("enrolment")), Err(BodyError::Json(_))));
}

#[test]
fn unknown_and_repeated_members_and_large_files_are_refused() {
    let world = world();
    let text = String::from_utf8(body(&world).into_bytes().unwrap()).unwrap();
    for (bent, why) in [
        (text.replacen('{', r#"{"more":1,"#, 1), JsonError::Shape),
        (text.replacen('{', r#"{"type":"sallyport.licence/1","#, 1), JsonError::Syntax),
        (text.replacen(r#""scripts":[],"#, "", 1), JsonError::Shape),
        (text.replacen("licence/1", "licence/2", 1), JsonError::Shape),
        (text.replacen(r#""kind":"file""#, r#""kind":"usb""#, 1), JsonError::Shape),
        (text.replacen(r#""from":"1.2""#, r#""from":"1.02""#, 1), JsonError::Shape),
        (format!("{text} x"), JsonError::Syntax),
    ] {
        assert_ne!(bent, text);
        assert_eq!(LicenceBody::parse(bent.as_bytes()), Err(BodyError::Json(why)), "{bent}");
    }
    let huge = vec![b' '; limits::LICENCE_BYTES + 1];
    assert_eq!(
        Licence::verify(&huge, None, world.now).unwrap_err(),
        EnvelopeError::Json(JsonError::TooLarge(limits::LICENCE_BYTES)).into()
    );
    // Every bit that is flipped somewhere is noticed.
    let file = signed(&world, |_| {});
    for at in (0..file.len()).step_by(7) {
        let mut bent = file.clone();
        bent[at] ^= 1;
        assert!(Licence::verify(&bent, Some(world.pin()), world.now).is_err(), "byte {at}");
    }
}

#[test]
fn a_licence_has_bounds() {
    assert_eq!(checked(|_| {}), Ok(()));
    assert_eq!(checked(|body| body.executables.clear()), Err(BodyError::Empty));
    assert_eq!(checked(|body| body.scopes.clear()), Err(BodyError::Empty));
    assert_eq!(checked(|body| body.hosts.clear()), Err(BodyError::Empty));
    assert_eq!(checked(|body| body.executables = (0..17).map(digest).collect()), Err(BodyError::TooMany));
    assert_eq!(checked(|body| body.scripts = (0..17).map(digest).collect()), Err(BodyError::TooMany));
    assert_eq!(checked(|body| body.executables.push(digest(1))), Err(BodyError::Repeated));
    assert_eq!(checked(|body| body.hosts.push(body.hosts[0].clone())), Err(BodyError::Repeated));
    assert_eq!(checked(|body| body.scopes.push(body.scopes[0].clone())), Err(BodyError::Repeated));
    assert_eq!(checked(|body| body.versions.below = version("1.2.0")), Err(BodyError::OutOfRange));
    assert_eq!(checked(|body| body.expires = body.issued), Err(BodyError::TimeOrder));
    let most = limits::LICENCE_LIFETIME_SECS;
    assert_eq!(checked(|body| body.expires = body.issued.plus_secs(most)), Ok(()));
    assert_eq!(checked(|body| body.expires = body.issued.plus_secs(most + 1)), Err(BodyError::OutOfRange));
    assert_eq!(checked(|body| body.host_keys = HostKeys::Tpm), Err(BodyError::Contradiction));
}

#[test]
fn versions_are_numbers() {
    let among = |text: &str| body(&world()).versions.hold(&version(text));
    for inside in ["1.2", "1.2.0", "1.2.0.1", "1.10", "1.999999999"] {
        assert!(among(inside), "{inside}");
    }
    for outside in ["1.1.9", "2", "2.0.0.0", "0", "10"] {
        assert!(!among(outside), "{outside}");
    }
    for wrong in ["", ".", "1.", "v1", "1.2.3.4.5", "01", "1 ", "1.1234567890", "-1", "1..2"] {
        assert!(ToolVersion::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_licence_covers_its_program_on_its_hosts_in_its_time() {
    let world = world();
    let licence = |change: fn(&mut LicenceBody)| Licence::verify(&signed(&world, change), None, world.now).unwrap();
    let plain = licence(|_| {});
    let program = |version: &str, executable, script| Measured { version: self::version(version), executable, script };
    assert_eq!(plain.covers(&program("1.5", digest(2), None)), Ok(()));
    assert_eq!(plain.covers(&program("1.5", digest(2), Some(digest(7)))), Ok(()), "it names no script");
    assert_eq!(plain.covers(&program("2", digest(2), None)), Err(NotCovered::Version));
    assert_eq!(plain.covers(&program("1.5", digest(3), None)), Err(NotCovered::Executable));
    let scripted = licence(|body| body.scripts = vec![digest(5)]);
    assert_eq!(scripted.covers(&program("1.5", digest(1), Some(digest(5)))), Ok(()));
    for script in [None, Some(digest(6))] {
        assert_eq!(scripted.covers(&program("1.5", digest(1), script)), Err(NotCovered::Script));
    }
    assert_eq!(plain.host(&KEY, HostKind::File).map(|host| host.name.as_str()), Ok("build-1"));
    assert_eq!(plain.host(&KEY, HostKind::Tpm), Err(NotCovered::HostKind));
    assert_eq!(plain.host(&[3; 33], HostKind::File), Err(NotCovered::Host));
    let in_tpm = licence(|body| {
        body.hosts[0].kind = HostKind::Tpm;
        body.host_keys = HostKeys::Tpm;
    });
    assert!(in_tpm.host(&KEY, HostKind::Tpm).is_ok());
    assert_eq!(in_tpm.host(&KEY, HostKind::File), Err(NotCovered::HostKind));
    let end = plain.body().expires;
    assert_eq!((plain.stands(end.plus_secs(-1)), plain.stands(end)), (Ok(()), Err(NotCovered::Expired(end))));
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Vector {
    about: String,
    authority_pin: Digest,
    enrolment_key: sallyport_grant::VerifyKey,
    pae_sha256: Digest,
    payload: String,
    licence: String,
}

/// `UPDATE_VECTORS=1 cargo nextest run -p sallyport-grant licences` writes it anew.
#[test]
fn the_golden_vector() {
    let world = world();
    let payload = String::from_utf8(body(&world).into_bytes().unwrap()).unwrap();
    let licence = String::from_utf8(signed(&world, |_| {})).unwrap();
    let envelope = Envelope::parse(licence.as_bytes(), PayloadType::Licence).unwrap();
    let vector = Vector {
        about: "A licence: its exact bytes, the key that signed it, and SHA-256 of what is signed. 2026-09-21 is within its time."
            .to_owned(),
        authority_pin: world.pin().0,
        enrolment_key: world.public("enrolment"),
        pae_sha256: sha256(&[&envelope.pae()]),
        payload,
        licence,
    };
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(FILE, serde_json::to_vec_pretty(&vector).unwrap()).unwrap();
    }
    let reviewed: Vector = json::parse(&std::fs::read(Path::new(FILE)).unwrap(), 1 << 20).unwrap();
    assert_eq!(vector, reviewed);
    assert!(Licence::verify(reviewed.licence.as_bytes(), Some(AuthorityPin(reviewed.authority_pin)), world.now).is_ok());
}
