//! Claims about viewer sessions: who is told what, and that recordings play.

use std::time::Duration;

use sallyport_grant::body::RemoteKind;
use sallyport_model::RemoteSessionId;
use serde_json::json;
use x11rb::protocol::xproto::{ConnectionExt as _, KeyButMask};

use super::*;
use crate::disk::MemoryDisk;
use crate::remote::kind::rig::{Client, Got, Rig, session};
use crate::remote::recording::Recordings;
use crate::remote::screen::rfb::number;
use crate::remote::screen::testing::client::{ClientPicture, decode_rects, measure};
use crate::remote::screen::testing::screen::{TestScreen, wait_until};
use crate::remote::screen::x11::Link;

fn shown(screen: &TestScreen) -> Screen {
    let seat = screen.seat();
    Screen { finder: Arc::new(move || Ok(seat.clone())), _own: None, missing: None }
}

fn open(screen: Screen) -> Rig {
    Rig::open(move |opening| work(Rules::default(), screen, opening), session(RemoteKind::Viewer))
}

async fn data(client: &mut Client, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        if let Got::Data { channel: CHANNEL, bytes: more } = client.next().await {
            bytes.extend(more);
        }
    }
    bytes
}

#[tokio::test]
async fn displays_are_told_before_the_protocol_begins() {
    let screen = TestScreen::of_size("320x200");
    let mut rig = open(shown(&screen));
    let mut client = rig.attach("ada@example.org", Access::Control);
    assert_eq!(
        client.next().await,
        Got::Control(json!({"t": "displays", "shown": "all", "displays": [
            {"name": "all", "x": 0, "y": 0, "width": 320, "height": 200, "primary": "no"},
            {"name": "screen", "x": 0, "y": 0, "width": 320, "height": 200, "primary": "no"},
        ]}))
    );
    assert_eq!(data(&mut client, 12).await, b"RFB 003.008\n");
    client.control(&json!({"t": "display", "name": "screen"}));
    assert_eq!(client.next_control().await["shown"], "screen");
    rig.end();
    assert_eq!(rig.ended().await, Ended::Told);
}

#[tokio::test]
async fn one_who_may_watch_is_sent_away_for_a_key_and_the_other_stays() {
    let screen = TestScreen::of_size("320x200");
    let mut rig = open(shown(&screen));
    let mut control = rig.attach("ada@example.org", Access::Control);
    let mut view = rig.attach("ben@example.org", Access::View);
    view.data(CHANNEL, b"RFB 003.008\n\x01\x01");
    view.data(CHANNEL, &[4, 1, 0, 0, 0, 0, 0, 0x61]);
    assert_eq!(view.next_control().await["t"], "displays");
    let refusal = view.next_control().await;
    assert_eq!((refusal["t"].as_str(), refusal["code"].as_str()), (Some("error"), Some("view_only")));
    assert!(matches!(view.next().await, Got::Bye(_)));
    control.data(CHANNEL, b"RFB 003.008\n\x01\x01");
    assert_eq!(data(&mut control, 12 + 2 + 4 + 24).await[12..14], [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_a_client_holds_are_let_go_when_its_link_is_interrupted() {
    let screen = TestScreen::of_size("320x200");
    let look = Link::connect(&screen.seat()).unwrap();
    let held = || look.connection.query_pointer(look.root).unwrap().reply().unwrap().mask.contains(KeyButMask::SHIFT);
    let mut rig = open(shown(&screen));
    let client = rig.attach("ada@example.org", Access::Control);
    client.data(CHANNEL, b"RFB 003.008\n\x01\x01");
    client.data(CHANNEL, &[4, 1, 0, 0, 0, 0, 0xff, 0xe1]);
    wait_until("Shift is held", held);
    rig.away(&client);
    wait_until("Shift is let go", || !held());
}

/// The tenant turned the clipboard off after the session was opened. Whoever opened it goes on by the grant of then.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_joins_has_no_clipboard_where_their_own_grant_gives_none() {
    let mut screen = TestScreen::of_size("320x200");
    let file = screen.folder.path().join("copied");
    std::fs::write(&file, "a secret").unwrap();
    screen.start("xclip", &["-selection", "clipboard", "-quiet", "-i", &file.display().to_string()]);
    let pasted = || screen.command("xclip").args(["-selection", "clipboard", "-o"]).output().expect("xclip").stdout;
    wait_until("there is something to paste", || pasted() == b"a secret");
    let mut rig = open(shown(&screen));
    let mut opener = rig.attach("ada@example.org", Access::Control);
    let mut joiner = rig.attach_with("ben@example.org", Access::Control, body::Clipboard::Off);
    for client in [&opener, &joiner] {
        client.data(CHANNEL, HANDSHAKE);
        client.data(CHANNEL, &[&[2, 0, 0, 2][..], &number::RAW.to_be_bytes(), &number::FENCE.to_be_bytes()].concat());
    }
    said_until(&mut opener, b"a secret").await;
    joiner.data(CHANNEL, &fence(b"once"));
    let mut said = said_until(&mut joiner, b"once").await;
    joiner.data(CHANNEL, &[&[6, 0, 0, 0, 0, 0, 0, 8][..], b"smuggled"].concat());
    joiner.data(CHANNEL, &fence(b"twice"));
    said.extend(said_until(&mut joiner, b"twice").await);
    assert!(!contains(&said, b"a secret"), "nothing is copied out");
    assert_eq!(pasted(), b"a secret", "and nothing in");
    opener.data(CHANNEL, &[&[6, 0, 0, 0, 0, 0, 0, 7][..], b"allowed"].concat());
    wait_until("the opener's text is there", || pasted() == b"allowed");
    rig.end();
    assert_eq!(rig.ended().await, Ended::Told);
}

const HANDSHAKE: &[u8] = b"RFB 003.008\n\x01\x01";

/// A question that is answered by itself, behind everything that was said before.
fn fence(payload: &[u8]) -> Vec<u8> {
    [&[248, 0, 0, 0, 0x80, 0, 0, 0, payload.len() as u8][..], payload].concat()
}

fn contains(said: &[u8], text: &[u8]) -> bool {
    said.windows(text.len()).any(|window| window == text)
}

async fn said_until(client: &mut Client, text: &[u8]) -> Vec<u8> {
    let mut said = Vec::new();
    while !contains(&said, text) {
        said.extend(data(client, 1).await);
    }
    said
}

#[tokio::test]
async fn a_device_that_shows_nothing_says_why() {
    let missing = Some(NoScreen::Wayland);
    let mut rig = open(Screen { finder: Arc::new(|| Err(NoScreen::Wayland)), _own: None, missing });
    let mut client = rig.attach("ada@example.org", Access::Control);
    let refusal = client.next_control().await;
    assert_eq!(refusal["code"], "wayland_no_capture");
    assert!(refusal["detail"].as_str().is_some_and(|sentence| sentence.contains("Xorg")));
    assert!(matches!(client.next().await, Got::Bye(_)));
}

/// What the one who connects is told, and whether a display was asked for.
async fn refused(none: NoScreen, virtual_display: body::VirtualDisplay) -> (String, bool) {
    let grant = OpenRemoteSession { virtual_display, ..session(RemoteKind::Viewer) };
    let mut is_started = false;
    let screen = Screen::of(Arc::new(move || Err(none)), Rules::of(&grant), || {
        is_started = true;
        Err(NoScreen::Virtual)
    });
    let mut rig = open(screen);
    let mut client = rig.attach("ada@example.org", Access::Control);
    let refusal = client.next_control().await;
    assert!(matches!(client.next().await, Got::Bye(_)));
    (refusal["code"].as_str().expect("a code").to_owned(), is_started)
}

#[tokio::test]
async fn no_display_is_started_where_the_grant_allows_none() {
    use body::VirtualDisplay::{Allowed, Never};
    assert_eq!(refused(NoScreen::NoDisplay, Never).await, ("no_display".to_owned(), false));
    assert_eq!(refused(NoScreen::NotOfAccount, Never).await, (NoScreen::NotOfAccount.code().to_owned(), false));
    assert_eq!(refused(NoScreen::Wayland, Allowed).await, ("wayland_no_capture".to_owned(), false));
    assert_eq!(refused(NoScreen::NoDisplay, Allowed).await, (NoScreen::Virtual.code().to_owned(), true), "the control");
}

#[tokio::test]
async fn a_recording_plays_what_was_shown() {
    let mut screen = TestScreen::of_size("320x200");
    let session = RemoteSessionId::from_bytes([7; 16]);
    let recordings = Arc::new(Recordings::open(Arc::new(MemoryDisk::default()), Arc::default()));
    let (ended, _endings) = mpsc::unbounded_channel();
    let mut open = Session { rules: Rules::default(), screen: shown(&screen), ended, viewers: BTreeMap::new(), tape: None };
    open.record(recordings.begin(session)).unwrap();
    screen.start(
        "xterm",
        &["-geometry", "20x5+10+10", "-cr", "black", "-bg", "black", "-fg", "white", "-e", "sh", "-c", "echo shown; sleep 60"],
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    let truth = screen.truth();
    drop(open);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let output = recordings.finish(session).expect("known");
    let mut bytes = Vec::new();
    while let Some((_, piece)) = recordings.next().unwrap() {
        bytes.extend(&piece.bytes);
        recordings.stored(session, piece.seq + 1).unwrap();
    }
    assert_eq!((bytes.len() as u64, &bytes[..12]), (output.bytes, &b"FBS 001.000\n"[..]));
    assert!(play(&bytes[12..]) == truth, "the last picture is what was shown last");
}

/// Plays blocks as a player of VNC recordings does; returns the last picture.
fn play(mut blocks: &[u8]) -> Vec<u32> {
    let (mut said, mut last) = (Vec::new(), 0);
    while let Some((length, rest)) = blocks.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let padded = length.next_multiple_of(4);
        said.extend(&rest[..length]);
        let at = u32::from_be_bytes(rest[padded..padded + 4].try_into().unwrap());
        assert!(at >= last, "times go on");
        (last, blocks) = (at, &rest[padded + 4..]);
    }
    let hello = 12 + 2 + 4;
    let name = u32::from_be_bytes(said[hello + 20..hello + 24].try_into().unwrap()) as usize;
    let mut rest = &said[hello + 24 + name..];
    let mut picture = ClientPicture::black((320, 200));
    while rest.len() > 4 {
        assert_eq!(rest[0], 0, "an update");
        let count = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        let Some(length) = measure(count, &rest[4..]) else { break };
        decode_rects(&mut picture, count, &rest[4..]);
        rest = &rest[4 + length..];
    }
    picture.pixels
}
