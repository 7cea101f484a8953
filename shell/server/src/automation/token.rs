//! `/v1/oauth/token` and `/v1/oauth/revoke`: access tokens, from the first second to the last.

use std::collections::BTreeSet;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use sallyport_api as api;
use sallyport_decide::accounts::device_code::GRANT_TYPE;
use sallyport_decide::accounts::proof::ProvenKey;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::automation::{KeyStanding, Licensed};
use sallyport_model::limits;
use sallyport_store::StoreError;
use sallyport_store::ops::automation::{IssueToken, NewToken, RevokeToken};

use super::authenticate::address;
use super::licensed::{Shown, licensed};
use super::oauth::{Authenticated, Credentials, OauthRefusal, authenticated, form};
use super::{device_codes, programs};
use crate::{App, Json, accounts};

/// Issues a token for an assertion that a client signed, for a code that a person gave to a program, or for one that they typed, bound to the key that signed this
/// request.
pub(crate) async fn issue(State(app): State<App>, request: Request) -> Result<Json<api::IssuedToken>, OauthRefusal> {
    let (parts, _) = request.into_parts();
    let (form, body) = form::<api::TokenForm>(&parts)?;
    if !["client_credentials", "authorization_code", GRANT_TYPE].contains(&form.grant_type.as_str()) {
        return Err(OauthRefusal::GrantType);
    }
    let proof = accounts::prove_for_token(&app, &parts, &body, None)?;
    app.accounts.use_up_strange(&proof, app.clock.now())?;
    match form.grant_type.as_str() {
        "authorization_code" => programs::redeem(&app, &parts, &form, &proof).await.map(Json),
        GRANT_TYPE => device_codes::redeem(&app, &parts, &form, &proof).await.map(Json),
        _ => to_client(&app, &parts, &form, &proof).await.map(Json),
    }
}

async fn to_client(app: &App, parts: &Parts, form: &api::TokenForm, proof: &ProvenKey) -> Result<api::IssuedToken, OauthRefusal> {
    let credentials = credentials(&form.client_assertion_type, &form.client_assertion, &form.client_id);
    let client = authenticated(app, parts, credentials).await?;
    let address = address(parts)?.to_string();
    let licensed = licensed(app, &client, &Shown { form, key: proof.key(), address: address.clone() }).await?;
    let scopes = scopes(&client, licensed.as_ref(), form.scope.as_deref())?;
    let (token, at) = (Token::from_bytes(app.random()), app.clock.now());
    let left_secs = licensed.as_ref().map_or(i64::MAX, |licensed| licensed.expires().secs() - at.secs());
    let change = IssueToken {
        tenant: client.row.tenant,
        client: client.row.id,
        assertion: client.used(),
        token: NewToken { token: token.stored(Purpose::Access), key: *proof.key(), scopes: scopes.clone() },
        licence: licensed,
        address,
        at,
        salt: app.random(),
    };
    app.store.commit(change).await.map_err(|error| match error {
        StoreError::Conflict => {
            OauthRefusal::Client("the client was stopped, its licence revoked, or it has as many live tokens as it may have".to_owned())
        }
        error => error.into(),
    })?;
    Ok(issued(&token, scopes, limits::ACCESS_TOKEN_SECS.min(left_secs), client.standing))
}

fn issued(token: &Token, scope: String, expires_in: i64, standing: KeyStanding) -> api::IssuedToken {
    api::IssuedToken {
        access_token: token.to_text().to_string(),
        token_type: "DPoP".to_owned(),
        expires_in,
        scope,
        key_due: standing == KeyStanding::Due,
        acr: None,
        amr: Vec::new(),
        auth_time: None,
    }
}

/// All of the client's scopes that its licence names too, or those of them that it asks for; none is not enough.
fn scopes(client: &Authenticated, licensed: Option<&Licensed>, wanted: Option<&str>) -> Result<String, OauthRefusal> {
    let named = |word: &&String| licensed.is_none_or(|licensed| licensed.scopes().contains(*word));
    let own: BTreeSet<&str> = client.row.state.shape.scopes.iter().filter(named).map(String::as_str).collect();
    if own.is_empty() {
        return Err(OauthRefusal::Scope);
    }
    let Some(wanted) = wanted.filter(|wanted| !wanted.trim().is_empty()) else {
        return Ok(own.into_iter().collect::<Vec<_>>().join(" "));
    };
    let mut words: Vec<&str> = wanted.split_whitespace().collect();
    words.sort_unstable();
    words.dedup();
    if words.iter().all(|word| own.contains(*word)) { Ok(words.join(" ")) } else { Err(OauthRefusal::Scope) }
}

/// Ends a token of the asking client. What is no token of theirs is not there, and that is no error (RFC 7009, section 2.2).
pub(crate) async fn revoke(State(app): State<App>, request: Request) -> Result<StatusCode, OauthRefusal> {
    let (parts, _) = request.into_parts();
    let (form, _) = form::<api::RevokeForm>(&parts)?;
    let credentials = credentials(&form.client_assertion_type, &form.client_assertion, &form.client_id);
    let client = authenticated(&app, &parts, credentials).await?;
    let token = Token::parse(&form.token).ok().map(|token| token.stored(Purpose::Access));
    app.store.reserve(RevokeToken { client: client.row.id, assertion: client.used(), token, at: app.clock.now() }).await?;
    Ok(StatusCode::OK)
}

pub(super) fn credentials<'a>(kind: &'a Option<String>, assertion: &'a Option<String>, id: &'a Option<String>) -> Credentials<'a> {
    Credentials { kind: kind.as_deref(), assertion: assertion.as_deref(), id: id.as_deref() }
}
