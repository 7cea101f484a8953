//! Presses keys so that the characters that a client means appear, whatever layouts are on both sides.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sallyport_model::limits;
use x11rb::protocol::xkb::{self, EventType, MapPart, SelectEventsAux};
use x11rb::protocol::xproto::{AutoRepeatMode, ChangeKeyboardControlAux, ConnectionExt as _};
use x11rb::wrapper::ConnectionExt as _;

use super::hands::{Fake, fake_key};
use super::keymap::{Key, KeyType, Keymap, Stroke};
use super::{Link, ScreenError};
use crate::remote::screen::rfb::client::Press;

const CORE_KEYBOARD: u16 = 0x100;
/// A lent key keeps its symbol at least so long: programs look it up when they get to it, which may be after it was pressed.
const LENT_FOR: Duration = Duration::from_millis(300);

/// The layout in use, and what this viewer holds down.
pub(crate) struct Keyboard {
    map: Keymap,
    held: Vec<Held>,
    /// Keys that the display's server would repeat by itself, a bit for each.
    repeating: [u8; 32],
    /// Lent keys and their symbols, the one used longest ago first.
    lent: VecDeque<Lent>,
}

#[derive(Debug, Clone, Copy)]
struct Lent {
    code: u8,
    symbol: u32,
    used: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    symbol: u32,
    code: u8,
}

/// Whether the display's server repeats a key that is held down. The client's keyboard does that: on a slow line, the server would add
/// characters of its own while the word that the key went up is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    ByClient,
    AsBefore,
}

/// Asks to be told when the layout changes.
pub(super) fn listen(link: &Link) -> Result<(), ScreenError> {
    let connection = &link.connection;
    let version = xkb::use_extension(connection, 1, 0)?.reply()?;
    if !version.supported {
        return Err(ScreenError::Lacks("XKEYBOARD 1.0"));
    }
    let events = EventType::NEW_KEYBOARD_NOTIFY | EventType::MAP_NOTIFY;
    let parts = MapPart::KEY_TYPES | MapPart::KEY_SYMS | MapPart::MODIFIER_MAP;
    let none = EventType::from(0u16);
    xkb::select_events(connection, CORE_KEYBOARD, none, events, parts, parts, &SelectEventsAux::new())?;
    Ok(())
}

impl Keyboard {
    pub(crate) fn new(link: &Link) -> Result<Self, ScreenError> {
        let repeating = link.connection.get_keyboard_control()?.reply()?.auto_repeats;
        Ok(Self { map: load(link)?, held: Vec::new(), repeating, lent: VecDeque::new() })
    }

    /// The layout changed; what was lent is gone with the old one, or still there and found.
    pub(crate) fn reload(&mut self, link: &Link) -> Result<(), ScreenError> {
        self.map = load(link)?;
        let map = &self.map;
        self.lent.retain(|lent| map.keys.iter().any(|key| key.code == lent.code && key.symbols.first() == Some(&lent.symbol)));
        Ok(())
    }

    pub(crate) fn key(&mut self, link: &Link, press: Press, symbol: u32) -> Result<(), ScreenError> {
        let held = self.held.iter().position(|held| held.symbol == symbol);
        match (press, held) {
            (Press::Up, Some(at)) => self.let_go(link, at),
            (Press::Up, None) => Ok(()),
            // The client's keyboard repeats.
            (Press::Down, Some(at)) => {
                let code = self.held[at].code;
                if self.map.modifiers_of(code) != 0 {
                    return Ok(());
                }
                fake_key(link, Fake::KeyUp, code)?;
                fake_key(link, Fake::KeyDown, code)
            }
            (Press::Down, None) => self.press(link, symbol),
        }
    }

    /// Lets go of everything that this viewer holds, and takes lent keys back.
    pub(crate) fn release_all(&mut self, link: &Link) -> Result<(), ScreenError> {
        while !self.held.is_empty() {
            self.let_go(link, 0)?;
        }
        for lent in std::mem::take(&mut self.lent) {
            link.connection.change_keyboard_mapping(1, lent.code, 1, &[0])?;
        }
        // A connection that is closed before the server read everything loses the rest.
        Ok(link.connection.sync()?)
    }

    fn press(&mut self, link: &Link, symbol: u32) -> Result<(), ScreenError> {
        if self.held.len() >= limits::SCREEN_KEYS_HELD {
            return Ok(());
        }
        let state = xkb::get_state(&link.connection, CORE_KEYBOARD)?.reply()?;
        let modifiers = u16::from(state.mods) as u8;
        let stroke = match self.map.find(symbol, u8::from(state.group), modifiers) {
            Some(stroke) => stroke,
            None => match self.lend(link, symbol)? {
                Some(code) => Stroke { code, modifiers },
                // Every spare key is held down: one character is lost rather than a wrong one typed.
                None => return Ok(()),
            },
        };
        // Two characters on one key, the first not let go yet: it must go down again.
        if let Some(at) = self.held.iter().position(|held| held.code == stroke.code) {
            self.let_go(link, at)?;
        }
        self.repeat(link, stroke.code, Repeat::ByClient)?;
        self.strike(link, stroke, modifiers)?;
        self.held.push(Held { symbol, code: stroke.code });
        Ok(())
    }

    fn let_go(&mut self, link: &Link, at: usize) -> Result<(), ScreenError> {
        let code = self.held.remove(at).code;
        fake_key(link, Fake::KeyUp, code)?;
        self.repeat(link, code, Repeat::AsBefore)
    }

    fn repeat(&self, link: &Link, code: u8, repeat: Repeat) -> Result<(), ScreenError> {
        if self.repeating[usize::from(code / 8)] & (1 << (code % 8)) == 0 {
            return Ok(());
        }
        let mode = if repeat == Repeat::ByClient { AutoRepeatMode::OFF } else { AutoRepeatMode::ON };
        let change = ChangeKeyboardControlAux::new().key(u32::from(code)).auto_repeat_mode(mode);
        link.connection.change_keyboard_control(&change)?;
        Ok(())
    }

    /// Sets the modifiers for just the moment of the key going down.
    fn strike(&self, link: &Link, stroke: Stroke, now: u8) -> Result<(), ScreenError> {
        let mut undo = Vec::new();
        let differing = (0..8).map(|bit| 1u8 << bit).filter(|bit| (stroke.modifiers ^ now) & bit != 0);
        for bit in differing {
            if stroke.modifiers & bit != 0 {
                let Some(code) = self.map.key_for(bit) else { continue };
                fake_key(link, Fake::KeyDown, code)?;
                undo.push((Fake::KeyUp, code));
            } else {
                for held in self.held.iter().filter(|held| self.map.modifiers_of(held.code) & bit != 0) {
                    fake_key(link, Fake::KeyUp, held.code)?;
                    undo.push((Fake::KeyDown, held.code));
                }
            }
        }
        fake_key(link, Fake::KeyDown, stroke.code)?;
        undo.into_iter().rev().try_for_each(|(fake, code)| fake_key(link, fake, code))
    }

    /// Gives a key without meaning to a symbol that the layout lacks.
    fn lend(&mut self, link: &Link, symbol: u32) -> Result<Option<u8>, ScreenError> {
        if symbol == 0 {
            return Ok(None);
        }
        let used = Instant::now();
        if let Some(at) = self.lent.iter().position(|lent| lent.symbol == symbol) {
            let code = self.lent.remove(at).map_or(0, |lent| lent.code);
            self.lent.push_back(Lent { code, symbol, used });
            return Ok(Some(code));
        }
        let Some(code) = self.free_key() else { return Ok(None) };
        // The same on both levels, so that Shift changes nothing.
        link.connection.change_keyboard_mapping(1, code, 2, &[symbol, symbol])?.check()?;
        self.lent.retain(|lent| lent.code != code);
        self.lent.push_back(Lent { code, symbol, used });
        Ok(Some(code))
    }

    /// One that was never lent; otherwise the one that was used longest ago, when that is long enough.
    fn free_key(&self) -> Option<u8> {
        let is_held = |code: u8| self.held.iter().any(|held| held.code == code);
        let fresh = self.map.spare().find(|code| !is_held(*code) && self.lent.iter().all(|lent| lent.code != *code));
        if fresh.is_some() {
            return fresh;
        }
        let oldest = self.lent.iter().find(|lent| !is_held(lent.code))?;
        std::thread::sleep(LENT_FOR.saturating_sub(oldest.used.elapsed()));
        Some(oldest.code)
    }
}

fn load(link: &Link) -> Result<Keymap, ScreenError> {
    let parts = MapPart::KEY_TYPES | MapPart::KEY_SYMS | MapPart::MODIFIER_MAP;
    let nothing = MapPart::from(0u16);
    let vmods = xkb::VMod::from(0u16);
    let map = xkb::get_map(&link.connection, CORE_KEYBOARD, parts, nothing, 0, 0, 0, 0, 0, 0, 0, 0, vmods, 0, 0, 0, 0, 0, 0)?.reply()?;
    let types = map.map.types_rtrn.unwrap_or_default().into_iter().map(|kind| KeyType {
        modifiers: u16::from(kind.mods_mask) as u8,
        levels: kind.map.iter().filter(|entry| entry.active).map(|entry| (u16::from(entry.mods_mask) as u8, entry.level)).collect(),
    });
    let modifiers = map.map.modmap_rtrn.unwrap_or_default();
    let keys = map.map.syms_rtrn.unwrap_or_default().into_iter().zip(map.first_key_sym..=u8::MAX).map(|(key, code)| Key {
        code,
        modifiers: modifiers.iter().find(|one| one.keycode == code).map_or(0, |one| u16::from(one.mods) as u8),
        groups: key.group_info & 0x0f,
        types: key.kt_index,
        width: key.width,
        symbols: key.syms,
    });
    Ok(Keymap { keys: keys.collect(), types: types.collect() })
}
