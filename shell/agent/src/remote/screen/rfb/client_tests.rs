//! Claims about reading clients: whole messages however they are cut, and nothing hostile is kept or panics.

use proptest::prelude::*;

use super::*;

const HELLO: &[u8] = b"RFB 003.008\n\x01\x01";

fn all(reader: &mut ClientReader) -> Result<Vec<ClientMessage>, ClientError> {
    let mut messages = Vec::new();
    while let Some(message) = reader.next()? {
        messages.push(message);
    }
    Ok(messages)
}

fn after_hello() -> ClientReader {
    let mut reader = ClientReader::default();
    reader.push(HELLO);
    assert_eq!(all(&mut reader), Ok(vec![ClientMessage::Version(Version::V8), ClientMessage::SecurityNone, ClientMessage::Init]));
    reader
}

fn said(bytes: &[u8]) -> Result<Vec<ClientMessage>, ClientError> {
    let mut reader = after_hello();
    reader.push(bytes);
    all(&mut reader)
}

#[test]
fn messages_are_whole_however_the_bytes_are_cut() {
    let mut bytes = HELLO.to_vec();
    bytes.extend([4, 1, 0, 0, 0, 0, 0, 0x61]);
    bytes.extend([5, 1, 0, 10, 0, 20]);
    bytes.extend([6, 0, 0, 0, 0, 0, 0, 2, b'h', 0xe9]);
    bytes.extend([3, 1, 0, 1, 0, 2, 0, 3, 0, 4]);
    let mut whole = ClientReader::default();
    whole.push(&bytes);
    let whole = all(&mut whole).unwrap();
    assert_eq!(whole[3..5], [ClientMessage::Key(Press::Down, 0x61), ClientMessage::Pointer { buttons: 1, x: 10, y: 20 }]);
    assert_eq!(whole[5], ClientMessage::CutText("hé".to_owned()));
    assert_eq!(whole[6], ClientMessage::UpdateRequest(Asked::Changes, Rect { x: 1, y: 2, width: 3, height: 4 }));
    let mut cut = ClientReader::default();
    let mut messages = Vec::new();
    for byte in bytes {
        cut.push(&[byte]);
        messages.extend(all(&mut cut).unwrap());
    }
    assert_eq!(messages, whole);
}

#[test]
fn other_versions_and_security_types_are_refused() {
    for (bytes, error) in [
        (&b"RFB 004.001\n"[..], ClientError::Version),
        (b"HTTP/1.1 200 OK", ClientError::Version),
        (b"RFB 003.008\n\x02", ClientError::Security),
    ] {
        let mut reader = ClientReader::default();
        reader.push(bytes);
        assert_eq!(all(&mut reader), Err(error));
    }
}

#[test]
fn old_clients_begin_as_they_always_did() {
    let mut reader = ClientReader::default();
    reader.push(b"RFB 003.003\n\x01");
    assert_eq!(all(&mut reader), Ok(vec![ClientMessage::Version(Version::V3), ClientMessage::Init]));
    let mut reader = ClientReader::default();
    reader.push(b"RFB 003.007\n\x01\x01");
    assert_eq!(all(&mut reader), Ok(vec![ClientMessage::Version(Version::V7), ClientMessage::SecurityNone, ClientMessage::Init]));
}

#[test]
fn lengths_are_refused_before_the_bytes_come() {
    assert_eq!(said(&[6, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]), Err(ClientError::TooLarge));
    assert_eq!(said(&[6, 0, 0, 0, 0x80, 0, 0, 0]), Err(ClientError::TooLarge));
    assert_eq!(said(&[2, 0, 0xff, 0xff]), Err(ClientError::TooLarge));
    assert_eq!(said(&[248, 0, 0, 0, 0, 0, 0, 0, 65]), Err(ClientError::TooLarge));
    assert_eq!(said(&[77]), Err(ClientError::UnknownMessage(77)));
}

#[test]
fn the_first_encoding_of_the_list_is_used() {
    let wanted = Wanted::of([16, 7, 0, 1, -26, -224, -239, -223, -308, -312, -313]);
    assert_eq!((wanted.picture, wanted.quality, wanted.size), (Coding::Zrle, Some(6), Resizable::Asks));
    assert_eq!(Wanted::of([7, 16]).picture, Coding::Tight);
    assert_eq!(Wanted::of([]).picture, Coding::Raw);
}

#[test]
fn a_size_of_nothing_is_passed_over() {
    assert_eq!(said(&[251, 0, 0, 0, 0, 0, 0, 0]), Ok(vec![]));
    assert_eq!(said(&[251, 0, 2, 0, 1, 0, 0, 0]), Ok(vec![ClientMessage::Resize { width: 512, height: 256 }]));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..16)) {
        let mut reader = after_hello();
        for chunk in chunks {
            reader.push(&chunk);
            if all(&mut reader).is_err() {
                break;
            }
            prop_assert!(reader.kept.len() <= limits::SCREEN_CLIPBOARD_BYTES + 64);
        }
    }

    #[test]
    fn messages_with_any_content_are_read_whole(kind in prop::sample::select(vec![0u8, 2, 3, 4, 5, 6, 150, 248, 251]), body in prop::collection::vec(any::<u8>(), 600)) {
        let mut bytes = vec![kind];
        bytes.extend(body);
        if kind == 6 {
            bytes[4..8].copy_from_slice(&200u32.to_be_bytes());
        }
        let mut reader = after_hello();
        reader.push(&bytes);
        let _ = reader.next();
    }
}
