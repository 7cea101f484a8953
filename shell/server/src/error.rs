//! Refusals: the only place that knows how an error looks from outside.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sallyport_api::{Code, Problem};
use sallyport_decide::accounts::assurance::Wanted;
use sallyport_decide::policy::PolicyError;
use sallyport_model::UserId;
use sallyport_store::StoreError;

use crate::error_page;

/// Why a request was refused, with the field that is wrong where one is.
#[derive(Debug)]
pub struct Refusal {
    code: Code,
    field: Option<String>,
    detail: Option<String>,
    retry_after_secs: Option<u32>,
    challenge: Option<String>,
}

impl Refusal {
    /// Says what proof of a person is enough (RFC 9470).
    pub fn insufficient(wanted: Wanted) -> Self {
        Self { challenge: Some(wanted.challenge()), ..Self::from(Code::AuthenticationTooWeak) }
    }

    /// Names the field that is wrong and what is wrong with it.
    pub fn field(field: &str, why: impl std::fmt::Display) -> Self {
        Self { field: Some(field.to_owned()), detail: Some(why.to_string()), ..Self::from(Code::InvalidField) }
    }

    /// Says more than the code's own remedy.
    #[must_use]
    pub fn because(mut self, detail: impl std::fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Says which field is wrong.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, secs: u32) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, field: None, detail: None, retry_after_secs: None, challenge: None }
    }
}

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Stage => Code::SessionRestricted.into(),
            PolicyError::Role => Code::RoleRefused.into(),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Code::NotFound.into(),
            StoreError::Conflict | StoreError::Exists | StoreError::Dangling => Code::Conflict.into(),
            StoreError::Busy => Self::from(Code::Busy).retry_after(1),
            StoreError::NoLogKey | StoreError::Unaudited | StoreError::Unknown(_) | StoreError::Closed => {
                tracing::error!(%error, "a change was not made");
                Code::LogUnavailable.into()
            }
            error if error.is_disk() => {
                tracing::error!(%error, "nothing can be written");
                Code::LogUnavailable.into()
            }
            _ => {
                tracing::error!(%error, "the store failed");
                Code::Internal.into()
            }
        }
    }
}

/// What RFC 9449, section 7.1, tells a caller with an access token.
fn challenge_of(code: Code) -> Option<&'static str> {
    match code {
        Code::TokenRefused => Some("DPoP error=\"invalid_token\", algs=\"ES256\""),
        Code::ScopeRefused => Some("DPoP error=\"insufficient_scope\", algs=\"ES256\""),
        Code::UseDpopNonce => Some("DPoP error=\"use_dpop_nonce\", algs=\"ES256\""),
        _ => None,
    }
}

/// Marks a response that still needs the request's id.
#[derive(Clone)]
pub(crate) struct Unfinished(Problem);

impl Unfinished {
    /// The body, once the request's id is known.
    pub(crate) fn finish(mut self, request_id: &str) -> Vec<u8> {
        request_id.clone_into(&mut self.0.request_id);
        serde_json::to_vec(&self.0).expect("a problem is plain data")
    }

    /// The code of what somebody may not do, or of a request that is not what its session or token would send.
    pub(crate) fn not_allowed(&self) -> Option<&'static str> {
        let code = self.0.code;
        let forged = matches!(code, Code::ProofRefused | Code::TokenRefused | Code::DeviceNotShown);
        (forged || code.status() == 403).then(|| code.as_str())
    }
}

/// Who asked, on an answer: for the log of what was not allowed.
#[derive(Clone, Copy)]
pub(crate) struct Asker(pub(crate) UserId);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = self.code;
        let problem = Problem {
            kind: format!("{}#{}", error_page::PATH, code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: self.detail.unwrap_or_else(|| code.remedy().to_owned()),
            code,
            request_id: String::new(),
            field: self.field,
        };
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")]).into_response();
        let challenge = self.challenge.and_then(|text| HeaderValue::try_from(text).ok());
        if let Some(challenge) = challenge.or_else(|| challenge_of(code).map(HeaderValue::from_static)) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(secs) = self.retry_after_secs {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response.extensions_mut().insert(Unfinished(problem));
        response
    }
}
