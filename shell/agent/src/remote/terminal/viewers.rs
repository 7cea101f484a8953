//! Who is attached to a terminal, and how far each of them has seen it.

use sallyport_grant::body::Access;
use sallyport_model::limits;
use sallyport_os::Size;
use sallyport_wire::stream::terminal::FromDevice;

use super::super::kind::{Attachment, AttachmentId, Outlet};
use super::ring::Ring;

/// How far the fastest viewer may be behind before the shell must wait.
const AHEAD_BYTES: u64 = 64 * 1024;
/// Whoever is further behind than this, while somebody else is not, skips.
const LAG_BYTES: u64 = limits::STREAM_UNACKED_BYTES as u64;
/// Where one who skips goes on: so far from the end.
const SKIP_TO_BYTES: u64 = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Viewers {
    viewers: Vec<Viewer>,
    size: Option<Size>,
    exit: Option<(Option<i32>, Option<i32>)>,
}

#[derive(Debug)]
pub(super) struct Viewer {
    id: AttachmentId,
    name: String,
    pub(super) access: Access,
    pub(super) outlet: Outlet,
    here: Here,
    /// The place in the output that comes next.
    place: u64,
    /// Up to here it is shown what was before it came, however long that takes.
    replay: u64,
    /// Output that was left out and not told yet.
    skipped: u64,
    untold: Untold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Here {
    Yes,
    Away,
}

/// What a viewer must still be told, when there is room.
#[derive(Debug, Clone, Copy, Default)]
struct Untold {
    names: bool,
    size: bool,
    exit: bool,
}

impl Viewers {
    pub(super) fn joined(&mut self, attachment: Attachment, size: Size, ring: &Ring) {
        let Attachment { id, name, access, outlet, .. } = attachment;
        let untold = Untold { size: true, ..Untold::default() };
        let place = ring.beginning(ring.start());
        self.viewers.push(Viewer { id, name, access, outlet, here: Here::Yes, place, replay: ring.end(), skipped: 0, untold });
        self.size = Some(size);
        self.names_changed();
    }

    /// Their name, if they were here.
    pub(super) fn left(&mut self, id: AttachmentId) -> Option<String> {
        let at = self.viewers.iter().position(|viewer| viewer.id == id)?;
        let viewer = self.viewers.remove(at);
        self.names_changed();
        Some(viewer.name)
    }

    pub(super) fn away(&mut self, id: AttachmentId) {
        self.set_here(id, Here::Away);
    }

    /// What was written meanwhile is shown in full, as far as it is there.
    pub(super) fn back(&mut self, id: AttachmentId, ring: &Ring) {
        self.set_here(id, Here::Yes);
        if let Some(viewer) = self.find_mut(id) {
            viewer.replay = ring.end();
        }
    }

    fn set_here(&mut self, id: AttachmentId, here: Here) {
        if let Some(viewer) = self.find_mut(id) {
            viewer.here = here;
            self.names_changed();
        }
    }

    fn names_changed(&mut self) {
        self.viewers.iter_mut().for_each(|viewer| viewer.untold.names = true);
    }

    pub(super) fn resized(&mut self, size: Size) {
        self.size = Some(size);
        self.viewers.iter_mut().for_each(|viewer| viewer.untold.size = true);
    }

    pub(super) fn exited(&mut self, code: Option<i32>, signal: Option<i32>) {
        self.exit = Some((code, signal));
        self.viewers.iter_mut().for_each(|viewer| viewer.untold.exit = true);
    }

    pub(super) fn find(&self, id: AttachmentId) -> Option<&Viewer> {
        self.viewers.iter().find(|viewer| viewer.id == id)
    }

    fn find_mut(&mut self, id: AttachmentId) -> Option<&mut Viewer> {
        self.viewers.iter_mut().find(|viewer| viewer.id == id)
    }

    fn present(&self) -> impl Iterator<Item = &Viewer> {
        self.viewers.iter().filter(|viewer| viewer.here == Here::Yes)
    }

    pub(super) fn nobody_is_here(&self) -> bool {
        self.present().next().is_none()
    }

    fn least_lag(&self, ring: &Ring) -> Option<u64> {
        self.present().map(|viewer| viewer.lag(ring)).min()
    }

    /// Whether the shell may write more: the fastest viewer keeps up, or nobody is here to keep up.
    pub(super) fn want_more(&self, ring: &Ring) -> bool {
        self.least_lag(ring).is_none_or(|lag| lag < AHEAD_BYTES)
    }

    /// Shows everybody what they have room for.
    pub(super) fn show(&mut self, ring: &Ring) {
        let names: Vec<String> = self.present().map(|viewer| viewer.name.clone()).collect();
        let fastest = self.least_lag(ring).unwrap_or_default();
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.here == Here::Yes) {
            viewer.tell_first(&names, self.size);
            viewer.show(ring, fastest);
            viewer.tell_last(ring, self.exit);
        }
    }

    /// Whether everybody who is here has all output and knows the end.
    pub(super) fn have_seen_all(&self, ring: &Ring) -> bool {
        self.present().all(|viewer| viewer.lag(ring) == 0 && !viewer.untold.exit)
    }
}

impl Viewer {
    fn lag(&self, ring: &Ring) -> u64 {
        ring.end() - self.place
    }

    fn tell_first(&mut self, names: &[String], size: Option<Size>) {
        if self.untold.names {
            self.untold.names = !self.tell(&FromDevice::Viewers { names: names.to_vec() });
        }
        if let Some(Size { columns, rows }) = size.filter(|_| self.untold.size) {
            self.untold.size = !self.tell(&FromDevice::Size { columns, rows });
        }
    }

    /// Whether it is queued.
    fn tell(&self, message: &FromDevice) -> bool {
        self.outlet.try_control(message).is_ok()
    }

    fn show(&mut self, ring: &Ring, fastest: u64) {
        self.skip(ring, fastest);
        if self.skipped > 0 && self.tell(&FromDevice::Skipped { bytes: self.skipped }) {
            self.skipped = 0;
        }
        while self.skipped == 0 {
            let piece = ring.from(self.place);
            match self.outlet.try_data(0, piece) {
                Ok(taken) if taken > 0 => self.place += taken as u64,
                // Nothing is left, or there is no room; one who has left is taken off the list soon.
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Leaves out what a viewer has no hope to see in time. What was there before it came is left out only when it is gone.
    fn skip(&mut self, ring: &Ring, fastest: u64) {
        let lost = self.place < ring.start();
        let lags = self.place >= self.replay && self.lag(ring) > LAG_BYTES && fastest < LAG_BYTES;
        if lost || lags {
            let wanted = if lags { ring.end() - SKIP_TO_BYTES } else { ring.start() };
            let place = ring.beginning(wanted).min(ring.end());
            self.skipped += place - self.place;
            self.place = place;
        }
    }

    fn tell_last(&mut self, ring: &Ring, exit: Option<(Option<i32>, Option<i32>)>) {
        if let Some((code, signal)) = exit.filter(|_| self.untold.exit && self.lag(ring) == 0) {
            self.untold.exit = !self.tell(&FromDevice::Exit { code, signal });
        }
    }
}
