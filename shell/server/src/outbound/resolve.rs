//! Names are resolved here and judged by what they resolved to; the client then connects to these addresses and to no other, so a name
//! that answers differently the next time (DNS rebinding) gains nothing.

use sallyport_decide::outbound::{Reach, Scheme};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::OutboundError;

/// Resolves names to what may be reached.
#[derive(Debug)]
pub(super) struct Judging {
    pub(super) reach: Reach,
}

impl Resolver for Judging {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let scheme = if uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
        let found = DefaultResolver::default().resolve(uri, config, timeout).map_err(unknown)?;
        let mut good = self.empty();
        let mut refused = OutboundError::Name;
        for address in found.iter() {
            match self.reach.judge(scheme, address.ip()) {
                Ok(()) => good.push(*address),
                Err(why) => refused = why.into(),
            }
        }
        if good.is_empty() { Err(ureq::Error::Other(Box::new(refused))) } else { Ok(good) }
    }
}

/// A name server's failure reads like any other failure of reading and writing; nothing was connected to yet.
fn unknown(error: ureq::Error) -> ureq::Error {
    match error {
        ureq::Error::Io(_) => ureq::Error::HostNotFound,
        other => other,
    }
}
