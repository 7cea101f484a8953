//! The client's half of a remote session, as the console plays it.

use sallyport_grant::VerifyKey;
use sallyport_model::{GrantId, RemoteSessionId};
use sallyport_server::outside::SystemEntropy;
use sallyport_wire::stream::{StreamEnd, StreamSecret, Terms};
use serde_json::{Value, json};

use super::connection::{NotLetIn, PROGRAM, RemoteEnd, dial};
use crate::host::Host;
use crate::owner::Owner;
use crate::relay::Relay;

/// A client's half of a remote session.
pub struct RemoteClient {
    /// What `POST /v1/remote-sessions` came to.
    pub opened: Value,
    secret: StreamSecret,
}

impl RemoteClient {
    /// Asks for a remote session, with a code where the window is not enough.
    pub async fn open(owner: &mut Owner, server: &impl Host, wanted: Value) -> Self {
        let secret = StreamSecret::from_bytes(sallyport_server::outside::random(&SystemEntropy));
        let opened = owner.ask(server, "/v1/remote-sessions", body(&secret, wanted)).await;
        Self { opened, secret }
    }

    /// The client whose key the request named, once it was executed.
    pub fn of(opened: Value, secret: StreamSecret) -> Self {
        Self { opened, secret }
    }

    /// The remote session.
    pub fn session(&self) -> RemoteSessionId {
        self.opened["session"].as_str().and_then(|id| id.parse().ok()).expect("a session")
    }

    /// This client's grant.
    pub fn grant(&self) -> GrantId {
        self.opened["grant"].as_str().and_then(|id| id.parse().ok()).expect("a grant")
    }

    /// Its first ticket.
    pub fn ticket(&self) -> &str {
        self.opened["ticket"].as_str().expect("a ticket")
    }

    /// The grant's envelope, verbatim.
    pub fn envelope(&self) -> &[u8] {
        self.opened["envelope"].as_str().expect("an envelope").as_bytes()
    }

    /// The key that signs the device's answer.
    ///
    /// # Panics
    /// Where the server named none.
    pub fn device_key(&self) -> VerifyKey {
        let key = hex::decode(self.opened["device"]["device_key"].as_str().expect("a key")).expect("hex");
        VerifyKey::from_bytes(&key.try_into().expect("32 bytes")).expect("a key")
    }

    /// What both ends know before there are keys.
    pub fn terms(&self) -> Terms {
        Terms::of_client(self.envelope(), &self.device_key(), self.secret.public()).expect("the grant is for this client and device")
    }

    /// The state machine of this end.
    pub fn end(&self) -> StreamEnd {
        let device = self.device_key();
        StreamEnd::client(self.envelope(), &device, self.secret.clone()).expect("the grant is for this client and device")
    }

    /// Dials with the first ticket.
    pub async fn dial(&self, server: &impl Host) -> Result<RemoteEnd, NotLetIn> {
        let socket = dial(server, "/v1/remote-sessions/stream", self.ticket(), PROGRAM).await?;
        Ok(RemoteEnd::over(socket, self.end()).await)
    }

    /// Dials with the first ticket, through somebody who stands in between.
    pub async fn dial_through(&self, relay: &Relay, server: &impl Host) -> Result<RemoteEnd, NotLetIn> {
        let socket = relay.between(server, self.ticket()).await?;
        Ok(RemoteEnd::over(socket, self.end()).await)
    }

    /// Another ticket for this client's grant.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn another_ticket(&self, owner: &mut Owner) -> String {
        let path = format!("/v1/remote-sessions/{}/tickets", self.session());
        let reply = owner.client.post(&path, json!({ "grant": self.grant().to_string() })).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        reply.json()["ticket"].as_str().expect("a ticket").to_owned()
    }

    /// Dials again with a new ticket, and goes on where the connection broke.
    pub async fn dial_again(&self, owner: &mut Owner, server: &impl Host, end: StreamEnd) -> RemoteEnd {
        let ticket = self.another_ticket(owner).await;
        self.dial_with(&ticket, server, end).await
    }

    /// Dials with this ticket, and goes on where the connection broke.
    ///
    /// # Panics
    /// Where it is not good.
    pub async fn dial_with(&self, ticket: &str, server: &impl Host, end: StreamEnd) -> RemoteEnd {
        let socket = dial(server, "/v1/remote-sessions/stream", ticket, PROGRAM).await.expect("a new ticket is good");
        RemoteEnd::over(socket, end).await
    }
}

/// The body of a request for a remote session.
pub fn body(secret: &StreamSecret, wanted: Value) -> Value {
    let mut body = json!({ "kind": "terminal", "access": "control", "client_key": secret.public().to_string() });
    if let (Some(body), Some(wanted)) = (body.as_object_mut(), wanted.as_object()) {
        body.extend(wanted.clone());
    }
    body
}
