//! A terminal through its relay, as its console opens one.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use sallyport_server::outside::SystemEntropy;
use serde_json::json;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::Mesh;
use super::control::{Cookies, Socket};

const PATIENCE: Duration = Duration::from_secs(20);
/// What is no output begins with it.
const CONTROL: &[u8] = b"{\"ctrlChannel\":\"102938\"";

pub(crate) struct Terminal {
    socket: Box<Socket>,
}

impl Mesh {
    /// What its console has before anybody asks for a terminal.
    pub(crate) async fn cookies(&mut self) -> anyhow::Result<Cookies> {
        self.control.cookies().await
    }

    /// Opens a terminal on the first device.
    pub(crate) async fn open(&mut self, cookies: &Cookies) -> anyhow::Result<Terminal> {
        let device = self.devices.first().context("a device")?.clone();
        let id: [u8; 6] = sallyport_server::outside::random(&SystemEntropy);
        let id = id.map(|byte| format!("{byte:02x}")).concat();
        let relay = format!("*/meshrelay.ashx?p=1&nodeid={device}&id={id}&rauth={}", cookies.agent);
        self.control.send(&json!({ "action": "msg", "nodeid": device, "type": "tunnel", "usage": 1, "value": relay })).await?;
        let device = device.replace('/', "%2F").replace('@', "%40").replace('$', "%24");
        let port = self.server.port();
        let address = format!("wss://localhost:{port}/meshrelay.ashx?browser=1&p=1&nodeid={device}&id={id}&auth={}", cookies.client);
        let (socket, _) = Box::pin(client_async(address, self.server.connect().await?)).await?;
        let mut terminal = Terminal { socket: Box::new(socket) };
        // The relay says so once both ends are there.
        let connected = terminal.read().await?;
        ensure!(&connected[..] == b"c", "a relay says {}", String::from_utf8_lossy(&connected));
        terminal.say(&json!({ "ctrlChannel": "102938", "type": "options", "cols": 80, "rows": 24 }).to_string()).await?;
        terminal.say("1").await?;
        Ok(terminal)
    }
}

impl Terminal {
    async fn say(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::binary(bytes.to_vec())).await?)
    }

    async fn receive(&mut self) -> anyhow::Result<Bytes> {
        loop {
            let received = tokio::time::timeout(PATIENCE, self.socket.next()).await.context("nothing comes from a terminal")?;
            match received.context("a terminal ended")?? {
                Message::Text(text) => return Ok(text.into()),
                Message::Binary(bytes) => return Ok(bytes),
                _ => {}
            }
        }
    }

    /// The next output.
    pub(crate) async fn read(&mut self) -> anyhow::Result<Bytes> {
        loop {
            let bytes = self.receive().await?;
            if !bytes.starts_with(CONTROL) {
                return Ok(bytes);
            }
        }
    }

    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::Close(None)).await?)
    }

    pub(crate) async fn until(&mut self, text: &[u8]) -> anyhow::Result<()> {
        let mut all = Vec::new();
        while !all.windows(text.len()).any(|window| window == text) {
            all.extend_from_slice(&self.read().await?);
        }
        Ok(())
    }
}
