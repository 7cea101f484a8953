//! `sallyport viewer`: a device's screen for any VNC client, through a port of this computer that takes one connection.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sallyport_api as api;
use sallyport_grant::body::Record;
use sallyport_model::limits;
use sallyport_wire::stream::message::read_control;
use sallyport_wire::stream::viewer::FromDevice;
use sallyport_wire::stream::{CloseCode, Flow, Payload, StreamEnd};
use serde_json::json;
use ureq::http::Method;

use super::interrupt::Interrupt;
use super::opening::{self, LIST};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::lookup;
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, remark};
use crate::stream::{Connection, Over};
use crate::{Common, clock};

/// A VNC client has this long to connect.
const PATIENCE: Duration = Duration::from_secs(120);
/// Ctrl-C is looked for at least so often.
const LOOK: Duration = Duration::from_millis(200);
/// From here on the device is held back, for the VNC client does not keep up.
const WAITING_BYTES: usize = 1024 * 1024;

#[derive(Args)]
pub struct Viewer {
    /// The device: name or id.
    device: String,
    /// Only look; the device refuses keys, pointer and clipboard.
    #[arg(long)]
    view: bool,
    /// The port of this computer; one that is free where none is named.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Do not record this session, where the rules leave that to you.
    #[arg(long)]
    unrecorded: bool,
    #[command(flatten)]
    agreement: Agreement,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Viewer {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        let device = lookup::device(&mut client, &self.device)?;
        let listener = listen(self.port).map_err(|why| Failure::File { path: format!("127.0.0.1:{}", self.port).into(), why })?;
        let secret = opening::secret()?;
        let opened = self.open(&mut client, screen, &device, secret.public().to_string())?;
        let end = opening::stream(&opened, secret)?;
        tell(screen, &listener, &device.name, opening::recording(&opened)?)?;
        let interrupt = Interrupt::watch();
        let mut shown = Shown { end, vnc: Vnc::Awaited(listener, Instant::now() + PATIENCE), waiting: Vec::new(), bye: None, interrupt };
        let outcome = shown.stay(&mut client, &opened);
        shown.leave(&mut client, &opened)?;
        outcome
    }

    fn open(&self, client: &mut Client, screen: Screen, device: &api::Device, key: String) -> Result<api::OpenedRemoteSession, Failure> {
        let access = if self.view { "view" } else { "control" };
        let body = api::NewRemoteSession {
            device: device.id.to_string(),
            session_kind: "viewer".to_owned(),
            access: access.to_owned(),
            client_key: key,
            run_as: None,
            columns: None,
            rows: None,
            joins: None,
            record: self.unrecorded.then_some(api::YesNo::No),
        };
        let expected = |action: &api::ActionDetails| opening::expected(action, &body, device.id);
        let verb = if self.view { "Look at" } else { "Take control of" };
        let preview = || screen.say(format!("{verb} the screen of {}", one_line(&device.name)));
        let guarded = Guarded { screen, agreement: self.agreement, path: LIST, preview: &preview, expected: &expected };
        opening::opened(guarded.carry_out(client, &body)?)
    }
}

/// Nobody but this computer reaches it.
fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn tell(screen: Screen, listener: &TcpListener, device: &str, record: Record) -> Result<(), Failure> {
    let address = listener.local_addr().map_err(|why| Failure::File { path: "127.0.0.1".into(), why })?;
    let port = address.port();
    let until = clock::now().plus_secs(PATIENCE.as_secs() as i64);
    let told = json!({ "address": address.to_string(), "until": until, "recorded": record == Record::Session });
    screen.give(&told, |screen| {
        screen.say(format!("The screen of {} waits at 127.0.0.1:{port} for one VNC client, for two minutes:", one_line(device)));
        screen.say(format!("  vncviewer 127.0.0.1::{port}"));
        screen.say(opening::recording_words(record, "what the screen shows"));
        screen.say("It needs no password: the port takes one connection, of your own account. Ctrl-C ends it.");
    });
    Ok(())
}

/// The VNC client's side.
enum Vnc {
    Awaited(TcpListener, Instant),
    Here(TcpStream),
}

struct Shown {
    end: StreamEnd,
    vnc: Vnc,
    /// What the VNC client has not taken yet.
    waiting: Vec<u8>,
    bye: Option<String>,
    interrupt: Interrupt,
}

/// What ends the showing.
enum Stop {
    /// The VNC client left, or its person did.
    Left,
    /// Nobody connected in time.
    Nobody,
    Lost(Over),
}

impl From<Over> for Stop {
    fn from(over: Over) -> Self {
        Self::Lost(over)
    }
}

impl Shown {
    /// Stays until somebody leaves or a right ends; a lost connection is dialled again.
    fn stay(&mut self, client: &mut Client, opened: &api::OpenedRemoteSession) -> Result<Outcome, Failure> {
        let mut ticket = opened.ticket.clone();
        loop {
            let mut connection = client.dial(&ticket)?;
            self.end.connected();
            let stop = match self.pass(&mut connection) {
                Err(stop) => stop,
                Ok(never) => match never {},
            };
            self.end.disconnected();
            match (stop, self.bye.take()) {
                (Stop::Left, _) => return Ok(Outcome::Done),
                (Stop::Nobody, _) => return Err(Failure::Ended("no VNC client connected in time".to_owned())),
                (Stop::Lost(Over::Broken), _) => return Err(Failure::OtherAction("the stream was tampered with on its way")),
                (Stop::Lost(_), Some(why)) => return Err(Failure::Ended(why)),
                (Stop::Lost(Over::Closed(code)), None) => return Err(Failure::Ended(closed(code).to_owned())),
                (Stop::Lost(Over::Lost), None) => ticket = self.dial_again(client, opened)?,
            }
        }
    }

    fn dial_again(&self, client: &mut Client, opened: &api::OpenedRemoteSession) -> Result<String, Failure> {
        remark("The connection was lost; trying to get it back. Ctrl-C leaves.");
        let until = Instant::now() + Duration::from_secs(u64::from(limits::REMOTE_UNATTENDED_SECS));
        while Instant::now() < until && !self.interrupt.is_pressed() {
            match opening::another_ticket(client, opened) {
                Ok(ticket) => return Ok(ticket),
                Err(failure @ Failure::Refused(_)) if !failure.is_refusal(api::Code::DeviceOffline) => return Err(failure),
                Err(_) => sleep(LOOK),
            }
        }
        Err(Failure::Ended("the connection did not come back".to_owned()))
    }

    /// The session is of no use without its VNC client.
    fn leave(&self, client: &mut Client, opened: &api::OpenedRemoteSession) -> Result<(), Failure> {
        match client.act(Method::DELETE, &format!("{LIST}/{}", opened.session)) {
            // A session whose right is gone is over without us.
            Ok(()) | Err(Failure::Refused(_)) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Passes bytes on over one connection, in both directions.
    fn pass(&mut self, connection: &mut Connection) -> Result<std::convert::Infallible, Stop> {
        loop {
            // Before anything is waited for: what came together with the handshake is read already, and no socket tells of it.
            while let Some(payload) = connection.receive(&mut self.end)? {
                self.taken(payload)?;
            }
            self.hand_to_client()?;
            self.end.set_flow(if self.waiting.len() > WAITING_BYTES { Flow::Held } else { Flow::Open });
            self.end.tick(connection.now_ms()).map_err(|_| Stop::Lost(Over::Broken))?;
            connection.flush(&mut self.end)?;
            self.wait(connection).map_err(|_| Stop::Lost(Over::Lost))?;
            if self.interrupt.is_pressed() {
                return Err(Stop::Left);
            }
            self.take_from_client()?;
        }
    }

    fn wait(&self, connection: &Connection) -> io::Result<()> {
        let flags = |writes: bool| if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let has_room = self.end.is_up() && self.end.room() >= limits::STREAM_PAYLOAD_BYTES;
        let mut fds = vec![PollFd::new(connection.wire(), flags(connection.is_clogged))];
        match &self.vnc {
            Vnc::Awaited(listener, _) => fds.push(PollFd::new(listener, PollFlags::IN)),
            Vnc::Here(stream) => {
                let reads = if has_room { PollFlags::IN } else { PollFlags::empty() };
                let writes = if self.waiting.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
                fds.push(PollFd::new(stream, reads | writes));
            }
        }
        let due = self.end.deadline_ms().map_or(LOOK, |at| Duration::from_millis(at.saturating_sub(connection.now_ms())).min(LOOK));
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(due.subsec_nanos()) };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets the VNC client in, or takes what it says.
    fn take_from_client(&mut self) -> Result<(), Stop> {
        match &mut self.vnc {
            Vnc::Awaited(_, until) if Instant::now() > *until => Err(Stop::Nobody),
            Vnc::Awaited(listener, _) => {
                // From here on nobody else finds a port to connect to.
                if let Some(stream) = accepted(listener) {
                    self.vnc = Vnc::Here(stream);
                }
                Ok(())
            }
            Vnc::Here(stream) => {
                while self.end.is_up() && self.end.room() >= limits::STREAM_PAYLOAD_BYTES {
                    let mut bytes = vec![0; limits::STREAM_PAYLOAD_BYTES];
                    match stream.read(&mut bytes) {
                        Ok(0) => return Err(Stop::Left),
                        // There is room, for it was looked at.
                        Ok(count) => drop(self.end.send(&Payload::data(0, &bytes[..count]))),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(_) => return Err(Stop::Left),
                    }
                }
                Ok(())
            }
        }
    }

    fn hand_to_client(&mut self) -> Result<(), Stop> {
        let Vnc::Here(stream) = &mut self.vnc else { return Ok(()) };
        while !self.waiting.is_empty() {
            match stream.write(&self.waiting) {
                Ok(0) => return Err(Stop::Left),
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(Stop::Left),
            }
        }
        Ok(())
    }

    fn taken(&mut self, payload: Payload) -> Result<(), Stop> {
        match payload {
            Payload::Data { bytes, .. } => self.waiting.extend(bytes),
            Payload::Control(json) => {
                let said: FromDevice = read_control(&json).map_err(|_| Stop::Lost(Over::Broken))?;
                self.bye = self.bye.take().or(match said {
                    FromDevice::Displays { .. } => None,
                    FromDevice::Error { code, detail, .. } => Some(format!("{}: {}", one_line(&code), one_line(&detail))),
                    FromDevice::Bye { reason } => Some(opening::goodbye(reason).to_owned()),
                });
            }
        }
        Ok(())
    }
}

fn closed(code: CloseCode) -> &'static str {
    match code {
        CloseCode::Revoked => "a right behind this session ended",
        CloseCode::Limit => "the session reached its limit",
        CloseCode::Ended | CloseCode::OtherEndLost => "the session was ended",
    }
}

/// The next connection, if it is of the account that this program runs as.
fn accepted(listener: &TcpListener) -> Option<TcpStream> {
    let (stream, peer) = listener.accept().ok()?;
    let own = own_uid();
    if own.is_none() || uid_of(peer) != own {
        remark("Somebody else on this computer tried to connect, and was turned away.");
        return None;
    }
    stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).ok()?;
    Some(stream)
}

fn own_uid() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}

/// Whose socket it is at the other end of a connection within this computer.
fn uid_of(peer: SocketAddr) -> Option<u32> {
    let SocketAddr::V4(peer) = peer else { return None };
    owner_in(&std::fs::read_to_string("/proc/net/tcp").ok()?, peer)
}

/// Finds the socket by its own address: the second word of a line of proc(5)'s `net/tcp`; the eighth is the account.
fn owner_in(table: &str, socket: SocketAddrV4) -> Option<u32> {
    let address = u32::from_le_bytes(socket.ip().octets());
    let wanted = format!("{address:08X}:{:04X}", socket.port());
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter(|words| words.get(1) == Some(&wanted.as_str())).find_map(|words| words.get(7)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_behind_a_connection_is_found() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(uid_of(peer), own_uid());
    }

    #[test]
    fn only_the_very_socket_counts() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1 1\n   \
                     1: 0100007F:D431 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 2 1\n";
        let socket = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        assert_eq!((owner_in(table, socket(0xd431)), owner_in(table, socket(0x1f90))), (Some(1000), Some(0)));
        assert_eq!(owner_in(table, socket(1)), None);
        assert_eq!(owner_in("garbage", socket(1)), None);
    }
}
