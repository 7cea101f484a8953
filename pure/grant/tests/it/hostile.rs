//! Arbitrary and mutated input: never a panic, never obedience.

use std::sync::LazyLock;

use proptest::prelude::*;
use sallyport_grant::body::{Body, EnrolmentBody, GrantBody, LicenceBody, ReceiptBody, RootBody, Statement};
use sallyport_grant::enrol::{self, Enrolment};
use sallyport_grant::licence::Licence;
use sallyport_grant::targets::TargetProof;
use sallyport_grant::{Envelope, PayloadType, Signature, TrustRoot, json, receipt};
use sallyport_model::{Digest, limits};

use crate::roots::enrolment;
use crate::world::{Offered, World};

const TYPES: [PayloadType; 5] = [PayloadType::Grant, PayloadType::Root, PayloadType::Enrolment, PayloadType::Receipt, PayloadType::Licence];

static OFFERED: LazyLock<(World, Offered)> = LazyLock::new(|| {
    let mut world = World::seeded(1);
    let body = world.body(3);
    let offered = world.grant(body, 3);
    assert!(world.offer("device-0", &offered).is_ok());
    (world, offered)
});

/// Feeds bytes to every parser.
fn read_everything(bytes: &[u8]) {
    let world = World::seeded(1);
    for wanted in TYPES {
        let _ = Envelope::parse(bytes, wanted);
    }
    let _ = GrantBody::parse(bytes);
    let _ = Statement::parse(bytes);
    let _ = RootBody::parse(bytes);
    let _ = EnrolmentBody::parse(bytes);
    let _ = ReceiptBody::parse(bytes);
    let _ = LicenceBody::parse(bytes);
    let _ = Licence::verify(bytes, None, world.now);
    let _ = json::parse::<serde::de::IgnoredAny>(bytes, limits::ENVELOPE_BYTES);
    let _ = TrustRoot::verify(bytes, world.pin(), world.now);
    let _ = Enrolment::verify(bytes, world.now);
    let _ = receipt::verify(bytes, &world.public("device-0"));
}

/// Every byte of a signed grant, every bit: refused.
#[test]
fn a25_any_flipped_bit_of_a_signed_envelope_is_refused() {
    let (world, offered) = &*OFFERED;
    let mut bent = offered.clone();
    for at in 0..bent.envelope.len() {
        let bit = at % 8;
        bent.envelope[at] ^= 1 << bit;
        assert!(world.offer("device-0", &bent).is_err(), "bit {bit} of byte {at}");
        bent.envelope[at] ^= 1 << bit;
    }
    assert!(world.offer("device-0", &bent).is_ok(), "the control is obeyed");
}

/// The statement of the offered grant.
fn statement() -> Vec<u8> {
    let envelope = Envelope::parse(&OFFERED.1.envelope, PayloadType::Grant).unwrap();
    envelope.signatures()[0].statement.clone().unwrap()
}

/// What a parser sees when an honest text was edited by someone hostile.
fn mutated(valid: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..6);
    edits.prop_map(move |edits| {
        let mut bytes = valid.clone();
        for (at, byte, edit) in edits {
            let at = at.index(bytes.len().max(1));
            match edit {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at.min(bytes.len()), byte),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_everything(&bytes);
    }

    #[test]
    fn arbitrary_json_never_panics(text in r#"[\[\]{}:,"0-9a-z\\ .eE+-]{0,200}"#) {
        read_everything(text.as_bytes());
    }

    #[test]
    fn a25_a_mutated_grant_is_refused(bytes in mutated(OFFERED.1.envelope.clone())) {
        let (world, offered) = &*OFFERED;
        prop_assume!(bytes != offered.envelope);
        read_everything(&bytes);
        let bent = Offered { envelope: bytes, ..offered.clone() };
        // An envelope may differ in spaces alone: then it is the same grant, and obeying it is right.
        if let Ok(grant) = world.offer("device-0", &bent) {
            let same = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
            prop_assert_eq!(grant.digest(), same.digest());
            prop_assert_eq!(Envelope::parse(&bent.envelope, PayloadType::Grant).unwrap(), same);
        }
    }

    #[test]
    fn a25_a_mutated_statement_is_refused(bytes in mutated(statement())) {
        let (world, offered) = &*OFFERED;
        prop_assume!(bytes != statement());
        read_everything(&bytes);
        let honest = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
        let bent = Signature { statement: Some(bytes), ..honest.signatures()[0].clone() };
        let bent = Envelope::unsigned(PayloadType::Grant, honest.payload().to_vec()).and_signature(bent);
        let bent = Offered { envelope: bent.to_bytes(), ..offered.clone() };
        prop_assert!(world.offer("device-0", &bent).is_err());
    }

    /// Even the server's own key binds a statement to one grant.
    #[test]
    fn a25_a_mutated_statement_signed_anew_is_about_the_same_grant_or_refused(bytes in mutated(statement())) {
        let (world, offered) = &*OFFERED;
        let honest = Envelope::parse(&offered.envelope, PayloadType::Grant).unwrap();
        let bent = world.attest_text(Envelope::unsigned(PayloadType::Grant, honest.payload().to_vec()), &bytes, "attestation");
        if let Ok(grant) = world.offer("device-0", &Offered { envelope: bent.to_bytes(), ..offered.clone() }) {
            prop_assert_eq!(grant.digest(), honest.digest());
            prop_assert_eq!(Statement::parse(&bytes).map(|statement| statement.grant), Ok(honest.digest()));
        }
    }

    #[test]
    fn a_mutated_body_never_panics(bytes in mutated(World::seeded(1).body(3).into_bytes().unwrap())) {
        read_everything(&bytes);
    }

    #[test]
    fn a_mutated_root_never_panics(bytes in mutated(World::seeded(1).root_envelope().to_bytes())) {
        read_everything(&bytes);
    }

    #[test]
    fn a_mutated_enrolment_never_panics(
        bytes in mutated(enrol::sign(enrolment(&World::seeded(1)), &World::seeded(1).key("enrolment")).unwrap()),
    ) {
        read_everything(&bytes);
    }

    #[test]
    fn a_mutated_licence_never_panics(bytes in mutated(crate::licences::signed(&World::seeded(1), |_| {}))) {
        read_everything(&bytes);
    }

    #[test]
    fn a26_arbitrary_proofs_never_panic_nor_convince(
        index: u32,
        log_index: u64,
        hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..50),
        checkpoint in "\\PC{0,100}",
    ) {
        let (world, offered) = &*OFFERED;
        let hashes: Vec<Digest> = hashes.into_iter().map(Digest::from_bytes).collect();
        let hostile = TargetProof { index, hashes: hashes.clone() };
        let bent = [
            Offered { target: hostile, ..offered.clone() },
            Offered { log_index, log_proof: hashes, ..offered.clone() },
            Offered { checkpoint, ..offered.clone() },
        ];
        prop_assert!(bent.iter().all(|bent| world.offer("device-0", bent).is_err()));
    }
}
