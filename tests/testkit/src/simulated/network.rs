//! How many agents of one process reach a server on the loopback: from many source addresses, over real TLS.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sallyport_agent_core::dial::{Dial, Dialing, Wire};
use sallyport_grant::body::ServerUrl;
use tokio::net::TcpSocket;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Connections from one source address; the system has about 28,000 ports for each.
const PER_ADDRESS: u32 = 15_000;

/// A certificate for `localhost` that was made for one run.
pub struct Certificate {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: String,
    client: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes one.
    ///
    /// # Panics
    /// Where the system gives no random bytes.
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate for a constant name");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(made.cert.der().to_vec())).expect("a fresh certificate is well-formed");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("the provider has TLS 1.3");
        let mut client = client.with_root_certificates(roots).with_no_client_auth();
        // Thousands of clients that will hardly come back: no memory for tickets.
        client.resumption = rustls::client::Resumption::disabled();
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem(), client: Arc::new(client) }
    }

    /// Accepts with it.
    ///
    /// # Panics
    /// Where it is not what it was made as.
    pub fn acceptor(&self) -> TlsAcceptor {
        use rustls::pki_types::PrivateKeyDer;
        use rustls::pki_types::pem::PemObject as _;
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("our own PEM")];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("our own PEM");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS 1.3");
        let config = config.with_no_client_auth().with_single_cert(chain, key).expect("a certificate with its key");
        TlsAcceptor::from(Arc::new(config))
    }

    /// Connects as somebody who trusts this certificate alone.
    pub fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.client.clone())
    }
}

impl Default for Certificate {
    fn default() -> Self {
        Self::new()
    }
}

/// Dials one address on the loopback, whatever name the enrolment file has.
pub struct Spread {
    to: SocketAddr,
    tls: Option<TlsConnector>,
    dialled: AtomicU32,
}

impl Spread {
    /// Plain, or over TLS where there is a connector.
    pub fn to(to: SocketAddr, tls: Option<TlsConnector>) -> Self {
        Self { to, tls, dialled: AtomicU32::new(0) }
    }

    async fn connect(&self) -> io::Result<Box<dyn Wire>> {
        let number = self.dialled.fetch_add(1, Ordering::Relaxed);
        let socket = TcpSocket::new_v4()?;
        let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 2)) + number / PER_ADDRESS);
        socket.bind(SocketAddrV4::new(source, 0).into())?;
        let stream = socket.connect(self.to).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => {
                let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                Ok(Box::new(tls.connect(name, stream).await?))
            }
        }
    }
}

impl Dial for Spread {
    fn dial<'a>(&'a self, _: &'a ServerUrl, _: Option<&'a str>) -> Dialing<'a> {
        Box::pin(self.connect())
    }
}
