//! Envelopes: one written form, limits, and signatures that cover every byte.

use sallyport_grant::envelope::{EnvelopeError, SignatureState};
use sallyport_grant::json::JsonError;
use sallyport_grant::{Envelope, PayloadType, Signature, SignatureKind, VerifyKey};

use crate::world::World;

fn signed() -> Envelope {
    Envelope::signed(PayloadType::Grant, b"{\"a\":1}".to_vec(), SignatureKind::NativeEd25519, &World::seeded(1).key("operator"))
}

fn parse(text: &str) -> Result<Envelope, EnvelopeError> {
    Envelope::parse(text.as_bytes(), PayloadType::Grant)
}

fn written() -> String {
    String::from_utf8(signed().to_bytes()).unwrap()
}

#[test]
fn written_and_read_back() {
    assert_eq!(parse(&written()), Ok(signed()));
    assert!(
        written()
            .starts_with(r#"{"payloadType":"application/vnd.sallyport.grant.v1+json","payload":"eyJhIjoxfQ==","signatures":[{"keyid":""#)
    );
}

#[test]
fn base64_has_one_form() {
    for other in ["eyJhIjoxfQ", "eyJhIjoxfQ=", "eyJhIjoxfR==", "eyJh\\nIjoxfQ==", "eyJhIjoxfQ== ", "eyJh-joxfQ=="] {
        let text = written().replace("eyJhIjoxfQ==", other);
        assert_eq!(parse(&text), Err(EnvelopeError::Json(JsonError::Shape)), "{other}");
    }
}

#[test]
fn an_envelope_is_of_one_type() {
    assert_eq!(Envelope::parse(written().as_bytes(), PayloadType::Receipt), Err(EnvelopeError::OtherType));
    let receipt = Envelope::signed(PayloadType::Receipt, b"{}".to_vec(), SignatureKind::NativeEd25519, &World::seeded(1).key("device-0"));
    let relabelled = String::from_utf8(receipt.to_bytes()).unwrap().replace("receipt", "grant");
    let relabelled = parse(&relabelled).unwrap();
    let key = World::seeded(1).public("device-0");
    assert_eq!(relabelled.signature_by(&key, &SignatureKind::NativeEd25519), SignatureState::Bad, "the type is signed too");
}

#[test]
fn signatures_are_counted_and_distinct() {
    let unsigned = Envelope::unsigned(PayloadType::Grant, b"{}".to_vec());
    assert_eq!(Envelope::parse(&unsigned.to_bytes(), PayloadType::Grant), Err(EnvelopeError::SignatureCount));
    let twice = signed().and_signed(SignatureKind::Webauthn, &World::seeded(1).key("operator"));
    assert_eq!(Envelope::parse(&twice.to_bytes(), PayloadType::Grant), Err(EnvelopeError::RepeatedKey));
    let world = World::seeded(1);
    let many = (0..17).fold(unsigned, |envelope, n| envelope.and_signed(SignatureKind::NativeEd25519, &world.key(&format!("k{n}"))));
    assert_eq!(Envelope::parse(&many.to_bytes(), PayloadType::Grant), Err(EnvelopeError::SignatureCount));
    let long = Signature { keyid: world.public("x").id(), kind: SignatureKind::Webauthn, sig: vec![0; 2049], statement: None };
    assert_eq!(Envelope::parse(&signed().and_signature(long).to_bytes(), PayloadType::Grant), Err(EnvelopeError::LongSignature));
}

#[test]
fn the_limit_holds_before_anything_is_read() {
    let huge = vec![b' '; PayloadType::Receipt.max_bytes() + 1];
    let limit = PayloadType::Receipt.max_bytes();
    assert_eq!(Envelope::parse(&huge, PayloadType::Receipt), Err(EnvelopeError::Json(JsonError::TooLarge(limit))));
}

#[test]
fn keys_of_small_order_and_second_encodings_are_no_keys() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut above_the_prime = [0xff; 32];
    above_the_prime[0] = 0xee;
    above_the_prime[31] = 0x7f;
    for bytes in [[0; 32], identity, above_the_prime] {
        assert!(VerifyKey::from_bytes(&bytes).is_err());
    }
}

#[test]
fn rfc_8032_test_vector_2() {
    let key: VerifyKey = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c".parse().unwrap();
    let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                     085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    assert!(key.verifies(&[0x72], &hex::decode(signature).unwrap()));
    assert!(!key.verifies(&[0x73], &hex::decode(signature).unwrap()));
}
