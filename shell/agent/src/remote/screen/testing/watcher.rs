//! A client of a viewer: speaks the protocol, keeps the picture.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use sallyport_grant::body::Access;

use super::super::find::{NoScreen, Seat};
use super::super::rfb::number;
use super::super::viewer::{Clipboard, End, Finder, Powers, Remote, Sink, start};
use super::super::x11::Display;
use super::client::{ClientPicture, decode_rects, measure};
use super::screen::{PATIENCE, TestScreen};

/// Takes everything, or nothing at all while its link is down.
struct TestSink {
    bytes: Sender<Vec<u8>>,
    displays: Sender<(Vec<Display>, String)>,
    blocked: Arc<AtomicBool>,
}

impl Sink for TestSink {
    fn offer(&mut self, bytes: &[u8]) -> Result<usize, End> {
        if self.blocked.load(Ordering::Acquire) {
            return Ok(0);
        }
        self.bytes.send(bytes.to_vec()).map(|()| bytes.len()).map_err(|_| End::Left)
    }

    fn displays(&mut self, displays: &[Display], shown: &str) {
        let _ = self.displays.send((displays.to_vec(), shown.to_owned()));
    }
}

/// Somebody who is attached.
pub(crate) struct Watcher {
    pub(crate) remote: Remote<Vec<u8>>,
    pub(crate) displays: Receiver<(Vec<Display>, String)>,
    pub(crate) picture: ClientPicture,
    pub(crate) updates: usize,
    /// Text that the screen's clipboard gave.
    pub(crate) copied: Vec<Vec<u8>>,
    bytes: Receiver<Vec<u8>>,
    ended: Receiver<End>,
    kept: Vec<u8>,
    blocked: Arc<AtomicBool>,
}

pub(crate) const BASIC: [i32; 4] = [number::LAST_RECT, number::CURSOR, number::EXTENDED_DESKTOP_SIZE, number::COPY_RECT];

impl Watcher {
    /// Attaches and reads the greeting; `encodings` come before the usual ones.
    pub(crate) fn attach(screen: &TestScreen, access: Access, encodings: &[i32]) -> Self {
        let seat = screen.seat();
        Self::attach_by(Arc::new(move || Ok(seat.clone())), access, encodings)
    }

    pub(crate) fn attach_by(finder: Finder, access: Access, encodings: &[i32]) -> Self {
        let (bytes, received) = channel();
        let (told, displays) = channel();
        let (over, ended) = channel();
        let blocked = Arc::new(AtomicBool::new(false));
        let sink = TestSink { bytes, displays: told, blocked: blocked.clone() };
        let powers = Powers { hands: access, clipboard: Clipboard::Both };
        let end = move |_, end| {
            let _ = over.send(end);
        };
        let remote = start(sink, powers, finder, end).expect("a thread");
        let picture = ClientPicture::black((0, 0));
        let mut watcher =
            Self { remote, displays, picture, updates: 0, copied: Vec::new(), bytes: received, ended, kept: Vec::new(), blocked };
        watcher.shake_hands();
        watcher.wish(&[encodings, &BASIC].concat());
        watcher.ask(0);
        watcher
    }

    fn shake_hands(&mut self) {
        assert_eq!(self.take(12), b"RFB 003.008\n");
        self.say(b"RFB 003.008\n");
        assert_eq!(self.take(2), [1, 1]);
        self.say(&[1]);
        assert_eq!(self.take(4), [0; 4]);
        self.say(&[1]);
        let init = self.take(24);
        let name = u32::from_be_bytes(init[20..24].try_into().unwrap()) as usize;
        self.take(name);
        self.picture = ClientPicture::black((u16::from_be_bytes([init[0], init[1]]), u16::from_be_bytes([init[2], init[3]])));
    }

    pub(crate) fn say(&self, bytes: &[u8]) {
        self.remote.bytes(bytes.to_vec());
    }

    pub(crate) fn wish(&self, encodings: &[i32]) {
        let mut bytes = vec![2, 0, 0, encodings.len() as u8];
        encodings.iter().for_each(|encoding| bytes.extend(encoding.to_be_bytes()));
        self.say(&bytes);
    }

    pub(crate) fn ask(&self, incremental: u8) {
        self.say(&[3, incremental, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    }

    pub(crate) fn key(&self, down: u8, symbol: u32) {
        let mut bytes = vec![4, down, 0, 0];
        bytes.extend(symbol.to_be_bytes());
        self.say(&bytes);
    }

    pub(crate) fn tap(&self, symbol: u32) {
        self.key(1, symbol);
        self.key(0, symbol);
    }

    /// Types as a client does whose keyboard has these characters without any modifier.
    pub(crate) fn type_text(&self, text: &str) {
        for c in text.chars() {
            let symbol = match c {
                '\n' => 0xff0d,
                c if u32::from(c) < 0x100 => u32::from(c),
                c => 0x0100_0000 | u32::from(c),
            };
            self.tap(symbol);
        }
    }

    pub(crate) fn point(&self, buttons: u8, x: u16, y: u16) {
        self.say(&[&[5, buttons][..], &x.to_be_bytes(), &y.to_be_bytes()].concat());
    }

    /// The link takes nothing, or everything again.
    pub(crate) fn block(&self, blocked: bool) {
        self.blocked.store(blocked, Ordering::Release);
        self.remote.room();
    }

    /// Reads and asks on until the picture is as it should be.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "{what}");
            self.read_for(Duration::from_millis(50));
        }
    }

    /// Reads what comes within a time.
    pub(crate) fn read_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(bytes) = self.bytes.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.kept.extend(bytes);
            while self.message() {}
        }
    }

    pub(crate) fn end(&self) -> End {
        self.ended.recv_timeout(PATIENCE).expect("the viewer ends")
    }

    /// Leaves, and waits until the viewer noticed.
    pub(crate) fn leave(self) {
        let Self { remote, ended, .. } = self;
        drop(remote);
        assert!(matches!(ended.recv_timeout(PATIENCE), Ok(End::Left)));
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.try_recv().is_ok()
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        while self.kept.len() < count {
            self.kept.extend(self.bytes.recv_timeout(PATIENCE).expect("bytes"));
        }
        self.kept.drain(..count).collect()
    }

    /// One whole message, if there is one.
    fn message(&mut self) -> bool {
        let length = match self.kept.first() {
            None => return false,
            Some(0) => return self.update(),
            Some(3) if self.kept.len() >= 8 => 8 + i32::from_be_bytes(self.kept[4..8].try_into().unwrap()).unsigned_abs() as usize,
            Some(150) => 1,
            Some(248) if self.kept.len() >= 9 => 9 + usize::from(self.kept[8]),
            Some(3 | 248) => return false,
            Some(other) => panic!("message {other} does not exist"),
        };
        if self.kept.len() < length {
            return false;
        }
        let message: Vec<u8> = self.kept.drain(..length).collect();
        match message[0] {
            3 => self.copied.push(message[8..].to_vec()),
            248 if message[4] & 0x80 != 0 => {
                let mut answer = message;
                answer[4] = 0;
                self.say(&answer);
            }
            _ => {}
        }
        true
    }

    fn update(&mut self) -> bool {
        if self.kept.len() < 4 {
            return false;
        }
        let count = usize::from(u16::from_be_bytes([self.kept[2], self.kept[3]]));
        let Some(length) = measure(count, &self.kept[4..]) else { return false };
        assert_eq!(decode_rects(&mut self.picture, count, &self.kept[4..]), length);
        self.kept.drain(..4 + length);
        self.updates += 1;
        self.ask(1);
        true
    }
}

/// Finds nothing, for a reason.
pub(crate) fn nothing(reason: NoScreen) -> Finder {
    Arc::new(move || Err::<Seat, _>(reason))
}
