//! An agent that says what a test wants: built on the wire's own code, without an agent's scruples.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use sallyport_grant::body::{Body as _, GrantBody, Outcome, ReceiptBody, ReceiptType, TokenSecret};
use sallyport_grant::{Envelope, Hex, KeyId, PayloadType, SigningKey, VerifyKey, receipt, sha256};
use sallyport_model::{AgentText, Digest, GrantId, InstallerId, TenantId, Timestamp};
use sallyport_server::outside::SystemEntropy;
use sallyport_wire::{
    AgentLink, Channel, DeviceState, Enrol, GrantOffer, HelloClaims, Initiator, LinkKey, Stream, ToAgent, ToServer, UnsignedToAgent,
};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::host::Host;

/// The server ended the link, or never began it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended;

/// What an enrolment file tells.
#[derive(Debug, Clone)]
pub struct File {
    /// Whose.
    pub tenant: TenantId,
    /// The key that the server's end of a link has.
    pub link: LinkKey,
    /// The token's public part.
    pub token_id: InstallerId,
    /// The token's secret part.
    pub token_secret: [u8; 32],
}

impl File {
    /// Reads an enrolment file without checking a signature.
    ///
    /// # Panics
    /// Where it is none.
    pub fn read(text: &str) -> Self {
        let body = payload(&serde_json::from_str(text).expect("JSON"));
        let root = payload(&body["root"]);
        let bytes = |value: &Value| -> [u8; 32] {
            let text = value.as_str().expect("a text");
            hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).expect("32 bytes in hex")
        };
        Self {
            tenant: body["tenant"].as_str().and_then(|id| id.parse().ok()).expect("a tenant"),
            link: LinkKey::from_bytes(bytes(&root["link"])),
            token_id: body["token_id"].as_str().and_then(|id| id.parse().ok()).expect("a token"),
            token_secret: bytes(&body["token_secret"]),
        }
    }
}

fn payload(envelope: &Value) -> Value {
    let bytes = STANDARD.decode(envelope["payload"].as_str().expect("a payload")).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// A machine with a device key; a clone is another machine with the same one.
#[derive(Clone)]
pub struct Rogue {
    /// The device key.
    pub key: SigningKey,
    /// The name that it gives itself when it enrols.
    pub hostname: AgentText,
}

impl Rogue {
    /// A machine with a key of its own for each seed.
    pub fn new(seed: u8) -> Self {
        Self { key: SigningKey::from_bytes(&[seed; 32]), hostname: AgentText::tame(&format!("rogue-{seed}"), 255) }
    }

    /// How grants and receipts name it.
    pub fn thumbprint(&self) -> KeyId {
        VerifyKey::of(&self.key).id()
    }

    /// Links without a token.
    pub async fn link(&self, server: &impl Host, file: &File) -> Result<RogueLink, Ended> {
        self.say_hello(dial(server, file).await?, None).await
    }

    /// Links with the token of the file.
    pub async fn enrol(&self, server: &impl Host, file: &File) -> Result<RogueLink, Ended> {
        self.say_hello(dial(server, file).await?, Some(file)).await
    }

    async fn say_hello(&self, dialled: (Socket, Channel), token: Option<&File>) -> Result<RogueLink, Ended> {
        let (mut socket, channel) = dialled;
        let (link, hello) = self.hello(channel, token);
        send(&mut socket, hello).await?;
        let mut link = RogueLink { socket, link, state: DeviceState::Unknown, tenant: None };
        match link.next().await? {
            ToAgent::Unsigned(UnsignedToAgent::Welcome { state, tenant, .. }) => Ok(RogueLink { state, tenant, ..link }),
            other => panic!("no welcome but {other:?}"),
        }
    }

    /// The first message inside of a link, ready to be sent.
    pub fn hello(&self, channel: Channel, token: Option<&File>) -> (AgentLink, Vec<u8>) {
        let enrol = token.map(|file| Enrol {
            token_id: file.token_id,
            token_secret: TokenSecret::from_bytes(file.token_secret),
            hostname: self.hostname.clone(),
            os: AgentText::tame("Rogue OS", 255),
            arch: AgentText::tame("x86_64", 255),
        });
        let claims = HelloClaims { agent_version: AgentText::tame("0.0.0", 255), enrol };
        channel.say_hello(&claims, &Hex([9; 32]), &self.key).expect("a hello")
    }

    /// A receipt for a grant, signed by this machine.
    pub fn receipt(&self, tenant: TenantId, grant: GrantId, end: &End) -> Vec<u8> {
        let body = ReceiptBody {
            r#type: ReceiptType::V1,
            grant,
            tenant,
            device: self.thumbprint(),
            outcome: Outcome::Finished,
            exit_code: Some(0),
            signal: None,
            reason: None,
            output_sha256: end.digest,
            output_bytes: end.bytes,
            started: Some(end.started),
            ended: end.ended,
        };
        receipt::sign(body, &self.key).expect("a receipt")
    }
}

/// What a receipt says of a run that went well.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// Of all output.
    pub digest: Digest,
    /// Of all output.
    pub bytes: u64,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

impl End {
    /// A run with this output, at one moment.
    pub fn of(output: &[u8], at: Timestamp) -> Self {
        Self { digest: sha256(&[output]), bytes: output.len() as u64, started: at, ended: at }
    }
}

/// The carrier of a link.
pub type Socket = WebSocketStream<TcpStream>;

/// Connects as far as a WebSocket.
pub async fn socket(server: &impl Host, tenant: TenantId) -> Result<Socket, Ended> {
    let stream = TcpStream::connect(server.address()).await.map_err(|_| Ended)?;
    let address = format!("ws://{}/agent/link?tenant={tenant}", server.address());
    client_async(address, stream).await.map(|(socket, _)| socket).map_err(|_| Ended)
}

/// Connects and shakes hands; nobody has said yet who it is.
pub async fn dial(server: &impl Host, file: &File) -> Result<(Socket, Channel), Ended> {
    let mut socket = socket(server, file.tenant).await?;
    let (initiator, first) = Initiator::start(&file.link, sallyport_server::outside::random(&SystemEntropy));
    send(&mut socket, first).await?;
    let channel = initiator.finish(&frame(&mut socket).await?).map_err(|_| Ended)?;
    Ok((socket, channel))
}

/// Sends one frame as it is.
pub async fn send(socket: &mut Socket, frame: Vec<u8>) -> Result<(), Ended> {
    socket.send(Message::binary(frame)).await.map_err(|_| Ended)
}

/// The next frame as it is.
pub async fn frame(socket: &mut Socket) -> Result<Vec<u8>, Ended> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => return Ok(frame.into()),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended),
        }
    }
}

/// A link whose server has answered the hello.
pub struct RogueLink {
    /// The carrier.
    pub socket: Socket,
    /// What encrypts.
    pub link: AgentLink,
    /// What the server's welcome said.
    pub state: DeviceState,
    /// What the server's welcome said.
    pub tenant: Option<TenantId>,
}

impl RogueLink {
    /// Says something.
    pub async fn say(&mut self, message: &ToServer) -> Result<(), Ended> {
        for frame in self.link.send(message).expect("a message") {
            send(&mut self.socket, frame).await?;
        }
        Ok(())
    }

    /// The next message.
    pub async fn next(&mut self) -> Result<ToAgent, Ended> {
        loop {
            let frame = frame(&mut self.socket).await?;
            if let Some(message) = self.link.receive(&frame).map_err(|_| Ended)? {
                return Ok(message);
            }
        }
    }

    /// Reads until an offer comes.
    pub async fn offer(&mut self) -> Result<Box<GrantOffer>, Ended> {
        loop {
            if let ToAgent::GrantOffer(offer) = self.next().await? {
                return Ok(offer);
            }
        }
    }

    /// Reads until something that a test looks for comes.
    pub async fn until(&mut self, wanted: impl Fn(&UnsignedToAgent) -> bool) -> Result<UnsignedToAgent, Ended> {
        loop {
            match self.next().await? {
                ToAgent::Unsigned(message) if wanted(&message) => return Ok(message),
                _ => {}
            }
        }
    }

    /// Says that a run began, what it wrote and how it ended, as an honest agent would; returns once all of it is stored.
    pub async fn obey(&mut self, machine: &Rogue, grant: GrantId, output: &[u8], at: Timestamp) -> Result<(), Ended> {
        let tenant = self.tenant.expect("a known device");
        self.say(&ToServer::RunStarted { grant, started_at: at }).await?;
        self.say(&ToServer::Output { grant, seq: 0, stream: Stream::Stdout, chunk: output.to_vec() }).await?;
        let receipt = machine.receipt(tenant, grant, &End::of(output, at));
        self.say(&ToServer::RunEnded { grant, receipt }).await?;
        self.until(|message| matches!(message, UnsignedToAgent::ReceiptAck { grant: of } if *of == grant)).await.map(|_| ())
    }
}

/// The id of an offered grant.
///
/// # Panics
/// Where the offer has none.
pub fn grant_of(offer: &GrantOffer) -> GrantId {
    let envelope = Envelope::parse(&offer.envelope, PayloadType::Grant).expect("an envelope");
    GrantBody::parse(envelope.payload()).expect("a grant").id
}
