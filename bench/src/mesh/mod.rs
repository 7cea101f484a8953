//! MeshCentral as a peer: its own server and agents on the loopback, from its package, for one run. Nothing of it is part of the product.

mod agent;
mod control;
mod package;
mod server;
mod terminal;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;

use agent::Agent;
pub(crate) use control::Control;
pub(crate) use package::Package;
pub(crate) use server::Server;
pub(crate) use terminal::Terminal;

/// As rows name it.
pub(crate) const NAME: &str = "MeshCentral";
const PATIENCE: Duration = Duration::from_secs(60);
/// Every agent makes RSA keys of its own when it starts for the first time. Were all of them to do so together, their server could not answer.
const AT_ONCE: usize = 8;
const LOOK: Duration = Duration::from_millis(200);
/// What happens once after agents came is over by then.
const SETTLE: Duration = Duration::from_secs(10);

/// A server with a client that is signed in, and agents that are connected.
pub(crate) struct Mesh {
    agents: Vec<Agent>,
    /// By the ids of the server.
    pub(crate) devices: Vec<String>,
    pub(crate) control: Control,
    pub(crate) server: Server,
    /// Where agents keep everything.
    folder: TempDir,
    settings: String,
}

impl Mesh {
    /// A server that nobody has connected to but a client.
    pub(crate) async fn empty() -> anyhow::Result<Self> {
        let package = Package::install()?;
        let mut server = Server::set_up(&package)?;
        server.start().await?;
        let mut control = Control::open(&server).await?;
        let settings = control.group(&server).await?;
        Ok(Self { agents: Vec::new(), devices: Vec::new(), control, server, folder: tempfile::tempdir()?, settings })
    }

    /// The same with so many agents, once nothing happens any more.
    pub(crate) async fn gather(count: usize) -> anyhow::Result<Self> {
        let mut mesh = Self::empty().await?;
        while mesh.agents.len() < count {
            for _ in mesh.agents.len()..count.min(mesh.agents.len() + AT_ONCE) {
                mesh.add()?.start()?;
            }
            mesh.wait_for(mesh.agents.len()).await?;
        }
        tokio::time::sleep(SETTLE).await;
        Ok(mesh)
    }

    /// One more agent, which does not run yet.
    pub(crate) fn add(&mut self) -> anyhow::Result<&mut Agent> {
        let folder = self.folder.path().join(self.agents.len().to_string());
        self.agents.push(Agent::new(self.server.package(), folder, &self.settings)?);
        self.agents.last_mut().context("an agent")
    }

    /// Waits for so many, and keeps their names.
    async fn wait_for(&mut self, count: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            self.devices = self.control.online().await?;
            if self.devices.len() >= count {
                return Ok(());
            }
            let there = self.devices.len();
            ensure!(begun.elapsed() < PATIENCE, "{there} of {count} agents come: {}", self.said());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks without a pause until so many are connected.
    pub(crate) async fn until(&mut self, online: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.control.online().await?.len() != online {
            ensure!(begun.elapsed() < PATIENCE, "an agent does not become what it should: {}", self.said());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    pub(crate) fn agent(&mut self) -> anyhow::Result<&mut Agent> {
        self.agents.first_mut().context("an agent")
    }

    /// Where files lie that a device is asked for.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Runs a script on devices: how many answered with a word of it within their time, and how long the last one took, in milliseconds.
    pub(crate) async fn run(&mut self, script: &str, devices: &[String], word: &str, patience: Duration) -> anyhow::Result<(usize, f64)> {
        let begun = Instant::now();
        let run = self.control.run(script, devices).await?;
        let (mut answered, mut last) = (std::collections::BTreeSet::new(), begun);
        while answered.len() < devices.len() {
            let Some(reply) = self.control.reply(&run, patience.saturating_sub(begun.elapsed())).await? else { break };
            if reply["result"].as_str().is_some_and(|said| said.contains(word)) {
                answered.extend(reply["nodeid"].as_str().map(str::to_owned));
                last = Instant::now();
            }
        }
        Ok((answered.len(), (last - begun).as_secs_f64() * 1000.0))
    }

    fn said(&mut self) -> String {
        let agent = self.agents.first().map(Agent::said).unwrap_or_default();
        format!("{}\n{agent}", self.server.said())
    }
}

/// Text of a reply.
fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    value[name].as_str().with_context(|| format!("no {name} in {value}"))
}
