//! Answers to one request: lists in pieces that fit a control message, then the end.

use sallyport_model::{AgentText, limits};
use sallyport_wire::stream::background::{BackgroundAnswer, Done, Failure, Items, Part};
use serde::Serialize;

use crate::remote::kind::{Full, Gone, Outlet};

/// Items of a piece together have at most so many bytes, so that the message around them fits.
const PIECE_BYTES: usize = limits::STREAM_PAYLOAD_BYTES - 4 * 1024;
/// Longest words of a failing program that are passed on, in characters.
const DETAIL_CHARS: usize = 500;

/// Why a request failed: a stable code, and what the system said.
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

/// The way back from one request to the attachment that asked.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) id: u32,
    outlet: Outlet,
}

impl Answering {
    pub(super) fn new(id: u32, outlet: Outlet) -> Self {
        Self { id, outlet }
    }

    /// Sends a message, waiting for room.
    pub(super) async fn say(&self, message: &BackgroundAnswer) -> Result<(), Trouble> {
        self.outlet.control(message).await.map_err(|full| match full {
            Full::Full | Full::Gone => Trouble::from(Gone),
            Full::TooLong => Trouble::code("too_long"),
        })
    }

    /// Sends a list in pieces, and its end.
    pub(super) async fn list<T: Serialize>(&self, mut items: Vec<T>, named: impl Fn(Vec<T>) -> Items) -> Result<(), Trouble> {
        let omitted = shorten(&mut items);
        for piece in pieces(items) {
            self.say(&BackgroundAnswer::Part(Part { id: self.id, items: named(piece) })).await?;
        }
        self.say(&BackgroundAnswer::Ok(Done { id: self.id, omitted, ..Done::default() })).await
    }

    /// Ends a request that succeeded. There is nobody to tell that it could not be told.
    pub(super) async fn done(&self) {
        let _ = self.say(&BackgroundAnswer::Ok(Done { id: self.id, ..Done::default() })).await;
    }

    /// Ends a request that failed.
    pub(super) async fn failed(&self, trouble: Trouble) {
        let _ = self.say(&BackgroundAnswer::Error(trouble.failure(self.id))).await;
    }
}

fn shorten<T>(items: &mut Vec<T>) -> Option<u32> {
    let over = items.len().saturating_sub(limits::BACKGROUND_ITEMS);
    items.truncate(limits::BACKGROUND_ITEMS);
    (over > 0).then(|| u32::try_from(over).unwrap_or(u32::MAX))
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
