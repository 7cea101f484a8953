//! Writing a file: into a hidden file beside its place, checked, made durable, and moved there in one step.
//!
//! What is not committed stays beside, so that it can go on later: its name follows from the file's name, size and digest.
//! Permissions and owner of a file that is replaced are kept; extended attributes are not.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sallyport_grant::sha256;
use sallyport_model::{Digest, limits};
use sallyport_os::{Entry, EntryKind, Existing, Folder, Last, Links, Place};
use sallyport_wire::stream::background::YesNo;
use sallyport_wire::stream::files::{FileDone, FileRequest};
use sallyport_wire::stream::path::DevicePath;
use sha2::{Digest as _, Sha256};

use super::listing::Names;
use crate::remote::trouble::Trouble;

/// Permissions of a new file where nothing is said.
const USUAL_MODE: u32 = 0o644;

/// A file that is coming. Dropping it leaves what came, for later; [`Upload::discard`] does not.
pub(super) struct Upload {
    folder: Folder,
    name: OsString,
    beside: OsString,
    file: File,
    hasher: Sha256,
    written: u64,
    size: u64,
    sha256: Digest,
    mode: Option<u32>,
    existing: Existing,
}

/// Where a path leads for somebody who changes something there.
pub(super) fn reach(path: &DevicePath) -> Result<Place, Trouble> {
    if path.name().is_empty() {
        return Err(Trouble::code("is_folder"));
    }
    Ok(Place::reach(Path::new(OsStr::from_bytes(path.as_bytes())), Links::Trusted, Last::Kept)?)
}

impl Upload {
    /// Makes ready for the bytes from the returned place on.
    pub(super) fn begin(request: &FileRequest) -> Result<(Self, u64), Trouble> {
        let FileRequest::Write { path, size, sha256, mode, overwrite, resume, .. } = request else {
            return Err(Trouble::code("internal"));
        };
        if *size > limits::UPLOAD_BYTES {
            return Err(Trouble::code("too_large"));
        }
        let Place { folder, name } = reach(path)?;
        let existing = if *overwrite == YesNo::Yes { Existing::Replaced } else { Existing::Refused };
        check_place(&folder, &name, existing)?;
        let beside = beside(&name, *size, sha256);
        let file = open_beside(&folder, &beside, *size, *resume)?;
        let (hasher, sha256) = (Sha256::new(), *sha256);
        let mut upload = Self { folder, name, beside, file, hasher, written: 0, size: *size, sha256, mode: *mode, existing };
        match upload.prepare() {
            Ok(()) => {
                let offset = upload.written;
                Ok((upload, offset))
            }
            Err(trouble) => {
                upload.discard();
                Err(trouble)
            }
        }
    }

    /// Hashes what is there already, and takes the room for the rest, so that a full disk is told at once.
    fn prepare(&mut self) -> Result<(), Trouble> {
        sallyport_os::reserve(&self.file, self.size)?;
        self.file.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; limits::STREAM_PAYLOAD_BYTES];
        loop {
            match self.file.read(&mut buffer)? {
                0 => return Ok(()),
                read => {
                    self.hasher.update(&buffer[..read]);
                    self.written += read as u64;
                }
            }
        }
    }

    /// Takes the next bytes. After an error the upload is to be discarded.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if self.written + bytes.len() as u64 > self.size {
            return Err(Trouble::code("too_much_data"));
        }
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Checks what came and gives it its name. What is wrong goes; what is short stays for later.
    pub(super) fn commit(self) -> Result<FileDone, Trouble> {
        if self.written < self.size {
            return Err(Trouble::code("incomplete"));
        }
        if Digest::from_bytes(self.hasher.clone().finalize().into()) != self.sha256 {
            self.discard();
            return Err(Trouble::code("checksum_mismatch"));
        }
        match self.put_in_place() {
            Ok(entry) => {
                let entry = Some(Names::default().tell(&self.folder, &self.name, &entry));
                Ok(FileDone { entry, sha256: Some(self.sha256), ..FileDone::default() })
            }
            Err(trouble) => {
                self.discard();
                Err(trouble)
            }
        }
    }

    fn put_in_place(&self) -> Result<Entry, Trouble> {
        let replaced = check_place(&self.folder, &self.name, self.existing)?;
        let mode = self.mode.or(replaced.map(|old| old.mode & 0o777)).unwrap_or(USUAL_MODE) & 0o7777;
        sallyport_os::dress(&self.file, mode, replaced.map(|old| (old.uid, old.gid)))?;
        self.file.sync_all()?;
        self.folder.rename(&self.beside, &self.folder, &self.name, self.existing)?;
        self.folder.sync()?;
        Ok(Entry::of(&self.file)?)
    }

    /// Removes what came so far.
    pub(super) fn discard(self) {
        // A file that cannot be removed is found under its hidden name.
        if let Err(error) = self.folder.remove_file(&self.beside) {
            tracing::warn!(%error, "an unfinished upload could not be removed");
        }
    }
}

/// Room that was taken for bytes that did not come is given back.
impl Drop for Upload {
    fn drop(&mut self) {
        if self.written < self.size {
            let _ = self.file.set_len(self.written);
        }
    }
}

/// What is replaced: an ordinary file or nothing.
fn check_place(folder: &Folder, name: &OsStr, existing: Existing) -> Result<Option<Entry>, Trouble> {
    match folder.entry(name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(entry) => match (entry.kind, existing) {
            (EntryKind::Folder, _) => Err(Trouble::code("is_folder")),
            (EntryKind::Link, _) => Err(Trouble::code("is_link")),
            (EntryKind::Other, _) => Err(Trouble::code("not_a_file")),
            (EntryKind::File, Existing::Refused) => Err(Trouble::code("exists")),
            (EntryKind::File, Existing::Replaced) => Ok(Some(entry)),
        },
    }
}

fn beside(name: &OsStr, size: u64, digest: &Digest) -> OsString {
    let both = sha256(&[name.as_bytes(), b"/", &size.to_be_bytes(), digest.as_bytes()]).to_string();
    OsString::from(format!(".{}.sallyport-part", &both[..24]))
}

/// A file that somebody else put there is not written to, whatever its name.
fn open_beside(folder: &Folder, name: &OsStr, size: u64, resume: YesNo) -> Result<File, Trouble> {
    let found = match folder.open_to_write(name) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        other => Some(other?),
    };
    if let Some(file) = found {
        sallyport_os::lock(&file)?;
        let entry = Entry::of(&file)?;
        let ours = sallyport_os::is_own_alone(&entry);
        if ours && resume == YesNo::Yes && entry.size <= size {
            return Ok(file);
        }
        folder.remove_file(name)?;
    }
    let file = folder.create(name)?;
    sallyport_os::lock(&file)?;
    Ok(file)
}
