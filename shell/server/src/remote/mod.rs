//! Remote sessions: tickets, streams between clients and devices, and everything that ends them.
//!
//! The server pairs the two sockets of one grant and passes messages on. It has none of the keys, so it learns lengths and
//! times. What it may do is end: at once for whoever's right is gone.

mod end;
mod policy;
mod relay;
mod report;
mod sessions;
mod stream;
mod streams;
mod sweep;
mod tickets;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sallyport_decide::accounts::session::Token;
use sallyport_grant::targets::TargetProof;
use sallyport_model::TenantId;
use sallyport_store::log;
use sallyport_store::ops::remote::Attachment;
use sallyport_wire::{GrantOffer, Inclusion, ToAgent};

pub(crate) use end::end_attachment;
pub(crate) use policy::{change_policy, details as policy_details, show_policy};
pub(crate) use report::{keep_piece, keep_receipt, tell_again};
pub(crate) use sessions::{device, end, list, recording, show, ticket};
pub(crate) use stream::{agent_route, client};
pub(crate) use sweep::run as sweep;

use crate::{App, Refusal};
use streams::Streams;
use tickets::Tickets;

/// The live part of remote sessions.
#[derive(Clone, Default)]
pub struct Remote(Arc<Inner>);

#[derive(Default)]
struct Inner {
    tickets: Tickets,
    streams: Streams,
    /// Whether there may be something open that has to be looked after.
    is_watched: AtomicBool,
}

/// Which end of a stream a ticket or a socket is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Device,
}

/// Hands a grant of an attachment to its device, with the ticket by which it dials. What comes back is the client's ticket.
/// `None` where the device is not connected or does not keep up.
pub(crate) async fn deliver(app: &App, attachment: &Attachment) -> Result<Option<Token>, Refusal> {
    let mut reader = app.store.read().await?;
    let head = log::head(&mut reader, attachment.tenant).await?;
    let hashes = log::inclusion(&mut reader, attachment.tenant, attachment.log_index, head.size).await?;
    drop(reader);
    app.remote.watch();
    let offer = GrantOffer {
        envelope: attachment.envelope.clone().into_bytes(),
        target: TargetProof { index: 0, hashes: Vec::new() },
        log_entry: Inclusion { index: attachment.log_index, hashes },
        checkpoint: head.checkpoint,
        content: Vec::new(),
        secrets: Vec::new(),
        stream_ticket: Some(app.remote.issue_device(attachment, app.random(), app.clock.now())),
        occurrence: None,
    };
    let sent = app.hub.send(attachment.device, ToAgent::GrantOffer(Box::new(offer)));
    Ok(sent.then(|| app.remote.issue_client(attachment, app.random(), app.clock.now())))
}

fn tell(app: &App, tenant: TenantId, session: sallyport_model::RemoteSessionId, state: &str) {
    let event = crate::events::Event::RemoteSession { remote_session: session.to_string(), state: state.to_owned() };
    app.events.tell(tenant, event);
}
