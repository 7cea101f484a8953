//! The rows.

mod automation;
mod bridge;
mod factors;
mod fleet;
mod people;
mod reading;
mod remote;

use axum::handler::Handler;
use sallyport_api as api;
use sallyport_decide::policy;
use utoipa::ToSchema;

use super::route::{Access, Query, Route, needs, query};
use crate::{App, accounts, docs, work};

/// Where a page begins.
const CURSOR: Query = query("cursor", "Where the page begins: `next` of the page before");
const LIMIT: Query =
    query("limit", "Most items of the page, 1 to 1000; 100 where nothing is said").whole(1, sallyport_model::limits::PAGE_ITEMS);
/// Which page, where a list can be asked for nothing else.
const PAGE: &[Query] = &[CURSOR, LIMIT];

/// Every route of the API.
pub fn table() -> Vec<Route> {
    let parts = [
        about(),
        signing_in(),
        oneself(),
        guarded(),
        automation::rows(),
        bridge::rows(),
        factors::rows(),
        fleet::rows(),
        people::rows(),
        reading::rows(),
        remote::rows(),
    ];
    parts.into_iter().flatten().collect()
}

fn about() -> Vec<Route> {
    let description = Access::Public("the API's description has no secrets");
    vec![Route::get("/v1/openapi.json", "This description", description, docs::openapi).answers::<api::ApiDescription>(200)]
}

fn signing_in() -> Vec<Route> {
    use accounts::{nonce, setup, sign_in};
    vec![
        Route::get("/v1/nonce", "A nonce for the next proof, in DPoP-Nonce", Access::Public("a nonce proves nothing"), nonce::show)
            .empty(204),
        Route::get("/v1/setup", "Whether the set-up is still to be done", Access::Public("says yes or no"), setup::state)
            .answers::<api::SetupState>(200),
        Route::post("/v1/setup/start", "Begin the set-up", Access::Public("needs the one-time token; dead once set up"), setup::start)
            .takes::<api::StartSetup>()
            .answers::<api::SetupDraft>(200),
        Route::post("/v1/setup/finish", "Finish the set-up", Access::Public("needs the one-time token; dead once set up"), setup::finish)
            .takes::<api::FinishSetup>()
            .answers::<api::RecoveryCodes>(201)
            .audit("setup.finished session.opened"),
        Route::post("/v1/sign-in", "Sign in", Access::Public("asks for password and code together"), sign_in::sign_in)
            .takes::<api::SignIn>()
            .answers::<api::Me>(200)
            .audit("session.opened recovery_code.used sign_in.failed factor.locked"),
        Route::post("/v1/sign-out", "End this session", needs::<policy::SignOut>(), sign_in::sign_out).empty(204).audit("session.ended"),
    ]
}

fn oneself() -> Vec<Route> {
    use accounts::{me, sessions};
    vec![
        Route::get("/v1/me", "Who is signed in", needs::<policy::ReadSelf>(), me::show).answers::<api::Me>(200),
        Route::get("/v1/me/factors", "One's own factors", needs::<policy::ReadOwnFactors>(), me::factors).pages::<api::Factor>(),
        Route::post(
            "/v1/me/recovery-codes/saved",
            "Confirm that the recovery codes are kept",
            needs::<policy::ConfirmRecoveryCodes>(),
            me::confirm_recovery_codes,
        )
        .empty(204)
        .audit("recovery_codes.saved"),
        Route::get("/v1/me/sessions", "One's own sessions", needs::<policy::ManageOwnSessions>(), sessions::list)
            .query(PAGE)
            .pages::<api::Session>(),
        Route::delete("/v1/me/sessions", "End all other sessions", needs::<policy::ManageOwnSessions>(), sessions::end_others)
            .empty(204)
            .audit("session.ended"),
        Route::delete("/v1/me/sessions/{id}", "End one session", needs::<policy::ManageOwnSessions>(), sessions::end)
            .empty(204)
            .audit("session.ended"),
    ]
}

/// Guarded operations: each answers 202 with a frozen request, or 201 where an open window is all that it takes.
fn guarded() -> Vec<Route> {
    vec![
        asks::<api::NewJob, _, _>("/v1/jobs", "Run a script on devices", needs::<policy::RunScripts>(), work::create_job)
            .class("1-3")
            .audit("request.created job.created"),
        asks::<api::NewInstaller, _, _>("/v1/installers", "Make an installer", needs::<policy::ManageInstallers>(), work::create_installer)
            .class("2")
            .audit("request.created installer.created"),
        asks::<api::Devices, _, _>(
            "/v1/devices/approve",
            "Approve pending devices",
            needs::<policy::ApproveDevices>(),
            work::approve_devices,
        )
        .class("1")
        .audit("request.created devices.approved"),
        asks::<api::Devices, _, _>("/v1/devices/remove", "Stop managing devices", needs::<policy::RemoveDevices>(), work::remove_devices)
            .class("2-3")
            .audit("request.created devices.removed"),
        Route::post(
            "/v1/me/recovery-codes",
            "Replace one's own recovery codes",
            needs::<policy::RegenerateRecoveryCodes>(),
            work::regenerate_recovery_codes,
        )
        .answers::<api::AuthorizationRequest>(202)
        .class("2")
        .audit("request.created recovery_codes.regenerated"),
        Route::get("/v1/authorization-requests", "Requests that wait for proofs", needs::<policy::ReadRequests>(), work::list)
            .query(PAGE)
            .pages::<api::AuthorizationRequest>(),
        Route::get("/v1/authorization-requests/{id}", "One request", needs::<policy::ReadRequests>(), work::show)
            .answers::<api::AuthorizationRequest>(200),
        Route::post("/v1/authorization-requests/{id}/proofs", "Prove a request", needs::<policy::ProveRequests>(), work::prove)
            .takes::<api::NewProof>()
            .answers::<api::AuthorizationRequest>(200)
            .audit("request.proved factor.locked and what the action leaves"),
        Route::post("/v1/authorization-requests/{id}/deny", "Deny a request", needs::<policy::ProveRequests>(), work::deny)
            .empty(204)
            .audit("request.denied"),
        Route::post("/v1/jobs/{id}/cancel", "Cancel a job's runs", needs::<policy::CancelRuns>(), work::cancel_job)
            .empty(204)
            .audit("run.cancelled"),
        Route::post("/v1/runs/{id}/cancel", "Cancel a run", needs::<policy::CancelRuns>(), work::cancel_run)
            .empty(204)
            .audit("run.cancelled"),
    ]
}

fn asks<B: ToSchema, H: Handler<T, App>, T: 'static>(path: &'static str, about: &'static str, access: Access, handler: H) -> Route {
    Route::post(path, about, access, handler)
        .takes::<B>()
        .answers::<api::AuthorizationRequest>(202)
        .answers::<api::ActionResult>(201)
        .once()
}
