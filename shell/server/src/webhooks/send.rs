//! One attempt: the body, its signatures, and what came back.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sallyport_api::WebhookEvent;
use sallyport_decide::outbound::Target;
use sallyport_decide::webhooks::{Attempt, Secret};
use sallyport_model::{Timestamp, WebhookId, limits};
use sallyport_store::ops::webhooks::{Due, NewAttempt, SealedSecret, WebhookRow};
use zeroize::Zeroizing;

use crate::App;
use crate::keys::Keys;
use crate::outbound::{Limits, OutboundError, Payer, Request, Wrote};

/// What the secret is sealed with.
const LABEL: &str = "webhook";

/// A new secret, as it is stored, and as it is shown once.
pub(crate) fn new_secret(keys: &Keys, webhook: WebhookId, random: [u8; 32]) -> (Vec<u8>, Secret) {
    let secret = Secret::from_bytes(random);
    (keys.seal(LABEL, webhook.as_bytes(), secret.as_bytes()), secret)
}

/// The text that is shown.
pub(crate) fn secret_text(secret: &Secret) -> String {
    let text: Zeroizing<String> = secret.to_text();
    text.as_str().to_owned()
}

/// Sends a delivery once; says how it went, and what is written down of it.
pub(super) async fn attempt(app: &App, hook: &WebhookRow, due: &Due) -> (Attempt, NewAttempt) {
    let (at, begun) = (app.clock.now(), Instant::now());
    let answer = match request(app, hook, due, at) {
        Ok(request) => {
            let time = Duration::from_secs(limits::WEBHOOK_PATIENCE_SECS);
            app.webhooks.send(request, Limits { time, answer_bytes: limits::WEBHOOK_READ_BYTES, ..Limits::default() }).await
        }
        Err(error) => Err(error),
    };
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let of = |status, error, answer| NewAttempt { number: due.made + 1, at, status, error, answer, millis };
    match answer {
        Ok(answer) => (Attempt::Answered(answer.status), of(Some(answer.status), None, first_bytes(&answer.body))),
        Err(error) => (Attempt::Failed, of(None, Some(error.as_str()), String::new())),
    }
}

fn request(app: &App, hook: &WebhookRow, due: &Due, at: Timestamp) -> Result<Request, OutboundError> {
    let data = serde_json::from_str(&due.data).map_err(|_| OutboundError::Request)?;
    let event = WebhookEvent { id: due.event, kind: due.kind.as_str().to_owned(), timestamp: due.at, tenant: hook.tenant, data };
    let body = serde_json::to_vec(&event).map_err(|_| OutboundError::Request)?;
    let id = due.event.to_string();
    let signatures = signatures(app, hook, at)?.iter().map(|secret| secret.sign(&id, at, &body)).collect::<Vec<_>>().join(" ");
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in [("webhook-id", id), ("webhook-timestamp", at.secs().to_string()), ("webhook-signature", signatures)] {
        headers.insert(HeaderName::from_static(name), HeaderValue::try_from(value).map_err(|_| OutboundError::Request)?);
    }
    let target = Target::parse(&hook.endpoint.url).map_err(|_| OutboundError::Request)?;
    Ok(Request { payer: Payer::Webhook(hook.id), wrote: Wrote::Account, method: Method::POST, target, headers, body })
}

/// The secrets that sign now: the present one, and for a while the one before.
fn signatures(app: &App, hook: &WebhookRow, now: Timestamp) -> Result<Vec<Secret>, OutboundError> {
    let former = hook.former.as_ref().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
    let open = |sealed: &SealedSecret| {
        let opened = app.keys.open_sealed(LABEL, hook.id.as_bytes(), &sealed.0).ok()?;
        Secret::parse(&opened).ok()
    };
    std::iter::once(&hook.secret).chain(former).map(|sealed| open(sealed).ok_or(OutboundError::Request)).collect()
}

/// What people read of an answer: hostile text, so no control characters but line ends.
fn first_bytes(body: &[u8]) -> String {
    let some = String::from_utf8_lossy(&body[..body.len().min(limits::WEBHOOK_ANSWER_BYTES)]).into_owned();
    some.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_of_an_answer_are_plain_text() {
        assert_eq!(first_bytes(b"ok\x1b[31m\n\0fine"), "ok[31m\nfine");
        assert_eq!(first_bytes(&[b'x'; 100_000]).len(), limits::WEBHOOK_ANSWER_BYTES);
        assert!(first_bytes(&[0xff, 0xfe]).chars().all(|c| c == '\u{fffd}'));
    }

    #[test]
    fn a_secret_opens_in_its_webhooks_place_alone() {
        let keys = Keys::from_master([3; 32], std::sync::Arc::new(crate::outside::SystemEntropy));
        let (one, other) = (WebhookId::from_bytes([1; 16]), WebhookId::from_bytes([2; 16]));
        let (sealed, secret) = new_secret(&keys, one, [9; 32]);
        assert_eq!(keys.open_sealed(LABEL, one.as_bytes(), &sealed).unwrap().as_slice(), secret.as_bytes());
        assert!(keys.open_sealed(LABEL, other.as_bytes(), &sealed).is_err());
        assert!(secret_text(&secret).starts_with("whsec_"));
    }
}
