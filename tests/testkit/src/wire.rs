//! A connection to a server, plain or over TLS, and one that many requests share.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use crate::host::Host;

/// Bytes both ways.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<C: AsyncRead + AsyncWrite + Unpin + Send + Sync> Connection for C {}

/// A connection whose kind does not matter.
pub type Wire = Box<dyn Connection>;

/// Connects as the server wants it.
///
/// # Errors
/// Where it does not listen, or its certificate is another one.
pub async fn connect(server: &impl Host) -> io::Result<Wire> {
    let stream = TcpStream::connect(server.address()).await?;
    // As browsers and our own client do: small messages do not wait for one another.
    stream.set_nodelay(true)?;
    match server.tls() {
        None => Ok(Box::new(stream)),
        Some(tls) => over(&tls, stream).await,
    }
}

/// TLS with a server for `localhost`.
///
/// # Errors
/// Where its certificate is another one.
pub async fn over(tls: &TlsConnector, stream: TcpStream) -> io::Result<Wire> {
    let name = ServerName::try_from("localhost").expect("a name");
    Ok(Box::new(tls.connect(name, stream).await?))
}

/// A connection that requests go over one after another, as long as the server keeps it.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Option<Wire>>>);

impl Kept {
    /// Sends a request over the connection that is left and reads its whole answer. Nothing where there is none any more.
    pub(crate) async fn ask(&self, request: &[u8]) -> Option<Vec<u8>> {
        let mut wire = self.0.lock().await.take()?;
        let answer = ask(&mut wire, request).await.ok()?;
        *self.0.lock().await = Some(wire);
        Some(answer)
    }

    /// The same over a new connection, which is left for the next request.
    pub(crate) async fn ask_over(&self, mut wire: Wire, request: &[u8]) -> io::Result<Vec<u8>> {
        let answer = ask(&mut wire, request).await?;
        *self.0.lock().await = Some(wire);
        Ok(answer)
    }
}

async fn ask(wire: &mut Wire, request: &[u8]) -> io::Result<Vec<u8>> {
    wire.write_all(request).await?;
    wire.flush().await?;
    let mut answer = Vec::new();
    while !is_whole(&answer) {
        if wire.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(answer)
}

/// Whether head and body are there. An answer that says nothing of its body has none.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let body = &answer[end + 4..];
    if head.contains("\r\ntransfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_once_its_body_is_there() {
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"));
        assert!(is_whole(b"HTTP/1.1 204 No Content\r\n\r\n"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"));
    }
}
