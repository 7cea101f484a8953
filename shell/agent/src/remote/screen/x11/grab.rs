//! Captures what changed: damage as the server reports it, pixels through shared memory.

use sallyport_os::SharedMemory;
use x11rb::NONE;
use x11rb::connection::Connection as _;
use x11rb::protocol::damage::{self, ReportLevel};
use x11rb::protocol::xproto::{ConnectionExt as _, ImageFormat};
use x11rb::protocol::{shm, xfixes};

use super::{Link, ScreenError};
use crate::remote::screen::picture::frame::Fresh;
use crate::remote::screen::picture::rect::{Rect, merge};

/// Captures one part of the screen for one viewer.
pub(crate) struct Grab {
    damage: u32,
    region: u32,
    memory: Option<Memory>,
    /// What of the screen is shown: one monitor, or all.
    view: Rect,
}

struct Memory {
    segment: u32,
    shared: SharedMemory,
}

/// Rectangles of damage that are captured one by one; more of them are captured as one.
const RECTS: usize = 64;
/// So many pixels more may be captured where it saves a request.
const SLACK: usize = 16 * 1024;

impl Grab {
    pub(crate) fn new(link: &Link, view: Rect) -> Result<Self, ScreenError> {
        let connection = &link.connection;
        let (damage, region) = (connection.generate_id()?, connection.generate_id()?);
        damage::create(connection, damage, link.root, ReportLevel::NON_EMPTY)?;
        xfixes::create_region(connection, region, &[])?;
        Ok(Self { damage, region, memory: shared_memory(link, view)?, view })
    }

    pub(crate) fn view(&self) -> Rect {
        self.view
    }

    /// Shows another part of the screen, or the screen after its size changed.
    pub(crate) fn turn_to(&mut self, link: &Link, view: Rect) -> Result<(), ScreenError> {
        if let Some(memory) = self.memory.take_if(|memory| memory.shared.len() < view.area() * 4) {
            shm::detach(&link.connection, memory.segment)?;
        }
        if self.memory.is_none() {
            self.memory = shared_memory(link, view)?;
        }
        self.view = view;
        Ok(())
    }

    /// What was damaged since the last call, within the view and in its coordinates. Takes one round trip.
    pub(crate) fn damaged(&mut self, link: &Link) -> Result<Vec<Rect>, ScreenError> {
        damage::subtract(&link.connection, self.damage, NONE, self.region)?;
        let region = xfixes::fetch_region(&link.connection, self.region)?.reply()?;
        let (left, top) = (i32::from(self.view.x), i32::from(self.view.y));
        let inside = region.rectangles.iter().map(|rect| {
            let from = (i32::from(rect.x) - left, i32::from(rect.y) - top);
            let to = (from.0 + i32::from(rect.width), from.1 + i32::from(rect.height));
            Rect::between((from.0.max(0) as u32, from.1.max(0) as u32), (to.0.max(0) as u32, to.1.max(0) as u32))
        });
        let whole = Rect::of_size((self.view.width, self.view.height));
        let mut rects: Vec<Rect> = inside.map(|rect| rect.intersect(whole)).filter(|rect| !rect.is_empty()).collect();
        merge(&mut rects, SLACK);
        if rects.len() > RECTS || overlapping(&rects, whole) {
            rects = vec![rects.iter().fold(Rect::default(), |around, rect| around.around(*rect))];
        }
        Ok(rects)
    }

    /// The pixels of rectangles in the view's coordinates, which together are no larger than the view. All are asked for at
    /// once. What the server refuses, because its size just changed, is left out: news of the size come.
    pub(crate) fn capture(&mut self, link: &Link, rects: &[Rect]) -> Result<Vec<Fresh>, ScreenError> {
        match &self.memory {
            Some(memory) => capture_shared(link, self.view, memory, rects),
            None => rects.iter().filter_map(|rect| capture_copied(link, self.view, *rect).transpose()).collect(),
        }
    }
}

/// Merged rectangles may overlap; together they must not need more memory than there is.
fn overlapping(rects: &[Rect], whole: Rect) -> bool {
    rects.iter().map(|rect| rect.area()).sum::<usize>() > whole.area()
}

fn shared_memory(link: &Link, view: Rect) -> Result<Option<Memory>, ScreenError> {
    if !link.has_shared_memory()? {
        return Ok(None);
    }
    let shared = SharedMemory::with_len((view.area() * 4).max(4096)).map_err(ScreenError::Unreachable)?;
    let segment = link.connection.generate_id()?;
    let handle = shared.handle().map_err(ScreenError::Unreachable)?;
    // A server in another container may not take descriptors: pixels come through the socket then.
    let attached = shm::attach_fd(&link.connection, segment, handle, false)?.check().is_ok();
    Ok(attached.then_some(Memory { segment, shared }))
}

fn capture_shared(link: &Link, view: Rect, memory: &Memory, rects: &[Rect]) -> Result<Vec<Fresh>, ScreenError> {
    let mut asked = Vec::with_capacity(rects.len());
    let mut offset = 0;
    for rect in rects {
        let (x, y) = ((view.x + rect.x) as i16, (view.y + rect.y) as i16);
        let format = u8::from(ImageFormat::Z_PIXMAP);
        let reply = shm::get_image(&link.connection, link.root, x, y, rect.width, rect.height, !0, format, memory.segment, offset as u32)?;
        asked.push((*rect, offset, reply));
        offset += rect.area() * 4;
    }
    let mut fresh = Vec::with_capacity(asked.len());
    for (rect, offset, reply) in asked {
        let mut pixels = vec![0; rect.area()];
        if answered(reply.reply())?.is_some() && memory.shared.copy_pixels(offset, &mut pixels).is_some() {
            fresh.push(Fresh { rect, pixels });
        }
    }
    Ok(fresh)
}

fn capture_copied(link: &Link, view: Rect, rect: Rect) -> Result<Option<Fresh>, ScreenError> {
    let (x, y) = ((view.x + rect.x) as i16, (view.y + rect.y) as i16);
    let reply = link.connection.get_image(ImageFormat::Z_PIXMAP, link.root, x, y, rect.width, rect.height, !0)?;
    let Some(image) = answered(reply.reply())? else { return Ok(None) };
    let pixels: Vec<u32> = image.data.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
    Ok((pixels.len() >= rect.area()).then_some(Fresh { rect, pixels }))
}

fn answered<T>(reply: Result<T, x11rb::errors::ReplyError>) -> Result<Option<T>, ScreenError> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(x11rb::errors::ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::screen::testing::screen::TestScreen;

    fn captured(screen: &TestScreen) -> (bool, Vec<u32>) {
        let link = Link::connect(&screen.seat()).expect("a screen");
        let whole = Rect::of_size(link.size());
        let mut grab = Grab::new(&link, whole).expect("it can be captured");
        let fresh = grab.capture(&link, &[whole]).expect("pixels");
        (grab.memory.is_some(), fresh[0].pixels.iter().map(|pixel| pixel & 0x00ff_ffff).collect())
    }

    #[test]
    fn pixels_come_through_shared_memory_and_without_it_are_the_same() {
        let (shared, copied) = (TestScreen::of_size("640x400"), TestScreen::without_shared_memory("640x400"));
        for (screen, is_shared) in [(&shared, true), (&copied, false)] {
            screen.draw_photo();
            assert_eq!(captured(screen), (is_shared, screen.truth()));
        }
    }
}
