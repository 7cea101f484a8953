//! A list that is asked over HTTP, five digits of a hash at a time.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use sallyport_decide::accounts::password::range::{Asked, NotARange};
use sallyport_decide::accounts::password::{Breached, Password};
use sallyport_decide::outbound::{Target, TargetError};
use sallyport_model::limits;

use crate::outbound::{Limits, Outbound, OutboundError, Payer, Request, Wrote};

/// A sign-in waits no longer; who finds no place in that time counts as not answered.
const TIME: Duration = Duration::from_secs(3);

/// Why a list did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RangeError {
    #[error(transparent)]
    Address(#[from] TargetError),
    #[error("it cannot be asked: {0}")]
    Unreachable(#[from] OutboundError),
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("its answer is no text")]
    NotText,
    #[error(transparent)]
    Answer(#[from] NotARange),
}

/// The list's address.
pub(super) struct RangeList {
    url: String,
}

impl RangeList {
    /// A list whose ranges lie at this address, before the five digits.
    pub(super) fn new(url: String) -> Self {
        Self { url }
    }

    /// Looks a password up. Neither it nor its whole hash leaves the server.
    ///
    /// # Errors
    /// When there is no answer in time, or none that can be read.
    pub(super) async fn look_up(&self, outbound: &Outbound, password: &Password) -> Result<Breached, RangeError> {
        let asked = Asked::about(password);
        let limits = Limits { time: TIME, request_bytes: 0, answer_bytes: limits::BREACH_RANGE_BYTES };
        let answer = outbound.send(self.question(&asked)?, limits).await?;
        match answer.status {
            200 => Ok(asked.judge(std::str::from_utf8(&answer.body).map_err(|_| RangeError::NotText)?)?),
            other => Err(RangeError::Status(other)),
        }
    }

    fn question(&self, asked: &Asked) -> Result<Request, RangeError> {
        let padding = (HeaderName::from_static("add-padding"), HeaderValue::from_static("true"));
        Ok(Request {
            payer: Payer::Server,
            wrote: Wrote::Operator,
            method: Method::GET,
            target: Target::parse(&format!("{}{}", self.url, asked.prefix()))?,
            headers: HeaderMap::from_iter([padding]),
            body: Vec::new(),
        })
    }
}
