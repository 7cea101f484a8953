//! Signed notes.

use proptest::prelude::*;
use sallyport_grant::checkpoint::{CheckpointError, sign, verify};
use sallyport_grant::merkle::TreeHead;
use sallyport_grant::{SigningKey, VerifyKey, sha256};

use crate::world::World;

const ORIGIN: &str = "sallyport/ten_00000000000000000000000001";

fn head() -> TreeHead {
    TreeHead { size: 42, root: sha256(&[b"root"]) }
}

fn note() -> String {
    sign(ORIGIN, head(), &World::seeded(1).key("log"))
}

fn check(note: &str) -> Result<TreeHead, CheckpointError> {
    verify(note, ORIGIN, &World::seeded(1).public("log"))
}

#[test]
fn written_and_verified() {
    assert_eq!(check(&note()), Ok(head()));
    assert!(note().starts_with(&format!("{ORIGIN}\n42\n")));
    let empty = TreeHead { size: 0, root: sha256(&[]) };
    assert_eq!(check(&sign(ORIGIN, empty, &World::seeded(1).key("log"))), Ok(empty));
}

/// The key pair of the example of golang.org/x/mod/sumdb/note: `PeterNeumann+c74f20a3+ARpc2Qc...`.
#[test]
fn the_key_hash_is_that_of_signed_notes() {
    let seed = hex::decode("810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173").unwrap();
    let key = SigningKey::from_bytes(&seed.try_into().unwrap());
    assert_eq!(VerifyKey::of(&key).to_string(), "1a5cd907143c384c41e830c5bce12aa8817ec5649aaabf2c31388b35b2d744d6");
    let note = sign("PeterNeumann", head(), &key);
    assert!(note.contains("\n\n\u{2014} PeterNeumann x08go"), "c74f20a3 in base64: {note}");
}

#[test]
fn wrong_notes_are_refused() {
    let note = note();
    let edits: [(&str, String, CheckpointError); 10] = [
        ("another size", note.replacen("\n42\n", "\n43\n", 1), CheckpointError::BadSignature),
        ("a leading zero", note.replacen("\n42\n", "\n042\n", 1), CheckpointError::Malformed),
        ("a sign", note.replacen("\n42\n", "\n+42\n", 1), CheckpointError::Malformed),
        ("an extension line", note.replacen("\n\n", "\nmore\n\n", 1), CheckpointError::Malformed),
        ("line ends of dos", note.replace('\n', "\r\n"), CheckpointError::Malformed),
        ("no last line end", note.trim_end().to_owned(), CheckpointError::Malformed),
        ("a hyphen for the dash", note.replacen('\u{2014}', "-", 1), CheckpointError::Malformed),
        ("a line after", format!("{note}x\n"), CheckpointError::Malformed),
        ("a signature twice", format!("{note}{}\n", note.lines().last().unwrap()), CheckpointError::Malformed),
        ("too large", format!("{note}{}", "x".repeat(5000)), CheckpointError::TooLarge),
    ];
    for (why, text, error) in edits {
        assert_eq!(check(&text), Err(error), "{why}");
    }
}

#[test]
fn a_witness_may_sign_beside_the_log() {
    let witnessed = format!("{}\u{2014} witness.example/w1 AAAAAAAA\n", note());
    assert_eq!(check(&witnessed), Ok(head()));
}

#[test]
fn another_log_or_key_is_refused() {
    let world = World::seeded(1);
    assert_eq!(verify(&note(), "sallyport/other", &world.public("log")), Err(CheckpointError::OtherOrigin));
    assert_eq!(verify(&note(), ORIGIN, &world.public("fresh")), Err(CheckpointError::Unsigned));
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at in any::<usize>(), bit in 0_u8..8) {
        let mut bytes = note().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(check(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn reading_never_panics(text in "\\PC*|([a-z/+ =\u{2014}0-9]{0,40}\n){0,6}") {
        let _ = check(&text);
    }
}
