//! A viewer over a plain socket, for programs that measure or check viewers. The agent itself never listens.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use sallyport_grant::body::Access;

use super::find::Seat;
use super::viewer::{self, Clipboard, End, Powers, Sink};
use super::x11::Display;

/// Serves one client until it leaves. Blocks.
pub fn serve(seat: Seat, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let powers = Powers { hands: Access::Control, clipboard: Clipboard::Both };
    let (sink, finder) = (Socket(stream.try_clone()?), Arc::new(move || Ok(seat.clone())));
    let remote = viewer::start(sink, powers, finder, |sink, end| {
        tracing::info!("a viewer ended: {end}");
        // The reader below ends by it; a socket that is closed already needs nothing.
        let _ = sink.0.shutdown(std::net::Shutdown::Both);
    })?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => remote.bytes(buffer[..count].to_vec()),
        }
    }
}

struct Socket(TcpStream);

impl Sink for Socket {
    fn offer(&mut self, bytes: &[u8]) -> Result<usize, End> {
        self.0.write_all(bytes).map(|()| bytes.len()).map_err(|_| End::Left)
    }

    fn displays(&mut self, _: &[Display], _: &str) {}
}
