//! Updates: what a client is owed, captured when it can take it, and sent slice by slice so that input never waits for long.

use std::time::{Duration, Instant};

use super::super::encode::Fidelity;
use super::super::picture::changes::{Changes, Look};
use super::super::picture::rect::{Rect, merge};
use super::super::rfb::client::{Asked, Resizable};
use super::super::rfb::number;
use super::super::rfb::server::{self, SizeNews};
use super::scene::{Extent, Scene};
use super::{End, Sink, Turn, Viewer};

/// What goes out at once before the client's input is looked at again.
const SLICE_BYTES: usize = 32 * 1024;
/// So long nothing changes before what JPEG lost is sent again without loss.
const QUIET: Duration = Duration::from_millis(600);
/// Lossy rectangles that are remembered; more become one.
const LOSSY: usize = 256;

/// What one client is owed.
#[derive(Debug, Default)]
pub(super) struct Updates {
    asked: Option<Asked>,
    continuous: Option<Rect>,
    damaged: bool,
    everything: bool,
    cursor: bool,
    size: Vec<SizeNews>,
    open: Option<Open>,
    /// Shown with loss.
    lossy: Vec<Rect>,
    changed_at: Option<Instant>,
    made_in: Duration,
    /// What must not stand inside of an update.
    between: Vec<u8>,
}

/// An update that is being sent.
#[derive(Debug)]
struct Open {
    left: Vec<(Rect, Look)>,
    loss: Loss,
    /// Where the count of rectangles stands, for clients that must know it first.
    count_at: Option<usize>,
    count: u16,
}

impl Updates {
    pub(super) fn ask(&mut self, asked: Asked, _within: Rect) {
        // What lies outside of the rectangle that it asks for may be sent as well (RFC 6143, section 7.5.3).
        self.everything |= asked == Asked::Everything;
        self.asked = Some(asked);
    }

    pub(super) fn continue_within(&mut self, rect: Option<Rect>) {
        self.continuous = rect;
    }

    pub(super) fn is_continuous(&self) -> bool {
        self.continuous.is_some()
    }

    pub(super) fn damaged(&mut self) {
        self.damaged = true;
    }

    pub(super) fn tell_cursor(&mut self) {
        self.cursor = true;
    }

    pub(super) fn tell_size(&mut self, news: SizeNews) {
        // A client that keeps asking while it takes no answer is answered a few times only.
        if self.size.len() < 8 {
            self.size.push(news);
        }
    }

    /// The picture is another one. What is being sent of the old one goes on: it is in the past by then.
    pub(super) fn other_picture(&mut self) {
        self.everything = true;
        self.lossy.clear();
        if let Some(open) = &mut self.open {
            open.left.clear();
        }
    }

    pub(super) fn new_screen(&mut self) {
        self.other_picture();
        self.tell_cursor();
        self.tell_size(SizeNews::Changed);
    }

    /// Where other messages are written: behind the update that is being sent, if there is one.
    pub(super) fn between<'a>(&'a mut self, out: &'a mut Vec<u8>) -> &'a mut Vec<u8> {
        if self.open.is_some() { &mut self.between } else { out }
    }

    /// How many bytes wait for the end of an update.
    pub(super) fn kept(&self) -> usize {
        self.between.len()
    }

    fn is_wanted(&self) -> bool {
        self.asked.is_some() || self.continuous.is_some()
    }

    fn remember_loss(&mut self, rect: Rect) {
        self.lossy.push(rect);
        if self.lossy.len() > LOSSY {
            self.lossy = vec![self.lossy.iter().fold(Rect::default(), |around, rect| around.around(*rect))];
        }
    }
}

impl<S: Sink> Viewer<S> {
    /// Makes what the client is owed, if it can take it now. Everything made before was taken.
    pub(super) fn produce(&mut self, scene: &mut Scene, now: Instant) -> Result<Turn, End> {
        if self.updates.open.is_some() {
            self.slice(scene);
            return Ok(Turn::Did);
        }
        if !self.updates.is_wanted() {
            return Ok(Turn::Wait(None));
        }
        let news = !self.updates.size.is_empty() || (self.updates.cursor && self.encoder.wanted.cursor);
        if !(self.updates.damaged || self.updates.everything || news) {
            return Ok(self.refresh(scene, now));
        }
        if let Err(wait) = self.pace.wait(now) {
            return Ok(Turn::Wait(wait));
        }
        self.begin(scene, now)?;
        Ok(Turn::Did)
    }

    fn begin(&mut self, scene: &mut Scene, now: Instant) -> Result<(), End> {
        let mut head = Head::default();
        self.write_news(scene, &mut head)?;
        let all = std::mem::take(&mut self.updates.everything);
        self.updates.damaged = false;
        let mut captured = scene.capture(if all { Extent::All } else { Extent::Damaged })?;
        if all {
            captured.changes = Changes::default();
            captured.changes.add_all(&scene.frame, scene.frame.whole());
            captured.changes.merge();
        }
        if !self.encoder.wanted.copy_rect {
            captured.moves.drain(..).for_each(|moved| captured.changes.add_all(&scene.frame, moved.to));
        }
        for moved in captured.moves {
            server::copy_rect(moved.to, (moved.to.x, moved.from_y), &mut head.bytes);
            head.count += 1;
            self.move_loss(moved.to);
        }
        if head.count > 0 || !captured.changes.is_empty() {
            self.updates.changed_at = Some(now);
            let made_in = std::mem::take(&mut self.updates.made_in);
            self.pace.begun(now, made_in.max(self.sink.pause() / 2));
            self.open(scene, head, captured.changes, Loss::Allowed);
        }
        Ok(())
    }

    /// What was lossy before it moved is lossy where it went, wherever within.
    fn move_loss(&mut self, to: Rect) {
        if self.updates.lossy.iter().any(|rect| !rect.intersect(to).is_empty()) {
            self.updates.remember_loss(to);
        }
    }

    /// Where nothing changed for a while, what was sent with loss is sent exactly.
    fn refresh(&mut self, scene: &Scene, now: Instant) -> Turn {
        let Some(changed_at) = self.updates.changed_at.filter(|_| !self.updates.lossy.is_empty()) else { return Turn::Wait(None) };
        let due = changed_at + QUIET;
        if now < due {
            return Turn::Wait(Some(due - now));
        }
        if let Err(wait) = self.pace.wait(now) {
            return Turn::Wait(wait);
        }
        let mut changes = Changes::default();
        let whole = scene.frame.whole();
        changes.photo.extend(self.updates.lossy.drain(..).map(|rect| rect.intersect(whole)));
        merge(&mut changes.photo, 0);
        self.open(scene, Head::default(), changes, Loss::None);
        Turn::Did
    }

    /// Begins an update, and sends its first part: who must know the count first gets all of it before anything goes out.
    fn open(&mut self, scene: &Scene, head: Head, changes: Changes, loss: Loss) {
        let text = changes.text.into_iter().map(|rect| (rect, Look::Text));
        let mut left: Vec<_> = changes.photo.into_iter().map(|rect| (rect, Look::Photo)).chain(text).collect();
        // Taken from the end: text is what people wait for.
        left.retain(|(rect, _)| !rect.is_empty());
        let count_at = (!self.encoder.wanted.last_rect).then_some(self.out.len() + 2);
        server::update(u16::MAX, &mut self.out);
        self.out.extend_from_slice(&head.bytes);
        self.updates.open = Some(Open { left, loss, count_at, count: head.count });
        self.updates.asked = None;
        self.slice(scene);
    }

    /// Sends a part of the open update, and its end behind the last one.
    fn slice(&mut self, scene: &Scene) {
        let Some(mut open) = self.updates.open.take() else { return };
        let begun = Instant::now();
        // Who must know the count first gets everything at once.
        let enough = if open.count_at.is_some() { usize::MAX } else { SLICE_BYTES };
        let fidelity = match self.encoder.wanted.quality {
            Some(asked) if open.loss == Loss::Allowed => Fidelity::Quality(self.pace.quality(asked)),
            _ => Fidelity::Exact,
        };
        while self.out.len() < enough
            && let Some((rect, look)) = open.left.pop()
        {
            let (now, later) = first_piece(rect);
            open.left.extend(later.map(|later| (later, look)));
            open.count = open.count.saturating_add(self.encoder.encode(&scene.frame, now, look, fidelity, &mut self.out));
            if self.encoder.loses(look, fidelity) {
                self.updates.remember_loss(now);
            }
        }
        self.updates.made_in += begun.elapsed();
        if open.left.is_empty() { self.close(&open) } else { self.updates.open = Some(open) }
    }

    fn close(&mut self, open: &Open) {
        match open.count_at {
            Some(at) => self.out[at..at + 2].copy_from_slice(&open.count.to_be_bytes()),
            None => server::last_rect(&mut self.out),
        }
        self.out.append(&mut self.updates.between);
        let fenced = self.updates.is_continuous() && self.encoder.wanted.fence;
        if fenced {
            server::fence(server::FENCE_REQUEST, &[1], &mut self.out);
        }
        // Some clients ask for the next update as soon as this one begins: they are answered already.
        if fenced || (!self.updates.is_continuous() && self.updates.asked.is_none()) {
            self.pace.sent(Instant::now());
        }
    }

    /// The pointer's shape and changed sizes, which come before pixels.
    fn write_news(&mut self, scene: &Scene, head: &mut Head) -> Result<(), End> {
        let size = scene.frame.size();
        for news in std::mem::take(&mut self.updates.size) {
            match self.encoder.wanted.size {
                Resizable::Asks => server::extended_desktop_size(size, news, &mut head.bytes),
                Resizable::Follows if news != SizeNews::Refused => server::desktop_size(size, &mut head.bytes),
                Resizable::Follows | Resizable::No => continue,
            }
            head.count += 1;
        }
        if std::mem::take(&mut self.updates.cursor) && self.encoder.wanted.cursor {
            let cursor = scene.cursor()?;
            let place = Rect { x: cursor.hot.0, y: cursor.hot.1, width: cursor.size.0, height: cursor.size.1 };
            server::rect_head(place, number::CURSOR, &mut head.bytes);
            self.encoder.write_raw(&cursor.pixels, &mut head.bytes);
            head.bytes.extend_from_slice(&cursor.mask);
            head.count += 1;
        }
        Ok(())
    }
}

/// Whether an update may show less than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Allowed,
    None,
}

/// What stands at the beginning of an update.
#[derive(Debug, Default)]
struct Head {
    bytes: Vec<u8>,
    count: u16,
}

/// Large rectangles are cut, so that a slice stays short.
fn first_piece(rect: Rect) -> (Rect, Option<Rect>) {
    const PIXELS: u32 = 64 * 1024;
    let rows = (PIXELS / u32::from(rect.width.max(1))).max(64).min(u32::from(rect.height)) as u16;
    if rows == rect.height {
        return (rect, None);
    }
    (Rect { height: rows, ..rect }, Some(Rect { y: rect.y + rows, height: rect.height - rows, ..rect }))
}
