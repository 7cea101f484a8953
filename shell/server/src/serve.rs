//! Start and stop: opens the store, listens, serves, and ends what is open in an orderly way.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sallyport_decide::rate::network;
use sallyport_model::limits;
use sallyport_store::StoreError;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::config::Tls;
use crate::keys::KeyError;
use crate::places::PlacesError;
use crate::{App, client, routes};

/// How long a connection waits for its turn.
const TURN: Duration = Duration::from_secs(30);
/// How long open requests may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Why the server does not start. Each says which setting it is about, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not ours.
    #[error("listen: {0} cannot be listened on ({1}). Free it, or choose another address and port")]
    Listen(SocketAddr, std::io::Error),
    /// The certificate or its key cannot be used.
    #[error(
        "tls_certificate, tls_key: {0}. Set them to the PEM files of a certificate chain and of its key, which the server's account can read"
    )]
    Tls(String),
    /// The database cannot be used.
    #[error("database: {0}. {fix}", fix = remedy(.0))]
    Store(#[from] StoreError),
    /// The data folder cannot be made.
    #[error("data_dir: {0} cannot be used ({1}). Create it for the server's account, or name another folder")]
    Folder(std::path::PathBuf, std::io::Error),
    /// The metrics cannot be served.
    #[error("metrics_listen: {0}. Free it, or choose another address and port")]
    Metrics(String),
    /// A key cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A database of places or networks cannot be used.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// The certificates for requests to other servers cannot be used.
    #[error("outbound_ca: {0}. Set it to a PEM file with certificates, or leave it out")]
    Outbound(std::io::Error),
    /// The list of breached passwords cannot be used.
    #[error("breached_passwords: {0}. Set it to the list of SHA-1 hashes, sorted by hash, or leave it out")]
    Breached(std::io::Error),
}

fn remedy(error: &StoreError) -> &'static str {
    match error {
        StoreError::Address => "Write it like sqlite:/var/lib/sallyport/sallyport.db or postgres://sallyport@db.example.test/sallyport",
        StoreError::Newer(_) | StoreError::Altered(_) => {
            "Start the program that wrote it last, or restore a copy that is as old as this one"
        }
        StoreError::Damaged | StoreError::Corrupt(_) => "Restore a copy with `sallyport restore`",
        _ => "Check that it is there and that the server's account may use it",
    }
}

/// A server that serves.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    done: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Stops accepting, lets open requests end, closes the store.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.done.await;
    }
}

/// Listens and serves until it is stopped.
///
/// # Errors
/// When the address cannot be listened on or the certificate cannot be used.
pub async fn start(app: App) -> Result<Running, ServeError> {
    let wanted = app.config.listen;
    let listener = TcpListener::bind(wanted).await.map_err(|error| ServeError::Listen(wanted, error))?;
    let address = listener.local_addr().map_err(|error| ServeError::Listen(wanted, error))?;
    let acceptor = app.config.tls.as_ref().map(acceptor).transpose()?;
    let (stop, stopped) = watch::channel(false);
    let done = tokio::spawn(accept(app, listener, acceptor, stopped));
    Ok(Running { address, stop, done })
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, ServeError> {
    let wrong = |error: &dyn std::fmt::Display| ServeError::Tls(error.to_string());
    let chain: Vec<_> = CertificateDer::pem_file_iter(&tls.certificate)
        .map_err(|error| wrong(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(&error))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| wrong(&error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .map_err(|error| wrong(&error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&error))?;
    // HTTP/1.1 alone: WebSockets and server-sent events need no more, and each protocol is one more to defend.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(app: App, listener: TcpListener, acceptor: Option<TlsAcceptor>, mut stopped: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let turns = Turns::default();
    let router = routes::router(app.clone());
    loop {
        let (mut stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: those who are connected go on.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        let _ = stream.set_nodelay(true);
        let (acceptor, watcher, turns) = (acceptor.clone(), graceful.watcher(), turns.clone());
        let (app, router) = (app.clone(), router.clone());
        tokio::spawn(async move {
            let Some(peer) = client::introduced(&app.config.proxies, &mut stream, peer).await else { return };
            let service = router.map_request(move |mut request: axum::http::Request<hyper::body::Incoming>| {
                let client = client::of(&app.config.proxies, peer, request.headers());
                request.extensions_mut().insert(axum::extract::ConnectInfo(client));
                request.map(axum::body::Body::new)
            });
            let service = TowerToHyperService::new(service);
            let mut builder = Builder::new(TokioExecutor::new()).http1_only();
            builder.http1().header_read_timeout(Duration::from_secs(15)).timer(hyper_util::rt::TokioTimer::new()).max_buf_size(16 * 1024);
            match acceptor {
                None => {
                    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                    let _ = watcher.watch(connection.into_owned()).await;
                }
                Some(acceptor) => {
                    let Some(turn) = turns.take(peer.ip()).await else { return };
                    let Some(stream) = handshake(acceptor, stream).await else { return };
                    drop(turn);
                    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                    let _ = watcher.watch(connection.into_owned()).await;
                }
            }
        });
    }
    app.hub.close_all();
    app.events.close();
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    app.store.close().await;
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    tokio::time::timeout(Duration::from_secs(10), acceptor.accept(stream)).await.ok()?.ok()
}

/// Who may shake hands now.
#[derive(Clone)]
struct Turns {
    all: Arc<Semaphore>,
    by_address: Arc<Mutex<BTreeMap<IpAddr, Arc<Semaphore>>>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(limits::TLS_HANDSHAKES)), by_address: Arc::default() }
    }
}

impl Turns {
    /// Waits for a turn; one's own come first, so that whoever has many waiting waits for oneself.
    async fn take(&self, address: IpAddr) -> Option<Turn> {
        let own = self.own(network(address));
        let both = async { Some((own.acquire_owned().await.ok()?, self.all.clone().acquire_owned().await.ok()?)) };
        let (own, all) = tokio::time::timeout(TURN, both).await.ok()??;
        Some(Turn { _own: own, _all: all })
    }

    /// The turns of an address; those that nobody holds or waits for are forgotten.
    fn own(&self, address: IpAddr) -> Arc<Semaphore> {
        let mut known = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > limits::TLS_HANDSHAKES {
            known.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        known.entry(address).or_insert_with(|| Arc::new(Semaphore::new(limits::TLS_HANDSHAKES_OF_ONE))).clone()
    }
}

struct Turn {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_does_not_take_the_turns_of_all() {
        let turns = Turns::default();
        let mut held = Vec::new();
        for n in 0..u64::try_from(limits::TLS_HANDSHAKES_OF_ONE).unwrap() {
            held.push(turns.take(format!("2001:db8::{n:x}").parse().unwrap()).await.unwrap());
        }
        let waits = tokio::time::timeout(Duration::from_millis(20), turns.take("2001:db8::ffff".parse().unwrap())).await;
        assert!(waits.is_err(), "the same network waits");
        assert!(turns.take("2001:db8:0:1::1".parse().unwrap()).await.is_some());
        held.pop();
        assert!(turns.take("2001:db8::ffff".parse().unwrap()).await.is_some());
    }
}
