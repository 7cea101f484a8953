//! Automation: API clients for people, and the OAuth endpoints for the clients themselves.

use sallyport_api as api;
use sallyport_decide::policy;

use super::super::route::{Access, Route, needs};
use super::asks;
use crate::automation::{clients, keys, metadata, programs, token};

pub(super) fn rows() -> Vec<Route> {
    vec![
        Route::get("/v1/clients", "API clients, and what they can have", needs::<policy::ReadClients>(), clients::list)
            .answers::<api::ApiClients>(200),
        asks::<api::NewApiClient, _, _>("/v1/clients", "Make an API client", needs::<policy::ManageClients>(), clients::create)
            .class("2")
            .audit("request.created client.created"),
        Route::get("/v1/clients/{id}", "One API client", needs::<policy::ReadClients>(), clients::show).answers::<api::ApiClient>(200),
        Route::put("/v1/clients/{id}", "Change an API client", needs::<policy::ManageClients>(), clients::change)
            .takes::<api::ChangeApiClient>()
            .answers::<api::AuthorizationRequest>(202)
            .class("2")
            .audit("request.created client.changed"),
        Route::post("/v1/clients/{id}/stop", "Stop an API client for good", needs::<policy::ManageClients>(), clients::stop)
            .empty(204)
            .audit("client.stopped"),
        Route::post(
            "/v1/me/programs",
            "Answer a program that wants to sign in as oneself",
            needs::<policy::ApprovePrograms>(),
            programs::answer,
        )
        .takes::<api::ProgramAnswer>()
        .answers::<api::ProgramRedirect>(200)
        .audit("program.approved"),
        Route::get(
            "/.well-known/oauth-authorization-server",
            "How tools get access tokens (RFC 8414)",
            Access::Public("says where and how, and has no secrets"),
            metadata::show,
        )
        .answers::<api::OauthMetadata>(200),
        oauth("/v1/oauth/token", "Get an access token", token::issue)
            .takes_form::<api::TokenForm>()
            .answers::<api::IssuedToken>(200)
            .audit("client.used client.stopped session.opened program.code_reused"),
        oauth("/v1/oauth/revoke", "End an access token before its time (RFC 7009)", token::revoke)
            .takes_form::<api::RevokeForm>()
            .empty(200),
        oauth("/v1/oauth/keys", "Replace a client's key", keys::rotate)
            .takes_form::<api::RotateForm>()
            .answers::<api::RotatedKey>(200)
            .audit("client.key_rotated client.stopped"),
    ]
}

fn oauth<H: axum::handler::Handler<T, crate::App>, T: 'static>(path: &'static str, about: &'static str, handler: H) -> Route {
    Route::post(path, about, Access::Public("asks for an assertion that a client signed, or a code that a person gave"), handler)
        .answers::<api::OauthError>(400)
        .answers::<api::OauthError>(401)
}
