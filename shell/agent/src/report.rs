//! Receipts: the device's signed word on how a grant ended.

use std::sync::Arc;

use sallyport_grant::body::{Outcome, ReasonCode, ReceiptBody, ReceiptType};
use sallyport_grant::receipt;
use sallyport_model::{Digest, GrantId, TenantId, Timestamp};

use crate::identity::Identity;
use crate::journal::OutputSoFar;
use crate::ports::Clock;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunEnd {
    pub outcome: Outcome,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    /// A stable code, where more is to be said.
    pub reason: Option<&'static str>,
}

impl RunEnd {
    pub fn exited(code: i32) -> Self {
        Self { outcome: Outcome::Finished, exit_code: Some(code), signal: None, reason: None }
    }

    pub fn without_code(outcome: Outcome, reason: Option<&'static str>) -> Self {
        Self { outcome, exit_code: None, signal: None, reason }
    }
}

/// Writes receipts in the device's name.
#[derive(Clone)]
pub struct Reporter {
    identity: Arc<Identity>,
    tenant: TenantId,
    clock: Arc<dyn Clock>,
}

impl Reporter {
    pub fn new(identity: Arc<Identity>, tenant: TenantId, clock: Arc<dyn Clock>) -> Self {
        Self { identity, tenant, clock }
    }

    /// The receipt of a run that began.
    pub fn receipt(&self, grant: GrantId, end: &RunEnd, started: Timestamp, output: Output) -> String {
        let started = (end.outcome != Outcome::Refused).then_some(started);
        self.signed(grant, end, started, output)
    }

    /// The receipt of a grant that was not obeyed.
    pub fn refusal(&self, grant: GrantId, reason: &'static str) -> String {
        self.signed(grant, &RunEnd::without_code(Outcome::Refused, Some(reason)), None, Output::none())
    }

    /// The receipt of a grant that was cancelled before it began.
    pub fn cancelled(&self, grant: GrantId) -> String {
        self.signed(grant, &RunEnd::without_code(Outcome::Cancelled, None), None, Output::none())
    }

    fn signed(&self, grant: GrantId, end: &RunEnd, started: Option<Timestamp>, output: Output) -> String {
        let now = self.clock.now();
        let body = ReceiptBody {
            r#type: ReceiptType::V1,
            grant,
            tenant: self.tenant,
            device: self.identity.thumbprint(),
            outcome: end.outcome,
            exit_code: end.exit_code,
            signal: end.signal,
            reason: end.reason.and_then(|code| ReasonCode::parse(code).ok()),
            output_sha256: output.digest,
            output_bytes: output.bytes,
            started,
            ended: started.map_or(now, |started| now.max(started)),
        };
        let bytes = receipt::sign(body, self.identity.signing_key()).expect("receipts are consistent and within their limits");
        String::from_utf8(bytes).expect("envelopes are JSON")
    }
}

/// The kept output of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    pub digest: Digest,
    pub bytes: u64,
}

impl Output {
    pub fn none() -> Self {
        Self { digest: sallyport_grant::sha256(&[]), bytes: 0 }
    }
}

impl From<OutputSoFar> for Output {
    fn from(output: OutputSoFar) -> Self {
        Self { digest: output.digest, bytes: output.bytes }
    }
}
