//! The device's half of a remote session, as an agent without scruples plays it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_grant::VerifyKey;
use sallyport_model::RemoteSessionId;
use sallyport_server::outside::SystemEntropy;
use sallyport_wire::stream::{StreamEnd, StreamSecret, Terms};
use sallyport_wire::{GrantOffer, ToAgent, UnsignedToAgent};
use tokio::time::timeout;

use super::connection::{NotLetIn, PATIENCE, RemoteEnd, dial};
use crate::host::Host;
use crate::rogue::{Rogue, RogueLink};

/// The device's half of a remote session.
pub struct RemoteDevice {
    /// The grant.
    pub terms: Terms,
    /// The ticket of the offer.
    pub ticket: String,
    machine: Rogue,
}

impl RemoteDevice {
    /// Takes the next offer of a remote session.
    ///
    /// # Panics
    /// Where none comes, or another.
    pub async fn offered(machine: &Rogue, link: &mut RogueLink) -> Self {
        let offer = timeout(PATIENCE, link.offer()).await.expect("soon").expect("an offer");
        Self::of(machine, &offer)
    }

    /// The device's half for an offer.
    ///
    /// # Panics
    /// Where it opens no remote session for this device.
    pub fn of(machine: &Rogue, offer: &GrantOffer) -> Self {
        let key = VerifyKey::of(&machine.key);
        let client_key = client_key(offer);
        let terms = Terms::of_client(&offer.envelope, &key, client_key).expect("a remote session of this device");
        let ticket = ticket_text(offer.stream_ticket.expect("a ticket"));
        Self { terms, ticket, machine: machine.clone() }
    }

    /// The state machine of this end.
    pub fn end(&self) -> StreamEnd {
        let secret = StreamSecret::from_bytes(sallyport_server::outside::random(&SystemEntropy));
        StreamEnd::device(&self.terms, &self.machine.key, &secret).expect("a good client key")
    }

    /// Dials with the ticket of the offer.
    pub async fn dial(&self, server: &impl Host) -> Result<RemoteEnd, NotLetIn> {
        let socket = dial(server, "/agent/stream", &self.ticket, &[]).await?;
        Ok(RemoteEnd::over(socket, self.end()).await)
    }

    /// Waits for another ticket, and goes on where the connection broke.
    ///
    /// # Panics
    /// Where none comes.
    pub async fn dial_again(&self, link: &mut RogueLink, server: &impl Host, end: StreamEnd) -> RemoteEnd {
        let mine = |message: &UnsignedToAgent| matches!(message, UnsignedToAgent::StreamTicket { grant, .. } if *grant == self.terms.grant);
        let message = timeout(PATIENCE, link.until(mine)).await.expect("soon").expect("a ticket");
        let UnsignedToAgent::StreamTicket { ticket, .. } = message else { panic!("a ticket") };
        let socket = dial(server, "/agent/stream", &ticket_text(ticket), &[]).await.expect("a new ticket is good");
        RemoteEnd::over(socket, end).await
    }
}

/// A ticket as a subprotocol has it.
pub fn ticket_text(ticket: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(ticket)
}

fn client_key(offer: &GrantOffer) -> sallyport_grant::Hex<32> {
    use sallyport_grant::body::{Body as _, GrantBody};
    let envelope = sallyport_grant::Envelope::parse(&offer.envelope, sallyport_grant::PayloadType::Grant).expect("an envelope");
    let body = GrantBody::parse(envelope.payload()).expect("a grant");
    body.action.remote_session().expect("a remote session").client_key
}

/// Whether a message ends this session, or one of its attachments.
pub fn ends(message: &ToAgent, session: RemoteSessionId) -> bool {
    matches!(message, ToAgent::Unsigned(UnsignedToAgent::EndRemoteSession { session: ended, .. }) if *ended == session)
}
