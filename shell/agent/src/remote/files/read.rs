//! Reading a file: its bytes over the channel, and the digest of the whole when its end was reached.

use std::fs::File;
use std::io::Read;

use sallyport_model::{Digest, limits};
use sallyport_os::{Entry, Last};
use sallyport_wire::stream::files::FileDone;
use sallyport_wire::stream::path::DevicePath;
use sha2::{Digest as _, Sha256};

use super::listing::Names;
use super::look::reach;
use super::teller::Teller;
use crate::remote::trouble::Trouble;

/// Sends at most `length` bytes from `offset` on.
pub(super) fn send(teller: &Teller, path: &DevicePath, offset: u64, length: Option<u64>) -> Result<FileDone, Trouble> {
    let place = reach(path, Last::Followed)?;
    let mut file = place.folder.open(&place.name)?;
    let before = Entry::of(&file)?;
    if offset > before.size {
        return Err(Trouble::code("out_of_range"));
    }
    let mut hasher = Sha256::new();
    hash_beginning(teller, &mut file, offset, &mut hasher)?;
    let (sent, ended) = pass(teller, &mut file, length, &mut hasher)?;
    let after = Entry::of(&file)?;
    if (after.size, after.modified_micros) != (before.size, before.modified_micros) {
        return Err(Trouble::code("changed_meanwhile"));
    }
    let entry = Some(Names::default().tell(&place.folder, &place.name, &after));
    let sha256 = ended.then(|| Digest::from_bytes(hasher.finalize().into()));
    Ok(FileDone { entry, sha256, sent: Some(sent), ..FileDone::default() })
}

/// A download that goes on where it stopped is still checked as a whole.
fn hash_beginning(teller: &Teller, file: &mut File, offset: u64, hasher: &mut Sha256) -> Result<(), Trouble> {
    let mut buffer = vec![0; limits::STREAM_PAYLOAD_BYTES];
    let mut beginning = file.take(offset);
    loop {
        teller.go_on()?;
        match beginning.read(&mut buffer)? {
            0 => return Ok(()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// How many bytes were sent, and whether the file's end was reached.
fn pass(teller: &Teller, file: &mut File, length: Option<u64>, hasher: &mut Sha256) -> Result<(u64, bool), Trouble> {
    let mut buffer = vec![0; limits::STREAM_PAYLOAD_BYTES];
    let mut sent = 0u64;
    loop {
        let left = length.map_or(u64::MAX, |length| length - sent);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok((sent, file.read(&mut buffer[..1])? == 0));
        }
        let read = file.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Ok((sent, true));
        }
        hasher.update(&buffer[..read]);
        teller.data(&buffer[..read])?;
        sent += read as u64;
    }
}
