//! What one viewer has of the screen: its connection, the part that is shown, and the client's picture of it.

use super::super::find::{NoScreen, Seat};
use super::super::picture::changes::{Changes, take_over};
use super::super::picture::frame::Frame;
use super::super::picture::rect::Rect;
use super::super::picture::scroll::{self, Move};
use super::super::rfb::client::Resizable;
use super::super::x11::{Cursor, Display, Grab, Hands, Link, News, ScreenError, Selections, displays, resize};
use super::{Clipboard, Powers};

/// A screen that is open for one viewer.
pub(super) struct Scene {
    pub(super) link: Link,
    grab: Grab,
    hands: Option<Hands>,
    selections: Option<Selections>,
    /// The client's picture.
    pub(super) frame: Frame,
    /// The name of what is shown.
    pub(super) shown: String,
}

/// What news of the screen mean for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Damaged,
    Cursor,
    Size,
    Copied(String),
}

/// What is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Damaged,
    All,
}

/// What is to be told of one capture.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub(super) moves: Vec<Move>,
    pub(super) changes: Changes,
}

impl Scene {
    pub(super) fn open(seat: &Seat, powers: Powers, shown: &str) -> Result<Self, ScreenError> {
        let link = Link::connect(seat)?;
        let (shown, place) = place_of(&link, shown)?;
        let grab = Grab::new(&link, place)?;
        let hands = match powers.hands {
            sallyport_grant::body::Access::Control => Some(Hands::new(&link)?),
            sallyport_grant::body::Access::View => None,
        };
        let selections = match powers.clipboard {
            Clipboard::Both => Some(Selections::watch(&link)?),
            Clipboard::Off => None,
        };
        Ok(Self { link, grab, hands, selections, frame: Frame::black((place.width, place.height)), shown })
    }

    /// Everything that happened to the screen since the last call.
    pub(super) fn news(&mut self) -> Result<Vec<Told>, ScreenError> {
        let mut told = Vec::new();
        for news in self.link.news()? {
            match news {
                News::Damaged => told.push(Told::Damaged),
                News::Cursor => told.push(Told::Cursor),
                News::Size => told.push(Told::Size),
                News::Keyboard => self.hands.iter_mut().try_for_each(|hands| hands.layout_changed(&self.link))?,
                News::Selection(event) => {
                    if let Some(selections) = &mut self.selections {
                        told.extend(selections.hear(&self.link, &event)?.map(Told::Copied));
                    }
                }
            }
        }
        Ok(told)
    }

    /// Captures what was damaged, or all that is shown, and takes it over.
    pub(super) fn capture(&mut self, extent: Extent) -> Result<Captured, ScreenError> {
        let damaged = self.grab.damaged(&self.link)?;
        let whole = self.visible();
        let rects = match extent {
            Extent::All => vec![whole],
            Extent::Damaged => damaged.into_iter().map(|rect| rect.intersect(whole)).collect(),
        };
        let mut captured = Captured::default();
        for fresh in self.grab.capture(&self.link, &rects)? {
            if extent == Extent::Damaged
                && let Some(found) = scroll::find(&self.frame, &fresh)
            {
                self.frame.move_rows(found.to, found.from_y);
                captured.moves.push(found);
            }
            take_over(&mut self.frame, &fresh, &mut captured.changes);
        }
        captured.changes.merge();
        Ok(captured)
    }

    /// What the picture and the screen both have; they differ where a client cannot follow a change of size.
    fn visible(&self) -> Rect {
        let view = self.grab.view();
        Rect::of_size((view.width, view.height)).intersect(self.frame.whole())
    }

    /// Shows another display, or the same one at its new size. The picture becomes black where its size changes.
    pub(super) fn show(&mut self, name: &str, client: Resizable) -> Result<(), ScreenError> {
        let (shown, place) = place_of(&self.link, name)?;
        self.shown = shown;
        self.grab.turn_to(&self.link, place)?;
        if client != Resizable::No && self.frame.size() != (place.width, place.height) {
            self.frame = Frame::black((place.width, place.height));
        }
        Ok(())
    }

    /// For clients that cannot follow: they see as much of this screen as fits.
    pub(super) fn keep_size(&mut self, size: (u16, u16)) {
        self.frame = Frame::black(size);
    }

    pub(super) fn displays(&self) -> Result<Vec<Display>, ScreenError> {
        displays(&self.link)
    }

    pub(super) fn resize(&self, size: (u16, u16)) -> Result<Option<()>, ScreenError> {
        resize(&self.link, size)
    }

    pub(super) fn cursor(&self) -> Result<Cursor, ScreenError> {
        Cursor::now(&self.link)
    }

    /// Hands, where this viewer has any, and what they need.
    pub(super) fn hands(&mut self) -> Option<(&mut Hands, &Link, Rect)> {
        self.hands.as_mut().map(|hands| (hands, &self.link, self.grab.view()))
    }

    pub(super) fn let_go(&mut self) -> Result<(), ScreenError> {
        self.hands.as_mut().map_or(Ok(()), |hands| hands.release_all(&self.link))
    }

    /// The client copied text.
    pub(super) fn offer(&mut self, text: String) -> Result<(), ScreenError> {
        match &mut self.selections {
            Some(selections) => selections.offer(&self.link, text),
            None => Ok(()),
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // A server that is gone holds no keys.
        let _ = self.let_go();
    }
}

/// The display of this name; all of them where there is none.
fn place_of(link: &Link, name: &str) -> Result<(String, Rect), ScreenError> {
    let displays = displays(link)?;
    let found = displays.iter().find(|display| display.name == name).or(displays.first());
    found.map(|display| (display.name.clone(), display.place)).ok_or(ScreenError::Depth)
}

/// Finds the screen that there is now; the greeter's after somebody signed out.
pub(crate) type Finder = std::sync::Arc<dyn Fn() -> Result<Seat, NoScreen> + Send + Sync>;
