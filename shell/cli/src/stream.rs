//! A stream's connection: a WebSocket that is waited for together with the terminal, and never blocks it.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sallyport_wire::stream::{CloseCode, Payload, SUBPROTOCOL, StreamEnd, TICKET_PREFIX};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;
use tungstenite::{Error, Message, WebSocket};
use ureq::http::Uri;

use crate::failure::Failure;
use crate::origin::Origin;

/// Time from dialling to an open WebSocket.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, in the clear on this computer or over TLS.
enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl io::Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl io::Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The server closed it, for this reason.
    Closed(CloseCode),
    /// It is gone; it may be dialled again.
    Lost,
    /// Something on it cannot be from the device: nothing of this stream is to be trusted any more.
    Broken,
}

/// One connection of a stream.
pub(crate) struct Connection {
    socket: WebSocket<Wire>,
    begun: Instant,
    /// Something waits until the network takes it.
    pub(crate) is_clogged: bool,
}

impl Connection {
    /// Dials with a ticket.
    pub(crate) fn dial(origin: &Origin, ca: Option<&str>, ticket: &str) -> Result<Self, Failure> {
        let unreachable = |why: String| Failure::Unreachable { url: origin.to_string(), why };
        let wire = connect(origin, ca).map_err(|error| unreachable(error.to_string()))?;
        let address = format!("{}/v1/remote-sessions/stream", origin.to_string().replacen("http", "ws", 1));
        let mut request = address.into_client_request().map_err(|error| unreachable(error.to_string()))?;
        let protocols = HeaderValue::try_from(format!("{SUBPROTOCOL}, {TICKET_PREFIX}{ticket}"));
        request.headers_mut().insert("sec-websocket-protocol", protocols.map_err(|error| unreachable(error.to_string()))?);
        request.headers_mut().insert("sallyport-client", HeaderValue::from_static("cli"));
        let (socket, _) = tungstenite::client(request, wire).map_err(|error| unreachable(error.to_string()))?;
        tcp(socket.get_ref()).set_nonblocking(true).map_err(|error| unreachable(error.to_string()))?;
        Ok(Self { socket, begun: Instant::now(), is_clogged: false })
    }

    /// What to wait for.
    pub(crate) fn wire(&self) -> &TcpStream {
        tcp(self.socket.get_ref())
    }

    /// Milliseconds of this connection's clock.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sends all that the stream has to say, as far as the network takes it.
    pub(crate) fn flush(&mut self, end: &mut StreamEnd) -> Result<(), Over> {
        while let Some(message) = end.next_message() {
            self.clogs(|socket| socket.write(Message::binary(message)))?;
        }
        self.is_clogged = false;
        self.clogs(WebSocket::flush)
    }

    fn clogs(&mut self, act: impl FnOnce(&mut WebSocket<Wire>) -> Result<(), Error>) -> Result<(), Over> {
        match act(&mut self.socket) {
            Ok(()) => Ok(()),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_clogged = true;
                Ok(())
            }
            Err(_) => Err(Over::Lost),
        }
    }

    /// Takes the next payload, where one has come.
    pub(crate) fn receive(&mut self, end: &mut StreamEnd) -> Result<Option<Payload>, Over> {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(message)) => {
                    let now = self.now_ms();
                    if let Some(payload) = end.receive(&message, now).map_err(|_| Over::Broken)? {
                        return Ok(Some(payload));
                    }
                }
                Ok(Message::Close(frame)) => {
                    let code = frame.and_then(|frame| CloseCode::from_number(frame.code.into()));
                    return Err(code.filter(|code| *code != CloseCode::OtherEndLost).map_or(Over::Lost, Over::Closed));
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(_) => return Err(Over::Lost),
            }
        }
    }
}

fn tcp(wire: &Wire) -> &TcpStream {
    match wire {
        Wire::Plain(stream) => stream,
        Wire::Tls(stream) => stream.get_ref(),
    }
}

fn connect(origin: &Origin, ca: Option<&str>) -> io::Result<Wire> {
    let broken = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
    let uri: Uri = origin.to_string().parse().map_err(|_| broken("that is not an address"))?;
    let is_plain = uri.scheme_str() == Some("http");
    let host = uri.host().ok_or_else(|| broken("the address names no host"))?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
    let mut last = broken("the name has no address");
    for address in (host.as_str(), port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                return if is_plain { Ok(Wire::Plain(stream)) } else { secure(stream, &host, ca) };
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn secure(stream: TcpStream, host: &str, ca: Option<&str>) -> io::Result<Wire> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(ca.unwrap_or_default().as_bytes()) {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(Wire::Tls(Box::new(StreamOwned::new(connection, stream))))
}
