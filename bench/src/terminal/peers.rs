//! The same through OpenSSH and through MeshCentral.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;

use super::{ECHO, KEYS_PER_TURN, LINE, PAUSE, Reached, TEXT_BYTES, ends_with_done, share, shell_alone};
use crate::measure::{cpu_time, millis};
use crate::mesh::{Mesh, Terminal};
use crate::place::mib_per_sec;
use crate::ssh::Ssh;

/// Both, and what they reached so far.
pub(super) struct Others {
    ssh: Ssh,
    mesh: Mesh,
    text: PathBuf,
    pub(super) of_ssh: Reached,
    pub(super) of_mesh: Reached,
}

impl Others {
    pub(super) async fn start(text: &Path) -> anyhow::Result<Self> {
        let (ssh, mesh) = (Ssh::start()?, Mesh::gather(1).await?);
        let of_ssh = Reached { shell_alone: shell_alone(ssh.folder())?, ..Reached::default() };
        Ok(Self { ssh, mesh, text: text.to_owned(), of_ssh, of_mesh: Reached::default() })
    }

    /// MeshCentral's agent types a line into each shell, whose echo is its first output: the shell itself has said nothing by then.
    pub(super) async fn open(&mut self) -> anyhow::Result<()> {
        let cookies = self.mesh.cookies().await?;
        let begun = Instant::now();
        let mut terminal = self.mesh.open(&cookies).await?;
        terminal.read().await?;
        self.of_mesh.openings.push(millis(begun));
        terminal.close().await?;
        let begun = Instant::now();
        let mut shell = self.ssh.shell()?;
        shell.read()?;
        self.of_ssh.openings.push(millis(begun));
        Ok(())
    }

    pub(super) async fn keys(&mut self) -> anyhow::Result<()> {
        let mut terminal = self.terminal().await?;
        terminal.write(ECHO).await?;
        terminal.until(b"ready").await?;
        for at in 1..=KEYS_PER_TURN {
            tokio::time::sleep(PAUSE).await;
            let begun = Instant::now();
            terminal.write(b"a").await?;
            terminal.until(b"a").await?;
            self.of_mesh.keys.push(millis(begun));
            if at % LINE == 0 {
                terminal.write(b"\n").await?;
                terminal.until(b"\n").await?;
            }
        }
        terminal.close().await?;
        self.keys_of_ssh()
    }

    fn keys_of_ssh(&mut self) -> anyhow::Result<()> {
        let mut shell = self.ssh.shell()?;
        shell.write(ECHO)?;
        shell.until(b"ready")?;
        for at in 1..=KEYS_PER_TURN {
            std::thread::sleep(PAUSE);
            let begun = Instant::now();
            shell.write(b"a")?;
            shell.until(b"a")?;
            self.of_ssh.keys.push(millis(begun));
            if at % LINE == 0 {
                shell.write(b"\n")?;
                shell.until(b"\n")?;
            }
        }
        Ok(())
    }

    pub(super) async fn text(&mut self) -> anyhow::Result<()> {
        let agent = self.mesh.agent()?.pid().context("an agent")?;
        let mut terminal = self.terminal().await?;
        terminal.write(b"echo re''ady\n").await?;
        terminal.until(b"ready").await?;
        let (begun, before) = (Instant::now(), cpu_time(agent));
        terminal.write(self.cat().as_bytes()).await?;
        let (mut bytes, mut tail) = (0, Vec::new());
        while !ends_with_done(&mut tail) {
            let more = terminal.read().await?;
            bytes += more.len();
            tail.extend_from_slice(&more);
        }
        anyhow::ensure!(bytes >= TEXT_BYTES, "only {bytes} bytes came");
        self.of_mesh.texts.push(mib_per_sec(TEXT_BYTES, begun));
        self.of_mesh.processor.push(share(cpu_time(agent) - before, begun.elapsed()));
        terminal.close().await?;
        self.text_of_ssh()
    }

    fn text_of_ssh(&mut self) -> anyhow::Result<()> {
        let mut shell = self.ssh.shell()?;
        shell.write(b"echo re''ady\n")?;
        shell.until(b"ready")?;
        let (begun, before) = (Instant::now(), self.ssh.cpu());
        shell.write(self.cat().as_bytes())?;
        let mut tail = Vec::new();
        while !ends_with_done(&mut tail) {
            tail.extend(shell.read()?);
        }
        self.of_ssh.texts.push(mib_per_sec(TEXT_BYTES, begun));
        self.of_ssh.processor.push(share(self.ssh.cpu() - before, begun.elapsed()));
        Ok(())
    }

    async fn terminal(&mut self) -> anyhow::Result<Terminal> {
        let cookies = self.mesh.cookies().await?;
        self.mesh.open(&cookies).await
    }

    fn cat(&self) -> String {
        format!("cat '{}'; echo do''ne\n", self.text.display())
    }
}
