//! A fresh installation: the shipped server program in a process of its own, on the system's clock.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_rustls::TlsConnector;

use crate::agent::program;
use crate::client::Client;
use crate::host::Host;
use crate::server::TestClock;
use crate::simulated::{Certificate, Spread};

/// How long it may take until it is ready.
const START: Duration = Duration::from_secs(30);

/// A server process and the folder that it keeps everything in.
pub struct Installation {
    folder: TempDir,
    address: SocketAddr,
    origin: String,
    clock: TestClock,
    certificate: Option<Certificate>,
    settings: Vec<(String, String)>,
    child: Option<Child>,
    /// From the start of the program to its first 200 on `/readyz`; to the first connection where it speaks TLS.
    pub ready_after: Duration,
}

impl Host for Installation {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn origin(&self) -> &str {
        &self.origin
    }

    fn clock(&self) -> &TestClock {
        &self.clock
    }

    fn tls(&self) -> Option<TlsConnector> {
        self.certificate.as_ref().map(Certificate::connector)
    }
}

/// A port that nobody listens on now.
///
/// # Panics
/// Where the loopback has none.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

impl Installation {
    /// Plain HTTP on the loopback.
    pub fn plain() -> Self {
        let port = free_port();
        Self::new(port, format!("http://127.0.0.1:{port}"), None, &[])
    }

    /// The same with more settings, by the names of their variables.
    pub fn configured(settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        Self::new(port, format!("http://127.0.0.1:{port}"), None, settings)
    }

    /// Plain HTTP; agents and browsers are told another port, on which somebody stands in between.
    pub fn behind(port: u16) -> Self {
        Self::new(free_port(), format!("http://127.0.0.1:{port}"), None, &[])
    }

    /// TLS with a certificate for `localhost`.
    pub fn over_tls() -> Self {
        let port = free_port();
        Self::new(port, format!("https://localhost:{port}"), Some(Certificate::new()), &[])
    }

    fn new(port: u16, origin: String, certificate: Option<Certificate>, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        if let Some(certificate) = &certificate {
            std::fs::write(folder.path().join("tls.crt"), &certificate.certificate).expect("a file");
            std::fs::write(folder.path().join("tls.key"), &certificate.key).expect("a file");
        }
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let clock = TestClock::system();
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut made = Self { folder, address, origin, clock, certificate, settings, child: None, ready_after: Duration::ZERO };
        made.start();
        made
    }

    /// Starts the program; returns once it is ready.
    ///
    /// # Panics
    /// Where it ends or is not ready in time.
    pub fn start(&mut self) {
        let program = program("sallyport");
        let file = |name: &str| {
            let options = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join(name));
            options.expect("a file")
        };
        let mut command = Command::new(program);
        command.args(["serve", "--listen", &self.address.to_string(), "--public-url", &self.origin, "--data-dir"]);
        command.arg(self.folder.path().join("data")).arg("--setup-link-file").arg(self.folder.path().join("link"));
        if self.certificate.is_some() {
            command.env("SALLYPORT_TLS_CERTIFICATE", self.folder.path().join("tls.crt"));
            command.env("SALLYPORT_TLS_KEY", self.folder.path().join("tls.key"));
            command.env("SALLYPORT_TLS_CA", self.folder.path().join("tls.crt"));
        }
        command.env("SALLYPORT_LOG", "warn").env_remove("SALLYPORT_CONFIG").env_remove("SALLYPORT_DATABASE");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(file("said")).stderr(file("log"));
        let begun = Instant::now();
        self.child = Some(command.spawn().expect("the server starts"));
        while !self.is_ready() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("a child"));
            assert!(ended.is_none() && begun.elapsed() < START, "{ended:?}: {}", self.log());
            std::thread::sleep(Duration::from_micros(500));
        }
        self.ready_after = begun.elapsed();
    }

    fn is_ready(&self) -> bool {
        use std::io::{Read as _, Write as _};
        let Ok(mut stream) = std::net::TcpStream::connect(self.address) else { return false };
        if self.certificate.is_some() {
            return true;
        }
        let mut head = [0; 12];
        let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        asked.and_then(|()| stream.read_exact(&mut head)).is_ok() && &head[9..] == b"200"
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end, as a service manager does.
    pub fn terminate(&self) {
        let told = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(told.expect("kill").success());
    }

    /// How it ended, where it was told to.
    ///
    /// # Panics
    /// Where it does not end.
    pub fn ended(&mut self) -> ExitStatus {
        let (begun, mut child) = (Instant::now(), self.child.take().expect("the server runs"));
        loop {
            match child.try_wait().expect("a child") {
                Some(status) => return status,
                None if begun.elapsed() < START => std::thread::sleep(Duration::from_millis(5)),
                None => panic!("it goes on: {:?}", child.kill()),
            }
        }
    }

    /// The process.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// A browser with a key of its own for each seed from 1 on.
    pub fn browser(&self, seed: u8) -> Client {
        let client = Client::new(self, seed);
        match self.tls() {
            None => client,
            Some(tls) => client.over(tls),
        }
    }

    /// How simulated agents reach it.
    pub fn network(&self) -> Spread {
        Spread::to(self.address, self.tls())
    }

    /// The one-time token of the set-up link.
    ///
    /// # Panics
    /// Where the program has not written the link within its time.
    pub fn setup_token(&self) -> String {
        let begun = Instant::now();
        loop {
            let link = std::fs::read_to_string(self.folder.path().join("link")).unwrap_or_default();
            match link.split_once('#') {
                Some((_, token)) if !token.is_empty() => return token.trim().to_owned(),
                _ => assert!(begun.elapsed() < START, "no link: {}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it logged, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Where database and master key lie.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// A folder that lives as long as the installation.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.kill();
    }
}
