//! Walking through a folder and all folders in it: by open folders, never through a link, never onto another file system.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

use sallyport_model::limits;
use sallyport_os::{Entry, EntryKind, Folder, Last, Names};
use sallyport_wire::stream::files::{FileAnswer, FileDone, Usage};
use sallyport_wire::stream::path::DevicePath;

use super::look::reach;
use super::teller::Teller;
use crate::remote::trouble::Trouble;

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_millis(300);
/// Files with several names that are remembered, so that each counts once.
const REMEMBERED: usize = 100_000;

/// What is done on a walk.
pub(super) trait Visit {
    /// Anything that is no folder.
    fn leaf(&mut self, folder: &Folder, name: &OsStr, entry: &Entry) -> Result<(), Trouble>;
    /// A folder, before what is in it.
    fn enter(&mut self, name: &OsStr, entry: &Entry) -> Result<(), Trouble>;
    /// A folder, after what is in it.
    fn leave(&mut self, parent: &Folder, name: &OsStr) -> Result<(), Trouble>;
    /// Something that cannot be looked into.
    fn leave_out(&mut self, why: Trouble) -> Result<(), Trouble>;
}

struct Level {
    folder: Folder,
    names: Names,
    /// How the folder is called in the one above.
    name: OsString,
}

/// Visits all that is in `folder`, each folder's content before its end.
pub(super) fn walk(folder: Folder, visit: &mut impl Visit) -> Result<(), Trouble> {
    let device = folder.itself()?.device;
    let names = folder.names()?;
    let mut levels = vec![Level { folder, names, name: OsString::new() }];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.names.next() else {
            if let (Some(done), Some(parent)) = (levels.pop(), levels.last()) {
                visit.leave(&parent.folder, &done.name)?;
            }
            continue;
        };
        let name = name?;
        let entry = match level.folder.entry(&name) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if entry.kind != EntryKind::Folder {
            visit.leaf(&level.folder, &name, &entry)?;
            continue;
        }
        match descend(level, &name, &entry, device) {
            Ok(_) if levels.len() >= limits::FOLDER_DEPTH => visit.leave_out(Trouble::code("too_deep"))?,
            Ok(inner) => {
                visit.enter(&name, &entry)?;
                levels.push(inner);
            }
            Err(why) => visit.leave_out(why)?,
        }
    }
    Ok(())
}

fn descend(level: &Level, name: &OsStr, entry: &Entry, device: u64) -> Result<Level, Trouble> {
    if entry.device != device {
        return Err(Trouble::code("other_file_system"));
    }
    let folder = level.folder.folder(name)?;
    let names = folder.names()?;
    Ok(Level { folder, names, name: name.to_owned() })
}

/// A sum that is told now and then.
pub(super) struct Progress<'a> {
    pub(super) usage: Usage,
    teller: &'a Teller,
    told: Instant,
}

impl<'a> Progress<'a> {
    pub(super) fn of(teller: &'a Teller) -> Self {
        Self { usage: Usage::default(), teller, told: Instant::now() }
    }

    /// Adds up, and fails when somebody wants the work to end.
    pub(super) fn add(&mut self, more: Usage) -> Result<(), Trouble> {
        self.usage.bytes += more.bytes;
        self.usage.files += more.files;
        self.usage.folders += more.folders;
        self.usage.skipped += more.skipped;
        self.teller.go_on()?;
        if self.told.elapsed() < TOLD_EVERY {
            return Ok(());
        }
        self.told = Instant::now();
        self.teller.say(&FileAnswer::Progress { id: self.teller.id, usage: self.usage })
    }
}

/// Room that a folder, or a file, takes on the disk.
pub(super) fn usage(teller: &Teller, path: &DevicePath) -> Result<FileDone, Trouble> {
    let place = reach(path, Last::Followed)?;
    let entry = place.folder.entry(&place.name)?;
    let mut sum = Sum { progress: Progress::of(teller), seen: BTreeSet::new() };
    if entry.kind == EntryKind::Folder {
        sum.progress.add(Usage { bytes: entry.room, folders: 1, ..Usage::default() })?;
        walk(place.open_folder()?, &mut sum)?;
    } else {
        sum.leaf(&place.folder, &place.name, &entry)?;
    }
    Ok(FileDone { usage: Some(sum.progress.usage), ..FileDone::default() })
}

struct Sum<'a> {
    progress: Progress<'a>,
    seen: BTreeSet<(u64, u64)>,
}

impl Visit for Sum<'_> {
    fn leaf(&mut self, _: &Folder, _: &OsStr, entry: &Entry) -> Result<(), Trouble> {
        let known = entry.names > 1 && self.seen.len() < REMEMBERED && !self.seen.insert((entry.device, entry.number));
        let bytes = if known { 0 } else { entry.room };
        self.progress.add(Usage { bytes, files: 1, ..Usage::default() })
    }

    fn enter(&mut self, _: &OsStr, entry: &Entry) -> Result<(), Trouble> {
        self.progress.add(Usage { bytes: entry.room, folders: 1, ..Usage::default() })
    }

    fn leave(&mut self, _: &Folder, _: &OsStr) -> Result<(), Trouble> {
        Ok(())
    }

    fn leave_out(&mut self, _: Trouble) -> Result<(), Trouble> {
        self.progress.add(Usage { skipped: 1, ..Usage::default() })
    }
}
