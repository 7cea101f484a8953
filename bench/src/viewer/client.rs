//! A client that asks, reads and draws nothing: the same for every server, and cheap, so that servers are measured.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Tight, CopyRect, the last rectangle, quality 6.
const ENCODINGS: [i32; 4] = [7, 1, -224, -26];
/// Eight bits of each colour in four bytes, blue first.
const FORMAT: [u8; 16] = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
    at: usize,
    until: Instant,
}

impl Client {
    pub(super) fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, bytes: Vec::new(), at: 0, until: Instant::now() + PATIENCE };
        client.take(12)?;
        client.stream.write_all(b"RFB 003.008\n")?;
        let kinds = client.take(1)?[0];
        if !client.take(usize::from(kinds))?.contains(&1) {
            bail!("the server wants a password");
        }
        client.stream.write_all(&[1])?;
        client.take(4)?;
        client.stream.write_all(&[1])?;
        let init = client.take(24)?;
        client.take(usize::try_from(number(&init[20..]))?)?;
        client.wish()?;
        Ok(client)
    }

    fn wish(&mut self) -> anyhow::Result<()> {
        let mut said = vec![0, 0, 0, 0];
        said.extend(FORMAT);
        said.extend([2, 0, 0, ENCODINGS.len() as u8]);
        ENCODINGS.iter().for_each(|encoding| said.extend(encoding.to_be_bytes()));
        self.stream.write_all(&said)?;
        self.ask(0)
    }

    fn ask(&mut self, changes_only: u8) -> anyhow::Result<()> {
        let [width, height] = [1280u16.to_be_bytes(), 720u16.to_be_bytes()];
        Ok(self.stream.write_all(&[3, changes_only, 0, 0, 0, 0, width[0], width[1], height[0], height[1]])?)
    }

    /// Presses and lets go.
    pub(super) fn key(&mut self, symbol: u32) -> anyhow::Result<()> {
        let [a, b, c, d] = symbol.to_be_bytes();
        Ok(self.stream.write_all(&[4, 1, 0, 0, a, b, c, d, 4, 0, 0, 0, a, b, c, d])?)
    }

    /// Takes updates for so long; says how many there were.
    pub(super) fn watch(&mut self, time: Duration) -> anyhow::Result<usize> {
        let end = Instant::now() + time;
        let mut updates = 0;
        while Instant::now() < end {
            self.until = end;
            match self.wait_for_one() {
                Ok(true) => {
                    self.until = Instant::now() + PATIENCE;
                    updates += usize::from(self.message()?);
                }
                Ok(false) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(updates)
    }

    /// Waits for the next update, and asks for one more.
    pub(super) fn next_update(&mut self) -> anyhow::Result<()> {
        self.until = Instant::now() + PATIENCE;
        while !self.message()? {}
        Ok(())
    }

    /// Whether the first byte of a message is there before the time is over.
    fn wait_for_one(&mut self) -> anyhow::Result<bool> {
        match self.fill(1) {
            Ok(()) => Ok(true),
            Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::TimedOut) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes one message; says whether it was an update, after which one more is asked for.
    fn message(&mut self) -> anyhow::Result<bool> {
        let is_update = self.take(1)?[0] == 0;
        match is_update {
            true => self.update()?,
            false => self.pass_over()?,
        }
        self.bytes.drain(..self.at);
        self.at = 0;
        if is_update {
            self.ask(1)?;
        }
        Ok(is_update)
    }

    fn update(&mut self) -> anyhow::Result<()> {
        let head = self.take(3)?;
        let count = u16::from_be_bytes([head[1], head[2]]);
        for _ in 0..count {
            if !self.rect()? {
                break;
            }
        }
        Ok(())
    }

    /// Text of a clipboard, or a bell.
    fn pass_over(&mut self) -> anyhow::Result<()> {
        match self.bytes[self.at - 1] {
            2 => Ok(()),
            3 => {
                let head = self.take(7)?;
                self.take(usize::try_from(number(&head[3..]))?).map(drop)
            }
            other => bail!("message {other} was not asked for"),
        }
    }

    /// One rectangle; false behind the last one.
    fn rect(&mut self) -> anyhow::Result<bool> {
        let head = self.take(12)?;
        let side = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
        let (width, height) = (side(4), side(6));
        match number(&head[8..]) as i32 {
            0 => self.take(width * height * 4).map(|_| true),
            1 => self.take(4).map(|_| true),
            7 => self.tight(width, height).map(|()| true),
            -224 => Ok(false),
            other => bail!("encoding {other} was not asked for"),
        }
    }

    fn tight(&mut self, width: usize, height: usize) -> anyhow::Result<()> {
        let control = self.take(1)?[0] >> 4;
        match control {
            8 => self.take(3).map(drop),
            9 => self.packed(),
            _ => {
                let filter = if control & 4 != 0 { self.take(1)?[0] } else { 0 };
                let colours = if filter == 1 { usize::from(self.take(1)?[0]) + 1 } else { 0 };
                self.take(colours * 3)?;
                let length = match colours {
                    0 => width * height * 3,
                    2 => width.div_ceil(8) * height,
                    _ => width * height,
                };
                if length < 12 { self.take(length).map(drop) } else { self.packed() }
            }
        }
    }

    fn packed(&mut self) -> anyhow::Result<()> {
        let mut length = 0;
        for shift in [0, 7, 14] {
            let byte = usize::from(self.take(1)?[0]);
            length |= if shift == 14 { byte << shift } else { (byte & 0x7f) << shift };
            if byte & 0x80 == 0 {
                break;
            }
        }
        self.take(length).map(drop)
    }

    fn take(&mut self, count: usize) -> anyhow::Result<Vec<u8>> {
        self.fill(count)?;
        self.at += count;
        Ok(self.bytes[self.at - count..self.at].to_vec())
    }

    fn fill(&mut self, count: usize) -> anyhow::Result<()> {
        let mut buffer = [0; 64 * 1024];
        while self.bytes.len() - self.at < count {
            let left = self.until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server left"),
                Ok(read) => self.bytes.extend_from_slice(&buffer[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if Instant::now() >= self.until {
                        return Err(std::io::Error::from(ErrorKind::TimedOut)).context("nothing came");
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
