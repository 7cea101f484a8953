//! How servers are reached: by TLS alone, but for one on this very computer.

use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::failure::Failure;
use crate::origin::{Origin, Reach};

const CONNECT: Duration = Duration::from_secs(10);
const WHOLE_CALL: Duration = Duration::from_secs(60);

/// How servers are talked to: no proxies for this computer, no plain HTTP for any other.
pub(crate) fn agent(origin: &Origin, ca: Option<&str>) -> Result<Agent, Failure> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("sallyport-cli/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(WHOLE_CALL));
    let config = match origin.reach() {
        Reach::ThisComputer => config.proxy(None),
        Reach::Network => config.https_only(true),
    };
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(roots(ca)?)
        .build();
    Ok(config.tls_config(tls).build().new_agent())
}

/// The system's certificates, and those that the person added.
fn roots(ca: Option<&str>) -> Result<RootCerts, Failure> {
    let mut certificates: Vec<Certificate<'static>> =
        rustls_native_certs::load_native_certs().certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    if let Some(pem) = ca {
        certificates.extend(certificates_of(pem).ok_or_else(|| Failure::Input("the CA file has no certificate in PEM form".to_owned()))?);
    }
    Ok(RootCerts::from(certificates))
}

/// The certificates of a PEM text; none where it has none or anything broken.
pub(crate) fn certificates_of(pem: &str) -> Option<Vec<Certificate<'static>>> {
    let items: Vec<PemItem<'static>> = parse_pem(pem.as_bytes()).collect::<Result<_, _>>().ok()?;
    let certificates: Vec<_> = items
        .into_iter()
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    (!certificates.is_empty()).then_some(certificates)
}
