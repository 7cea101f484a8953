//! How entries are told: names that are harmless for people and exact for machines, owners by name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use sallyport_model::{AgentText, Timestamp, limits};
use sallyport_os::{Entry, EntryKind, Folder};
use sallyport_wire::stream::files::{FileEntry, FileKind};
use sallyport_wire::stream::path::escape;

/// Names of accounts that were looked up already: a directory service may be far away.
#[derive(Debug, Default)]
pub(super) struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    /// What is told of the entry `name` in `folder`.
    pub(super) fn tell(&mut self, folder: &Folder, name: &OsStr, entry: &Entry) -> FileEntry {
        let target = match entry.kind {
            EntryKind::Link => folder.link_target(name).ok().map(|target| tame(target.as_bytes(), limits::AGENT_TEXT_CHARS)),
            EntryKind::File | EntryKind::Folder | EntryKind::Other => None,
        };
        let shown = tame(name.as_bytes(), limits::FILE_NAME_BYTES);
        let raw = (shown.as_bytes() != name.as_bytes()).then(|| escape(name.as_bytes()));
        let owner = self.users.entry(entry.uid).or_insert_with(|| named(sallyport_os::account_name(entry.uid), entry.uid)).clone();
        let group = self.groups.entry(entry.gid).or_insert_with(|| named(sallyport_os::group_name(entry.gid), entry.gid)).clone();
        FileEntry {
            name: shown,
            raw,
            kind: kind(entry.kind),
            size: entry.size,
            mode: entry.mode,
            owner,
            group,
            modified: Timestamp::from_micros(entry.modified_micros),
            target,
        }
    }
}

fn kind(kind: EntryKind) -> FileKind {
    match kind {
        EntryKind::File => FileKind::File,
        EntryKind::Folder => FileKind::Folder,
        EntryKind::Link => FileKind::Link,
        EntryKind::Other => FileKind::Other,
    }
}

fn named(name: Option<String>, number: u32) -> String {
    name.map_or_else(|| number.to_string(), |name| tame(name.as_bytes(), limits::AGENT_NAME_CHARS))
}

fn tame(bytes: &[u8], chars: usize) -> String {
    AgentText::tame(&String::from_utf8_lossy(bytes), chars).into_string()
}
