//! RFC 8414: what tools need to know of this authorization server.

use axum::extract::State;
use sallyport_api as api;
use sallyport_decide::accounts::assurance::Acr;
use sallyport_decide::accounts::device_code::GRANT_TYPE;
use sallyport_decide::automation::scopes;

use super::device_codes;
use crate::{App, Json, Refusal};

/// The description, with the one issuer that assertions must be for.
pub(crate) async fn show(State(app): State<App>) -> Result<Json<api::OauthMetadata>, Refusal> {
    let issuer = app.config.origin().to_owned();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    // What no tenant allows is not there.
    let by_code = device_codes::exists(&app).await?;
    let mut grants = words(&["client_credentials", "authorization_code"]);
    grants.extend(by_code.then(|| GRANT_TYPE.to_owned()));
    Ok(Json(api::OauthMetadata {
        authorization_endpoint: format!("{issuer}/authorize"),
        token_endpoint: format!("{issuer}/v1/oauth/token"),
        revocation_endpoint: format!("{issuer}/v1/oauth/revoke"),
        sallyport_key_endpoint: format!("{issuer}/v1/oauth/keys"),
        device_authorization_endpoint: by_code.then(|| format!("{issuer}/v1/oauth/device")),
        issuer,
        token_endpoint_auth_methods_supported: words(&["private_key_jwt", "none"]),
        token_endpoint_auth_signing_alg_values_supported: words(&["ES256", "EdDSA"]),
        revocation_endpoint_auth_methods_supported: words(&["private_key_jwt"]),
        revocation_endpoint_auth_signing_alg_values_supported: words(&["ES256", "EdDSA"]),
        grant_types_supported: grants,
        response_types_supported: words(&["code"]),
        code_challenge_methods_supported: words(&["S256"]),
        authorization_response_iss_parameter_supported: true,
        acr_values_supported: Acr::ALL.into_iter().map(|acr| acr.as_str().to_owned()).collect(),
        dpop_signing_alg_values_supported: words(&["ES256"]),
        scopes_supported: scopes().map(|row| row.name.to_owned()).collect(),
    }))
}
