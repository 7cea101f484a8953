//! The viewer as a kind of remote session: one screen, and a viewer for each attachment.

use std::collections::BTreeMap;
use std::sync::Arc;

use sallyport_grant::body::{self, Access, OpenRemoteSession};
use sallyport_os::Account;
use sallyport_wire::stream::viewer as said;
use tokio::sync::mpsc;

use super::find::{self, NoScreen};
use super::tape::{self, Tape};
use super::viewer::{self, Clipboard, End, Finder, Powers, Remote, Sink};
use super::virtual_display::VirtualDisplay;
use super::x11::{Display, Primary};
use crate::remote::kind::{Attachment, AttachmentId, Ended, Event, Gone, Kind, Opening, Outlet, Received};

/// The channel that carries the protocol in both directions.
const CHANNEL: u32 = 0;

/// What the grant that opened the session lets viewers do; each one's own grant may take from it.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub clipboard: Clipboard,
    pub virtual_displays: VirtualDisplays,
}

/// Whether a display is made where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VirtualDisplays {
    Allowed,
    Never,
}

impl Rules {
    /// What a grant says.
    pub fn of(grant: &OpenRemoteSession) -> Self {
        let virtual_displays = match grant.virtual_display {
            body::VirtualDisplay::Allowed => VirtualDisplays::Allowed,
            body::VirtualDisplay::Never => VirtualDisplays::Never,
        };
        Self { clipboard: clipboard(grant.clipboard), virtual_displays }
    }

    /// Copied text goes through where the session's grant and the attachment's own both say so.
    fn clipboard_of(self, own: body::Clipboard) -> Clipboard {
        match (self.clipboard, clipboard(own)) {
            (Clipboard::Both, Clipboard::Both) => Clipboard::Both,
            (Clipboard::Off, _) | (_, Clipboard::Off) => Clipboard::Off,
        }
    }
}

fn clipboard(granted: body::Clipboard) -> Clipboard {
    match granted {
        body::Clipboard::Both => Clipboard::Both,
        body::Clipboard::Off => Clipboard::Off,
    }
}

#[cfg(test)]
impl Default for Rules {
    fn default() -> Self {
        Self { clipboard: Clipboard::Both, virtual_displays: VirtualDisplays::Allowed }
    }
}

/// The work of one session. `account` is the one that the grant names, and `mark` stands on every process that is started.
pub fn kind(rules: Rules, account: Option<Account>, mark: String) -> impl Kind {
    move |opening| async move {
        let looked = tokio::task::spawn_blocking(move || Screen::find(rules, account, &mark)).await;
        let Ok(screen) = looked else { return Ended::Failed("screen_lost") };
        work(rules, screen, opening).await
    }
}

async fn work(rules: Rules, screen: Screen, mut opening: Opening) -> Ended {
    let (ended, mut endings) = mpsc::unbounded_channel();
    let mut session = Session { rules, screen, ended, viewers: BTreeMap::new(), tape: None };
    if let Some(recorder) = opening.recorder.take()
        && let Err(code) = session.record(recorder)
    {
        return Ended::Failed(code);
    }
    loop {
        tokio::select! {
            event = opening.events.next() => match event {
                Event::End => return Ended::Told,
                event => session.hear(event),
            },
            Some((who, end)) = endings.recv() => match who {
                Who::Attachment(id) => drop(session.viewers.remove(&id)),
                Who::Tape => return Ended::Failed(end),
            },
        }
    }
}

/// The screen of a session; a display of its own ends with it.
struct Screen {
    finder: Finder,
    _own: Option<VirtualDisplay>,
    /// Found at the beginning: nobody can be shown anything.
    missing: Option<NoScreen>,
}

impl Screen {
    /// Blocks: reads what runs, and may start a display.
    fn find(rules: Rules, account: Option<Account>, mark: &str) -> Self {
        let uid = account.as_ref().map(Account::uid);
        Self::of(Arc::new(move || find::find(uid)), rules, || {
            let account = account.map_or_else(|| Account::own().map_err(|_| NoScreen::Virtual), Ok);
            account.and_then(|account| VirtualDisplay::start(&account, mark))
        })
    }

    /// What is found, or a display of its own where there is none and the grant allows one.
    fn of(finder: Finder, rules: Rules, start: impl FnOnce() -> Result<VirtualDisplay, NoScreen>) -> Self {
        let missing = match finder() {
            Ok(_) => return Self { finder, _own: None, missing: None },
            Err(none) => none,
        };
        if missing == NoScreen::Wayland || rules.virtual_displays == VirtualDisplays::Never {
            return Self { finder, _own: None, missing: Some(missing) };
        }
        match start() {
            Ok(own) => {
                let seat = own.seat();
                Self { finder: Arc::new(move || Ok(seat.clone())), _own: Some(own), missing: None }
            }
            Err(none) => Self { finder, _own: None, missing: Some(none) },
        }
    }
}

enum Who {
    Attachment(AttachmentId),
    Tape,
}

struct Session {
    rules: Rules,
    screen: Screen,
    ended: mpsc::UnboundedSender<(Who, &'static str)>,
    viewers: BTreeMap<AttachmentId, Viewing>,
    /// Watches like anybody else, for as long as the session is open.
    tape: Option<Remote<Vec<u8>>>,
}

struct Viewing {
    remote: Remote<Received>,
    outlet: Outlet,
}

impl Session {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Joined(attachment) => self.join(attachment),
            Event::Data { from, channel: CHANNEL, bytes } => {
                if let Some(viewing) = self.viewers.get(&from) {
                    viewing.remote.bytes(bytes);
                }
            }
            Event::Data { from, .. } => self.refuse(from, "bad_request", "A viewer has one channel."),
            Event::Control { from, message } => match message.parse::<said::FromClient>() {
                Ok(said::FromClient::Display { name }) => {
                    if let Some(viewing) = self.viewers.get(&from) {
                        viewing.remote.show(name);
                    }
                }
                Err(_) => self.refuse(from, "bad_request", "This is not a message of a viewer."),
            },
            Event::Room => self.viewers.values().for_each(|viewing| viewing.remote.room()),
            Event::Left(id) => drop(self.viewers.remove(&id)),
            Event::Away(id) => {
                if let Some(viewing) = self.viewers.get(&id) {
                    viewing.remote.let_go();
                }
            }
            Event::Back(_) | Event::End => {}
        }
    }

    fn join(&mut self, attachment: Attachment) {
        let Attachment { id, access, clipboard, outlet, .. } = attachment;
        if let Some(none) = self.screen.missing {
            return outlet.refuse_saying(none.code(), none.sentence());
        }
        let powers = Powers { hands: access, clipboard: self.rules.clipboard_of(clipboard) };
        let ended = self.ended.clone();
        let started = viewer::start(ToOutlet(outlet.clone()), powers, self.screen.finder.clone(), move |sink, end| {
            tracing::info!(reason = end.code(), "a viewer ended: {end}");
            if !matches!(end, End::Left) {
                sink.0.refuse_saying(end.code(), end.sentence());
            }
            // The session may be over already.
            let _ = ended.send((Who::Attachment(id), end.code()));
        });
        match started {
            Ok(remote) => drop(self.viewers.insert(id, Viewing { remote, outlet })),
            Err(_) => outlet.refuse_saying("screen_lost", "The viewer could not be started."),
        }
    }

    fn record(&mut self, recorder: crate::remote::recording::Recorder) -> Result<(), &'static str> {
        if self.screen.missing.is_some() {
            return Ok(());
        }
        let powers = Powers { hands: Access::View, clipboard: Clipboard::Off };
        let ended = self.ended.clone();
        let tape = Tape::begin(recorder)?;
        let remote = viewer::start(tape, powers, self.screen.finder.clone(), move |_, end| {
            let _ = ended.send((Who::Tape, end.code()));
        });
        let remote = remote.map_err(|_| "recording_failed")?;
        remote.bytes(tape::wishes());
        self.tape = Some(remote);
        Ok(())
    }

    fn refuse(&mut self, id: AttachmentId, code: &'static str, detail: &'static str) {
        if let Some(viewing) = self.viewers.remove(&id) {
            viewing.outlet.refuse_saying(code, detail);
        }
    }
}

struct ToOutlet(Outlet);

impl Sink for ToOutlet {
    fn offer(&mut self, bytes: &[u8]) -> Result<usize, End> {
        self.0.try_data(CHANNEL, bytes).map_err(|Gone| End::Left)
    }

    fn displays(&mut self, displays: &[Display], shown: &str) {
        let told = said::FromDevice::Displays { displays: displays.iter().map(told).collect(), shown: shown.to_owned() };
        // A client that reads nothing is told of the displays when it changes them again.
        let _ = self.0.try_control(&told);
    }
}

fn told(display: &Display) -> said::Display {
    let place = display.place;
    let primary = match display.primary {
        Primary::Yes => said::Primary::Yes,
        Primary::No => said::Primary::No,
    };
    said::Display { name: display.name.clone(), x: place.x, y: place.y, width: place.width, height: place.height, primary }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
