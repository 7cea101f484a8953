//! The WebSocket over which its console and its command line work.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::server::{Server, USER};
use super::text;

/// How long anything may take that is no measurement.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// A client that is signed in.
pub(crate) struct Control {
    socket: Box<Socket>,
    /// What agents know the server by.
    identity: String,
    asked: u64,
}

/// What lets a client and an agent into a relay.
pub(crate) struct Cookies {
    pub(super) client: String,
    pub(super) agent: String,
}

impl Control {
    pub(super) async fn open(server: &Server) -> anyhow::Result<Self> {
        let mut request = format!("wss://localhost:{}/control.ashx", server.port()).into_client_request()?;
        let who = format!("{},{}", STANDARD.encode(USER), STANDARD.encode(&server.password));
        request.headers_mut().insert("x-meshauth", who.parse()?);
        let (socket, _) = Box::pin(client_async(request, server.connect().await?)).await?;
        let mut this = Self { socket: Box::new(socket), identity: String::new(), asked: 0 };
        let greeting = this.until(|message| message["action"] == "serverinfo").await?;
        this.identity = hex(text(&greeting["serverinfo"], "agentCertHash")?)?;
        Ok(this)
    }

    /// Makes a group of devices; what its agents are told, as the file that is handed out with them.
    pub(super) async fn group(&mut self, server: &Server) -> anyhow::Result<String> {
        let made = self.ask(json!({ "action": "createmesh", "meshname": "bench", "meshtype": 2 })).await?;
        let group = text(&made, "meshid")?.rsplit('/').next().map(hex).context("an id")??;
        let identity = &self.identity;
        let address = format!("wss://127.0.0.1:{}/agent.ashx", server.port());
        Ok(format!("MeshName=bench\r\nMeshType=2\r\nMeshID=0x{group}\r\nServerID={identity}\r\nMeshServer={address}\r\n"))
    }

    /// Ids of the devices whose agents are connected.
    pub(super) async fn online(&mut self) -> anyhow::Result<Vec<String>> {
        let reply = self.ask(json!({ "action": "nodes" })).await?;
        let groups = reply["nodes"].as_object().context("devices")?.values();
        let devices = groups.filter_map(Value::as_array).flatten();
        let online = devices.filter(|device| device["conn"].as_u64().is_some_and(|kinds| kinds & 1 == 1));
        Ok(online.filter_map(|device| device["_id"].as_str().map(str::to_owned)).collect())
    }

    /// Has devices run a script; yields by what its replies are known.
    pub(super) async fn run(&mut self, script: &str, devices: &[String]) -> anyhow::Result<String> {
        let run = self.next_id();
        let asked = json!({
            "action": "runcommands", "nodeids": devices, "type": 3, "cmds": script, "runAsUser": 0, "reply": true, "responseid": run,
        });
        self.send(&asked).await?;
        Ok(run)
    }

    /// The next reply of a run, where one comes in time.
    pub(super) async fn reply(&mut self, run: &str, patience: Duration) -> anyhow::Result<Option<Value>> {
        self.within(patience, |message| message["responseid"] == run).await
    }

    pub(super) async fn cookies(&mut self) -> anyhow::Result<Cookies> {
        self.send(&json!({ "action": "authcookie" })).await?;
        let reply = self.until(|message| message["action"] == "authcookie").await?;
        Ok(Cookies { client: text(&reply, "cookie")?.to_owned(), agent: text(&reply, "rcookie")?.to_owned() })
    }

    /// Asks a question that has one answer.
    async fn ask(&mut self, mut question: Value) -> anyhow::Result<Value> {
        let id = self.next_id();
        question["responseid"] = json!(id);
        let action = question["action"].clone();
        self.send(&question).await?;
        // Some answers do not repeat what they answer.
        self.until(|message| message["action"] == action && (message["responseid"].is_null() || message["responseid"] == id)).await
    }

    fn next_id(&mut self) -> String {
        self.asked += 1;
        format!("bench-{}", self.asked)
    }

    pub(super) async fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        self.within(PATIENCE, wanted).await?.context("MeshCentral does not answer")
    }

    /// What else comes, is passed over.
    async fn within(&mut self, patience: Duration, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Option<Value>> {
        let deadline = Instant::now() + patience;
        loop {
            let Ok(received) = tokio::time::timeout_at(deadline.into(), self.socket.next()).await else { return Ok(None) };
            match received.context("MeshCentral hung up")?? {
                Message::Text(text) => {
                    let message: Value = serde_json::from_str(&text)?;
                    if message["action"] == "close" {
                        bail!("MeshCentral hangs up: {message}");
                    }
                    if wanted(&message) {
                        return Ok(Some(message));
                    }
                }
                _ => continue,
            }
        }
    }
}

/// Its ids are Base64 with letters of its own.
fn hex(id: &str) -> anyhow::Result<String> {
    let bytes = STANDARD.decode(id.replace('@', "+").replace('$', "/"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02X}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_with_their_own_letters() {
        assert_eq!(hex("@$8A").unwrap(), "FBFF00");
        assert!(hex("not one").is_err());
    }
}
