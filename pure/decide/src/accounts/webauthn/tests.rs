use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

/// A registration and a proof by the same credential, as the standard gives them.
#[derive(Deserialize)]
struct Vector {
    name: String,
    private_key: Option<String>,
    credential_id: String,
    create: Create,
    get: Get,
}

#[derive(Deserialize)]
struct Create {
    challenge: String,
    client_data: String,
    attestation_object: String,
}

#[derive(Deserialize)]
struct Get {
    challenge: String,
    client_data: String,
    authenticator_data: String,
    signature: String,
}

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn vectors() -> Vec<Vector> {
    let file: File = serde_json::from_str(include_str!("../../../vectors/webauthn.json")).unwrap();
    assert_eq!(file.vectors.len(), 15);
    file.vectors
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

impl Vector {
    fn register(&self, verification: UserVerification) -> Result<Registered, Refused> {
        let (site, challenge) = (site(), hex(&self.create.challenge));
        let expected = Expected { site: &site, challenge: &challenge, verification };
        register(&hex(&self.create.client_data), &hex(&self.create.attestation_object), &expected)
    }

    /// The credential as its attestation object has it, whatever the form of the attestation.
    fn stored(&self) -> Result<Stored, Refused> {
        let object = hex(&self.create.attestation_object);
        let object = Item::whole(&object).unwrap();
        let data = AuthenticatorData::parse(object.named("authData").and_then(Item::bytes).unwrap())?;
        let key = PublicKey::from_cose(data.attested.as_ref().unwrap().cose)?;
        Ok(Stored { key, sign_count: data.sign_count, eligibility: data.eligibility()? })
    }

    fn assert(&self, stored: &Stored, verification: UserVerification) -> Result<Asserted, Refused> {
        let (site, challenge) = (site(), hex(&self.get.challenge));
        let (client_data, data, signature) = (hex(&self.get.client_data), hex(&self.get.authenticator_data), hex(&self.get.signature));
        let answer = Answer { client_data: &client_data, authenticator_data: &data, signature: &signature };
        assert(&answer, stored, &Expected { site: &site, challenge: &challenge, verification })
    }
}

fn site() -> Site {
    Site::of_origin("https://example.org")
}

#[test]
fn wa_01_the_standards_vectors_verify_without_user_verification() {
    for name in ["none-es256", "packed-self-es256", "none-es256-long-credential-id"] {
        let vector = vector(name);
        let registered = vector.register(UserVerification::Discouraged).expect(name);
        assert_eq!(registered.credential.as_bytes(), hex(&vector.credential_id), "{name}");
        let stored = Stored { key: PublicKey::from_cose(&registered.cose).unwrap(), sign_count: 0, eligibility: registered.eligibility };
        assert_eq!(stored, vector.stored().unwrap(), "{name}");
        assert!(vector.assert(&stored, UserVerification::Discouraged).is_ok(), "{name}");
    }
}

#[test]
fn wa_01_the_first_vector_fails_where_user_verification_is_required() {
    let vector = vector("none-es256");
    let stored = vector.stored().unwrap();
    assert!(vector.assert(&stored, UserVerification::Discouraged).is_ok());
    assert_eq!(vector.assert(&stored, UserVerification::Required), Err(Refused::NotVerified));
    assert_eq!(vector.register(UserVerification::Required), Err(Refused::NotVerified));
}

#[test]
fn wa_01_proofs_by_keys_with_any_attestation_verify() {
    for name in ["packed-es256", "packed-eddsa", "tpm-es256", "android-key-es256", "apple-es256", "fido-u2f-es256"] {
        let vector = vector(name);
        let stored = vector.stored().expect(name);
        assert!(vector.assert(&stored, UserVerification::Discouraged).is_ok(), "{name}");
    }
}

#[test]
fn wa_01_with_user_verification_what_has_the_flag_verifies_and_nothing_else() {
    for vector in vectors() {
        let Ok(stored) = vector.stored() else { continue };
        let verified = hex(&vector.get.authenticator_data)[32] & 0x04 != 0;
        let asserted = vector.assert(&stored, UserVerification::Required);
        let framed = asserted == Err(Refused::CrossOrigin);
        assert!(framed || asserted.is_ok() == verified, "{}: {asserted:?}", vector.name);
    }
}

#[test]
fn wa_01_keys_of_other_algorithms_are_refused() {
    for name in ["packed-es384", "packed-es512", "packed-rs256", "packed-ed448"] {
        assert_eq!(vector(name).stored(), Err(Refused::Key(KeyError::Algorithm)), "{name}");
        assert!(vector(name).register(UserVerification::Discouraged).is_err(), "{name}");
    }
}

#[test]
fn wa_04_frames_of_other_sites_are_refused() {
    for name in ["none-es256-crossOrigin", "none-es256-topOrigin"] {
        let vector = vector(name);
        let stored = vector.stored().unwrap();
        assert_eq!(vector.register(UserVerification::Discouraged), Err(Refused::CrossOrigin), "{name}");
        assert_eq!(vector.assert(&stored, UserVerification::Discouraged), Err(Refused::CrossOrigin), "{name}");
    }
}

#[test]
fn wa_09_attestations_that_nobody_asked_for_are_refused() {
    for name in ["packed-es256", "packed-eddsa", "tpm-es256", "android-key-es256", "apple-es256", "fido-u2f-es256"] {
        let refused = vector(name).register(UserVerification::Discouraged).unwrap_err();
        assert!(matches!(refused, Refused::AttestationForm), "{name}: {refused}");
    }
}

#[test]
fn wa_09_a_self_attestation_is_verified() {
    let vector = vector("packed-self-es256");
    let (site, challenge) = (site(), hex(&vector.create.challenge));
    let expected = Expected { site: &site, challenge: &challenge, verification: UserVerification::Discouraged };
    let (client_data, object) = (hex(&vector.create.client_data), hex(&vector.create.attestation_object));
    assert!(register(&client_data, &object, &expected).is_ok());
    for changed in 0..object.len() {
        let mut other = object.clone();
        other[changed] ^= 1;
        assert!(register(&client_data, &other, &expected).is_err(), "byte {changed}");
    }
}

/// An authenticator of the tests: the first vector's key, over whatever is asked.
struct Authenticator {
    key: SigningKey,
    stored: Stored,
}

const CHALLENGE: [u8; 32] = [5; 32];
const UP: u8 = 0x01;
const UV: u8 = 0x04;
const BE: u8 = 0x08;
const BS: u8 = 0x10;
const AT: u8 = 0x40;
const ED: u8 = 0x80;

impl Authenticator {
    fn new() -> Self {
        let vector = vector("none-es256");
        let key = SigningKey::from_slice(&hex(vector.private_key.as_ref().unwrap())).unwrap();
        Self { key, stored: Stored { sign_count: 7, eligibility: Eligibility::Synced, ..vector.stored().unwrap() } }
    }

    fn data(flags: u8, count: u32) -> Vec<u8> {
        [Sha256::digest("example.org").as_slice(), &[flags], &count.to_be_bytes()].concat()
    }

    fn client_data(kind: &str, origin: &str, rest: &str) -> String {
        use base64::Engine as _;
        let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(CHALLENGE);
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"{rest}}}"#)
    }

    fn answer(&self, client_data: &str, data: &[u8]) -> Result<Asserted, Refused> {
        let signature: p256::ecdsa::Signature = self.key.sign(&[data, &Sha256::digest(client_data)].concat());
        let (site, signature) = (site(), signature.to_der());
        let answer = Answer { client_data: client_data.as_bytes(), authenticator_data: data, signature: signature.as_bytes() };
        let expected = Expected { site: &site, challenge: &CHALLENGE, verification: UserVerification::Required };
        assert(&answer, &self.stored, &expected)
    }

    fn with_flags(&self, flags: u8) -> Result<Asserted, Refused> {
        self.answer(&right(), &Self::data(flags, 8))
    }

    fn saying(&self, client_data: &str) -> Result<Asserted, Refused> {
        self.answer(client_data, &Self::data(UP | UV | BE, 8))
    }
}

fn right() -> String {
    Authenticator::client_data("webauthn.get", "https://example.org", "")
}

#[test]
fn wa_03_the_other_ceremonys_answer_is_refused() {
    let authenticator = Authenticator::new();
    assert!(authenticator.saying(&right()).is_ok());
    for kind in ["webauthn.create", "payment.get", "", "WEBAUTHN.GET"] {
        let client_data = Authenticator::client_data(kind, "https://example.org", "");
        assert_eq!(authenticator.saying(&client_data), Err(Refused::Kind), "{kind}");
    }
}

#[test]
fn wa_04_the_origin_is_exact() {
    let authenticator = Authenticator::new();
    for origin in [
        "https://example.org.evil.test",
        "https://evil.test",
        "http://example.org",
        "https://example.org:8443",
        "https://a.example.org",
        "https://example.org/",
        "HTTPS://EXAMPLE.ORG",
        "null",
        "",
    ] {
        let client_data = Authenticator::client_data("webauthn.get", origin, "");
        assert_eq!(authenticator.saying(&client_data), Err(Refused::Origin), "{origin}");
    }
    for (rest, wanted) in [
        (r#","crossOrigin":true"#, Err(Refused::CrossOrigin)),
        (r#","topOrigin":"https://example.org""#, Err(Refused::CrossOrigin)),
        (r#","crossOrigin":"false""#, Err(Refused::ClientData)),
        (r#","origin":"https://example.org""#, Err(Refused::ClientData)),
    ] {
        let client_data = Authenticator::client_data("webauthn.get", "https://example.org", rest);
        assert_eq!(authenticator.saying(&client_data), wanted, "{rest}");
    }
    let more = Authenticator::client_data("webauthn.get", "https://example.org", r#","crossOrigin":false,"other":{"x":[1]}"#);
    assert!(authenticator.saying(&more).is_ok(), "browsers may add members");
}

#[test]
fn wa_02_the_challenge_is_exact() {
    let authenticator = Authenticator::new();
    let other = right().replace("BQUFBQ", "BQUFBA");
    assert_eq!(authenticator.saying(&other), Err(Refused::Challenge));
    let short = right().replace("BQUFBQ", "");
    assert_eq!(authenticator.saying(&short), Err(Refused::Challenge));
}

#[test]
fn wa_05_presence_verification_and_site_are_required() {
    let authenticator = Authenticator::new();
    assert!(authenticator.with_flags(UP | UV | BE).is_ok());
    assert_eq!(authenticator.with_flags(UV | BE), Err(Refused::NotPresent));
    assert_eq!(authenticator.with_flags(UP | BE), Err(Refused::NotVerified));
    let other_site = [Sha256::digest("evil.test").as_slice(), &[UP | UV | BE], &[0, 0, 0, 8]].concat();
    assert_eq!(authenticator.answer(&right(), &other_site), Err(Refused::Site));
}

#[test]
fn wa_12_what_never_verified_its_user_is_not_registered_and_so_never_raised_by_itself() {
    let authenticator = Authenticator::new();
    let unverified = vector("none-es256");
    assert_eq!(unverified.register(UserVerification::Required), Err(Refused::NotVerified), "there is nothing to raise");
    assert!(unverified.register(UserVerification::Discouraged).is_ok(), "the control: only that flag is missing");
    assert_eq!(authenticator.with_flags(UP | BE), Err(Refused::NotVerified), "and without the flag nothing is proved");
    assert!(authenticator.with_flags(UP | UV | BE).is_ok());
}

#[test]
fn wa_06_backup_flags_agree_with_each_other_and_with_the_registration() {
    let mut authenticator = Authenticator::new();
    assert_eq!(authenticator.with_flags(UP | UV | BE | BS).map(|asserted| asserted.backup), Ok(Backup::Done));
    assert_eq!(authenticator.with_flags(UP | UV | BE).map(|asserted| asserted.backup), Ok(Backup::None));
    assert_eq!(authenticator.with_flags(UP | UV | BS), Err(Refused::Backup), "backed up without being eligible");
    assert_eq!(authenticator.with_flags(UP | UV), Err(Refused::Backup), "eligible at registration, not now");
    authenticator.stored.eligibility = Eligibility::DeviceBound;
    assert!(authenticator.with_flags(UP | UV).is_ok());
    assert_eq!(authenticator.with_flags(UP | UV | BE), Err(Refused::Backup), "not eligible at registration, but now");
}

#[test]
fn wa_08_a_counter_that_does_not_go_forward_is_told() {
    let mut authenticator = Authenticator::new();
    for (stored, shown, wanted) in [
        (7, 8, Counter::Forward),
        (7, u32::MAX, Counter::Forward),
        (7, 7, Counter::Regressed),
        (7, 6, Counter::Regressed),
        (7, 0, Counter::Regressed),
        (0, 0, Counter::Forward),
        (0, 1, Counter::Forward),
    ] {
        authenticator.stored.sign_count = stored;
        let asserted = authenticator.answer(&right(), &Authenticator::data(UP | UV | BE, shown)).unwrap();
        assert_eq!((asserted.counter, asserted.sign_count), (wanted, shown), "{stored} then {shown}");
    }
}

#[test]
fn wa_13_extensions_are_ignored_and_their_form_is_checked() {
    let authenticator = Authenticator::new();
    let with = |extensions: &str| [Authenticator::data(UP | UV | BE | ED, 8), hex(extensions)].concat();
    assert!(authenticator.answer(&right(), &with("a16375766df5")).is_ok(), "an extension that nobody asked for");
    for wrong in ["", "00", "a1", "a16375766df500", "a26375766df56375766df5"] {
        assert_eq!(authenticator.answer(&right(), &with(wrong)), Err(Refused::AuthenticatorData), "{wrong}");
    }
}

#[test]
fn authenticator_data_has_nothing_missing_and_nothing_behind() {
    let authenticator = Authenticator::new();
    let data = Authenticator::data(UP | UV | BE, 8);
    for length in 0..data.len() {
        assert_eq!(authenticator.answer(&right(), &data[..length]), Err(Refused::AuthenticatorData), "{length}");
    }
    assert_eq!(authenticator.answer(&right(), &[data.as_slice(), &[0]].concat()), Err(Refused::AuthenticatorData));
    assert_eq!(authenticator.with_flags(UP | UV | BE | AT), Err(Refused::AuthenticatorData));
}

#[test]
fn a_changed_bit_anywhere_breaks_the_signature() {
    let vector = vector("packed-self-es256");
    let stored = vector.stored().unwrap();
    let (site, challenge) = (site(), hex(&vector.get.challenge));
    let expected = Expected { site: &site, challenge: &challenge, verification: UserVerification::Discouraged };
    let parts = [hex(&vector.get.client_data), hex(&vector.get.authenticator_data), hex(&vector.get.signature)];
    let verify = |parts: &[Vec<u8>; 3]| {
        assert(&Answer { client_data: &parts[0], authenticator_data: &parts[1], signature: &parts[2] }, &stored, &expected)
    };
    assert!(verify(&parts).is_ok());
    for part in 0..parts.len() {
        for byte in 0..parts[part].len() {
            let mut changed = parts.clone();
            changed[part][byte] ^= 0x01;
            assert!(verify(&changed).is_err(), "part {part}, byte {byte}");
        }
    }
}

#[test]
fn keys_with_parameters_missing_doubled_or_too_many_are_refused() {
    let point = "2001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220";
    assert!(PublicKey::from_cose(&hex(&format!("a501020326{point}"))).is_ok());
    for (cose, wanted) in [
        (format!("a4010220{}", &point[2..]), KeyError::Malformed),
        (format!("a6010203260401{point}"), KeyError::Malformed),
        (format!("a501020327{point}"), KeyError::Algorithm),
        (format!("a501020326{}", point.replace("6b9220", "6b9221")), KeyError::Point),
        (format!("a501020326{point}00"), KeyError::Malformed),
        ("a4010103272006215820".to_owned() + &"00".repeat(32), KeyError::Point),
        (String::new(), KeyError::Malformed),
    ] {
        assert_eq!(PublicKey::from_cose(&hex(&cose)), Err(wanted), "{cose}");
    }
}

#[test]
fn the_host_name_is_the_relying_party() {
    for (origin, wanted) in [
        ("https://rmm.example.test", "rmm.example.test"),
        ("https://rmm.example.test:8443", "rmm.example.test"),
        ("http://localhost:8800", "localhost"),
    ] {
        assert_eq!(Site::of_origin(origin).rp_id(), wanted);
    }
}
