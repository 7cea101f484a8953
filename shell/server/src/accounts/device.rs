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
use sallyport_model::{SessionId, UserId, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{BindDevice, LiveSession, live_session};

use super::passkey::spend;
use super::proven::{Sender, Source};
use super::{cookie, me};
use crate::clock::random;
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
    let mut headers = HeaderMap::from_iter([(header::SET_COOKIE, cookie::set(token))]);
    if sender == Sender::Browser && app.config.device_bound_sessions == DeviceBound::Offered {
        let challenge = app.accounts.challenges.issue(&Scope::BindDevice(session, me.user), random(), app.clock.now()).to_text();
        headers.insert(OFFER, value(format!("(ES256);path=\"{REGISTER}\";challenge=\"{challenge}\"")));
    }
    Ok((headers, Json(me)))
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

/// Binds a session: the response brings the key, and answers the challenge of this very sign-in. Once for each session.
pub async fn register(State(app): State<App>, source: Source, headers: HeaderMap) -> Result<Response, Refusal> {
    let live = session_of(&app, &source).await?.ok_or(Code::NotSignedIn)?;
    let (session, user) = (live.session.id, live.user);
    let response = open_registration(response_of(&headers)?).map_err(refused)?;
    spend(&app, &Scope::BindDevice(session, user), &response.challenge).await.map_err(|_| stale())?;
    let key = *response.key.as_bytes();
    let change = BindDevice { tenant: live.tenant, user, session, key, at: app.clock.now(), salt: random() };
    match app.store.commit(change).await {
        Ok(()) => Ok(bound(&app, session, &response.key)),
        Err(StoreError::Conflict) => Err(Refusal::from(Code::ProofRefused).because("The session is bound already.")),
        Err(error) => Err(error.into()),
    }
}

/// Renews the short-lived cookie: a challenge, answered by the session's key.
pub async fn renew(State(app): State<App>, source: Source, headers: HeaderMap) -> Result<Response, Refusal> {
    let live = session_of(&app, &source).await?;
    let stored = live.as_ref().and_then(|live| DeviceKey::from_stored(live.device_key.as_deref()?));
    let (Some(live), Some(key)) = (live, stored) else { return Ok(over(&headers)) };
    let (session, user) = (live.session.id, live.user);
    if headers.get("sec-secure-session-id").is_some_and(|id| unquoted(id) != session.to_string().as_bytes()) {
        return Ok(over(&headers));
    }
    let Ok(response) = response_of(&headers) else { return Ok(challenged(&app, session, user)) };
    let response = open_renewal(response, key).map_err(refused)?;
    match spend(&app, &Scope::RenewDevice(session, user), &response.challenge).await {
        Ok(_) => Ok(bound(&app, session, &key)),
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
    let challenge = app.accounts.challenges.issue(&Scope::RenewDevice(session, user), random(), app.clock.now()).to_text();
    let mut response = StatusCode::FORBIDDEN.into_response();
    response.headers_mut().insert(CHALLENGE, value(format!("\"{challenge}\";id=\"{session}\"")));
    response
}

/// The session is over: the browser keeps its key no longer.
fn over(headers: &HeaderMap) -> Response {
    let id = headers.get("sec-secure-session-id").map(|id| String::from_utf8_lossy(unquoted(id)).into_owned());
    Json(api::DeviceSession { session_identifier: id, r#continue: Some(api::Continue::Never), ..Default::default() }).into_response()
}

/// The instructions for the browser, and the cookie that only its key renews.
fn bound(app: &App, session: SessionId, key: &DeviceKey) -> Response {
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
    let cookie = app.accounts.device_cookies.issue(session, key, app.clock.now());
    let cookie = format!("{}={cookie}; Max-Age={}; {attributes}", cookie::DEVICE_NAME, limits::DEVICE_COOKIE_SECS);
    let mut cookie = value(cookie);
    cookie.set_sensitive(true);
    ([(header::SET_COOKIE, cookie)], Json(instructions)).into_response()
}

/// A session that is bound lives by its short-lived cookie too.
pub(super) fn shows_device(app: &App, headers: &HeaderMap, live: &LiveSession) -> Result<(), Refusal> {
    let Some(key) = &live.device_key else { return Ok(()) };
    let key = DeviceKey::from_stored(key).ok_or(Code::Internal)?;
    let shown = cookie::read_device(headers);
    match shown.is_some_and(|shown| app.accounts.device_cookies.accepts(shown, live.session.id, &key, app.clock.now())) {
        true => Ok(()),
        false => Err(Code::DeviceNotShown.into()),
    }
}
