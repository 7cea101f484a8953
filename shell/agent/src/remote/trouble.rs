//! Why a request of a session failed, and lists cut to the length of messages.

use std::io;

use sallyport_model::{AgentText, limits};
use sallyport_os::ReachError;
use sallyport_wire::stream::background::Failure;
use serde::Serialize;

use super::kind::{Full, Gone};

/// Items of a piece together have at most so many bytes, so that the message around them fits.
const PIECE_BYTES: usize = limits::STREAM_PAYLOAD_BYTES - 4 * 1024;
/// Longest words of the system that are passed on, in characters.
const DETAIL_CHARS: usize = 500;

/// A stable code, and what the system said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) code: &'static str,
    pub(crate) detail: Option<String>,
}

impl Trouble {
    pub(crate) fn code(code: &'static str) -> Self {
        Self { code, detail: None }
    }

    pub(crate) fn said(code: &'static str, words: &str) -> Self {
        let words = AgentText::tame(words.trim(), DETAIL_CHARS).into_string();
        Self { code, detail: (!words.is_empty()).then_some(words) }
    }

    pub(crate) fn failure(self, id: u32) -> Failure {
        Failure { id: Some(id), code: self.code.to_owned(), detail: self.detail }
    }
}

/// Nobody is there to be told.
impl From<Gone> for Trouble {
    fn from(_: Gone) -> Self {
        Self::code("gone")
    }
}

impl From<Full> for Trouble {
    fn from(full: Full) -> Self {
        match full {
            Full::Full | Full::Gone => Self::from(Gone),
            Full::TooLong => Self::code("too_long"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let code = match error.kind() {
            Kind::NotFound => "not_found",
            Kind::PermissionDenied => "permission_denied",
            Kind::AlreadyExists => "exists",
            Kind::StorageFull | Kind::QuotaExceeded => "disk_full",
            Kind::FileTooLarge => "too_large",
            Kind::IsADirectory => "is_folder",
            Kind::NotADirectory => "not_a_folder",
            Kind::DirectoryNotEmpty => "not_empty",
            Kind::CrossesDevices => "other_file_system",
            Kind::ReadOnlyFilesystem => "read_only",
            Kind::InvalidFilename => "too_long",
            Kind::ResourceBusy | Kind::ExecutableFileBusy => "busy",
            Kind::InvalidInput => "not_a_file",
            _ => return Self::said("failed", &error.to_string()),
        };
        Self::code(code)
    }
}

impl From<ReachError> for Trouble {
    fn from(error: ReachError) -> Self {
        match error {
            ReachError::ForeignLink => Self::code("foreign_link"),
            ReachError::SystemLink => Self::code("system_link"),
            ReachError::Io(error) => error.into(),
        }
    }
}

/// Cuts a list into pieces by the length of what is written. An item that fits no message by itself is left out.
pub(crate) fn pieces<T: Serialize>(items: Vec<T>) -> Vec<Vec<T>> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut bytes = 0;
    for item in items {
        let Some(length) = serde_json::to_vec(&item).ok().map(|text| text.len() + 1).filter(|length| *length <= PIECE_BYTES) else {
            tracing::warn!("an item of a list is too long to be told");
            continue;
        };
        if bytes + length > PIECE_BYTES {
            pieces.push(std::mem::take(&mut piece));
            bytes = 0;
        }
        bytes += length;
        piece.push(item);
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_fits_and_nothing_is_lost() {
        let items: Vec<String> = (0..5000).map(|at| "x".repeat(at % 97)).collect();
        let pieces = pieces(items.clone());
        assert!(pieces.len() > 5);
        assert!(pieces.iter().all(|piece| serde_json::to_vec(piece).expect("json").len() < limits::STREAM_PAYLOAD_BYTES));
        assert_eq!(pieces.concat(), items);
    }

    #[test]
    fn an_item_that_fits_nowhere_does_not_stop_the_others() {
        assert_eq!(pieces(vec!["a".to_owned(), "x".repeat(40_000), "b".to_owned()]), [["a", "b"]]);
        assert!(pieces(Vec::<u8>::new()).is_empty());
    }
}
