//! `sallyport serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sallyport_os::memory;
use sallyport_server::config::{Config, Raw};
use sallyport_server::outside::Outside;
use sallyport_server::{accounts, files_and_agents, open, serve_metrics, start};
use tokio::signal::unix::{SignalKind, signal};

use crate::log;

/// Heaps of the allocator: threads share them, and so do the devices what was freed for others.
const HEAPS: u8 = 2;
/// How often memory that is free goes back to the system.
const TIDY: Duration = Duration::from_secs(20);

/// Settings come from the file, then `SALLYPORT_*` variables, then these flags.
#[derive(Args, Default)]
pub(crate) struct Settings {
    /// Configuration file (TOML).
    #[arg(long, env = "SALLYPORT_CONFIG")]
    config: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long)]
    listen: Option<String>,
    /// How browsers and agents reach the server.
    #[arg(long)]
    public_url: Option<String>,
    /// Where the database and the master key lie.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// sqlite:PATH or postgres://HOST/NAME.
    #[arg(long)]
    database: Option<String>,
}

impl Settings {
    pub(crate) fn read(self) -> anyhow::Result<(Raw, Config)> {
        let mut raw = self.config.as_deref().map(Raw::read).transpose()?.unwrap_or_default();
        raw = raw.with_environment(|name| std::env::var(name).ok());
        raw.listen = self.listen.or(raw.listen);
        raw.public_url = self.public_url.or(raw.public_url);
        raw.data_dir = self.data_dir.or(raw.data_dir);
        raw.database = self.database.or(raw.database);
        let config = raw.clone().check()?;
        Ok((raw, config))
    }
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    settings: Settings,
    /// Write the one-time set-up link into this file, readable by its owner alone, instead of printing it.
    #[arg(long)]
    setup_link_file: Option<PathBuf>,
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (raw, config) = self.settings.read()?;
        log::start(&raw)?;
        memory::share_heaps(HEAPS);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(config, self.setup_link_file))
    }
}

async fn serve(config: Config, setup_link_file: Option<PathBuf>) -> anyhow::Result<()> {
    let (files, agents) = files_and_agents();
    let metrics: Option<SocketAddr> = config.metrics_listen;
    if let Some(address) = metrics {
        serve_metrics(address).await?;
    }
    let app = open(config, Outside::system()).await?;
    let origin = app.config.origin().to_owned();
    let setup_link = accounts::offer_setup(&app).await?;
    let running = start(app).await?;
    tokio::spawn(stay_small());
    tracing::info!(address = %running.address, origin, files, agents, "serving");
    if let Some(link) = setup_link {
        offer(&link, setup_link_file.as_deref())?;
    }
    wait_for_end().await?;
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

/// Tells the set-up link where it was asked for: what is printed ends in the journal of many a service manager.
fn offer(link: &str, file: Option<&std::path::Path>) -> anyhow::Result<()> {
    let Some(path) = file else {
        println!("Set up this installation, once, at:\n  {link}");
        return Ok(());
    };
    write_private(path, link.as_bytes()).with_context(|| format!("{} cannot be written", path.display()))?;
    println!("Set up this installation, once, by the link in {}", path.display());
    Ok(())
}

fn write_private(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// A storm of reconnects or a large list takes memory that is free again soon, but scattered.
async fn stay_small() {
    loop {
        tokio::time::sleep(TIDY).await;
        let _ = tokio::task::spawn_blocking(memory::give_back).await;
    }
}

async fn wait_for_end() -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
