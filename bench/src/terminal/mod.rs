//! `terminal`: from asking to the first output, the echo of keys, and a large text, through server, agent, encryption and recording.

mod peers;

use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sallyport_os::{Account, Login, Pty, Size, Sweep};

use crate::Peers;
use crate::measure::millis;
use crate::mesh;
use crate::place::{Place, Said, mib_per_sec, next};
use crate::report::{Op, Row};
use peers::Others;

const OPENINGS: usize = 20;
const SHELLS: usize = 5;
/// Of keys and of texts.
const TURNS: usize = 5;
const KEYS_PER_TURN: usize = 100;
/// Between keys, so that each is a packet of its own.
const PAUSE: Duration = Duration::from_millis(5);
/// A line is ended now and then: terminals take no endless ones.
const LINE: usize = 60;
const TEXT_BYTES: usize = 50 << 20;
/// Says a word that what is typed does not have.
const ECHO: &[u8] = b"echo re''ady; exec cat >/dev/null\n";

/// What one product reached.
#[derive(Default)]
struct Reached {
    openings: Vec<f64>,
    /// What a login shell takes by itself to say something: nobody's merit.
    shell_alone: f64,
    keys: Vec<f64>,
    texts: Vec<f64>,
    /// Share of one processor while the text went through.
    processor: Vec<f64>,
}

impl Reached {
    fn without_shell(&self) -> Vec<f64> {
        self.openings.iter().map(|took| (took - self.shell_alone).max(0.0)).collect()
    }
}

/// What was reached in one run; peers only where they were wanted.
#[derive(Default)]
struct Run {
    ours: Reached,
    server: Vec<f64>,
    /// MiB per second through a pseudoterminal that is only read.
    kernel: Vec<f64>,
    ssh: Option<Reached>,
    mesh: Option<Reached>,
}

/// All in turns, so that whatever else the machine does meets all of them. Nothing else is done on this thread: what blocks may block.
pub(crate) async fn measure(peers: Peers) -> anyhow::Result<Vec<Row>> {
    let mut place = Place::over_tls().await?;
    place.prove("terminal").await?;
    let text = place.text_file(TEXT_BYTES)?;
    let mut others = match peers {
        Peers::Absent => None,
        Peers::Beside => Some(Others::start(&text).await?),
    };
    let mut run = Run::default();
    run.ours.shell_alone = shell_alone(place.folder())?;
    for _ in 0..OPENINGS {
        run.ours.openings.push(open(&mut place).await?);
        if let Some(others) = &mut others {
            others.open().await?;
        }
    }
    for _ in 0..TURNS {
        run.ours.keys.extend(keys(&mut place).await?);
        if let Some(others) = &mut others {
            others.keys().await?;
        }
    }
    for _ in 0..TURNS {
        run.kernel.push(terminal_alone(&text)?);
        run.text(&mut place, &text).await?;
        if let Some(others) = &mut others {
            others.text().await?;
        }
    }
    if let Some(others) = others {
        (run.ssh, run.mesh) = (Some(others.of_ssh), Some(others.of_mesh));
    }
    Ok(run.rows())
}

fn row(variant: &str, unit: &'static str, values: &[f64]) -> Row {
    Row::of("terminal", variant, unit, values)
}

impl Run {
    fn rows(&self) -> Vec<Row> {
        let ours = &self.ours;
        let ssh = |row: Row, of: fn(&Reached) -> Vec<f64>| row.beside("OpenSSH", self.ssh.as_ref().map(of).as_ref());
        let mesh = |row: Row, of: fn(&Reached) -> Vec<f64>| row.beside(mesh::NAME, self.mesh.as_ref().map(of).as_ref());
        let without_shell = ours.without_shell();
        let mut rows = vec![
            // What MeshCentral sends first is no output of its shell, so that none is taken off there.
            mesh(row("open-without-shell", "ms", &without_shell), |reached| reached.openings.clone()).budget(Op::AtMost, 0.33),
            mesh(row("open-to-first-output", "ms", &ours.openings), |reached| reached.openings.clone()),
            ssh(row("open-without-shell-and-OpenSSH", "ms", &without_shell), Reached::without_shell),
            row("shell-alone-to-first-output", "ms", &[ours.shell_alone]),
            ssh(row("keystroke-echo", "ms", &ours.keys), |reached| reached.keys.clone()).budget(Op::AtMost, 1.0),
            mesh(row("keystroke-echo-and-MeshCentral", "ms", &ours.keys), |reached| reached.keys.clone()),
            mesh(row("cat-50-MiB", "MiB/s", &ours.texts), |reached| reached.texts.clone()).budget(Op::AtLeast, 3.0),
            ssh(row("cat-50-MiB-and-OpenSSH", "MiB/s", &ours.texts), |reached| reached.texts.clone()),
            row("cat-50-MiB-of-the-kernel", "MiB/s", &ours.texts).beside("a pseudoterminal that is only read", Some(&self.kernel)),
            row("cat-cpu-agent", "% of a core", &ours.processor),
            row("cat-cpu-server", "% of a core", &self.server),
        ];
        let peers = [("OpenSSH", "sshd", &self.ssh), (mesh::NAME, "agent", &self.mesh)];
        for (name, serves, reached) in peers {
            let Some(reached) = reached else { continue };
            rows.extend([
                row(&format!("{name}-open-to-first-output"), "ms", &reached.openings),
                row(&format!("{name}-keystroke-echo"), "ms", &reached.keys),
                row(&format!("{name}-cat-50-MiB"), "MiB/s", &reached.texts),
                row(&format!("{name}-cat-cpu-{serves}"), "% of a core", &reached.processor),
            ]);
        }
        rows
    }

    /// MiB per second, and shares of a processor of agent and server.
    async fn text(&mut self, place: &mut Place, text: &Path) -> anyhow::Result<()> {
        let (client, mut end) = place.stream("terminal").await?;
        end.send_data(0, b"echo re''ady\n").await;
        end.until("ready").await;
        let (begun, before) = (Instant::now(), place.cpu());
        end.send_data(0, format!("cat '{}'; echo do''ne\n", text.display()).as_bytes()).await;
        let (mut bytes, mut tail) = (0, Vec::new());
        while !ends_with_done(&mut tail) {
            if let Said::Data(more) = next(&mut end).await? {
                bytes += more.len();
                tail.extend(more);
            }
        }
        anyhow::ensure!(bytes >= TEXT_BYTES, "only {bytes} bytes came");
        self.ours.texts.push(mib_per_sec(TEXT_BYTES, begun));
        let (took, after) = (begun.elapsed(), place.cpu());
        place.end(&client).await?;
        self.ours.processor.push(share(after.0 - before.0, took));
        self.server.push(share(after.1 - before.1, took));
        Ok(())
    }
}

/// Of one processor, in percent.
fn share(busy: Duration, took: Duration) -> f64 {
    busy.as_secs_f64() / took.as_secs_f64() * 100.0
}

async fn open(place: &mut Place) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let (client, mut end) = place.open("terminal").await?;
    end.data().await;
    let took = millis(begun);
    place.end(&client).await?;
    Ok(took)
}

/// A login shell in a terminal and nothing else, until its first output; the median of some. It begins in an empty home, as those of the
/// agent and of the SSH daemon do.
fn shell_alone(home: &Path) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..SHELLS {
        let begun = Instant::now();
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", "exec bash -l", "/dev/null"]);
        command.env("HOME", home);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("script, of Debian's bsdutils")?;
        let said = child.stdout.as_mut().context("a pipe")?.read(&mut [0; 64])?;
        times.push(millis(begun));
        child.kill()?;
        child.wait()?;
        anyhow::ensure!(said > 0, "a shell says nothing");
    }
    Ok(Row::of("terminal", "shell-alone", "ms", &times).p50)
}

async fn keys(place: &mut Place) -> anyhow::Result<Vec<f64>> {
    let (client, mut end) = place.stream("terminal").await?;
    end.send_data(0, ECHO).await;
    end.until("ready").await;
    let mut times = Vec::with_capacity(KEYS_PER_TURN);
    for at in 1..=KEYS_PER_TURN {
        tokio::time::sleep(PAUSE).await;
        let begun = Instant::now();
        end.send_data(0, b"a").await;
        end.until("a").await;
        times.push(millis(begun));
        if at % LINE == 0 {
            end.send_data(0, b"\n").await;
            end.until("\n").await;
        }
    }
    place.end(&client).await?;
    Ok(times)
}

/// The same text through a pseudoterminal that is read and nothing else, in MiB per second: what the kernel gives, and nobody gets more.
fn terminal_alone(text: &Path) -> anyhow::Result<f64> {
    let mut buffer = vec![0; 64 << 10];
    let account = Account::own()?;
    let size = Size { columns: 80, rows: 24 };
    let arguments = [text.to_str().context("a path that is text")?];
    let cat = Login { shell: Path::new("/bin/cat"), arguments: &arguments, environment: &[], account: &account, mark: "bench", size };
    let (begun, pty) = (Instant::now(), Pty::open(&cat)?);
    let mut bytes = 0;
    loop {
        match pty.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => bytes += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    let rate = mib_per_sec(TEXT_BYTES, begun);
    pty.end(Sweep::Everything)?;
    anyhow::ensure!(bytes >= TEXT_BYTES, "only {bytes} bytes came");
    Ok(rate)
}

/// Looks for the word behind the text; keeps no more than its length.
fn ends_with_done(tail: &mut Vec<u8>) -> bool {
    const DONE: &[u8] = b"\ndone\r\n";
    let found = tail.windows(DONE.len()).any(|window| window == DONE);
    tail.drain(..tail.len().saturating_sub(DONE.len() - 1));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_behind_a_text_is_found_where_it_comes_in_pieces() {
        let mut tail = b"12\r\ndo".to_vec();
        assert!(!ends_with_done(&mut tail));
        tail.extend(b"ne\r\n");
        assert!(ends_with_done(&mut tail));
        assert!(!ends_with_done(&mut b"cat 'x'; echo do''ne\r\n".to_vec()), "not what was typed");
    }
}
