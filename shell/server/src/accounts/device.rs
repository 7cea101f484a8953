//! `/v1/device-session`: Device Bound Session Credentials (W3C WebAppSec draft), between the browser itself and the server; no page takes
//! part. A browser that does not know them ignores the offer, and its sessions are as before.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::device_bound::{self, DeviceKey, open_registration, open_renewal};
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::accounts::webauthn::Scope;
use sallyport_model::{SessionId, Timestamp, UserId, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{BindDevice, LiveSession, SpendChallenge, Spent, live_session};

use super::passkey::spend;
use super::proven::{Sender, Source};
use super::{cookie, me};
use crate::config::DeviceBound;
use crate::{App, Json, Refusal};

const REGISTER: &str = "/v1/device-session/register";
const RENEW: &str = "/v1/device-session/renew";
const OFFER: HeaderName = HeaderName::from_static("secure-session-registration");
const CHALLENGE: HeaderName = HeaderName::from_static("secure-session-challenge");
const RESPONSE: &str = "secure-session-response";

/// The cookie of a new session, and for browsers the offer to bind it to a key in their hardware.
pub(super) async fn opened(app: &App, token: &Token, session: SessionId, sender: Sender) -> Result<(HeaderMap, Json<api::Me>), Refusal> {
    let me = me::of_session(app, session).await?;
    Ok((cookies(app, token, (session, me.user), sender), Json(me)))
}

/// The same for a session that a set-up or an activation opens.
pub(crate) fn cookies(app: &App, token: &Token, whose: (SessionId, UserId), sender: Sender) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(header::SET_COOKIE, cookie::set(token))]);
    if sender == Sender::Browser && app.config.device_bound_sessions == DeviceBound::Offered {
        let (session, user) = whose;
        let challenge = app.accounts.challenges.issue(&Scope::BindDevice(session, user), app.random(), app.clock.now()).to_text();
        headers.insert(OFFER, value(format!("(ES256);path=\"{REGISTER}\";challenge=\"{challenge}\"")));
    }
    headers
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("base64url and ids are header values")
}

/// The live session of the cookie alone: these requests are the browser's own, which no page's key signs. They give nothing but a cookie
/// that is worth nothing without the session's, and want the device's key.
async fn session_of(app: &App, source: &Source) -> Result<Option<LiveSession>, Refusal> {
    let Some(token) = &source.token else { return Ok(None) };
    let now = app.clock.now();
    let live = live_session(&mut app.store.read().await?, token.stored(Purpose::Session), now).await?;
    Ok(live.filter(|live| live.session.lives(now).is_ok()))
}

/// Binds a session: the response brings the key, and answers the challenge of this very sign-in. Once for each session; where the answer
/// was lost, the same response gets it again.
pub async fn register(State(app): State<App>, source: Source, headers: HeaderMap) -> Result<Response, Refusal> {
    let live = session_of(&app, &source).await?.ok_or(Code::NotSignedIn)?;
    let response = open_registration(response_of(&headers)?).map_err(refused)?;
    if live.device.is_none() && bind(&app, &live, &response).await? == Bound::Now {
        return Ok(bound(&app, live.session.id, &response.key, app.clock.now()));
    }
    // Bound already, or by the same response a moment ago.
    let live = session_of(&app, &source).await?.ok_or(Code::NotSignedIn)?;
    again(&app, &live, &response)
}

/// What came of binding a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// It is, by this.
    Now,
    /// The challenge was answered before, or the session was bound meanwhile.
    Before,
}

async fn bind(app: &App, live: &LiveSession, response: &device_bound::Response) -> Result<Bound, Refusal> {
    let (session, user) = (live.session.id, live.user);
    let now = app.clock.now();
    let challenge = app.accounts.challenges.accept(&Scope::BindDevice(session, user), &response.challenge, now).map_err(|_| stale())?;
    let spent = SpendChallenge { challenge: challenge.stored(), expires: challenge.expires() };
    if app.store.reserve(spent).await? == Spent::Before {
        return Ok(Bound::Before);
    }
    let change = BindDevice { tenant: live.tenant, user, session, key: *response.key.as_bytes(), at: now, salt: app.random() };
    match app.store.commit(change).await {
        Ok(()) => Ok(Bound::Now),
        Err(StoreError::Conflict) => Ok(Bound::Before),
        Err(error) => Err(error.into()),
    }
}

/// The browser sends its response again, for it has no answer to it. It gets what the first answer had: the same cookie, with the same
/// end. So a response that somebody else repeats gives nothing that the first answer did not, and nothing is written.
fn again(app: &App, live: &LiveSession, response: &device_bound::Response) -> Result<Response, Refusal> {
    let (session, user) = (live.session.id, live.user);
    app.accounts.challenges.accept(&Scope::BindDevice(session, user), &response.challenge, app.clock.now()).map_err(|_| stale())?;
    let Some(binding) = &live.device else { return Err(stale()) };
    match binding.key == response.key.as_bytes() {
        true => Ok(bound(app, session, &response.key, binding.at)),
        false => Err(Refusal::from(Code::ProofRefused).because("The session is bound to another key.")),
    }
}

/// Renews the short-lived cookie: a challenge, answered by the session's key.
pub async fn renew(State(app): State<App>, source: Source, headers: HeaderMap) -> Result<Response, Refusal> {
    let live = session_of(&app, &source).await?;
    let stored = live.as_ref().and_then(|live| DeviceKey::from_stored(&live.device.as_ref()?.key));
    let (Some(live), Some(key)) = (live, stored) else { return Ok(over(&headers)) };
    let (session, user) = (live.session.id, live.user);
    if headers.get("sec-secure-session-id").is_some_and(|id| unquoted(id) != session.to_string().as_bytes()) {
        return Ok(over(&headers));
    }
    let Ok(response) = response_of(&headers) else { return Ok(challenged(&app, session, user)) };
    let response = open_renewal(response, key).map_err(refused)?;
    match spend(&app, &Scope::RenewDevice(session, user), &response.challenge).await {
        Ok(_) => Ok(bound(&app, session, &key, app.clock.now())),
        Err(_) => Ok(challenged(&app, session, user)),
    }
}

fn response_of(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut all = headers.get_all(RESPONSE).iter();
    let (Some(one), None) = (all.next(), all.next()) else {
        return Err(Refusal::from(Code::ProofRefused).because("There is not exactly one Secure-Session-Response."));
    };
    // A string of RFC 9651 has quotes; drafts before had none.
    std::str::from_utf8(unquoted(one)).map_err(|_| Code::ProofRefused.into())
}

fn unquoted(value: &HeaderValue) -> &[u8] {
    let bytes = value.as_bytes().trim_ascii();
    bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(bytes)
}

fn refused(why: device_bound::Refused) -> Refusal {
    Refusal::from(Code::ProofRefused).because(format!("{why}."))
}

fn stale() -> Refusal {
    Refusal::from(Code::ProofRefused).because("The challenge was answered before, is too old, or is another session's.")
}

/// "Answer this": 403 with a challenge, which the browser answers by itself.
fn challenged(app: &App, session: SessionId, user: UserId) -> Response {
    let challenge = app.accounts.challenges.issue(&Scope::RenewDevice(session, user), app.random(), app.clock.now()).to_text();
    let mut response = StatusCode::FORBIDDEN.into_response();
    response.headers_mut().insert(CHALLENGE, value(format!("\"{challenge}\";id=\"{session}\"")));
    response
}

/// The session is over: the browser keeps its key no longer.
fn over(headers: &HeaderMap) -> Response {
    let id = headers.get("sec-secure-session-id").map(|id| String::from_utf8_lossy(unquoted(id)).into_owned());
    Json(api::DeviceSession { session_identifier: id, r#continue: Some(api::Continue::Never), ..Default::default() }).into_response()
}

/// The instructions for the browser, and the cookie that only its key renews, as it was made at a moment.
fn bound(app: &App, session: SessionId, key: &DeviceKey, at: Timestamp) -> Response {
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Strict";
    let instructions = api::DeviceSession {
        session_identifier: Some(session.to_string()),
        refresh_url: Some(RENEW.to_owned()),
        scope: Some(api::DeviceScope { origin: app.config.origin().to_owned(), include_site: false, scope_specification: Vec::new() }),
        credentials: vec![api::DeviceCredential {
            kind: "cookie".to_owned(),
            name: cookie::DEVICE_NAME.to_owned(),
            attributes: attributes.to_owned(),
        }],
        r#continue: None,
    };
    let cookie = app.accounts.device_cookies.issue(session, key, at);
    let left = at.secs() + limits::DEVICE_COOKIE_SECS - app.clock.now().secs();
    let cookie = format!("{}={cookie}; Max-Age={left}; {attributes}", cookie::DEVICE_NAME);
    let mut cookie = value(cookie);
    cookie.set_sensitive(true);
    ([(header::SET_COOKIE, cookie)], Json(instructions)).into_response()
}

/// What a request shows of the session's device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    /// Its cookie, or the session is not bound to one.
    Shown,
    /// Nothing yet: it was under way when the browser bound the session.
    UnderWay,
}

/// A session that is bound lives by its short-lived cookie too. A cookie that is wrong or old is refused at any time.
pub(super) fn shows_device(app: &App, headers: &HeaderMap, live: &LiveSession) -> Result<Device, Refusal> {
    let Some(binding) = &live.device else { return Ok(Device::Shown) };
    let key = DeviceKey::from_stored(&binding.key).ok_or(Code::Internal)?;
    let now = app.clock.now();
    match cookie::read_device(headers) {
        Some(shown) if app.accounts.device_cookies.accepts(shown, live.session.id, &key, now) => Ok(Device::Shown),
        None if device_bound::was_under_way(binding.at, now) => Ok(Device::UnderWay),
        Some(_) | None => Err(Code::DeviceNotShown.into()),
    }
}
