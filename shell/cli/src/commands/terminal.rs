//! `sallyport terminal`: a shell of a device in the person's own terminal.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use sallyport_api as api;
use sallyport_model::limits;
use sallyport_wire::stream::message::read_control;
use sallyport_wire::stream::terminal::{FromClient, FromDevice};
use sallyport_wire::stream::{CloseCode, Payload, StreamEnd, StreamSecret};
use ureq::http::Method;

use super::opening::{self, LIST};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, remark};
use crate::stream::{Connection, Over};
use crate::tty::{self, Interest, Raw, Wait};
use crate::{Common, lookup};

/// Between two attempts to get a lost connection back.
const AGAIN: Duration = Duration::from_secs(1);
/// Attempts: the device keeps the shell for five minutes.
const ATTEMPTS: u32 = limits::REMOTE_UNATTENDED_SECS;
/// Most keystrokes that are sent at once; as many as the standard library reads, so that it keeps none back.
const KEYS: usize = 8192;
/// Ctrl-D, as a terminal says that nothing more is typed.
const NO_MORE: u8 = 4;
/// How soon it is said again: the shell may not have been there yet, and whatever reads next is to hear it too. Then after twice as long, and so
/// on up to the last pause: what goes on for longer reads nothing, and a session that nobody sits at is to come to its idle limit.
const NO_MORE_AGAIN: Duration = Duration::from_millis(500);
const NO_MORE_LAST: Duration = Duration::from_secs(60);

#[derive(Args)]
pub struct Terminal {
    /// The device: name or id.
    device: String,
    /// The account on the device; root where none is named.
    #[arg(long, value_name = "ACCOUNT")]
    run_as: Option<String>,
    /// Do not record this session, where the rules leave that to you.
    #[arg(long)]
    unrecorded: bool,
    #[command(flatten)]
    agreement: Agreement,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Terminal {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        let device = lookup::device(&mut client, &self.device)?;
        let secret = opening::secret()?;
        let opened = self.open(&mut client, screen, &device, &secret)?;
        let end = opening::stream(&opened, secret)?;
        let recorded = opening::recording_words(opening::recording(&opened)?, "what the shell writes");
        remark(format!("Connected to {}. {recorded} Enter, then ~. leaves; the shell ends with it.", one_line(&device.name)));
        let broken = |why| Failure::File { path: "standard input".into(), why };
        let resizes = tty::resizes().map_err(broken)?;
        let raw = Raw::enter().map_err(broken)?;
        let mut attached =
            Attached { client: &mut client, opened, end, resizes, input: Input::new(), ending: None, bye: None, blind: None };
        let ending = attached.stay();
        drop(raw);
        ending
    }

    fn open(
        &self,
        client: &mut Client,
        screen: Screen,
        device: &api::Device,
        secret: &StreamSecret,
    ) -> Result<api::OpenedRemoteSession, Failure> {
        let (columns, rows) = tty::size();
        let body = api::NewRemoteSession {
            device: device.id.to_string(),
            session_kind: "terminal".to_owned(),
            access: "control".to_owned(),
            client_key: secret.public().to_string(),
            run_as: self.run_as.clone(),
            columns: Some(columns),
            rows: Some(rows),
            joins: None,
            record: self.unrecorded.then_some(api::YesNo::No),
        };
        let expected = |action: &api::ActionDetails| opening::expected(action, &body, device.id);
        let account = self.run_as.as_deref().unwrap_or("root");
        let preview = || screen.say(format!("Open a terminal as {} on {}", one_line(account), one_line(&device.name)));
        let guarded = Guarded { screen, agreement: self.agreement, path: LIST, preview: &preview, expected: &expected };
        opening::opened(guarded.carry_out(client, &body)?)
    }
}

struct Attached<'a> {
    client: &'a mut Client,
    opened: api::OpenedRemoteSession,
    end: StreamEnd,
    resizes: UnixStream,
    input: Input,
    ending: Option<Outcome>,
    /// Why the device said goodbye.
    bye: Option<&'static str>,
    /// Why nothing can be shown any more.
    blind: Option<std::io::Error>,
}

impl Attached<'_> {
    /// Stays until the shell ends, the person leaves, or a right ends; a lost connection is dialled again.
    fn stay(&mut self) -> Result<Outcome, Failure> {
        let mut ticket = self.opened.ticket.clone();
        loop {
            let mut connection = self.client.dial(&ticket)?;
            self.end.connected();
            let over = match self.pass(&mut connection) {
                Ok(outcome) => return self.leave(outcome),
                Err(over) => over,
            };
            self.end.disconnected();
            if let Some(why) = self.blind.take() {
                self.leave(Outcome::Left)?;
                return Err(Failure::Output(why));
            }
            match (over, self.ending) {
                (_, Some(outcome)) => return Ok(outcome),
                (Over::Closed(_) | Over::Lost, None) if self.bye.is_some() => return Err(ended(self.bye.unwrap_or_default())),
                (Over::Closed(CloseCode::Revoked), _) => return Err(ended("a right behind this session ended")),
                (Over::Closed(CloseCode::Limit), _) => return Err(ended("the session reached its limit")),
                (Over::Closed(_), _) => return Err(ended("the session was ended")),
                (Over::Broken, _) => return Err(Failure::OtherAction("the stream was tampered with on its way")),
                (Over::Lost, _) => ticket = self.dial_again()?,
            }
        }
    }

    /// Whoever leaves ends the session: nobody would come back to the shell.
    fn leave(&mut self, outcome: Outcome) -> Result<Outcome, Failure> {
        if outcome == Outcome::Left {
            self.client.act(Method::DELETE, &format!("{LIST}/{}", self.opened.session))?;
        }
        Ok(outcome)
    }

    fn dial_again(&mut self) -> Result<String, Failure> {
        remark("\r\n[the connection was lost; trying to get it back, Ctrl-C leaves]\r");
        for _ in 0..ATTEMPTS {
            match opening::another_ticket(self.client, &self.opened) {
                Ok(ticket) => return Ok(ticket),
                Err(failure @ Failure::Refused(_)) if !failure.is_refusal(api::Code::DeviceOffline) => return Err(failure),
                Err(_) if self.wants_to_leave() => return Err(Failure::Declined),
                Err(_) => sleep(AGAIN),
            }
        }
        Err(ended("the connection did not come back"))
    }

    /// In raw mode Ctrl-C is a byte like any other.
    fn wants_to_leave(&self) -> bool {
        let wait = Wait { resizes: &self.resizes, socket: &self.resizes, writes: Interest::No, keys: Interest::Yes, timeout_ms: Some(0) };
        // A file or a pipe says nothing about the person; what it says is for the device.
        let has_keys = self.input.is_terminal && wait.wait().is_ok_and(|ready| ready.has_keys);
        has_keys && tty::typed(KEYS).is_ok_and(|bytes| bytes.contains(&3))
    }

    /// Passes keys and output on over one connection.
    fn pass(&mut self, connection: &mut Connection) -> Result<Outcome, Over> {
        loop {
            // Before anything is waited for: what came together with the handshake is read already, and no socket tells of it.
            while let Some(payload) = connection.receive(&mut self.end)? {
                self.taken(payload)?;
            }
            let now = connection.now_ms();
            self.end.tick(now).map_err(|_| Over::Broken)?;
            let has_room = self.end.is_up() && self.end.room() >= KEYS;
            if has_room && self.input.says_no_more(Instant::now()) {
                self.send(&Payload::data(0, vec![NO_MORE]));
            }
            connection.flush(&mut self.end)?;
            let stream = self.end.deadline_ms().map(|at| at.saturating_sub(connection.now_ms()));
            // Without room it is said once something came that makes some.
            let no_more = self.input.until_no_more(Instant::now()).filter(|_| has_room);
            let wait = Wait {
                resizes: &self.resizes,
                socket: connection.wire(),
                writes: Interest::when(connection.is_clogged),
                keys: Interest::when(has_room && !self.input.is_over),
                timeout_ms: stream.into_iter().chain(no_more).min(),
            };
            let ready = wait.wait().map_err(|_| Over::Lost)?;
            if ready.is_resized {
                self.resized();
            }
            if ready.has_keys {
                // Where the window is gone it would be ready for ever.
                let bytes = tty::typed(KEYS).unwrap_or_default();
                match self.input.take(&bytes, Instant::now()) {
                    Some(bytes) if bytes.is_empty() => {}
                    Some(bytes) => self.send(&Payload::data(0, bytes)),
                    None => return Ok(Outcome::Left),
                }
            }
        }
    }

    fn resized(&mut self) {
        // Any number of changes is one: only the size that it has now counts.
        while self.resizes.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        let (columns, rows) = tty::size();
        self.send(&Payload::control(&FromClient::Resize { columns, rows }));
    }

    fn send(&mut self, payload: &Payload) {
        // Keys are taken only where there is room; a size that finds none follows with the next change.
        let _ = self.end.send(payload);
    }

    fn taken(&mut self, payload: Payload) -> Result<(), Over> {
        match payload {
            Payload::Data { bytes, .. } => {
                let mut out = std::io::stdout().lock();
                out.write_all(&bytes).and_then(|()| out.flush()).map_err(|why| {
                    self.blind = Some(why);
                    Over::Lost
                })
            }
            Payload::Control(json) => {
                let said = read_control(&json).map_err(|_| Over::Broken)?;
                // After its shell a session ends as all do.
                self.ending = self.ending.or(ending(&said));
                self.bye = self.bye.or(if let FromDevice::Bye { reason } = said { Some(opening::goodbye(reason)) } else { None });
                Ok(())
            }
        }
    }
}

/// How the terminal ends by what the device says, where it does.
fn ending(message: &FromDevice) -> Option<Outcome> {
    match message {
        FromDevice::Exit { code: Some(code), .. } => Some(Outcome::Exit(u8::try_from(*code).unwrap_or(1))),
        FromDevice::Exit { signal, .. } => Some(Outcome::Exit(u8::try_from(128 + signal.unwrap_or(1)).unwrap_or(255))),
        FromDevice::Error { code, detail, .. } => {
            remark(format!("\r\n[{}: {}]\r", one_line(code), one_line(detail)));
            Some(Outcome::SomeFailed)
        }
        FromDevice::Bye { .. } | FromDevice::Viewers { .. } | FromDevice::Size { .. } | FromDevice::Skipped { .. } => None,
    }
}

fn ended(why: &str) -> Failure {
    Failure::Ended(why.to_owned())
}

/// What is typed, or comes from a file or a pipe.
struct Input {
    /// As it was when all began: a window that is closed is no terminal any more, and no pipe either.
    is_terminal: bool,
    typed: Typed,
    is_over: bool,
    /// When its end is said next, and how long after that again.
    no_more: Option<(Instant, Duration)>,
}

impl Input {
    fn new() -> Self {
        Self { is_terminal: std::io::stdin().is_terminal(), typed: Typed::default(), is_over: false, no_more: None }
    }

    /// What goes to the device; nothing where the person leaves. No bytes are the end.
    fn take(&mut self, bytes: &[u8], now: Instant) -> Option<Vec<u8>> {
        match (bytes, self.is_terminal) {
            ([], true) => {
                self.is_over = true;
                Some(Vec::new())
            }
            ([], false) => {
                self.is_over = true;
                self.no_more = Some((now, NO_MORE_AGAIN));
                // A last line that nobody ended is a line too, as shells have it.
                Some(if self.typed == Typed::LineBegins { Vec::new() } else { b"\r".to_vec() })
            }
            (bytes, true) => self.typed.take(bytes),
            ([.., last], false) => {
                self.typed = Typed::after(*last);
                Some(bytes.to_vec())
            }
        }
    }

    fn says_no_more(&mut self, now: Instant) -> bool {
        let Some((_, pause)) = self.no_more.filter(|(at, _)| *at <= now) else { return false };
        self.no_more = (pause <= NO_MORE_LAST).then(|| (now + pause, pause * 2));
        true
    }

    fn until_no_more(&self, now: Instant) -> Option<u64> {
        let (at, _) = self.no_more?;
        u64::try_from(at.saturating_duration_since(now).as_millis()).ok().map(|ms| ms + 1)
    }
}

/// Looks for Enter, `~`, `.` among what is typed, as other remote shells have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Typed {
    #[default]
    LineBegins,
    Tilde,
    Within,
}

impl Typed {
    /// What goes to the device; nothing where the person leaves.
    fn take(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut passed = Vec::with_capacity(bytes.len() + 1);
        for byte in bytes {
            *self = match (*self, byte) {
                (Self::LineBegins, b'~') => {
                    *self = Self::Tilde;
                    continue;
                }
                (Self::Tilde, b'.') => return None,
                (Self::Tilde, b'~') => Self::Within,
                (Self::Tilde, _) => {
                    passed.push(b'~');
                    Self::after(*byte)
                }
                (Self::LineBegins | Self::Within, _) => Self::after(*byte),
            };
            passed.push(*byte);
        }
        Some(passed)
    }

    fn after(byte: u8) -> Self {
        if matches!(byte, b'\r' | b'\n') { Self::LineBegins } else { Self::Within }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Option<String> {
        let mut state = Typed::default();
        text.bytes().try_fold(String::new(), |all, byte| Some(all + &String::from_utf8(state.take(&[byte])?).unwrap()))
    }

    #[test]
    fn a_tilde_and_a_point_leave_at_the_beginning_of_a_line_only() {
        assert_eq!((typed("~."), typed("ls\r~.")), (None, None));
        for (typed_in, passed) in [("ls ~.\r", "ls ~.\r"), ("~~.", "~."), ("~/bin\r", "~/bin\r"), ("a~.", "a~.")] {
            assert_eq!(typed(typed_in).as_deref(), Some(passed));
        }
    }

    #[test]
    fn a_window_that_is_closed_ends_no_line_and_says_nothing() {
        let mut input = Input { is_terminal: true, ..piped() };
        let now = Instant::now();
        assert_eq!(input.take(b"rm -r x", now), Some(b"rm -r x".to_vec()));
        assert_eq!((input.take(b"", now), input.is_over, input.until_no_more(now)), (Some(vec![]), true, None));
    }

    #[test]
    fn a_pipe_is_passed_on_as_it_is_and_its_end_is_said_for_a_while() {
        let (mut input, mut now) = (piped(), Instant::now());
        assert_eq!(input.take(b"~.\n~~~", now), Some(b"~.\n~~~".to_vec()));
        assert_eq!((input.take(b"", now), input.is_over), (Some(b"\r".to_vec()), true));
        let begun = now;
        let mut said = 0;
        while let Some(ms) = input.until_no_more(now) {
            now += Duration::from_millis(ms);
            said += u32::from(input.says_no_more(now));
        }
        assert!(said > 5 && now - begun < Duration::from_secs(180), "{said} times in {:?}", now - begun);
        assert!(!input.says_no_more(now + NO_MORE_LAST * 9));
    }

    fn piped() -> Input {
        Input { is_terminal: false, typed: Typed::default(), is_over: false, no_more: None }
    }

    #[test]
    fn the_shells_own_end_is_the_commands() {
        assert_eq!(ending(&FromDevice::Exit { code: Some(3), signal: None }), Some(Outcome::Exit(3)));
        assert_eq!(ending(&FromDevice::Exit { code: None, signal: Some(9) }), Some(Outcome::Exit(137)));
        assert_eq!(ending(&FromDevice::Skipped { bytes: 1 }), None);
    }
}
