//! Why a request was not sent, or had no answer. Closed, and without a word of the request: credentials are in its headers.

use std::io::ErrorKind;

use sallyport_decide::outbound::Unreachable;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutboundError {
    /// The address may not be reached.
    #[error(transparent)]
    Address(#[from] Unreachable),
    /// The request is larger than it may be, or has a header that the connection sets by itself.
    #[error("the request has too many bytes, or a header that it may not have")]
    Request,
    /// No place became free in time.
    #[error("too many requests to there are under way")]
    Busy,
    /// The name has no address.
    #[error("its name is unknown")]
    Name,
    /// Nobody took the connection.
    #[error("nobody answers there")]
    Nobody,
    /// Its certificate is not trusted, or for another name, or TLS failed otherwise.
    #[error("its certificate is not trusted, or TLS failed")]
    Tls,
    /// It took too long.
    #[error("it did not answer in time")]
    Late,
    /// The answer is larger than it may be.
    #[error("its answer is too large")]
    Large,
    /// The connection broke, or what came was no HTTP.
    #[error("the connection broke, or what came back was no HTTP answer")]
    Broken,
}

impl OutboundError {
    /// Whether the request may have reached the other side, so that sending it again could do a thing twice.
    pub(crate) fn may_have_arrived(self) -> bool {
        match self {
            Self::Address(_) | Self::Request | Self::Busy | Self::Name | Self::Nobody | Self::Tls => false,
            Self::Late | Self::Large | Self::Broken => true,
        }
    }

    /// A stable word for logs and records.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Address(Unreachable::PlainHttp) => "plain_http",
            Self::Address(Unreachable::Private) => "private_network",
            Self::Request => "request_refused",
            Self::Busy => "busy",
            Self::Name => "name_unknown",
            Self::Nobody => "nobody_answers",
            Self::Tls => "tls",
            Self::Late => "late",
            Self::Large => "answer_too_large",
            Self::Broken => "broken",
        }
    }
}

/// Sorts what the client says. Its texts are dropped: some quote what was sent.
impl From<ureq::Error> for OutboundError {
    fn from(error: ureq::Error) -> Self {
        use ureq::Error as Wrong;
        match error {
            Wrong::Other(inner) => inner.downcast::<Self>().map_or(Self::Broken, |ours| *ours),
            Wrong::HostNotFound => Self::Name,
            Wrong::ConnectionFailed => Self::Nobody,
            Wrong::Timeout(_) | Wrong::BodyStalled => Self::Late,
            Wrong::BodyExceedsLimit(_) | Wrong::LargeResponseHeader(..) => Self::Large,
            Wrong::Tls(_) | Wrong::TlsRequired => Self::Tls,
            Wrong::Rustls(inner) => from_tls(&inner),
            Wrong::Io(inner) => from_io(&inner),
            Wrong::BadUri(_) | Wrong::Http(_) => Self::Request,
            _ => Self::Broken,
        }
    }
}

fn from_io(error: &std::io::Error) -> OutboundError {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return from_tls(tls);
    }
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            OutboundError::Nobody
        }
        ErrorKind::TimedOut | ErrorKind::WouldBlock => OutboundError::Late,
        _ => OutboundError::Broken,
    }
}

/// Only before the handshake is over is it sure that nothing was sent.
fn from_tls(error: &rustls::Error) -> OutboundError {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented | rustls::Error::PeerIncompatible(_) => {
            OutboundError::Tls
        }
        rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure | rustls::AlertDescription::ProtocolVersion) => {
            OutboundError::Tls
        }
        _ => OutboundError::Broken,
    }
}
