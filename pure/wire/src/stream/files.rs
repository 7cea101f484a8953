//! What is said in a `files` session.
//!
//! A client numbers its requests; the bytes of a transfer go over the channel with the request's number. A folder's
//! entries come as `part` messages that end with `ok`. A write is: `write`, answered by `ok` with the `offset` from which
//! the device wants bytes, then data, then `commit`, answered by `ok` with the digest of what now has the name. `abort`
//! ends any request that is under way. Paths are written as [`super::path`] says.

use sallyport_model::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::background::{Failure, YesNo};
use super::path::DevicePath;

/// What a client asks of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "a variant says what its fields are for")]
pub enum FileRequest {
    /// The entries of a folder; a link to a folder is followed.
    List { id: u32, path: DevicePath },
    /// One entry; a link in the last place is not followed.
    Stat { id: u32, path: DevicePath },
    /// The beginning of a file, where it is text.
    Preview { id: u32, path: DevicePath },
    /// The bytes of a file from `offset` on, at most `length` of them.
    Read { id: u32, path: DevicePath, offset: u64, length: Option<u64> },
    /// A file is about to come.
    Write { id: u32, path: DevicePath, size: u64, sha256: Digest, mode: Option<u32>, overwrite: YesNo, resume: YesNo },
    /// All bytes of a write have come: it gets its name now.
    Commit { id: u32 },
    /// Ends a request that is under way; what was written so far goes.
    Abort { id: u32 },
    /// Makes a folder.
    Mkdir { id: u32, path: DevicePath },
    /// Gives a file or folder another name on the same file system.
    Rename { id: u32, from: DevicePath, to: DevicePath, overwrite: YesNo },
    /// Removes a file, a link or a folder; never what a link leads to.
    Remove { id: u32, path: DevicePath, recursive: YesNo },
    /// Changes the permissions.
    Chmod { id: u32, path: DevicePath, mode: u32 },
    /// Changes owner or group, by name or number.
    Chown { id: u32, path: DevicePath, owner: Option<String>, group: Option<String> },
    /// Room that a folder takes, with progress.
    Usage { id: u32, path: DevicePath },
    /// A file or folder as a tar stream.
    Archive { id: u32, path: DevicePath },
}

impl FileRequest {
    /// The client's number for the request.
    pub fn id(&self) -> u32 {
        match self {
            Self::List { id, .. }
            | Self::Stat { id, .. }
            | Self::Preview { id, .. }
            | Self::Read { id, .. }
            | Self::Write { id, .. }
            | Self::Commit { id }
            | Self::Abort { id }
            | Self::Mkdir { id, .. }
            | Self::Rename { id, .. }
            | Self::Remove { id, .. }
            | Self::Chmod { id, .. }
            | Self::Chown { id, .. }
            | Self::Usage { id, .. }
            | Self::Archive { id, .. } => *id,
        }
    }
}

/// What a device says in a `files` session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
#[allow(missing_docs, reason = "a variant says what its fields are for")]
pub enum FileAnswer {
    /// A piece of a folder's list.
    Part { id: u32, entries: Vec<FileEntry> },
    /// The request is done, or a write may begin.
    Ok(Box<FileDone>),
    /// The request failed.
    Error(Failure),
    /// How far a sum, an archive or a removal is.
    Progress { id: u32, usage: Usage },
}

/// The end of a request that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDone {
    /// The request's number.
    pub id: u32,
    /// Entries of a folder that were left out because there were too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<u32>,
    /// What was asked for, or what the file is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<FileEntry>,
    /// From where a write wants its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Digest of the whole file: after a read that reached its end, and after a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Bytes that went over the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<u64>,
    /// The beginning of a text file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// What was summed up, archived or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// The beginning of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// What it looks like.
    pub kind: PreviewKind,
    /// Its first text; none for what is no text.
    pub text: Option<String>,
    /// Whether there is more.
    pub more: YesNo,
}

/// What a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviewKind {
    /// UTF-8 without control characters.
    Text,
    /// PNG, JPEG, GIF or WebP, by its first bytes.
    Image,
    /// Anything else.
    Binary,
}

/// What stands under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The name for people: harmless, and not always the exact one.
    pub name: String,
    /// The exact name, escaped, where it is not `name`; for paths that begin with `raw:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// What it is.
    pub kind: FileKind,
    /// In bytes.
    pub size: u64,
    /// Permissions, the lower twelve bits.
    pub mode: u32,
    /// Name of the owner, or the number.
    pub owner: String,
    /// Name of the group, or the number.
    pub group: String,
    /// When its content changed last.
    pub modified: Timestamp,
    /// Where a link leads, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// An ordinary file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a pipe or a socket.
    Other,
}

/// A sum over files and folders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Room on the disk, or bytes that were read.
    pub bytes: u64,
    /// Files and links.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// What could not be read, removed or archived.
    pub skipped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<FileRequest, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn requests_are_read_exactly() {
        let digest = "0".repeat(64);
        let text =
            format!(r#"{{"t":"write","id":9,"path":"/srv/a","size":5,"sha256":"{digest}","mode":null,"overwrite":"no","resume":"yes"}}"#);
        assert!(matches!(read(&text), Ok(FileRequest::Write { id: 9, size: 5, overwrite: YesNo::No, resume: YesNo::Yes, .. })));
        let list = read(r#"{"t":"list","id":1,"path":"raw:/caf%E9"}"#).expect("list");
        assert_eq!(list, FileRequest::List { id: 1, path: DevicePath::from_bytes(b"/caf\xe9").expect("path") });
    }

    #[test]
    fn what_is_not_exactly_a_request_is_refused() {
        for text in [
            r#"{"t":"list","id":1,"path":"srv"}"#,
            r#"{"t":"list","id":1,"path":"/srv/../etc"}"#,
            r#"{"t":"list","id":1,"path":"/a\u0000b"}"#,
            r#"{"t":"list","id":1,"path":"/srv","follow":"yes"}"#,
            r#"{"t":"remove","id":1,"path":"/srv","recursive":true}"#,
            r#"{"t":"write","id":9,"path":"/a","size":5,"sha256":"00","mode":null,"overwrite":"no","resume":"no"}"#,
            r#"{"t":"link","id":1,"path":"/srv"}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
