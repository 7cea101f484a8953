//! The rows.

use sallyport_api as api;
use sallyport_decide::policy;

use super::route::{Access, Route, needs};
use crate::{accounts, docs};

/// Every route of the API.
pub fn table() -> Vec<Route> {
    [about(), signing_in(), oneself()].into_iter().flatten().collect()
}

fn about() -> Vec<Route> {
    vec![Route::get("/v1/openapi.json", "This description", Access::Public("the API's description has no secrets"), docs::openapi)]
}

fn signing_in() -> Vec<Route> {
    use accounts::{nonce, setup, sign_in};
    vec![
        Route::get("/v1/nonce", "A nonce for the next proof, in DPoP-Nonce", Access::Public("a nonce proves nothing"), nonce::show).empty(204),
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
        Route::get("/v1/me/factors", "One's own factors", needs::<policy::ReadOwnFactors>(), me::factors).answers::<api::Page<api::Factor>>(200),
        Route::post(
            "/v1/me/recovery-codes/saved",
            "Confirm that the recovery codes are kept",
            needs::<policy::ConfirmRecoveryCodes>(),
            me::confirm_recovery_codes,
        )
        .empty(204)
        .audit("recovery_codes.saved"),
        Route::get("/v1/me/sessions", "One's own sessions", needs::<policy::ManageOwnSessions>(), sessions::list)
            .answers::<api::Page<api::Session>>(200),
        Route::delete("/v1/me/sessions", "End all other sessions", needs::<policy::ManageOwnSessions>(), sessions::end_others)
            .empty(204)
            .audit("session.ended"),
        Route::delete("/v1/me/sessions/{id}", "End one session", needs::<policy::ManageOwnSessions>(), sessions::end)
            .empty(204)
            .audit("session.ended"),
    ]
}
