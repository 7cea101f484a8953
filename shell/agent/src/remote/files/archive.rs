//! A folder as a tar stream: what is in it as it is now, links as links, nothing from other file systems.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use sallyport_model::{Digest, limits};
use sallyport_os::{Entry, EntryKind, Folder, Last};
use sallyport_wire::stream::files::{FileDone, Usage};
use sallyport_wire::stream::path::DevicePath;
use sha2::{Digest as _, Sha256};

use super::look::reach;
use super::tar::{self, BLOCK, Kind, Member};
use super::teller::Teller;
use super::walk::{self, Progress, Visit};
use crate::remote::trouble::Trouble;

/// Sends a file or folder under its own name.
pub(super) fn send(teller: &Teller, path: &DevicePath) -> Result<FileDone, Trouble> {
    let place = reach(path, Last::Followed)?;
    let entry = place.folder.entry(&place.name)?;
    let name = if path.name().is_empty() { b"root" } else { path.name() };
    let mut archive = Archive { progress: Progress::of(teller), out: Out::new(teller), path: Vec::new() };
    if entry.kind == EntryKind::Folder {
        archive.enter(OsStr::from_bytes(name), &entry)?;
        walk::walk(place.open_folder()?, &mut archive)?;
    } else {
        archive.leaf(&place.folder, &place.name, &entry)?;
    }
    archive.out.put(&tar::end())?;
    let (sent, digest) = archive.out.finish()?;
    Ok(FileDone { usage: Some(archive.progress.usage), sha256: Some(digest), sent: Some(sent), ..FileDone::default() })
}

struct Archive<'a> {
    progress: Progress<'a>,
    out: Out<'a>,
    /// Where the walk is, with a `/` at the end.
    path: Vec<u8>,
}

impl Archive<'_> {
    fn head(&mut self, path: &[u8], kind: Kind<'_>, entry: &Entry) -> Result<(), Trouble> {
        let modified_secs = u64::try_from(entry.modified_micros / 1_000_000).unwrap_or_default();
        self.out.put(&tar::header(&Member { path, kind, mode: entry.mode, uid: entry.uid, gid: entry.gid, modified_secs }))
    }

    /// The header has said how long the file is: what grew meanwhile is cut, what shrank is filled up and counted.
    fn content(&mut self, mut file: File, size: u64) -> Result<(), Trouble> {
        let mut buffer = vec![0; limits::STREAM_PAYLOAD_BYTES];
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let read = file.read(&mut buffer[..wanted])?;
            if read == 0 {
                buffer.fill(0);
                self.progress.usage.skipped += 1;
                while left > 0 {
                    let filled = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                    self.out.put(&buffer[..filled])?;
                    left -= filled as u64;
                }
                break;
            }
            self.out.put(&buffer[..read])?;
            left -= read as u64;
        }
        let filling = usize::try_from(size.next_multiple_of(BLOCK as u64) - size).unwrap_or_default();
        self.out.put(&[0; BLOCK][..filling])
    }
}

impl Visit for Archive<'_> {
    fn leaf(&mut self, folder: &Folder, name: &OsStr, entry: &Entry) -> Result<(), Trouble> {
        let path = [self.path.as_slice(), name.as_bytes()].concat();
        let done = match entry.kind {
            EntryKind::File => folder.open(name).and_then(|file| Ok((Entry::of(&file)?, file))).map_err(Trouble::from).map(Some),
            EntryKind::Link | EntryKind::Folder | EntryKind::Other => Ok(None),
        };
        match (entry.kind, done) {
            (EntryKind::File, Ok(Some((now, file)))) => {
                self.head(&path, Kind::File(now.size), &now)?;
                self.content(file, now.size)?;
                self.progress.add(Usage { bytes: now.size, files: 1, ..Usage::default() })
            }
            (EntryKind::Link, _) => {
                let target = folder.link_target(name)?;
                self.head(&path, Kind::Link(target.as_bytes()), entry)?;
                self.progress.add(Usage { files: 1, ..Usage::default() })
            }
            (_, outcome) => self.leave_out(outcome.err().unwrap_or(Trouble::code("not_a_file"))),
        }
    }

    fn enter(&mut self, name: &OsStr, entry: &Entry) -> Result<(), Trouble> {
        self.path.extend(name.as_bytes());
        self.path.push(b'/');
        let path = self.path.clone();
        self.head(&path, Kind::Folder, entry)?;
        self.progress.add(Usage { folders: 1, ..Usage::default() })
    }

    fn leave(&mut self, _: &Folder, name: &OsStr) -> Result<(), Trouble> {
        self.path.truncate(self.path.len().saturating_sub(name.len() + 1));
        Ok(())
    }

    fn leave_out(&mut self, _: Trouble) -> Result<(), Trouble> {
        self.progress.add(Usage { skipped: 1, ..Usage::default() })
    }
}

/// Gathers small pieces into messages, and the digest of all.
struct Out<'a> {
    teller: &'a Teller,
    waiting: Vec<u8>,
    hasher: Sha256,
    sent: u64,
}

impl<'a> Out<'a> {
    fn new(teller: &'a Teller) -> Self {
        Self { teller, waiting: Vec::with_capacity(2 * limits::STREAM_PAYLOAD_BYTES), hasher: Sha256::new(), sent: 0 }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.hasher.update(bytes);
        self.sent += bytes.len() as u64;
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= limits::STREAM_PAYLOAD_BYTES {
            self.teller.data(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(u64, Digest), Trouble> {
        self.teller.data(&self.waiting)?;
        self.waiting.clear();
        Ok((self.sent, Digest::from_bytes(self.hasher.clone().finalize().into())))
    }
}
