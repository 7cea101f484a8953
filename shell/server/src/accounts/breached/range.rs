//! A list that is asked over HTTP, five digits of a hash at a time.

use std::sync::Arc;
use std::time::Duration;

use sallyport_decide::accounts::password::range::{Asked, NotARange};
use sallyport_decide::accounts::password::{Breached, Password};
use tokio::sync::Semaphore;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A sign-in waits no longer.
const TIME: Duration = Duration::from_secs(3);
/// Largest answer: a thousand lines and their padding are a tenth of it.
const ANSWER_BYTES: u64 = 1024 * 1024;
/// Questions at once; who comes later counts as not answered.
const AT_ONCE: usize = 8;

/// Why a list did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RangeError {
    #[error("it cannot be asked: {0}")]
    Unreachable(Box<ureq::Error>),
    #[error("it answered with status {0}")]
    Status(u16),
    #[error(transparent)]
    Answer(#[from] NotARange),
    #[error("it is asked too much at once")]
    Busy,
    #[error("the question was given up")]
    GivenUp,
}

/// The list's address and the client for it.
pub(super) struct RangeList {
    url: String,
    agent: Agent,
    places: Arc<Semaphore>,
}

impl RangeList {
    /// A list whose ranges lie at this address, before the five digits.
    pub(super) fn new(url: String) -> Self {
        let certificates = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<Certificate<'static>> = certificates.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(RootCerts::from(roots))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("sallyport/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(TIME))
            .tls_config(tls);
        Self { url, agent: config.build().new_agent(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Looks a password up. Neither it nor its whole hash leaves the server.
    ///
    /// # Errors
    /// When there is no answer in time, or none that can be read.
    pub(super) async fn look_up(&self, password: &Password) -> Result<Breached, RangeError> {
        let waited = tokio::time::timeout(TIME, self.places.clone().acquire_owned()).await.map_err(|_| RangeError::Busy)?;
        let place = waited.map_err(|_| RangeError::GivenUp)?;
        let asked = Asked::about(password);
        let (agent, url) = (self.agent.clone(), format!("{}{}", self.url, asked.prefix()));
        // A caller who hangs up stops nothing: the place is taken until the list has answered.
        let question = move || {
            let _place = place;
            ask(&agent, &url)
        };
        let answer = tokio::task::spawn_blocking(question).await.map_err(|_| RangeError::GivenUp)??;
        Ok(asked.judge(&answer)?)
    }
}

fn ask(agent: &Agent, url: &str) -> Result<String, RangeError> {
    let wrong = |error| RangeError::Unreachable(Box::new(error));
    let answer = agent.get(url).header("add-padding", "true").call().map_err(wrong)?;
    match answer.status().as_u16() {
        200 => answer.into_body().into_with_config().limit(ANSWER_BYTES).read_to_string().map_err(wrong),
        other => Err(RangeError::Status(other)),
    }
}
