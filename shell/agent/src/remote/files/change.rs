//! Changing: folders made, things renamed and removed, permissions and owners.

use sallyport_os::{Entry, EntryKind, Existing, Folder, Held, Place};
use sallyport_wire::stream::background::YesNo;
use sallyport_wire::stream::files::{FileDone, Usage};
use sallyport_wire::stream::path::DevicePath;

use super::listing::Names;
use super::teller::Teller;
use super::upload::reach;
use super::walk::{self, Progress, Visit};
use crate::remote::trouble::Trouble;

/// Permissions of a new folder.
const FOLDER_MODE: u32 = 0o755;

pub(super) fn make_folder(path: &DevicePath) -> Result<FileDone, Trouble> {
    let place = reach(path)?;
    place.folder.make_folder(&place.name, FOLDER_MODE)?;
    place.folder.sync()?;
    told(&place)
}

pub(super) fn rename(from: &DevicePath, to: &DevicePath, overwrite: YesNo) -> Result<FileDone, Trouble> {
    let (old, new) = (reach(from)?, reach(to)?);
    let existing = if overwrite == YesNo::Yes { Existing::Replaced } else { Existing::Refused };
    old.folder.rename(&old.name, &new.folder, &new.name, existing)?;
    new.folder.sync()?;
    told(&new)
}

pub(super) fn set_mode(path: &DevicePath, mode: u32) -> Result<FileDone, Trouble> {
    if mode > 0o7777 {
        return Err(Trouble::code("out_of_range"));
    }
    let place = reach(path)?;
    hold(&place)?.set_mode(mode)?;
    told(&place)
}

pub(super) fn set_owner(path: &DevicePath, owner: Option<&str>, group: Option<&str>) -> Result<FileDone, Trouble> {
    let unknown = || Trouble::code("account_unknown");
    let uid = owner.map(|name| sallyport_os::user_id(name).ok_or_else(unknown)).transpose()?;
    let gid = group.map(|name| sallyport_os::group_id(name).ok_or_else(unknown)).transpose()?;
    let place = reach(path)?;
    hold(&place)?.set_owner(uid, gid)?;
    told(&place)
}

/// A file with several names may stand in somebody's folder under a name that they gave it: whoever changes it there,
/// changes it everywhere.
fn hold(place: &Place) -> Result<Held, Trouble> {
    let held = place.folder.hold(&place.name)?;
    let entry = held.entry()?;
    match entry.kind {
        EntryKind::File if entry.names > 1 => Err(Trouble::code("several_names")),
        EntryKind::Link => Err(Trouble::code("is_link")),
        EntryKind::File | EntryKind::Folder | EntryKind::Other => Ok(held),
    }
}

fn told(place: &Place) -> Result<FileDone, Trouble> {
    let entry = place.folder.entry(&place.name)?;
    let entry = Some(Names::default().tell(&place.folder, &place.name, &entry));
    Ok(FileDone { entry, ..FileDone::default() })
}

/// Removes what stands in the last place of the path, never what a link leads to, and nothing on another file system.
pub(super) fn remove(teller: &Teller, path: &DevicePath, recursive: YesNo) -> Result<FileDone, Trouble> {
    let place = reach(path)?;
    let entry = place.folder.entry(&place.name)?;
    if entry.device != place.folder.itself()?.device {
        return Err(Trouble::code("mount_point"));
    }
    let mut removal = Removal { progress: Progress::of(teller) };
    match (entry.kind, recursive) {
        (EntryKind::Folder, YesNo::Yes) => {
            walk::walk(place.open_folder()?, &mut removal)?;
            place.folder.remove_folder(&place.name)?;
            removal.progress.usage.folders += 1;
        }
        (EntryKind::Folder, YesNo::No) => place.folder.remove_folder(&place.name)?,
        (EntryKind::File | EntryKind::Link | EntryKind::Other, _) => place.folder.remove_file(&place.name)?,
    }
    place.folder.sync()?;
    Ok(FileDone { usage: Some(removal.progress.usage), ..FileDone::default() })
}

struct Removal<'a> {
    progress: Progress<'a>,
}

impl Visit for Removal<'_> {
    fn leaf(&mut self, folder: &Folder, name: &std::ffi::OsStr, entry: &Entry) -> Result<(), Trouble> {
        folder.remove_file(name)?;
        self.progress.add(Usage { bytes: entry.room, files: 1, ..Usage::default() })
    }

    fn enter(&mut self, _: &std::ffi::OsStr, _: &Entry) -> Result<(), Trouble> {
        Ok(())
    }

    fn leave(&mut self, parent: &Folder, name: &std::ffi::OsStr) -> Result<(), Trouble> {
        parent.remove_folder(name)?;
        self.progress.add(Usage { folders: 1, ..Usage::default() })
    }

    /// What cannot be read cannot be removed either.
    fn leave_out(&mut self, why: Trouble) -> Result<(), Trouble> {
        Err(why)
    }
}
