//! A display of 1280 by 720 with one terminal over all of it, and a server that shows it.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

const START: Duration = Duration::from_secs(10);

/// A terminal over the whole display; what it runs comes behind.
pub(super) const TERMINAL: [&str; 9] = ["-geometry", "212x55+0+0", "-fn", "6x13", "-bg", "black", "-fg", "gray", "-e"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Ours,
    X11vnc,
    /// Its own X server: it needs no capture.
    Tigervnc,
}

/// Everything that is started for one measurement; ends with it.
pub(super) struct Stage {
    children: Vec<Child>,
    server: u32,
    port: u16,
}

impl Stage {
    pub(super) fn of(server: Server, script: &str) -> anyhow::Result<Self> {
        let mut stage = Self { children: Vec::new(), server: 0, port: free_port()? };
        let display = match server {
            Server::Tigervnc => stage.tigervnc()?,
            Server::Ours | Server::X11vnc => stage.xvfb()?,
        };
        match server {
            Server::Ours => stage.ours(display)?,
            Server::X11vnc => stage.x11vnc(display)?,
            Server::Tigervnc => {}
        }
        stage.start(Command::new("xterm").env("DISPLAY", format!(":{display}")).args(TERMINAL).args(["sh", "-c", script]))?;
        stage.wait_for_port()?;
        Ok(stage)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn server_pid(&self) -> u32 {
        self.server
    }

    fn start(&mut self, command: &mut Command) -> anyhow::Result<u32> {
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.with_context(|| format!("{} is not installed", program.display()))?;
        self.children.push(child);
        Ok(self.children.last().map_or(0, Child::id))
    }

    /// Starts an X server that says which number it took.
    fn display(&mut self, command: &mut Command) -> anyhow::Result<(u32, u32)> {
        let pid = self.start(command.args(["-displayfd", "1", "-nolisten", "tcp"]).stdout(Stdio::piped()))?;
        let output = self.children.last_mut().and_then(|child| child.stdout.take()).context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok((pid, line.trim().parse().context("the X server did not start")?))
    }

    fn xvfb(&mut self) -> anyhow::Result<u32> {
        Ok(self.display(Command::new("Xvfb").args(["-screen", "0", "1280x720x24", "-noreset"]))?.1)
    }

    fn tigervnc(&mut self) -> anyhow::Result<u32> {
        let port = self.port.to_string();
        let arguments = ["-geometry", "1280x720", "-depth", "24", "-SecurityTypes", "None", "-localhost", "-rfbport", &port];
        let (pid, display) = self.display(Command::new("Xtigervnc").args(arguments))?;
        self.server = pid;
        Ok(display)
    }

    fn ours(&mut self, display: u32) -> anyhow::Result<()> {
        let program = std::env::current_exe()?.with_file_name("sallyport-screen");
        let arguments = ["--display", &display.to_string(), "--port", &self.port.to_string()];
        self.server = self.start(Command::new(program).args(arguments))?;
        Ok(())
    }

    fn x11vnc(&mut self, display: u32) -> anyhow::Result<()> {
        let (display, port) = (format!(":{display}"), self.port.to_string());
        let arguments = ["-display", &display, "-rfbport", &port, "-localhost", "-nopw", "-forever", "-shared", "-quiet"];
        self.server = self.start(Command::new("x11vnc").args(arguments).stdout(Stdio::null()))?;
        Ok(())
    }

    fn wait_for_port(&self) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > until {
                bail!("no server on port {}", self.port);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            // What ended by itself needs no end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
