//! Rows of factors, one's own password and session, networks and addresses.

use sallyport_api as api;
use sallyport_decide::policy;

use crate::accounts::{addresses, by_kit, device, enrol, own, passkey};
use crate::routes::route::{Access, Route, needs};
use crate::work;

pub(super) fn rows() -> Vec<Route> {
    [signing_in(), device_bound(), enrolling(), oneself(), rules(), approving()].into_iter().flatten().collect()
}

fn signing_in() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/sign-in/passkey/start",
            "Begin a sign-in by passkey",
            Access::Public("a challenge names nobody and proves nothing"),
            passkey::start,
        )
        .answers::<api::StartedAssertion>(200),
        Route::post(
            "/v1/sign-in/passkey/finish",
            "Sign in by passkey",
            Access::Public("asks for a passkey's signature over our challenge"),
            passkey::finish,
        )
        .takes::<api::PasskeyAnswer>()
        .answers::<api::Me>(200)
        .audit("session.opened sign_in.failed factor.copied"),
        Route::post(
            "/v1/sign-in/kit/start",
            "Begin a recovery by the authority kit",
            Access::Public("a challenge names nobody and proves nothing"),
            by_kit::start,
        )
        .answers::<api::KitChallenge>(200),
        Route::post(
            "/v1/sign-in/kit/finish",
            "Recover the account of a tenant's only owner by password and authority kit",
            Access::Public("asks for the password and the authority's signature over our challenge"),
            by_kit::finish,
        )
        .takes::<api::KitSignIn>()
        .answers::<api::Me>(200)
        .audit("authority_kit.used session.opened authority_kit.refused sign_in.failed"),
    ]
}

fn device_bound() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/device-session/register",
            "Bind a session to a key in the browser's hardware (Device Bound Session Credentials; for browsers themselves)",
            Access::Public("needs the session's cookie, its sign-in's challenge and a signature"),
            device::register,
        )
        .answers::<api::DeviceSession>(200)
        .audit("session.bound"),
        Route::post(
            "/v1/device-session/renew",
            "Renew the short-lived cookie of such a session",
            Access::Public("needs the session's cookie and a signature by its key over a challenge"),
            device::renew,
        )
        .answers::<api::DeviceSession>(200),
    ]
}

fn enrolling() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/me/challenges",
            "Begin a proof by passkey for one's own changes",
            needs::<policy::Elevate>(),
            enrol::begin_challenge,
        )
        .takes::<api::NewChallenge>()
        .answers::<api::StartedAssertion>(200),
        Route::post("/v1/me/passkeys/start", "Begin to register a passkey", needs::<policy::EnrolFactors>(), enrol::start_passkey)
            .takes::<api::StartPasskey>()
            .answers::<api::StartedRegistration>(200)
            .audit("factor.locked factor.copied"),
        Route::post("/v1/me/passkeys/finish", "Register a passkey", needs::<policy::EnrolFactors>(), enrol::finish_passkey)
            .takes::<api::FinishPasskey>()
            .answers::<api::FreshRecoveryCode>(200)
            .empty(204)
            .audit("factor.added recovery_code.issued"),
        Route::post("/v1/me/totp/start", "Begin to enrol one more authenticator", needs::<policy::EnrolFactors>(), enrol::start_totp)
            .takes::<api::StartTotp>()
            .answers::<api::TotpDraft>(200)
            .audit("factor.locked factor.copied"),
        Route::post("/v1/me/totp/finish", "Enrol one more authenticator", needs::<policy::EnrolFactors>(), enrol::finish_totp)
            .takes::<api::FinishTotp>()
            .answers::<api::FreshRecoveryCode>(200)
            .empty(204)
            .audit("factor.added recovery_code.issued"),
        Route::patch("/v1/me/factors/{id}", "Give a factor another name", needs::<policy::EnrolFactors>(), enrol::rename)
            .takes::<api::RenameFactor>()
            .empty(204)
            .audit("factor.renamed"),
        Route::delete("/v1/me/factors/{id}", "Remove a factor", needs::<policy::RemoveOwnFactor>(), work::remove_factor)
            .answers::<api::AuthorizationRequest>(202)
            .class("2")
            .audit("request.created factor.removed"),
    ]
}

fn oneself() -> Vec<Route> {
    vec![
        Route::post("/v1/me/elevate", "Prove a factor in this session", needs::<policy::Elevate>(), own::elevate)
            .takes::<api::Elevate>()
            .answers::<api::Me>(200)
            .audit("session.elevated factor.locked factor.copied"),
        Route::post("/v1/me/check-up", "Show that a factor still works", needs::<policy::CheckUp>(), own::check_up)
            .takes::<api::CheckUp>()
            .empty(204)
            .audit("factor.checked factor.locked factor.copied"),
        Route::post("/v1/me/password", "Change one's own password", needs::<policy::ChangeOwnPassword>(), own::change_password)
            .takes::<api::ChangePassword>()
            .empty(204)
            .audit("password.changed factor.locked factor.copied"),
        Route::get("/v1/me/addresses", "Addresses that one approved", needs::<policy::ManageOwnAddresses>(), addresses::list)
            .pages::<api::ApprovedAddress>(),
        Route::delete(
            "/v1/me/addresses/{address}",
            "Approve an address no longer",
            needs::<policy::ManageOwnAddresses>(),
            addresses::remove,
        )
        .empty(204)
        .audit("address.removed"),
    ]
}

fn rules() -> Vec<Route> {
    vec![
        Route::get("/v1/policy/networks", "The rules about addresses", needs::<policy::ReadNetworks>(), addresses::show_rules)
            .answers::<api::NetworkPolicy>(200)
            .replaced_by_changes(&["/version"]),
        Route::put("/v1/policy/networks", "Ask for other rules about addresses", needs::<policy::ChangeNetworks>(), work::change_networks)
            .takes::<api::ChangeNetworks>()
            .answers::<api::AuthorizationRequest>(202)
            .class("2")
            .audit("request.created networks.changed"),
        Route::post(
            "/v1/policy/networks/pause",
            "Pause the verification of a user's addresses",
            needs::<policy::ManagePeople>(),
            addresses::pause,
        )
        .takes::<api::PauseAddressVerification>()
        .answers::<api::PausedAddressVerification>(200)
        .audit("address.paused address.resumed"),
        Route::post(
            "/v1/authorization-requests/{id}/passkey",
            "Begin to prove a request by passkey",
            needs::<policy::ProveRequests>(),
            work::begin_passkey,
        )
        .answers::<api::StartedAssertion>(200),
    ]
}

fn approving() -> Vec<Route> {
    vec![
        Route::post(
            "/v1/addresses/look",
            "What a mailed link would approve",
            Access::Public("needs the token of a mailed link"),
            addresses::look,
        )
        .takes::<api::AddressToken>()
        .answers::<api::AddressToApprove>(200),
        Route::post("/v1/addresses/approve", "Approve an address", Access::Public("needs the token of a mailed link"), addresses::approve)
            .takes::<api::AddressToken>()
            .empty(204)
            .audit("address.approved"),
    ]
}
