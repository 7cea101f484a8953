//! `sallyport download`: a file of a device, compared by its digest. A lost connection is dialled again; what was interrupted goes on where
//! it stopped.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sallyport_api as api;
use sallyport_grant::body::Access;
use sallyport_model::{Digest, limits};
use sallyport_wire::stream::background::Failure as Refused;
use sallyport_wire::stream::files::{FileAnswer, FileDone, FileRequest};
use sallyport_wire::stream::message::{ByeReason, read_control};
use sallyport_wire::stream::path::DevicePath;
use sallyport_wire::stream::{CloseCode, Payload, StreamEnd};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use ureq::http::Method;

use super::interrupt::Interrupt;
use super::opening::{self, LIST};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Form, Screen, remark};
use crate::stream::{Connection, Over};
use crate::{Common, lookup};

/// Ctrl-C is looked for at least so often.
const LOOK: Duration = Duration::from_millis(200);
/// The number of the one request.
const REQUEST: u32 = 1;

#[derive(Args)]
pub struct Download {
    /// The device: name or id.
    device: String,
    /// The file on the device, by its whole path.
    path: String,
    /// Where it goes [default: its own name, in this folder]. A file that is there is not replaced.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
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

impl Download {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let path = DevicePath::parse(&self.path).map_err(|error| Failure::Input(format!("{}: {error}", one_line(&self.path))))?;
        let place = self.to.clone().unwrap_or_else(|| PathBuf::from(OsStr::from_bytes(path.name())));
        if path.name().is_empty() {
            return Err(Failure::Input("that is a folder".to_owned()));
        }
        let mut part = Part::beside(&place)?;
        let (mut client, screen) = self.common.desk()?;
        let device = lookup::device(&mut client, &self.device)?;
        let secret = opening::secret()?;
        let opened = self.open(&mut client, screen, &device, secret.public().to_string())?;
        let end = opening::stream(&opened, secret)?;
        let resumed = part.bytes;
        let progress = bar(screen, resumed);
        let mut transfer =
            Transfer { end, part: &mut part, path, phase: Phase::Opening, progress, bye: None, interrupt: Interrupt::watch() };
        let ending = transfer.stay(&mut client, &opened);
        transfer.progress.finish_and_clear();
        leave(&mut client, &opened)?;
        let Some(done) = ending? else { return Ok(Outcome::Left) };
        let sha256 = part.finish(&done, &place)?;
        let told = json!({ "file": place.display().to_string(), "bytes": part.bytes, "resumed_from": resumed, "sha256": sha256 });
        screen.give(&told, |screen| {
            let gone_on = if resumed > 0 { format!(", {resumed} of them from before") } else { String::new() };
            screen.say(format!("{}: {} bytes{gone_on}", one_line(&place.display().to_string()), part.bytes));
            screen.say(format!("SHA-256, the same at both ends: {sha256}"));
        });
        Ok(Outcome::Done)
    }

    fn open(&self, client: &mut Client, screen: Screen, device: &api::Device, key: String) -> Result<api::OpenedRemoteSession, Failure> {
        let body = api::NewRemoteSession {
            device: device.id.to_string(),
            session_kind: "files".to_owned(),
            access: Access::Control.as_str().to_owned(),
            client_key: key,
            run_as: self.run_as.clone(),
            columns: None,
            rows: None,
            joins: None,
            record: self.unrecorded.then_some(api::YesNo::No),
        };
        let expected = |action: &api::ActionDetails| opening::expected(action, &body, device.id);
        let account = self.run_as.as_deref().unwrap_or("root");
        let preview = || screen.say(format!("Open the files of {} as {}", one_line(&device.name), one_line(account)));
        let guarded = Guarded { screen, agreement: self.agreement, path: LIST, preview: &preview, expected: &expected };
        opening::opened(guarded.carry_out(client, &body)?)
    }
}

fn bar(screen: Screen, from: u64) -> ProgressBar {
    let target = if screen.form() == Form::Json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style =
        ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::with_draw_target(None, target).with_style(style);
    bar.set_position(from);
    bar
}

/// The session is of no use without its download.
fn leave(client: &mut Client, opened: &api::OpenedRemoteSession) -> Result<(), Failure> {
    match client.act(Method::DELETE, &format!("{LIST}/{}", opened.session)) {
        // It is over without us, or nobody can be told: the device ends it by itself.
        Ok(()) | Err(Failure::Refused(_) | Failure::Unreachable { .. }) => Ok(()),
        Err(other) => Err(other),
    }
}

/// What came so far, in a file beside the one that it becomes, with the digest of all of it.
struct Part {
    file: File,
    path: PathBuf,
    bytes: u64,
    digest: Sha256,
}

impl Part {
    /// The one that an earlier download left, or a new one.
    fn beside(place: &Path) -> Result<Self, Failure> {
        vacant(place)?;
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let path = place.with_file_name(name);
        let failed = |why| Failure::File { path: path.clone(), why };
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
        let (mut digest, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1024 * 1024]);
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(Self { file, path, bytes, digest }),
                count => {
                    digest.update(&buffer[..count]);
                    bytes += count as u64;
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|why| Failure::File { path: self.path.clone(), why })?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// It becomes the file, where it is what the device read.
    fn finish(&self, done: &FileDone, place: &Path) -> Result<Digest, Failure> {
        let failed = |why| Failure::File { path: place.to_owned(), why };
        let ours = Digest::from_bytes(self.digest.clone().finalize().into());
        if done.sha256 != Some(ours) {
            // Nothing of it can be gone on with.
            std::fs::remove_file(&self.path).map_err(failed)?;
            return Err(Failure::Ended("the file changed on the device since its first part was read".to_owned()));
        }
        self.file.sync_all().map_err(failed)?;
        vacant(place)?;
        std::fs::rename(&self.path, place).map_err(failed)?;
        Ok(ours)
    }
}

impl Drop for Part {
    /// Nothing that came needs no keeping: whoever asks again makes another one.
    fn drop(&mut self) {
        if self.bytes == 0 {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Nothing is replaced, also nothing that came meanwhile.
fn vacant(place: &Path) -> Result<(), Failure> {
    match place.symlink_metadata() {
        Ok(_) => Err(Failure::File { path: place.to_owned(), why: io::ErrorKind::AlreadyExists.into() }),
        Err(_) => Ok(()),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Nothing was asked.
    Opening,
    /// The file is on its way.
    Reading,
    /// All of it came.
    Done(Box<FileDone>),
    /// The device refused.
    Refused(Refused),
}

struct Transfer<'a> {
    end: StreamEnd,
    part: &'a mut Part,
    path: DevicePath,
    phase: Phase,
    progress: ProgressBar,
    bye: Option<&'static str>,
    interrupt: Interrupt,
}

/// What ends one connection's work.
enum Stop {
    /// The device has said all.
    Over,
    /// The person left.
    Left,
    Lost(Over),
    Failed(Failure),
}

impl From<Over> for Stop {
    fn from(over: Over) -> Self {
        Self::Lost(over)
    }
}

impl Transfer<'_> {
    /// Stays until all came or a right ends; nothing where the person left.
    fn stay(&mut self, client: &mut Client, opened: &api::OpenedRemoteSession) -> Result<Option<FileDone>, Failure> {
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
                (Stop::Over, _) => return self.ending(),
                (Stop::Left, _) => return Ok(None),
                (Stop::Failed(failure), _) => return Err(failure),
                (Stop::Lost(Over::Broken), _) => return Err(Failure::OtherAction("the stream was tampered with on its way")),
                (Stop::Lost(_), Some(why)) => return Err(Failure::Ended(why.to_owned())),
                (Stop::Lost(Over::Closed(CloseCode::Revoked)), None) => return Err(Failure::Ended("a right behind it ended".to_owned())),
                (Stop::Lost(Over::Closed(_)), None) => return Err(Failure::Ended("it was ended".to_owned())),
                (Stop::Lost(Over::Lost), None) => match self.dial_again(client, opened)? {
                    Some(again) => ticket = again,
                    None => return Ok(None),
                },
            }
        }
    }

    fn ending(&mut self) -> Result<Option<FileDone>, Failure> {
        match std::mem::replace(&mut self.phase, Phase::Opening) {
            Phase::Done(done) => Ok(Some(*done)),
            Phase::Refused(refused) => Err(Failure::Input(said(&refused))),
            Phase::Opening | Phase::Reading => Ok(None),
        }
    }

    fn dial_again(&self, client: &mut Client, opened: &api::OpenedRemoteSession) -> Result<Option<String>, Failure> {
        self.progress.suspend(|| remark("The connection was lost; trying to get it back. Ctrl-C leaves, and what came is kept."));
        let until = Instant::now() + Duration::from_secs(u64::from(limits::REMOTE_UNATTENDED_SECS));
        while Instant::now() < until {
            if self.interrupt.is_pressed() {
                return Ok(None);
            }
            match opening::another_ticket(client, opened) {
                Ok(ticket) => return Ok(Some(ticket)),
                Err(failure @ Failure::Refused(_)) if !failure.is_refusal(api::Code::DeviceOffline) => return Err(failure),
                Err(_) => sleep(LOOK),
            }
        }
        Err(Failure::Ended("the connection did not come back; run this again, and it goes on where it stopped".to_owned()))
    }

    /// Takes what comes over one connection.
    fn pass(&mut self, connection: &mut Connection) -> Result<std::convert::Infallible, Stop> {
        loop {
            // Before anything is waited for: what came together with the handshake is read already, and no socket tells of it.
            while let Some(payload) = connection.receive(&mut self.end)? {
                self.taken(payload)?;
            }
            self.ask()?;
            self.end.tick(connection.now_ms()).map_err(|_| Over::Broken)?;
            connection.flush(&mut self.end)?;
            if self.interrupt.is_pressed() {
                return Err(Stop::Left);
            }
            self.wait(connection).map_err(|_| Over::Lost)?;
        }
    }

    /// Once, whatever becomes of the connection: the stream itself loses nothing.
    fn ask(&mut self) -> Result<(), Stop> {
        if self.phase == Phase::Opening && self.end.is_up() {
            let request = FileRequest::Read { id: REQUEST, path: self.path.clone(), offset: self.part.bytes, length: None };
            self.end.send(&Payload::control(&request)).map_err(|_| Over::Broken)?;
            self.phase = Phase::Reading;
        }
        Ok(())
    }

    fn wait(&self, connection: &Connection) -> io::Result<()> {
        let flags = if connection.is_clogged { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let due = self.end.deadline_ms().map_or(LOOK, |at| Duration::from_millis(at.saturating_sub(connection.now_ms())).min(LOOK));
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(due.subsec_nanos()) };
        match poll(&mut [PollFd::new(connection.wire(), flags)], Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn taken(&mut self, payload: Payload) -> Result<(), Stop> {
        match payload {
            Payload::Data { channel: REQUEST, bytes } => {
                self.part.take(&bytes).map_err(Stop::Failed)?;
                self.progress.set_position(self.part.bytes);
                Ok(())
            }
            Payload::Data { .. } => Ok(()),
            Payload::Control(json) => self.told(&json),
        }
    }

    fn told(&mut self, json: &[u8]) -> Result<(), Stop> {
        let said: Value = serde_json::from_slice(json).map_err(|_| Over::Broken)?;
        match said["t"].as_str() {
            Some("bye") => {
                let reason: Option<ByeReason> = serde_json::from_value(said["reason"].clone()).ok();
                self.bye = reason.map(opening::goodbye);
                Ok(())
            }
            Some("ok" | "error") => match read_control(json).map_err(|_| Over::Broken)? {
                FileAnswer::Ok(done) if done.id == REQUEST => self.over(Phase::Done(done)),
                FileAnswer::Error(refused) => self.over(Phase::Refused(refused)),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn over(&mut self, phase: Phase) -> Result<(), Stop> {
        self.phase = phase;
        Err(Stop::Over)
    }
}

fn said(refused: &Refused) -> String {
    let detail = refused.detail.as_deref().map(|detail| format!(": {}", one_line(detail))).unwrap_or_default();
    format!("the device refused it, {}{detail}", one_line(&refused.code))
}
