//! Who is signed in.

use sallyport_wire::stream::background::{Items, UserRow};

use super::answering::{Answering, Trouble};
use crate::inventory::signed_in;

pub(super) async fn list(answering: &Answering) -> Result<(), Trouble> {
    let rows = signed_in().into_iter().map(|session| UserRow {
        name: session.name.into_string(),
        terminal: session.terminal.into_string(),
        origin: session.origin.into_string(),
        since: session.since,
    });
    answering.list(rows.collect(), Items::Users).await
}
