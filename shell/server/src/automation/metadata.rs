//! RFC 8414: what tools need to know of this authorization server.

use axum::extract::State;
use sallyport_api as api;
use sallyport_decide::accounts::assurance::Acr;
use sallyport_decide::automation::scopes;

use crate::{App, Json};

/// The description, with the one issuer that assertions must be for.
pub(crate) async fn show(State(app): State<App>) -> Json<api::OauthMetadata> {
    let issuer = app.config.origin().to_owned();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Json(api::OauthMetadata {
        authorization_endpoint: format!("{issuer}/authorize"),
        token_endpoint: format!("{issuer}/v1/oauth/token"),
        revocation_endpoint: format!("{issuer}/v1/oauth/revoke"),
        sallyport_key_endpoint: format!("{issuer}/v1/oauth/keys"),
        issuer,
        token_endpoint_auth_methods_supported: words(&["private_key_jwt", "none"]),
        token_endpoint_auth_signing_alg_values_supported: words(&["ES256", "EdDSA"]),
        revocation_endpoint_auth_methods_supported: words(&["private_key_jwt"]),
        revocation_endpoint_auth_signing_alg_values_supported: words(&["ES256", "EdDSA"]),
        grant_types_supported: words(&["client_credentials", "authorization_code"]),
        response_types_supported: words(&["code"]),
        code_challenge_methods_supported: words(&["S256"]),
        authorization_response_iss_parameter_supported: true,
        acr_values_supported: Acr::ALL.into_iter().map(|acr| acr.as_str().to_owned()).collect(),
        dpop_signing_alg_values_supported: words(&["ES256"]),
        scopes_supported: scopes().map(|row| row.name.to_owned()).collect(),
    })
}
