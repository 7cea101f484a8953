//! Keyboard and pointer of whoever may control. A viewer that may only watch has none, so there is nothing it could call.

use x11rb::protocol::xtest;

use super::keyboard::Keyboard;
use super::{Link, ScreenError};
use crate::remote::screen::picture::rect::Rect;
use crate::remote::screen::rfb::client::Press;

/// What of input is faked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fake {
    KeyDown = 2,
    KeyUp = 3,
    ButtonDown = 4,
    ButtonUp = 5,
    Motion = 6,
}

pub(super) fn fake_key(link: &Link, fake: Fake, code: u8) -> Result<(), ScreenError> {
    xtest::fake_input(&link.connection, fake as u8, code, x11rb::CURRENT_TIME, x11rb::NONE, 0, 0, 0)?;
    Ok(())
}

/// Input of one attachment.
pub(crate) struct Hands {
    keyboard: Keyboard,
    buttons: u8,
    at: Option<(u16, u16)>,
}

impl Hands {
    pub(crate) fn new(link: &Link) -> Result<Self, ScreenError> {
        Ok(Self { keyboard: Keyboard::new(link)?, buttons: 0, at: None })
    }

    pub(crate) fn layout_changed(&mut self, link: &Link) -> Result<(), ScreenError> {
        self.keyboard.reload(link)
    }

    pub(crate) fn key(&mut self, link: &Link, press: Press, symbol: u32) -> Result<(), ScreenError> {
        self.keyboard.key(link, press, symbol)?;
        link.flush()
    }

    /// Moves the pointer within the part that is shown, and presses what changed.
    pub(crate) fn pointer(&mut self, link: &Link, view: Rect, buttons: u8, at: (u16, u16)) -> Result<(), ScreenError> {
        let inside = (at.0.min(view.width.saturating_sub(1)), at.1.min(view.height.saturating_sub(1)));
        if self.at != Some(inside) {
            let (x, y) = ((view.x + inside.0) as i16, (view.y + inside.1) as i16);
            xtest::fake_input(&link.connection, Fake::Motion as u8, 0, x11rb::CURRENT_TIME, link.root, x, y, 0)?;
            self.at = Some(inside);
        }
        self.press_buttons(link, buttons)?;
        link.flush()
    }

    fn press_buttons(&mut self, link: &Link, buttons: u8) -> Result<(), ScreenError> {
        for button in (0..8u8).filter(|button| (self.buttons ^ buttons) & (1 << button) != 0) {
            let fake = if buttons & (1 << button) != 0 { Fake::ButtonDown } else { Fake::ButtonUp };
            xtest::fake_input(&link.connection, fake as u8, button + 1, x11rb::CURRENT_TIME, x11rb::NONE, 0, 0, 0)?;
        }
        self.buttons = buttons;
        Ok(())
    }

    /// Lets go of everything: nobody is there any more who could.
    pub(crate) fn release_all(&mut self, link: &Link) -> Result<(), ScreenError> {
        self.press_buttons(link, 0)?;
        self.keyboard.release_all(link)
    }
}
