//! Looking: folders, entries and the beginnings of files.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sallyport_model::limits;
use sallyport_os::{Last, Links, Place};
use sallyport_wire::stream::background::YesNo;
use sallyport_wire::stream::files::{FileAnswer, FileDone, FileKind, Preview, PreviewKind};
use sallyport_wire::stream::path::DevicePath;

use super::listing::Names;
use super::teller::Teller;
use crate::remote::trouble::{Trouble, pieces};

/// First bytes of pictures that browsers show.
const PICTURES: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF"];

/// Where a path leads for somebody who looks.
pub(super) fn reach(path: &DevicePath, last: Last) -> Result<Place, Trouble> {
    Ok(Place::reach(Path::new(OsStr::from_bytes(path.as_bytes())), Links::Any, last)?)
}

/// The entries of a folder, folders first.
pub(super) fn list(teller: &Teller, path: &DevicePath) -> Result<FileDone, Trouble> {
    let folder = reach(path, Last::Followed)?.open_folder()?;
    let mut names = Names::default();
    let (mut entries, mut omitted) = (Vec::new(), 0u32);
    for name in folder.names()? {
        let name = name?;
        if entries.len() >= limits::FOLDER_ENTRIES {
            omitted = omitted.saturating_add(1);
            continue;
        }
        // What is removed meanwhile is not there.
        if let Ok(entry) = folder.entry(&name) {
            entries.push(names.tell(&folder, &name, &entry));
        }
    }
    entries.sort_by(|one, other| (one.kind != FileKind::Folder, &one.name).cmp(&(other.kind != FileKind::Folder, &other.name)));
    for entries in pieces(entries) {
        teller.say(&FileAnswer::Part { id: teller.id, entries })?;
    }
    Ok(FileDone { omitted: (omitted > 0).then_some(omitted), ..FileDone::default() })
}

/// One entry; a link is told as a link.
pub(super) fn stat(path: &DevicePath) -> Result<FileDone, Trouble> {
    let place = reach(path, Last::Kept)?;
    let entry = place.folder.entry(&place.name)?;
    let entry = Some(Names::default().tell(&place.folder, &place.name, &entry));
    Ok(FileDone { entry, ..FileDone::default() })
}

/// The beginning of a file.
pub(super) fn preview(path: &DevicePath) -> Result<FileDone, Trouble> {
    let place = reach(path, Last::Followed)?;
    let file = place.folder.open(&place.name)?;
    let entry = Some(Names::default().tell(&place.folder, &place.name, &sallyport_os::Entry::of(&file)?));
    let mut bytes = Vec::new();
    file.take(limits::PREVIEW_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(FileDone { entry, preview: Some(guess(&bytes)), ..FileDone::default() })
}

fn guess(bytes: &[u8]) -> Preview {
    let more = if bytes.len() > limits::PREVIEW_BYTES { YesNo::Yes } else { YesNo::No };
    let bytes = &bytes[..bytes.len().min(limits::PREVIEW_BYTES)];
    if PICTURES.iter().any(|first| bytes.starts_with(first)) {
        return Preview { kind: PreviewKind::Image, text: None, more };
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        // A character that the limit cut in two.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok(),
        Err(_) => None,
    };
    let printable = |text: &&str| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    match text.filter(printable) {
        Some(text) => Preview { kind: PreviewKind::Text, text: Some(text.to_owned()), more },
        None => Preview { kind: PreviewKind::Binary, text: None, more },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_pictures_and_the_rest_are_told_apart() {
        let kinds = [b"a\tb\r\n\xc3\xa9".as_slice(), b"\x89PNG\r\n\x1a\n\0", b"ELF\x02\0", b"\xff\xfe"].map(|bytes| guess(bytes).kind);
        assert_eq!(kinds, [PreviewKind::Text, PreviewKind::Image, PreviewKind::Binary, PreviewKind::Binary]);
        let long = guess("é".repeat(limits::PREVIEW_BYTES).as_bytes());
        assert_eq!((long.text.map(|text| text.len()), long.more), (Some(limits::PREVIEW_BYTES), YesNo::Yes));
        let cut = guess(format!("x{}", "é".repeat(limits::PREVIEW_BYTES)).as_bytes());
        assert_eq!(cut.text.map(|text| text.len()), Some(limits::PREVIEW_BYTES - 1));
    }
}
