//! What clients say, and what the screen's news are for them.

use sallyport_grant::body::Access;

use super::super::picture::rect::Rect;
use super::super::rfb::client::{Asked, ClientMessage, Continuous, Resizable, Version, Wanted};
use super::super::rfb::clipboard::{self, Notice};
use super::super::rfb::server::{self, SizeNews};
use super::super::x11::{Hands, Link, ScreenError};
use super::scene::{Scene, Told};
use super::{Clipboard, End, Sink, Viewer};

/// What was said so far that still counts.
#[derive(Debug, Default)]
pub(super) struct Talk {
    version: Version,
    /// Text of the screen that the client was told of and may ask for.
    copied: Option<String>,
    told_caps: bool,
    told_continuous: bool,
    told_fence: bool,
    /// What it reads is known, so it may be told things that it did not ask for.
    began: bool,
}

impl<S: Sink> Viewer<S> {
    /// Bytes of the client.
    pub(super) fn hear(&mut self, scene: &mut Scene, bytes: &[u8]) -> Result<(), End> {
        self.reader.push(bytes);
        while let Some(message) = self.reader.next()? {
            self.obey(scene, message)?;
        }
        Ok(())
    }

    fn obey(&mut self, scene: &mut Scene, message: ClientMessage) -> Result<(), End> {
        // This is where watching and controlling part, before anything is done.
        if self.powers.hands == Access::View && changes_something(&message) {
            return Err(End::ViewOnly);
        }
        match message {
            ClientMessage::Version(version) => {
                self.talk.version = version;
                server::security_types(version, &mut self.out);
            }
            ClientMessage::SecurityNone => server::security_ok(self.talk.version, &mut self.out),
            ClientMessage::Init => server::init(scene.frame.size(), &scene.shown, &mut self.out),
            ClientMessage::PixelFormat(format) => self.encoder.format = format,
            ClientMessage::Encodings(wanted) => self.take_encodings(wanted),
            ClientMessage::UpdateRequest(asked, rect) => {
                self.pace_answer();
                self.updates.ask(asked, rect);
            }
            ClientMessage::ContinuousUpdates(on, rect) => self.take_continuous(on, rect),
            ClientMessage::Fence { flags, payload } => self.take_fence(flags, &payload),
            ClientMessage::Key(press, symbol) => return self.with_hands(scene, |hands, link, _| hands.key(link, press, symbol)),
            ClientMessage::Pointer { buttons, x, y } => {
                return self.with_hands(scene, |hands, link, view| hands.pointer(link, view, buttons, (x, y)));
            }
            ClientMessage::CutText(text) => return Ok(scene.offer(text)?),
            ClientMessage::ExtendedCutText(notice) => return self.take_notice(scene, notice),
            ClientMessage::Resize { width, height } => {
                let done = scene.resize((width, height))?;
                self.updates.tell_size(if done.is_some() { SizeNews::Done } else { SizeNews::Refused });
            }
        }
        Ok(())
    }

    fn with_hands(&mut self, scene: &mut Scene, act: impl FnOnce(&mut Hands, &Link, Rect) -> Result<(), ScreenError>) -> Result<(), End> {
        let (hands, link, view) = scene.hands().ok_or(End::ViewOnly)?;
        Ok(act(hands, link, view)?)
    }

    fn take_encodings(&mut self, wanted: Wanted) {
        self.encoder.wanted = wanted;
        if wanted.cursor {
            self.updates.tell_cursor();
        }
        if wanted.size == Resizable::Asks {
            self.updates.tell_size(SizeNews::Changed);
        }
        if wanted.continuous && wanted.fence && !std::mem::replace(&mut self.talk.told_continuous, true) {
            server::end_of_continuous_updates(self.updates.between(&mut self.out));
        }
        if wanted.fence && !std::mem::replace(&mut self.talk.told_fence, true) {
            // An empty fence that wants an answer says that fences are known.
            server::fence(server::FENCE_REQUEST, &[], self.updates.between(&mut self.out));
        }
        if wanted.clipboard && self.powers.clipboard == Clipboard::Both && !std::mem::replace(&mut self.talk.told_caps, true) {
            server::extended_cut_text(&clipboard::caps(), self.updates.between(&mut self.out));
        }
        if !std::mem::replace(&mut self.talk.began, true)
            && let Some(text) = self.talk.copied.take()
        {
            self.tell_copied(text);
        }
    }

    fn take_continuous(&mut self, on: Continuous, rect: Rect) {
        self.pace.forget();
        match on {
            Continuous::On => self.updates.continue_within(Some(rect)),
            Continuous::Off => {
                self.updates.continue_within(None);
                server::end_of_continuous_updates(self.updates.between(&mut self.out));
            }
        }
    }

    fn take_fence(&mut self, flags: u32, payload: &[u8]) {
        if flags & server::FENCE_REQUEST != 0 {
            server::fence(flags & server::FENCE_KNOWN, payload, self.updates.between(&mut self.out));
        } else if !payload.is_empty() {
            self.pace.answered(std::time::Instant::now());
        }
    }

    /// Where the client asks for each update, the next request is the answer to the last one.
    fn pace_answer(&mut self) {
        if !self.updates.is_continuous() {
            self.pace.answered(std::time::Instant::now());
        }
    }

    fn take_notice(&mut self, scene: &mut Scene, notice: Notice) -> Result<(), End> {
        if self.powers.clipboard == Clipboard::Off {
            return Ok(());
        }
        let out = self.updates.between(&mut self.out);
        match notice {
            Notice::HasText => server::extended_cut_text(&clipboard::request(), out),
            Notice::Text(text) => scene.offer(text)?,
            Notice::Request => server::extended_cut_text(&clipboard::provide(self.talk.copied.as_deref().unwrap_or_default()), out),
            Notice::Peek => server::extended_cut_text(&clipboard::notify(self.talk.copied.as_deref()), out),
            Notice::Caps | Notice::HasNone => {}
        }
        Ok(())
    }

    /// The screen did something.
    pub(super) fn tell(&mut self, scene: &mut Scene, told: Told) -> Result<(), End> {
        match told {
            Told::Damaged => self.updates.damaged(),
            Told::Cursor => self.updates.tell_cursor(),
            Told::Size => {
                let shown = scene.shown.clone();
                self.show(scene, &shown)?;
            }
            Told::Copied(text) => self.tell_copied(text),
        }
        Ok(())
    }

    fn tell_copied(&mut self, text: String) {
        // What a watcher copies for itself is still taken off the screen, so the clipboard goes to whoever controls.
        if self.powers.hands == Access::View {
            return;
        }
        let out = self.updates.between(&mut self.out);
        if !self.talk.began {
            // Told as soon as it may be.
        } else if self.encoder.wanted.clipboard {
            server::extended_cut_text(&clipboard::notify(Some(&text)), out);
        } else {
            server::cut_text(&text, out);
        }
        self.talk.copied = Some(text);
    }

    /// Shows a display, the same one anew or another.
    pub(super) fn show(&mut self, scene: &mut Scene, name: &str) -> Result<(), End> {
        let before = scene.frame.size();
        scene.show(name, self.encoder.wanted.size)?;
        let displays = scene.displays()?;
        self.sink.displays(&displays, &scene.shown);
        self.updates.other_picture();
        if scene.frame.size() != before {
            self.updates.tell_size(SizeNews::Changed);
        }
        Ok(())
    }
}

/// Whether a message would do something at the device. Reading is all that a watcher may.
fn changes_something(message: &ClientMessage) -> bool {
    match message {
        ClientMessage::Key(..) | ClientMessage::Pointer { .. } | ClientMessage::CutText(_) | ClientMessage::Resize { .. } => true,
        ClientMessage::ExtendedCutText(notice) => matches!(notice, Notice::Text(_) | Notice::HasText),
        ClientMessage::Version(_)
        | ClientMessage::SecurityNone
        | ClientMessage::Init
        | ClientMessage::PixelFormat(_)
        | ClientMessage::Encodings(_)
        | ClientMessage::UpdateRequest(Asked::Changes | Asked::Everything, _)
        | ClientMessage::ContinuousUpdates(..)
        | ClientMessage::Fence { .. } => false,
    }
}
