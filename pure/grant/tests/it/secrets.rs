//! Sealed secrets open at one place only.

use proptest::prelude::*;
use sallyport_grant::Hex;
use sallyport_grant::body::{EnvName, SecretParameter};
use sallyport_grant::sealed::{OVERHEAD_BYTES, Place, SealError, SealKey, SecretValue, commitment, open, seal};
use sallyport_model::{GrantId, limits};

const SALT: [u8; 32] = [1; 32];

fn grant() -> GrantId {
    GrantId::from_bytes([8; 16])
}

fn key(byte: u8) -> SealKey {
    SealKey::from_bytes([byte; 32])
}

fn parameter(name: &str, value: &SecretValue) -> SecretParameter {
    SecretParameter { name: EnvName::parse(name).unwrap(), commitment: commitment(&SALT, value) }
}

fn sealed(value: &SecretValue) -> Vec<u8> {
    let name = EnvName::parse("DB_PASS").unwrap();
    seal(&key(5).public(), Place { grant: grant(), name: &name }, &SALT, value, [3; 32]).unwrap()
}

fn value(bytes: &[u8]) -> SecretValue {
    SecretValue::parse(bytes).unwrap()
}

#[test]
fn sealed_and_opened() {
    for bytes in [b"".as_slice(), b"hunter2", &[0xff; limits::ARGUMENT_BYTES]] {
        let value = value(bytes);
        let sealed = sealed(&value);
        assert_eq!(sealed.len(), OVERHEAD_BYTES + bytes.len());
        assert_eq!(open(&key(5), grant(), &parameter("DB_PASS", &value), &sealed), Ok(value));
    }
}

#[test]
fn opens_nowhere_else() {
    let (value, other) = (value(b"hunter2"), value(b"hunter3"));
    let sealed = sealed(&value);
    let right = parameter("DB_PASS", &value);
    assert_eq!(open(&key(6), grant(), &right, &sealed), Err(SealError::NotForUs));
    assert_eq!(open(&key(5), GrantId::from_bytes([9; 16]), &right, &sealed), Err(SealError::NotForUs));
    assert_eq!(open(&key(5), grant(), &parameter("DB_USER", &value), &sealed), Err(SealError::NotForUs));
    assert_eq!(open(&key(5), grant(), &parameter("DB_PASS", &other), &sealed), Err(SealError::OtherValue));
}

#[test]
fn values_that_no_program_can_be_given_are_refused() {
    assert_eq!(SecretValue::parse(b"a\0b"), Err(SealError::Value));
    assert_eq!(SecretValue::parse(&vec![1; limits::ARGUMENT_BYTES + 1]), Err(SealError::Value));
}

#[test]
fn a_key_of_small_order_is_refused() {
    let name = EnvName::parse("A").unwrap();
    let place = Place { grant: grant(), name: &name };
    assert_eq!(seal(&Hex([0; 32]), place, &SALT, &value(b"x"), [3; 32]), Err(SealError::Key));
}

#[test]
fn secrets_are_never_shown() {
    assert_eq!(format!("{:?} {:?}", value(b"hunter2"), key(5)), "SecretValue(..) SealKey(..)");
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at in any::<usize>(), bit in 0_u8..8, cut in any::<usize>()) {
        let value = value(b"hunter2");
        let good = sealed(&value);
        let mut bent = good.clone();
        let at = at % bent.len();
        bent[at] ^= 1 << bit;
        // The top bit of an X25519 key is ignored (RFC 7748, section 5), but it is part of HPKE's key schedule.
        prop_assert!(open(&key(5), grant(), &parameter("DB_PASS", &value), &bent).is_err());
        prop_assert!(open(&key(5), grant(), &parameter("DB_PASS", &value), &good[..cut % good.len()]).is_err());
    }

    #[test]
    fn opening_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&key(5), grant(), &parameter("DB_PASS", &value(b"x")), &bytes).is_err());
    }
}
