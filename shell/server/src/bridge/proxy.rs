//! `/v1/connections/{id}/proxy/...`: a request goes to the vendor with the connection's credential, and the vendor's answer comes back without.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use sallyport_api::Code;
use sallyport_decide::bridge::{AnswerError, CallError, Cleared, Returned, Sender, Standing, Verb, clear};
use sallyport_decide::policy::UseConnections;
use sallyport_model::{ConnectionId, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::bridge::{Caller, ConnectionRow, EndCall, KeepRefusal, SealedSecret, TakeCall, Taken, connection};

use super::send::{Bare, listed, opened, send};
use crate::outbound::OutboundError;
use crate::{Allowed, App, Refusal};

/// Marks an answer as the vendor's: what comes without it is this server's own.
const MARK: HeaderName = HeaderName::from_static("sallyport-connection");

/// Passes a request on.
pub(crate) async fn pass(State(app): State<App>, Allowed(permit): Allowed<UseConnections>, request: Request) -> Result<Response, Refusal> {
    let (actor, (parts, body)) = (permit.actor(), request.into_parts());
    let verb = Verb::parse(parts.method.as_str()).ok_or(Code::MethodNotAllowed)?;
    let (id, raw_path) = place(parts.uri.path()).ok_or(Code::NotFound)?;
    let row = connection(&mut app.store.read().await?, actor.tenant, id).await?;
    works(&app, &row)?;
    let sender = Sender::of(actor);
    let caller = Caller { tenant: actor.tenant, id: sender.id(), name: actor.name.clone() };
    let cleared = match clear(&row.shape, sender, (verb, raw_path, parts.uri.query()), texts(&parts)) {
        Ok(cleared) => cleared,
        Err(why) => return Err(keep_refusal(&app, (&row, caller), (verb, raw_path), why).await),
    };
    let body = axum::body::to_bytes(body, limits::CONNECTION_BODY_BYTES).await.map_err(|_| Code::BodyTooLarge)?;
    let per_minute = row.shape.per_minute;
    let call = Call { id: app.random(), app, row };
    let (left, secrets) = call.take(caller, &cleared).await?;
    // Who hangs up stops nothing that the vendor may have heard of already: how it ended is written down all the same.
    let made = tokio::spawn(async move { call.make(cleared, body.to_vec(), secrets).await });
    let mut response = made.await.map_err(|_| Code::Internal)??;
    tell_rate(&mut response, per_minute, left);
    Ok(response)
}

/// The connection, and the path as it stands in the request line.
fn place(path: &str) -> Option<(ConnectionId, &str)> {
    let (id, rest) = path.strip_prefix("/v1/connections/")?.split_once('/')?;
    Some((id.parse().ok()?, rest.strip_prefix("proxy/")?))
}

fn works(app: &App, row: &ConnectionRow) -> Result<(), Refusal> {
    match row.standing(app.clock.now()) {
        Standing::Works => Ok(()),
        Standing::Stopped | Standing::Expired => Err(Code::ConnectionOver.into()),
    }
}

/// What is no text is passed on to nobody.
fn texts(parts: &Parts) -> impl Iterator<Item = (&str, &str)> {
    parts.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

async fn keep_refusal(app: &App, (row, caller): (&ConnectionRow, Caller), (verb, path): (Verb, &str), why: CallError) -> Refusal {
    let refusal = Refusal::from(Code::ConnectionRefused).because(&why);
    let (why, path) = (why.as_str(), format!("/{path}"));
    let change = KeepRefusal { id: app.random(), caller, connection: row.id, verb, path, why, at: app.clock.now() };
    match app.store.reserve(change).await {
        Ok(()) => refusal,
        Err(error) => error.into(),
    }
}

/// A call that is under way.
struct Call {
    app: App,
    row: ConnectionRow,
    id: [u8; 16],
}

/// The credential of a call, and the one that is to take its place.
type Secrets = (SealedSecret, Option<SealedSecret>);

impl Call {
    /// Counts the call, before it is made.
    async fn take(&self, caller: Caller, cleared: &Cleared) -> Result<(u32, Secrets), Refusal> {
        let (row, cleared) = (&self.row, cleared.clone());
        let change = TakeCall { id: self.id, caller, connection: row.id, version: row.version, cleared, at: self.app.clock.now() };
        match self.app.store.reserve(change).await {
            Ok(Taken::Go { secret, candidate, left }) => Ok((left, (secret, candidate))),
            Ok(Taken::TooMany) => Err(Refusal::from(Code::RateLimited)
                .because(format!("The connection takes {} calls a minute, from all together.", row.shape.per_minute))
                .retry_after(60)),
            Err(StoreError::Conflict) => Err(Refusal::from(Code::Conflict).because("The connection was changed meanwhile: send it again.")),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the call, and judges its answer.
    async fn make(&self, cleared: Cleared, body: Vec<u8>, (secret, candidate): Secrets) -> Result<Response, Refusal> {
        let (app, row, placement) = (&self.app, &self.row, &self.row.shape.placement);
        let secret = opened(app, row.id, &secret)?;
        let candidate = candidate.map(|sealed| opened(app, row.id, &sealed)).transpose()?;
        let bare = Bare { tenant: row.tenant, verb: cleared.verb(), target: cleared.target().clone(), headers: cleared.headers(), body };
        let answer = match send(app, bare, (placement, &secret)).await {
            Ok(answer) => answer,
            Err(why) => return Err(self.ended(why.as_str(), Some(why.as_str()), unreachable(why)).await),
        };
        let all: Vec<_> = std::iter::once(&secret).chain(&candidate).collect();
        match Returned::of(answer.status, &listed(&answer.headers), answer.body, (placement, &all)) {
            Ok(returned) => {
                self.end(&returned.status().to_string(), None).await;
                self.response(returned)
            }
            Err(why) => Err(self.ended(why.as_str(), Some(why.as_str()), refused(why)).await),
        }
    }

    async fn ended(&self, outcome: &str, why: Option<&'static str>, refusal: Refusal) -> Refusal {
        self.end(outcome, why).await;
        refusal
    }

    /// What cannot be written down any more stays "under way": the call itself is over, whatever is written.
    async fn end(&self, outcome: &str, refused: Option<&'static str>) {
        let change = EndCall { id: self.id, outcome: outcome.to_owned(), refused, at: self.app.clock.now() };
        if let Err(error) = self.app.store.reserve(change).await {
            tracing::warn!(%error, connection = %self.row.id, "how a call ended was not written down");
        }
    }

    fn response(&self, returned: Returned) -> Result<Response, Refusal> {
        let status = StatusCode::from_u16(returned.status()).map_err(|_| Code::AnswerRefused)?;
        let mut response = Response::builder().status(status);
        for (name, value) in returned.headers() {
            response = response.header(name, value);
        }
        // Whatever a vendor sends, nobody's browser takes it for a page of this server.
        response = response.header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'");
        response = response.header(MARK, self.row.id.to_string());
        response.body(Body::from(returned.into_body())).map_err(|_| Code::AnswerRefused.into())
    }
}

fn unreachable(why: OutboundError) -> Refusal {
    match why {
        OutboundError::Request => Code::BodyTooLarge.into(),
        OutboundError::Busy => Refusal::from(Code::Busy).because("Too many requests to the vendor are under way.").retry_after(1),
        other => Refusal::from(Code::VendorUnreachable).because(format!("The vendor: {other}.")),
    }
}

fn refused(why: AnswerError) -> Refusal {
    match why {
        AnswerError::Credential => Code::VendorRefused.into(),
        AnswerError::Echo | AnswerError::Encoded | AnswerError::Status => {
            Refusal::from(Code::AnswerRefused).because(format!("Refused: {why}."))
        }
    }
}

/// In the words of the IETF's draft "RateLimit header fields for HTTP"; the address's own limit is added to it.
fn tell_rate(response: &mut Response, per_minute: u32, left: u32) {
    for (name, value) in
        [("ratelimit-policy", format!("\"connection\";q={per_minute};w=60")), ("ratelimit", format!("\"connection\";r={left};t=60"))]
    {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_they_were_sent() {
        let id = ConnectionId::from_bytes([7; 16]);
        for (raw, rest) in [("tickets/5", "tickets/5"), ("../x", "../x"), ("%2e%2e/x", "%2e%2e/x"), ("/x", "/x"), ("", "")] {
            assert_eq!(place(&format!("/v1/connections/{id}/proxy/{raw}")), Some((id, rest)));
        }
        for wrong in
            [format!("/v1/connections/{id}/calls"), "/v1/connections/x/proxy/y".to_owned(), format!("/v1/connections/{id}/proxyx/y")]
        {
            assert_eq!(place(&wrong), None, "{wrong}");
        }
    }
}
