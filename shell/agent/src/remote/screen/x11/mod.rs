//! One connection to an X server for one viewer: what is to be seen, and hands for whoever may use them.
//!
//! Everything here blocks, on a thread of the viewer's own. A server that goes away is an error like any other.

mod clipboard;
mod cursor;
mod grab;
mod hands;
mod keyboard;
mod keymap;
mod monitors;

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError};
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, ImageOrder, Screen as RootScreen};
use x11rb::protocol::{Event, damage, randr, shm, xfixes, xkb, xtest};
use x11rb::rust_connection::{DefaultStream, RustConnection};

use super::find::Seat;
pub(crate) use clipboard::Selections;
pub(crate) use cursor::Cursor;
pub(crate) use grab::Grab;
pub(crate) use hands::Hands;
pub(crate) use monitors::{ALL, Display, Primary, displays, resize};

/// Why a screen cannot be shown (any longer).
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScreenError {
    #[error("the X server cannot be reached: {0}")]
    Unreachable(std::io::Error),
    #[error("the socket of the X server belongs to somebody else")]
    ForeignSocket,
    #[error("the X server refused: {0}")]
    Refused(ConnectError),
    #[error("the X server lacks {0}")]
    Lacks(&'static str),
    #[error("the screen has a depth that cannot be captured")]
    Depth,
    #[error("the connection to the X server ended")]
    Gone,
}

impl From<ConnectionError> for ScreenError {
    fn from(_: ConnectionError) -> Self {
        Self::Gone
    }
}

impl From<ReplyError> for ScreenError {
    fn from(_: ReplyError) -> Self {
        Self::Gone
    }
}

impl From<ReplyOrIdError> for ScreenError {
    fn from(_: ReplyOrIdError) -> Self {
        Self::Gone
    }
}

/// A connection with the extensions that showing takes.
pub(crate) struct Link {
    pub(crate) connection: RustConnection,
    pub(crate) root: u32,
    /// Owns selections and receives what is only ours.
    pub(crate) window: u32,
    size: (u16, u16),
}

/// What changed on the screen.
#[derive(Debug)]
pub(crate) enum News {
    Damaged,
    Cursor,
    Size,
    Keyboard,
    /// Something that the clipboard must look at.
    Selection(Box<Event>),
}

impl News {
    fn repeats(&self, last: &Self) -> bool {
        matches!((self, last), (Self::Damaged, Self::Damaged) | (Self::Cursor, Self::Cursor) | (Self::Keyboard, Self::Keyboard))
    }
}

impl Link {
    pub(crate) fn connect(seat: &Seat) -> Result<Self, ScreenError> {
        let stream = UnixStream::connect(&seat.socket).map_err(ScreenError::Unreachable)?;
        let peer = sallyport_os::peer_uid(&stream).map_err(ScreenError::Unreachable)?;
        // Anybody may put a socket where a display's would be, and would then read what is typed.
        if !seat.may_be_served_by(peer) {
            return Err(ScreenError::ForeignSocket);
        }
        let (stream, _) = DefaultStream::from_unix_stream(stream).map_err(ScreenError::Unreachable)?;
        let (name, cookie) =
            seat.cookie.as_ref().map_or((Vec::new(), Vec::new()), |cookie| (b"MIT-MAGIC-COOKIE-1".to_vec(), cookie.0.clone()));
        let connection = RustConnection::connect_to_stream_with_auth_info(stream, 0, name, cookie).map_err(ScreenError::Refused)?;
        Self::with(connection)
    }

    fn with(connection: RustConnection) -> Result<Self, ScreenError> {
        let screen = connection.setup().roots.first().cloned().ok_or(ScreenError::Depth)?;
        check_depth(&connection, &screen)?;
        for (extension, name) in [
            (damage::X11_EXTENSION_NAME, "DAMAGE"),
            (xfixes::X11_EXTENSION_NAME, "XFIXES"),
            (xtest::X11_EXTENSION_NAME, "XTEST"),
            (xkb::X11_EXTENSION_NAME, "XKEYBOARD"),
        ] {
            connection.extension_information(extension)?.ok_or(ScreenError::Lacks(name))?;
        }
        xfixes::query_version(&connection, 5, 0)?.reply()?;
        damage::query_version(&connection, 1, 1)?.reply()?;
        let window = connection.generate_id()?;
        let size = (screen.width_in_pixels, screen.height_in_pixels);
        let link = Self { connection, root: screen.root, window, size };
        link.listen()?;
        Ok(link)
    }

    fn listen(&self) -> Result<(), ScreenError> {
        clipboard::make_window(self)?;
        let changes = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        self.connection.change_window_attributes(self.root, &changes)?;
        xfixes::select_cursor_input(&self.connection, self.root, xfixes::CursorNotifyMask::DISPLAY_CURSOR)?;
        if self.has(randr::X11_EXTENSION_NAME)? {
            randr::query_version(&self.connection, 1, 5)?.reply()?;
        }
        keyboard::listen(self)?;
        self.connection.flush()?;
        Ok(())
    }

    pub(crate) fn has(&self, extension: &'static str) -> Result<bool, ScreenError> {
        Ok(self.connection.extension_information(extension)?.is_some())
    }

    fn has_shared_memory(&self) -> Result<bool, ScreenError> {
        if !self.has(shm::X11_EXTENSION_NAME)? {
            return Ok(false);
        }
        let version = shm::query_version(&self.connection)?.reply()?;
        // Descriptors are passed since 1.2.
        Ok((version.major_version, version.minor_version) >= (1, 2))
    }

    /// The whole screen's size, all monitors together.
    pub(crate) fn size(&self) -> (u16, u16) {
        self.size
    }

    /// What happened since the last call, without waiting.
    pub(crate) fn news(&mut self) -> Result<Vec<News>, ScreenError> {
        let mut news = Vec::new();
        while let Some(event) = self.connection.poll_for_event()? {
            let Some(one) = self.sort(event) else { continue };
            let again = news.last().is_some_and(|last| one.repeats(last));
            if !again {
                news.push(one);
            }
        }
        Ok(news)
    }

    fn sort(&mut self, event: Event) -> Option<News> {
        match event {
            Event::DamageNotify(_) => Some(News::Damaged),
            Event::XfixesCursorNotify(_) => Some(News::Cursor),
            Event::ConfigureNotify(configured) if configured.window == self.root => {
                self.size = (configured.width, configured.height);
                Some(News::Size)
            }
            Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_) | Event::MappingNotify(_) => Some(News::Keyboard),
            Event::XfixesSelectionNotify(_)
            | Event::SelectionRequest(_)
            | Event::SelectionNotify(_)
            | Event::SelectionClear(_)
            | Event::PropertyNotify(_) => Some(News::Selection(Box::new(event))),
            _ => None,
        }
    }

    /// What to wait at. Look at [`Self::news`] first: replies that were read may have brought events along.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.connection.stream().as_fd()
    }

    pub(crate) fn flush(&self) -> Result<(), ScreenError> {
        Ok(self.connection.flush()?)
    }
}

fn check_depth(connection: &RustConnection, screen: &RootScreen) -> Result<(), ScreenError> {
    let setup = connection.setup();
    let whole_words = setup.pixmap_formats.iter().any(|format| format.depth == screen.root_depth && format.bits_per_pixel == 32);
    let visual = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals).find(|visual| visual.visual_id == screen.root_visual);
    let ours = visual.is_some_and(|visual| (visual.red_mask, visual.green_mask, visual.blue_mask) == (0x00ff_0000, 0xff00, 0xff));
    if whole_words && ours && setup.image_byte_order == ImageOrder::LSB_FIRST { Ok(()) } else { Err(ScreenError::Depth) }
}
