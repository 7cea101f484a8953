//! The way to the server: plain on the loopback, TLS everywhere else. Noise inside does the authentication; TLS keeps
//! strangers from seeing even that an agent talks.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sallyport_grant::body::ServerUrl;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection, whatever carries it.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub type Dialing<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Wire>>> + Send + 'a>>;

/// Connects to a server.
pub trait Dial: Send + Sync {
    /// `ca`: PEM certificates to trust beside the machine's own.
    fn dial<'a>(&'a self, server: &'a ServerUrl, ca: Option<&'a str>) -> Dialing<'a>;
}

/// TCP, with TLS for `wss://`. The certificates are read once, at the first connection that needs them.
#[derive(Default)]
pub struct TcpDialer {
    tls: Mutex<Option<(Option<String>, Arc<ClientConfig>)>>,
}

impl Dial for TcpDialer {
    fn dial<'a>(&'a self, server: &'a ServerUrl, ca: Option<&'a str>) -> Dialing<'a> {
        Box::pin(self.connect(server, ca))
    }
}

impl TcpDialer {
    async fn connect(&self, server: &ServerUrl, ca: Option<&str>) -> io::Result<Box<dyn Wire>> {
        let place = Place::of(server)?;
        let stream = TcpStream::connect((place.host, place.port)).await?;
        stream.set_nodelay(true)?;
        if !place.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(place.host.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(self.tls(ca)?).connect(name, stream).await?;
        Ok(Box::new(stream))
    }

    fn tls(&self, ca: Option<&str>) -> io::Result<Arc<ClientConfig>> {
        let mut known = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known_ca, config)) = &*known
            && known_ca.as_deref() == ca
        {
            return Ok(config.clone());
        }
        let config = Arc::new(client_config(ca)?);
        *known = Some((ca.map(str::to_owned), config.clone()));
        Ok(config)
    }
}

fn client_config(ca: Option<&str>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(ca.unwrap_or_default().as_bytes()) {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Where an address leads.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    host: &'a str,
    port: u16,
    tls: bool,
}

impl<'a> Place<'a> {
    fn of(server: &'a ServerUrl) -> io::Result<Self> {
        let (scheme, rest) = server.as_str().split_once("://").ok_or(io::ErrorKind::InvalidInput)?;
        let tls = scheme == "wss";
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| io::ErrorKind::InvalidInput)?),
            _ => (authority, if tls { 443 } else { 80 }),
        };
        Ok(Self { host: host.trim_start_matches('[').trim_end_matches(']'), port, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_somewhere() {
        let place = |text: &str| {
            let url = ServerUrl::parse(text).expect("url");
            let place = Place::of(&url).expect("place");
            (place.host.to_owned(), place.port, place.tls)
        };
        assert_eq!(place("wss://rmm.example.test/agent/link"), ("rmm.example.test".to_owned(), 443, true));
        assert_eq!(place("wss://rmm.example.test:8443/agent/link"), ("rmm.example.test".to_owned(), 8443, true));
        assert_eq!(place("ws://127.0.0.1:9000/agent/link"), ("127.0.0.1".to_owned(), 9000, false));
        assert_eq!(place("ws://[::1]:9000/agent/link"), ("::1".to_owned(), 9000, false));
        assert_eq!(place("wss://[2001:db8::1]/agent/link"), ("2001:db8::1".to_owned(), 443, true));
    }

    #[test]
    fn a_damaged_certificate_is_an_error_and_not_ignored() {
        assert!(client_config(Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")).is_err());
        assert!(client_config(None).is_ok());
    }
}
