//! The clipboard of the screen, given to the client and taken from it. Text only, and bounded.

use sallyport_model::limits;
use x11rb::protocol::Event;
use x11rb::protocol::xfixes::{self, SelectionEventMask};
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, Property, SELECTION_NOTIFY_EVENT, SelectionNotifyEvent,
    SelectionRequestEvent, WindowClass,
};
use x11rb::wrapper::ConnectionExt as _;

use super::{Link, ScreenError};

x11rb::atom_manager! {
    Atoms: AtomsCookie {
        CLIPBOARD,
        UTF8_STRING,
        TARGETS,
        TIMESTAMP,
        INCR,
        TEXT,
        SALLYPORT_CLIPBOARD,
    }
}

/// The selections of the screen as this viewer sees them.
pub(crate) struct Selections {
    atoms: Atoms,
    /// What the client copied, while it is the newest.
    ours: Option<String>,
    /// A large text on its way to us, piece by piece.
    arriving: Option<Vec<u8>>,
}

/// A window that is never shown: owners of selections have one.
pub(super) fn make_window(link: &Link) -> Result<(), ScreenError> {
    let aux = CreateWindowAux::new().event_mask(EventMask::PROPERTY_CHANGE);
    link.connection.create_window(0, link.window, link.root, -1, -1, 1, 1, 0, WindowClass::INPUT_ONLY, x11rb::COPY_FROM_PARENT, &aux)?;
    Ok(())
}

impl Selections {
    pub(crate) fn watch(link: &Link) -> Result<Self, ScreenError> {
        let atoms = Atoms::new(&link.connection)?.reply()?;
        xfixes::select_selection_input(&link.connection, link.window, atoms.CLIPBOARD, SelectionEventMask::SET_SELECTION_OWNER)?;
        let selections = Self { atoms, ours: None, arriving: None };
        // What is in it already is asked for at once.
        selections.ask(link)?;
        Ok(selections)
    }

    /// The client copied something: it is what programs paste from now on.
    pub(crate) fn offer(&mut self, link: &Link, text: String) -> Result<(), ScreenError> {
        self.ours = Some(text);
        // Pasting with the middle button takes the other selection.
        for selection in [self.atoms.CLIPBOARD, AtomEnum::PRIMARY.into()] {
            link.connection.set_selection_owner(link.window, selection, x11rb::CURRENT_TIME)?;
        }
        link.flush()
    }

    /// Looks at an event; returns what the screen's clipboard holds when that became known.
    pub(crate) fn hear(&mut self, link: &Link, event: &Event) -> Result<Option<String>, ScreenError> {
        match event {
            Event::XfixesSelectionNotify(change) if change.owner != link.window && change.owner != x11rb::NONE => {
                self.ours = None;
                self.ask(link)?;
            }
            Event::SelectionRequest(request) => self.answer(link, request)?,
            Event::SelectionNotify(answer) if answer.property == self.atoms.SALLYPORT_CLIPBOARD => return self.arrived(link),
            Event::PropertyNotify(change)
                if change.atom == self.atoms.SALLYPORT_CLIPBOARD && change.state == Property::NEW_VALUE && self.arriving.is_some() =>
            {
                return self.piece(link);
            }
            _ => {}
        }
        Ok(None)
    }

    fn ask(&self, link: &Link) -> Result<(), ScreenError> {
        let atoms = &self.atoms;
        let now = x11rb::CURRENT_TIME;
        link.connection.convert_selection(link.window, atoms.CLIPBOARD, atoms.UTF8_STRING, atoms.SALLYPORT_CLIPBOARD, now)?;
        link.flush()
    }

    fn arrived(&mut self, link: &Link) -> Result<Option<String>, ScreenError> {
        let (kind, bytes) = self.take_property(link)?;
        if kind == self.atoms.INCR {
            // Deleting the property, which reading did, asks for the first piece.
            self.arriving = Some(Vec::new());
            return Ok(None);
        }
        self.arriving = None;
        Ok(text(bytes))
    }

    fn piece(&mut self, link: &Link) -> Result<Option<String>, ScreenError> {
        let (_, bytes) = self.take_property(link)?;
        if bytes.is_empty() {
            return Ok(self.arriving.take().and_then(text));
        }
        if let Some(arriving) = &mut self.arriving {
            arriving.extend_from_slice(&bytes);
            // The rest is still taken piece by piece, so that its owner does not wait, but it is not kept.
            arriving.truncate(limits::SCREEN_CLIPBOARD_BYTES + 1);
        }
        Ok(None)
    }

    fn take_property(&self, link: &Link) -> Result<(Atom, Vec<u8>), ScreenError> {
        let words = (limits::SCREEN_CLIPBOARD_BYTES / 4 + 1) as u32;
        let any = AtomEnum::ANY;
        let property = link.connection.get_property(true, link.window, self.atoms.SALLYPORT_CLIPBOARD, any, 0, words)?.reply()?;
        if property.bytes_after > 0 {
            link.connection.delete_property(link.window, self.atoms.SALLYPORT_CLIPBOARD)?;
        }
        Ok((property.type_, property.value))
    }

    /// A program pastes what the client copied.
    fn answer(&self, link: &Link, request: &SelectionRequestEvent) -> Result<(), ScreenError> {
        // Old programs name no property and mean the target's name.
        let property = if request.property == x11rb::NONE { request.target } else { request.property };
        let given = self.give(link, request, property)?;
        let notice = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: given.map_or(x11rb::NONE, |()| property),
        };
        link.connection.send_event(false, request.requestor, EventMask::NO_EVENT, notice)?;
        link.flush()
    }

    fn give(&self, link: &Link, request: &SelectionRequestEvent, property: Atom) -> Result<Option<()>, ScreenError> {
        let Some(ours) = &self.ours else { return Ok(None) };
        let (atoms, connection) = (&self.atoms, &link.connection);
        let string = Atom::from(AtomEnum::STRING);
        if request.target == atoms.TARGETS {
            let targets = [atoms.TARGETS, atoms.UTF8_STRING, atoms.TEXT, string];
            connection.change_property32(PropMode::REPLACE, request.requestor, property, AtomEnum::ATOM, &targets)?;
        } else if request.target == atoms.UTF8_STRING || request.target == atoms.TEXT {
            connection.change_property8(PropMode::REPLACE, request.requestor, property, atoms.UTF8_STRING, ours.as_bytes())?;
        } else if request.target == string {
            let latin: Vec<u8> = ours.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
            connection.change_property8(PropMode::REPLACE, request.requestor, property, string, &latin)?;
        } else {
            return Ok(None);
        }
        Ok(Some(()))
    }
}

fn text(bytes: Vec<u8>) -> Option<String> {
    if bytes.is_empty() || bytes.len() > limits::SCREEN_CLIPBOARD_BYTES {
        return None;
    }
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
