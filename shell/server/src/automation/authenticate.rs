//! From an access token to the tool behind it, in its owner's name, or to the person whose program it is.

use std::net::{IpAddr, SocketAddr};

use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::http::header;
use axum::http::request::Parts;
use sallyport_api::Code;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::automation::Standing;
use sallyport_decide::networks::{Capability, Guarding};
use sallyport_decide::policy::{Actor, Row, Stage};
use sallyport_model::{SessionId, Timestamp};
use sallyport_store::ops::automation::{LiveToken, UseToken, live_token, owner_rights};
use sallyport_store::ops::networks::rules;

use crate::{App, Refusal, accounts};

/// Whether a request shows a token. Then it stands on that alone: a cookie beside it means nothing.
pub(crate) fn shows_token(parts: &Parts) -> bool {
    parts.headers.contains_key(header::AUTHORIZATION)
}

/// Whether the token is one that lives. No proof of anything: [`authenticate`] looks again once the body is read.
pub(crate) async fn known(app: &App, parts: &Parts) -> Result<(), Refusal> {
    let token = shown(parts)?.1;
    match found(app, &token, app.clock.now()).await? {
        Some(_) => Ok(()),
        None => accounts::program_session(app, &token).await.map(|_| ()),
    }
}

/// Finds the live token of a request whose key signed method, address, nonce and the token itself.
pub(crate) async fn authenticate(app: &App, parts: &Parts, body: &Bytes, row: &Row) -> Result<Actor, Refusal> {
    let (text, token) = shown(parts)?;
    let proof = accounts::prove_for_token(app, parts, body, Some(text)).map_err(accounts::proof_refused)?;
    let now = app.clock.now();
    let stored = token.stored(Purpose::Access);
    let Some(live) = found(app, &token, now).await? else {
        return accounts::authenticate_program(app, parts, &token, (&proof, row)).await;
    };
    live.token.judge(&proof, now).map_err(|error| Refusal::from(Code::TokenRefused).because(error))?;
    app.accounts.use_up(&proof, now)?;
    match live.client.state.judge(address(parts)?, now) {
        Standing::Works => {}
        Standing::Over => return Err(Refusal::from(Code::TokenRefused).because("The client was stopped, or its owner's account ended.")),
        Standing::Elsewhere => return Err(Code::NetworkRefused.into()),
    }
    if let Some(at) = live.token.touch(now)
        && let Err(error) = app.store.reserve(UseToken { token: stored, at }).await
    {
        // Losing a use's time only makes a token end earlier.
        tracing::warn!(%error, "a token's use was not written down");
    }
    actor(app, live).await
}

/// One header, of the one scheme: a bound token as `Bearer` would be a downgrade (OA-19).
fn shown(parts: &Parts) -> Result<(&str, Token), Refusal> {
    let refused = |why: &str| Refusal::from(Code::TokenRefused).because(why);
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(refused("There is more than one Authorization header.")) };
    let (scheme, text) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(|| refused("The header has no token."))?;
    if !scheme.eq_ignore_ascii_case("DPoP") {
        return Err(refused("Access tokens are bound to a key: send `Authorization: DPoP` with a proof."));
    }
    let token = Token::parse(text).map_err(|_| refused("That is not an access token of this server."))?;
    Ok((text, token))
}

/// The token of an API client; none where it is not one, for then it may be that of a program's session.
async fn found(app: &App, token: &Token, now: Timestamp) -> Result<Option<LiveToken>, Refusal> {
    let live = live_token(&mut app.store.read().await?, token.stored(Purpose::Access)).await?;
    if let Some(live) = &live {
        live.token.lives(now).map_err(|error| Refusal::from(Code::TokenRefused).because(error))?;
    }
    Ok(live)
}

/// What the owner may do at this moment, within the token's scopes.
async fn actor(app: &App, live: LiveToken) -> Result<Actor, Refusal> {
    let client = live.client;
    let granted = live.scopes.split_whitespace().filter(|word| client.state.shape.scopes.contains(*word));
    let scopes = granted.collect::<Vec<_>>().join(" ");
    let rights = owner_rights(&mut app.store.read().await?, client.owner, &scopes).await?;
    Ok(Actor {
        tenant: client.tenant,
        user: client.owner,
        email: client.owner_email,
        name: format!("{} of {}", client.state.shape.name, client.owner_name),
        rights,
        session: SessionId::from_bytes(*client.id.as_bytes()),
        stage: Stage::Client,
        step_up_until: None,
        step_up_kind: None,
    })
}

/// The tenant's own rules about addresses hold for tools too.
pub(crate) async fn check_rules(app: &App, parts: &Parts, actor: &Actor, (word, guarding): (&str, Guarding)) -> Result<(), Refusal> {
    let from = address(parts)?;
    let rules = rules(&mut app.store.read().await?, actor.tenant).await?.rules;
    let mut needed = Capability::of_route(word, guarding);
    needed.push(Capability::SignIn);
    match needed.into_iter().all(|capability| rules.allows(capability, from)) {
        true => Ok(()),
        false => Err(Code::NetworkRefused.into()),
    }
}

pub(super) fn address(parts: &Parts) -> Result<IpAddr, Refusal> {
    let ConnectInfo(client) = parts.extensions.get::<ConnectInfo<SocketAddr>>().ok_or(Code::Internal)?;
    Ok(client.ip().to_canonical())
}
