//! `terminal`: from asking to the first output, the echo of keys, and a large text, through server, agent, encryption and recording.

use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sallyport_os::{Account, Login, Pty, Size, Sweep};
use sallyport_testkit::remote::RemoteEnd;

use crate::Peers;
use crate::measure::millis;
use crate::place::{Place, Said, mib_per_sec, next};
use crate::report::{Op, Row};
use crate::ssh::{Shell, Ssh};

pub(crate) const OPENINGS: usize = 20;
const SHELLS: usize = 5;
pub(crate) const KEYS: usize = 500;
/// Between keys, so that each is a packet of its own.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);
/// A line is ended now and then: terminals take no endless ones.
pub(crate) const LINE: usize = 60;
pub(crate) const TEXT_BYTES: usize = 50 << 20;
pub(crate) const TEXTS: usize = 3;
/// Says a word that what is typed does not have.
pub(crate) const ECHO: &[u8] = b"echo re''ady; exec cat >/dev/null\n";

/// What one product reached.
#[derive(Default)]
pub(crate) struct Reached {
    pub(crate) openings: Vec<f64>,
    /// What a login shell takes by itself to say something: nobody's merit.
    pub(crate) shell_alone: f64,
    pub(crate) keys: Vec<f64>,
    pub(crate) texts: Vec<f64>,
    /// Share of one processor while the text went through.
    pub(crate) processor: Vec<f64>,
}

impl Reached {
    fn without_shell(&self) -> Vec<f64> {
        self.openings.iter().map(|took| (took - self.shell_alone).max(0.0)).collect()
    }
}

pub(crate) async fn measure(peers: Peers) -> anyhow::Result<Vec<Row>> {
    let mut place = Place::make().await?;
    place.prove("terminal").await?;
    let (ours, server) = reach(&mut place).await?;
    let text = place.text_file(TEXT_BYTES)?;
    let bare = tokio::task::spawn_blocking({
        let text = text.clone();
        move || terminal_alone(&text)
    });
    let bare = bare.await??;
    let ssh = match peers {
        Peers::Absent => None,
        Peers::Beside => Some(tokio::task::spawn_blocking(move || Ssh::start()?.terminal(&text)).await??),
    };
    let against = |row: Row, of: fn(&Reached) -> Vec<f64>| match &ssh {
        Some(ssh) => row.against("OpenSSH", Row::of("terminal", "OpenSSH", "", &of(ssh)).p50),
        None => row.against_absent("OpenSSH"),
    };
    let row = |variant: &str, unit, values: &[f64]| Row::of("terminal", variant, unit, values);
    let mut rows = vec![
        // A third of MeshCentral, which took 227 ms beside 360 ms of OpenSSH.
        against(row("open-without-shell", "ms", &ours.without_shell()), Reached::without_shell).budget(Op::AtMost, 0.21),
        row("open-to-first-output", "ms", &ours.openings),
        row("shell-alone-to-first-output", "ms", &[ours.shell_alone]),
        against(row("keystroke-echo", "ms", &ours.keys), |reached| reached.keys.clone()).budget(Op::AtMost, 1.0),
        // Three times MeshCentral, which passed 53 MiB/s beside 30 MiB/s of OpenSSH.
        against(row("cat-50-MiB", "MiB/s", &ours.texts), |reached| reached.texts.clone()).budget(Op::AtLeast, 5.3),
        Row::of("terminal", "cat-50-MiB-of-the-kernel", "MiB/s", &ours.texts).against("a pseudoterminal that is only read", bare),
        row("cat-cpu-agent", "% of a core", &ours.processor),
        row("cat-cpu-server", "% of a core", &server),
    ];
    if let Some(ssh) = &ssh {
        rows.extend([
            row("OpenSSH-open-to-first-output", "ms", &ssh.openings),
            row("OpenSSH-keystroke-echo", "ms", &ssh.keys),
            row("OpenSSH-cat-50-MiB", "MiB/s", &ssh.texts),
            row("OpenSSH-cat-cpu-sshd", "% of a core", &ssh.processor),
        ]);
    }
    Ok(rows)
}

async fn reach(place: &mut Place) -> anyhow::Result<(Reached, Vec<f64>)> {
    let mut reached = Reached { shell_alone: shell_alone(place.folder())?, ..Reached::default() };
    for _ in 0..OPENINGS {
        let begun = Instant::now();
        let (client, mut end) = place.open("terminal").await?;
        end.data().await;
        reached.openings.push(millis(begun));
        place.end(&client).await?;
    }
    let (client, mut end) = place.stream("terminal").await?;
    reached.keys = keys(&mut end).await;
    place.end(&client).await?;
    let mut server = Vec::new();
    for _ in 0..TEXTS {
        let (agent_share, server_share, rate) = text(place).await?;
        reached.texts.push(rate);
        reached.processor.push(agent_share);
        server.push(server_share);
    }
    Ok((reached, server))
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

async fn keys(end: &mut RemoteEnd) -> Vec<f64> {
    end.send_data(0, ECHO).await;
    end.until("ready").await;
    let mut times = Vec::with_capacity(KEYS);
    for at in 1..=KEYS {
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
    times
}

/// The same text through a pseudoterminal that is read and nothing else, in MiB per second: what the kernel gives, and nobody gets more.
fn terminal_alone(text: &Path) -> anyhow::Result<f64> {
    let (mut rates, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    let account = Account::own()?;
    let size = Size { columns: 80, rows: 24 };
    for _ in 0..TEXTS {
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
        rates.push(mib_per_sec(TEXT_BYTES, begun));
        pty.end(Sweep::Everything)?;
        anyhow::ensure!(bytes >= TEXT_BYTES, "only {bytes} bytes came");
    }
    Ok(Row::of("terminal", "terminal-alone", "MiB/s", &rates).p50)
}

/// Shares of a processor, agent and server, and MiB per second.
async fn text(place: &mut Place) -> anyhow::Result<(f64, f64, f64)> {
    let path = place.text_file(TEXT_BYTES)?;
    let (client, mut end) = place.stream("terminal").await?;
    end.send_data(0, b"echo re''ady\n").await;
    end.until("ready").await;
    let (begun, before) = (Instant::now(), place.cpu());
    end.send_data(0, format!("cat '{}'; echo do''ne\n", path.display()).as_bytes()).await;
    let (mut bytes, mut tail) = (0, Vec::new());
    while !ends_with_done(&mut tail) {
        if let Said::Data(more) = next(&mut end).await? {
            bytes += more.len();
            tail.extend(more);
        }
    }
    anyhow::ensure!(bytes >= TEXT_BYTES, "only {bytes} bytes came");
    let (rate, took, after) = (mib_per_sec(TEXT_BYTES, begun), begun.elapsed().as_secs_f64(), place.cpu());
    place.end(&client).await?;
    let share = |after: Duration, before: Duration| (after - before).as_secs_f64() / took * 100.0;
    Ok((share(after.0, before.0), share(after.1, before.1), rate))
}

/// Looks for the word behind the text; keeps no more than its length.
pub(crate) fn ends_with_done(tail: &mut Vec<u8>) -> bool {
    const DONE: &[u8] = b"\ndone\r\n";
    let found = tail.windows(DONE.len()).any(|window| window == DONE);
    tail.drain(..tail.len().saturating_sub(DONE.len() - 1));
    found
}

impl Ssh {
    /// The same, through a login over SSH. Blocks.
    fn terminal(&self, text: &std::path::Path) -> anyhow::Result<Reached> {
        let mut reached = Reached { shell_alone: shell_alone(self.folder())?, ..Reached::default() };
        for _ in 0..OPENINGS {
            let begun = Instant::now();
            let mut shell = self.shell()?;
            shell.read()?;
            reached.openings.push(millis(begun));
        }
        reached.keys = echo(self.shell()?)?;
        for _ in 0..TEXTS {
            let mut shell = self.shell()?;
            shell.write(b"echo re''ady\n")?;
            shell.until(b"ready")?;
            let (begun, before) = (Instant::now(), self.cpu());
            shell.write(format!("cat '{}'; echo do''ne\n", text.display()).as_bytes())?;
            let mut tail = Vec::new();
            while !ends_with_done(&mut tail) {
                tail.extend(shell.read()?);
            }
            reached.texts.push(mib_per_sec(TEXT_BYTES, begun));
            reached.processor.push((self.cpu() - before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0);
        }
        Ok(reached)
    }
}

fn echo(mut shell: Shell) -> anyhow::Result<Vec<f64>> {
    shell.write(ECHO)?;
    shell.until(b"ready")?;
    let mut times = Vec::with_capacity(KEYS);
    for at in 1..=KEYS {
        std::thread::sleep(PAUSE);
        let begun = Instant::now();
        shell.write(b"a")?;
        shell.until(b"a")?;
        times.push(millis(begun));
        if at % LINE == 0 {
            shell.write(b"\n")?;
            shell.until(b"\n")?;
        }
    }
    Ok(times)
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
