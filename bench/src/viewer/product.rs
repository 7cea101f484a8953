//! The whole way: display, agent, server, `sallyport viewer`, and the same client behind it. The session is recorded, as the rules are
//! without anybody's doing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sallyport_testkit::agent::program;
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::owner::{EMAIL, PASSWORD};
use tempfile::TempDir;

use super::client::Client;
use super::stage::TERMINAL;
use super::{LINE, Reached, WATCH, type_keys};
use crate::measure::{cpu_time, descendant};
use crate::place::first_device;

/// A machine with a display of its own, which sees no other one.
const MACHINE: &str = "mkdir -p /tmp/.X11-unix && mount -t tmpfs -o mode=1777 none /tmp/.X11-unix
Xvfb :97 -screen 0 1280x720x24 -nolisten tcp -nolock -noreset &
while [ ! -S /tmp/.X11-unix/X97 ]; do sleep 0.1; done
export DISPLAY=:97; state=$1 agent=$2; shift 2
\"$@\" &
exec \"$agent\" run --state \"$state\"";

/// What the whole product reached, and the server's share of one processor while the terminal scrolled.
pub(super) async fn reach() -> anyhow::Result<(Reached, f64)> {
    let installation = Installation::plain();
    let mut operator = Operator::set_up(&installation).await;
    let desktop = Desktop::start(&operator.installer(1).await)?;
    let device = first_device(&mut operator).await?;
    let code = operator.codes.fresh().await;
    let server = installation.pid();
    tokio::task::spawn_blocking(move || desktop.reach(&installation, &device, &code, server)).await?
}

struct Desktop {
    folder: TempDir,
    machine: Child,
}

impl Desktop {
    fn start(enrolment: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("enrolment.json");
        std::fs::write(&file, enrolment)?;
        let state = folder.path().join("state");
        let enrolled =
            Command::new(program("sallyport-agent")).arg("enrol").arg(file).arg("--state").arg(&state).stdout(Stdio::null()).status();
        ensure!(enrolled?.success(), "the agent does not enrol");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", MACHINE, "desktop"]);
        command.arg(&state).arg(program("sallyport-agent")).arg("xterm").args(TERMINAL).args(["sh", "-c", &script(folder.path())]);
        let machine = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("unshare, as root")?;
        Ok(Self { folder, machine })
    }

    fn reach(&self, installation: &Installation, device: &str, code: &str, server: u32) -> anyhow::Result<(Reached, f64)> {
        let session = self.folder.path().join("session.json");
        sign_in(installation, &session, code)?;
        let viewer = Viewer::open(&session, device)?;
        let agent = descendant(self.machine.id(), "sallyport-agent").context("the agent does not run")?;
        let mut client = Client::connect(viewer.port)?;
        client.watch(Duration::from_secs(1))?;
        let (begun, before) = (Instant::now(), (cpu_time(agent), cpu_time(server)));
        let updates = client.watch(WATCH)?;
        let (took, after) = (begun.elapsed().as_secs_f64(), (cpu_time(agent), cpu_time(server)));
        std::fs::write(self.folder.path().join(STILL), "")?;
        let share = |after: Duration, before: Duration| (after - before).as_secs_f64() / took * 100.0;
        let keys = type_keys(&mut client)?;
        Ok((Reached { updates_per_second: updates as f64 / took, processor: share(after.0, before.0), keys }, share(after.1, before.1)))
    }
}

/// The terminal scrolls until this file is there.
const STILL: &str = "still";

fn script(folder: &Path) -> String {
    format!("i=0; while [ ! -e '{}/{STILL}' ]; do {LINE}; done; exec cat >/dev/null", folder.display())
}

fn sign_in(installation: &Installation, session: &Path, code: &str) -> anyhow::Result<()> {
    use sallyport_testkit::host::Host as _;
    let mut command = Command::new(program("sallyport"));
    command.args(["login", installation.origin(), "--email", EMAIL, "--password-stdin", "--code-stdin", "--session"]).arg(session);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    child.stdin.take().context("a pipe")?.write_all(format!("{PASSWORD}\n{code}\n").as_bytes())?;
    ensure!(child.wait()?.success(), "the sign-in failed");
    Ok(())
}

/// `sallyport viewer`, and its port.
struct Viewer {
    child: Child,
    port: u16,
}

impl Viewer {
    fn open(session: &Path, device: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(program("sallyport"));
        command.args(["viewer", device, "--yes", "--json", "--session"]).arg(session);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("a pipe")?);
        let mut told = String::new();
        while !told.trim_end().ends_with('}') {
            ensure!(output.read_line(&mut told)? > 0, "sallyport viewer ended: {told}");
        }
        let told: serde_json::Value = serde_json::from_str(&told)?;
        let port = told["address"].as_str().and_then(|address| address.rsplit(':').next()).and_then(|port| port.parse().ok());
        Ok(Self { child, port: port.context("a port")? })
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        // Everything of the machine ends with it.
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}
