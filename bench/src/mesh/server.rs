//! Its server, in a folder of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use sallyport_server::outside::SystemEntropy;
use sallyport_testkit::installation::free_port;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Package;
use crate::measure::{children, end_tree};

/// Its first start makes RSA keys and signs programs.
const START: Duration = Duration::from_secs(180);
pub(super) const USER: &str = "owner";

pub(crate) struct Server {
    package: Package,
    folder: TempDir,
    port: u16,
    pub(super) password: String,
    child: Option<Child>,
}

impl Server {
    /// One that was never started.
    pub(crate) fn new(package: &Package) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port();
        let data = folder.path().join("data");
        std::fs::create_dir_all(&data)?;
        std::fs::write(data.join("config.json"), settings(port))?;
        let secret: [u8; 16] = sallyport_server::outside::random(&SystemEntropy);
        let password = secret.map(|byte| format!("{byte:02x}")).concat();
        Ok(Self { package: package.clone(), folder, port, password, child: None })
    }

    /// One with an account that may do everything.
    pub(crate) fn set_up(package: &Package) -> anyhow::Result<Self> {
        let server = Self::new(package)?;
        for arguments in [&["--createaccount", USER, "--pass", &server.password][..], &["--adminaccount", USER]] {
            let done = server.command()?.args(arguments).output()?;
            let said = String::from_utf8_lossy(&done.stdout);
            ensure!(done.status.success() && said.contains("Done"), "no account: {said}");
        }
        Ok(server)
    }

    fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new("node");
        command.arg(self.package.folder()).arg("--datapath").arg(self.folder.path().join("data"));
        command.arg("--filespath").arg(self.folder.path().join("files")).current_dir(self.folder.path());
        // A proxy in the environment would have it install one more package.
        command.env_clear().env("HOME", self.folder.path()).env("PATH", std::env::var_os("PATH").context("a PATH")?);
        command.stdin(Stdio::null());
        Ok(command)
    }

    /// Starts it as its own service does; how long it took to its first 200, in milliseconds.
    pub(crate) async fn start(&mut self) -> anyhow::Result<f64> {
        let log = std::fs::File::create(self.log())?;
        let begun = Instant::now();
        let mut command = self.command()?;
        self.child = Some(command.stdout(log.try_clone()?).stderr(log).spawn().context("node, which is needed for this peer")?);
        while !self.is_ready().await {
            let ended = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
            if ended.is_some() || begun.elapsed() > START {
                bail!("MeshCentral is not ready: {}", self.said());
            }
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        Ok(crate::measure::millis(begun))
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut stream) = self.connect().await else { return false };
        let asked = stream.write_all(b"GET /health.ashx HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        let mut head = [0; 12];
        asked.is_ok() && stream.read_exact(&mut head).await.is_ok() && &head[9..] == b"200"
    }

    /// TLS with its own certificate and no other.
    pub(super) async fn connect(&self) -> anyhow::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let root = CertificateDer::from_pem_file(self.folder.path().join("data/root-cert-public.crt"))?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let client = client.with_root_certificates(roots).with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(client)).connect(ServerName::try_from("localhost")?, stream).await?)
    }

    /// The process that serves; the one that was started watches it.
    pub(crate) fn pid(&self) -> Option<u32> {
        let watcher = self.child.as_ref()?.id();
        children(watcher).first().copied()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(child) = self.child.take() {
            end_tree(child);
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn package(&self) -> &Package {
        &self.package
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// As it is delivered, but for what would speak to others than this machine: no time stamps from the Internet, no discovery, no backups.
fn settings(port: u16) -> String {
    json!({
        "settings": {
            "cert": "127.0.0.1", "WANonly": true, "port": port, "portBind": "127.0.0.1", "exactPorts": true, "redirPort": 0, "mpsPort": 0,
            "agentTimeStampServer": false, "localDiscovery": false, "amtManager": false, "amtScanner": false, "selfUpdate": false,
            "noAgentUpdate": 1, "autoBackup": false,
        },
        "domains": { "": { "newAccounts": false } },
    })
    .to_string()
}
