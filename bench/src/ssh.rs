//! OpenSSH as a peer: a daemon of its own on the loopback, with keys of its own, for one run.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use sallyport_testkit::installation::free_port;
use tempfile::TempDir;

use crate::measure::{cpu_time_of_tree, install};

const START: Duration = Duration::from_secs(10);
const DAEMON: &str = "/usr/sbin/sshd";

pub(crate) struct Ssh {
    folder: TempDir,
    daemon: Child,
    port: u16,
}

impl Ssh {
    /// Installs it where it is missing, and starts a daemon that lets nobody in but this run.
    pub(crate) fn start() -> anyhow::Result<Self> {
        install(&[(DAEMON, "openssh-server"), ("/usr/bin/ssh", "openssh-client")])?;
        // The daemon wants it, and only its service would make it.
        std::fs::create_dir_all("/run/sshd").context("as root, please: /run/sshd")?;
        let folder = tempfile::tempdir()?;
        for key in ["host", "own"] {
            let path = folder.path().join(key);
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status()?;
            ensure!(made.success(), "ssh-keygen makes no key");
        }
        let port = free_port();
        let config = folder.path().join("sshd_config");
        std::fs::write(&config, settings(folder.path(), port))?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = Command::new(DAEMON);
        command.args(["-D", "-e", "-f"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let daemon = command.spawn().context("sshd does not start")?;
        let this = Self { folder, daemon, port };
        this.wait()?;
        Ok(this)
    }

    fn wait(&self) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > until {
                bail!("sshd does not listen: {}", std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The home of whoever comes.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn client(&self) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]);
        command
            .args(["-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-p", &self.port.to_string(), "-i"])
            .arg(self.folder.path().join("own"));
        command
    }

    /// A login shell in a terminal.
    pub(crate) fn shell(&self) -> anyhow::Result<Shell> {
        let mut command = self.client();
        command.args(["-tt", "127.0.0.1"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let (input, output) = (child.stdin.take().context("a pipe")?, child.stdout.take().context("a pipe")?);
        Ok(Shell { child, input, output })
    }

    /// A connection that commands share, as one session of ours serves many requests.
    pub(crate) fn connection(&self) -> anyhow::Result<Shared<'_>> {
        let socket = self.folder.path().join("socket").display().to_string();
        let mut command = self.client();
        command.args(["-M", "-N", "-S", &socket, "127.0.0.1"]).stdin(Stdio::null()).stdout(Stdio::null());
        let shared = Shared { ssh: self, master: command.spawn()?, socket };
        let until = Instant::now() + START;
        while !shared.is_there() {
            ensure!(Instant::now() < until, "ssh does not connect");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(shared)
    }

    /// Processor time of the daemon and of whatever serves a connection now.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_time_of_tree(self.daemon.id())
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn settings(folder: &Path, port: u16) -> String {
    let folder = folder.display();
    format!(
        "SetEnv HOME={folder}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/own.pub\nStrictModes no\nUsePAM no\n\
         PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPrintMotd no\nPrintLastLog no\n\
         PidFile none\nUseDNS no\nMaxStartups 50\n"
    )
}

/// A terminal over a connection of its own.
pub(crate) struct Shell {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Shell {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.input.write_all(bytes)?;
        Ok(self.input.flush()?)
    }

    /// What came; waits for the first of it.
    pub(crate) fn read(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut buffer = vec![0; 64 * 1024];
        let count = self.output.read(&mut buffer)?;
        ensure!(count > 0, "ssh ended");
        buffer.truncate(count);
        Ok(buffer)
    }

    pub(crate) fn until(&mut self, text: &[u8]) -> anyhow::Result<()> {
        let mut all = Vec::new();
        while !all.windows(text.len()).any(|window| window == text) {
            all.extend(self.read()?);
        }
        Ok(())
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that commands share.
pub(crate) struct Shared<'a> {
    ssh: &'a Ssh,
    master: Child,
    socket: String,
}

impl Shared<'_> {
    fn is_there(&self) -> bool {
        let asked = self.ssh.client().args(["-S", &self.socket, "-O", "check", "127.0.0.1"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    }

    fn command(&self, script: &str) -> Command {
        let mut command = self.ssh.client();
        command.args(["-S", &self.socket, "127.0.0.1", script]);
        command
    }

    /// What a command writes.
    pub(crate) fn read(&self, script: &str) -> anyhow::Result<Vec<u8>> {
        let done = self.command(script).stdin(Stdio::null()).output()?;
        ensure!(done.status.success(), "ssh: {}", String::from_utf8_lossy(&done.stderr));
        Ok(done.stdout)
    }

    /// Gives a command what it reads.
    pub(crate) fn write(&self, script: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let mut child = self.command(script).stdin(Stdio::piped()).spawn()?;
        child.stdin.take().context("a pipe")?.write_all(bytes)?;
        ensure!(child.wait()?.success(), "ssh ends with an error");
        Ok(())
    }
}

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        let _ = self.master.kill();
        let _ = self.master.wait();
    }
}
