//! One installation with one real device, and remote sessions to it as a client opens them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use sallyport_testkit::agent::Machine;
use sallyport_testkit::client::Call;
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::remote::{RemoteClient, RemoteEnd, body};
use sallyport_wire::stream::StreamSecret;
use serde_json::{Value, json};

use crate::measure::cpu_time;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server and an agent, each a process of its own, over the loopback.
pub(crate) struct Place {
    installation: Installation,
    operator: Operator,
    machine: Machine,
    device: String,
}

impl Place {
    pub(crate) async fn make() -> anyhow::Result<Self> {
        Self::around(Installation::plain()).await
    }

    /// The same over TLS, as others who are compared with it speak.
    pub(crate) async fn over_tls() -> anyhow::Result<Self> {
        Self::around(Installation::over_tls()).await
    }

    async fn around(installation: Installation) -> anyhow::Result<Self> {
        let mut operator = Operator::set_up(&installation).await;
        operator.owner.client = operator.owner.client.keeping();
        let mut machine = Machine::new();
        machine.enrol(&operator.installer(1).await);
        machine.start();
        let device = first_device(&mut operator).await?;
        Ok(Self { installation, operator, machine, device })
    }

    /// Opens a session, by a code where the window has served another kind; the next ones of this kind take none.
    pub(crate) async fn prove(&mut self, kind: &str) -> anyhow::Result<()> {
        let secret = secret();
        let wanted = body(&secret, json!({ "kind": kind, "device": self.device }));
        let opened = self.operator.ask("/v1/remote-sessions", wanted).await;
        self.end(&RemoteClient::of(opened, secret)).await
    }

    /// Opens a session of a kind that was proved, and dials.
    pub(crate) async fn open(&mut self, kind: &str) -> anyhow::Result<(RemoteClient, RemoteEnd)> {
        let secret = secret();
        let wanted = body(&secret, json!({ "kind": kind, "device": self.device }));
        let reply = self.operator.owner.client.post("/v1/remote-sessions", wanted).await;
        ensure!(reply.status == 201, "the step-up window does not cover it: {}", String::from_utf8_lossy(&reply.body));
        let client = RemoteClient::of(reply.json(), secret);
        match client.dial(&self.installation).await {
            Ok(end) => Ok((client, end)),
            Err(refused) => bail!("the stream was refused: {refused:?}"),
        }
    }

    /// The same, once frames go both ways.
    pub(crate) async fn stream(&mut self, kind: &str) -> anyhow::Result<(RemoteClient, RemoteEnd)> {
        let (client, mut end) = self.open(kind).await?;
        end.up().await;
        Ok((client, end))
    }

    pub(crate) async fn end(&mut self, client: &RemoteClient) -> anyhow::Result<()> {
        let path = format!("/v1/remote-sessions/{}", client.session());
        let status = self.operator.owner.client.send(Call::new("DELETE", &path)).await.status;
        ensure!(status == 204, "a session did not end: {status}");
        Ok(())
    }

    /// Where files lie that the device is asked for.
    pub(crate) fn folder(&self) -> &Path {
        self.machine.folder()
    }

    /// A file of so many bytes that compress badly and are text.
    pub(crate) fn text_file(&self, bytes: usize) -> anyhow::Result<PathBuf> {
        let path = self.folder().join("large.txt");
        std::fs::write(&path, text(bytes)).context("a large file")?;
        Ok(path)
    }

    /// Processor time of the agent and of the server so far.
    pub(crate) fn cpu(&self) -> (Duration, Duration) {
        (self.machine.pid().map_or(Duration::ZERO, cpu_time), cpu_time(self.installation.pid()))
    }
}

/// Waits for the one device and approves it.
pub(crate) async fn first_device(operator: &mut Operator) -> anyhow::Result<String> {
    ensure!(operator.wait_for("state=pending", 1, PATIENCE).await == 1, "the device does not enrol");
    let device = operator.ids("state=pending").await.pop().context("a device")?;
    operator.approve_all().await;
    ensure!(operator.wait_for("state=online", 1, PATIENCE).await == 1, "the device does not come");
    Ok(device)
}

fn secret() -> StreamSecret {
    StreamSecret::from_bytes(sallyport_server::outside::random(&sallyport_server::outside::SystemEntropy))
}

/// Lines of 80 digits, as wide as terminals are.
pub(crate) fn text(bytes: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes);
    let mut state = 1u64;
    while text.len() < bytes {
        // Numerical Recipes' generator: nothing here depends on its quality.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.extend(format!("{:020}", state >> 1).into_bytes());
        if text.len() % 81 == 80 {
            text.push(b'\n');
        }
    }
    text.truncate(bytes);
    // What is printed behind it begins a line.
    if let Some(last) = text.last_mut() {
        *last = b'\n';
    }
    text
}

/// MiB per second.
pub(crate) fn mib_per_sec(bytes: usize, since: Instant) -> f64 {
    bytes as f64 / f64::from(1 << 20) / since.elapsed().as_secs_f64()
}

/// What comes next, as JSON where it is a control message.
pub(crate) enum Said {
    Data(Vec<u8>),
    Control(Value),
}

pub(crate) async fn next(end: &mut RemoteEnd) -> anyhow::Result<Said> {
    use sallyport_wire::stream::Payload;
    match end.next().await {
        Ok(Payload::Data { bytes, .. }) => Ok(Said::Data(bytes)),
        Ok(Payload::Control(json)) => Ok(Said::Control(serde_json::from_slice(&json)?)),
        Err(closed) => bail!("the stream ended: {closed:?}"),
    }
}
