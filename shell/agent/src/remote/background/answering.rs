//! Answers to one request: lists in pieces that fit a control message, then the end.

use sallyport_model::limits;
use sallyport_wire::stream::background::{BackgroundAnswer, Done, Items, Part};
use serde::Serialize;

use crate::remote::kind::Outlet;
pub(super) use crate::remote::trouble::{Trouble, pieces};

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
        Ok(self.outlet.control(message).await?)
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
