//! Somebody between agents and server: passes bytes on, or keeps the agents for itself.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every byte reaches the server.
    Pass,
    /// No byte does: whoever dials is ours.
    Keep,
}

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    kept: mpsc::UnboundedReceiver<TcpStream>,
    upstream: Arc<watch::Sender<Option<SocketAddr>>>,
}

impl Relay {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let (mode, upstream) = (watch::Sender::new(Mode::Pass), Arc::new(watch::Sender::new(None)));
        let (keep, kept) = mpsc::unbounded_channel();
        tokio::spawn(accept(listener, mode.subscribe(), upstream.clone(), keep));
        Self { address, mode, kept, upstream }
    }

    pub(crate) fn leads_to(&self, server: SocketAddr) {
        self.upstream.send_replace(Some(server));
    }

    /// Changes sides; every connection that was passed on ends.
    pub(crate) fn switch(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// The next agent that is kept.
    pub(crate) async fn next(&mut self) -> TcpStream {
        self.kept.recv().await.expect("the relay lives as long as we do")
    }
}

async fn accept(
    listener: TcpListener,
    mode: watch::Receiver<Mode>,
    to: Arc<watch::Sender<Option<SocketAddr>>>,
    keep: mpsc::UnboundedSender<TcpStream>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let now = *mode.borrow();
        match (now, *to.borrow()) {
            (Mode::Pass, Some(server)) => {
                tokio::spawn(pass(stream, server, mode.clone()));
            }
            (Mode::Keep, _) if keep.send(stream).is_err() => return,
            _ => {}
        }
    }
}

async fn pass(mut near: TcpStream, server: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let Ok(mut far) = TcpStream::connect(server).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = mode.wait_for(|mode| *mode == Mode::Keep) => {}
    }
}
