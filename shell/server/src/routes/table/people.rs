//! Rows of people: users, roles, invitations, policy, mail.

use sallyport_api as api;
use sallyport_decide::policy;

use super::{CURSOR, LIMIT, PAGE, asks};
use crate::people::{activate, ask, not_me, users};
use crate::routes::route::{Access, Query, Route, needs, query};

const USERS: &[Query] = &[
    query("q", "Words that must all be found in name, address, roles or scopes"),
    query("mfa", "active, required, off, or without for the last two"),
    query("state", "invited, active, disabled or locked"),
    query("role", "Only users with this role: a built-in one's word or a custom one's id"),
    query("sort", "name, email, mfa, state, role, last_sign_in or created, with - in front for the other direction"),
    CURSOR,
    LIMIT,
];

pub(super) fn rows() -> Vec<Route> {
    [reading(), guarded(), roles(), policies(), direct(), links()].into_iter().flatten().collect()
}

fn reading() -> Vec<Route> {
    vec![
        Route::get("/v1/users", "Users, with the counts for the tabs", needs::<policy::ReadPeople>(), users::list)
            .query(USERS)
            .answers::<api::UserPage>(200),
        Route::get("/v1/users/{id}", "One user, with sessions and what they did lately", needs::<policy::ReadPeople>(), users::show)
            .answers::<api::UserDetails>(200),
        Route::get("/v1/roles", "All roles, and what roles are made of", needs::<policy::ReadPeople>(), users::roles)
            .answers::<api::Roles>(200),
        Route::get(
            "/v1/policy",
            "The policy of factors and sessions, and how mail stands",
            needs::<policy::ReadPolicy>(),
            ask::show_policy,
        )
        .answers::<api::Policy>(200),
        Route::get("/v1/mails", "What became of mails, the newest first", needs::<policy::ReadPolicy>(), users::mails)
            .query(PAGE)
            .pages::<api::Mail>(),
    ]
}

fn guarded() -> Vec<Route> {
    vec![
        asks::<api::InviteUser, _, _>("/v1/users", "Invite somebody", needs::<policy::ManagePeople>(), ask::invite)
            .class("2")
            .audit("request.created user.invited"),
        asks::<api::Users, _, _>("/v1/users/disable", "Disable users", needs::<policy::ManagePeople>(), ask::disable)
            .class("2")
            .audit("request.created users.disabled"),
        asks::<api::Users, _, _>("/v1/users/enable", "Enable users", needs::<policy::ManagePeople>(), ask::enable)
            .class("2")
            .audit("request.created users.enabled"),
        asks::<api::RequireMfa, _, _>(
            "/v1/users/mfa",
            "Require a second factor of users, or no longer",
            needs::<policy::ManagePeople>(),
            ask::require_mfa,
        )
        .class("2")
        .audit("request.created users.mfa_required"),
        asks::<api::ChangeAssignments, _, _>(
            "/v1/users/{id}/assignments",
            "Replace a user's roles",
            needs::<policy::ManagePeople>(),
            ask::assign,
        )
        .class("2")
        .audit("request.created user.role_changed"),
        asks::<api::ResetFactor, _, _>(
            "/v1/users/{id}/reset-factor",
            "Take away a user's factors, so that they enrol new ones",
            needs::<policy::ManagePeople>(),
            ask::reset_factor,
        )
        .class("2-3")
        .audit("request.created factor.reset factor.reset_held"),
    ]
}

fn roles() -> Vec<Route> {
    vec![
        asks::<api::SaveRole, _, _>("/v1/roles", "Make a custom role", needs::<policy::ManageRoles>(), ask::add_role)
            .class("2")
            .audit("request.created role.saved"),
        Route::put("/v1/roles/{id}", "Change a custom role", needs::<policy::ManageRoles>(), ask::save_role)
            .takes::<api::SaveRole>()
            .answers::<api::AuthorizationRequest>(202)
            .answers::<api::ActionResult>(201)
            .class("2")
            .audit("request.created role.saved"),
        Route::delete("/v1/roles/{id}", "Take away a custom role that nobody has", needs::<policy::ManageRoles>(), ask::delete_role)
            .answers::<api::AuthorizationRequest>(202)
            .answers::<api::ActionResult>(201)
            .class("2")
            .audit("request.created role.deleted"),
    ]
}

fn policies() -> Vec<Route> {
    vec![
        Route::put("/v1/policy/mfa", "Change who must have a second factor", needs::<policy::ChangePolicy>(), ask::change_mfa_policy)
            .takes::<api::MfaPolicy>()
            .answers::<api::AuthorizationRequest>(202)
            .answers::<api::ActionResult>(201)
            .class("2")
            .audit("request.created policy.mfa_changed"),
        Route::put("/v1/policy/sessions", "Change how long sessions last", needs::<policy::ChangePolicy>(), ask::change_session_limits)
            .takes::<api::SessionLimits>()
            .answers::<api::AuthorizationRequest>(202)
            .answers::<api::ActionResult>(201)
            .class("2")
            .audit("request.created policy.sessions_changed"),
    ]
}

fn direct() -> Vec<Route> {
    vec![
        Route::post("/v1/users/{id}/end-sessions", "End all sessions of a user", needs::<policy::ManagePeople>(), users::end_sessions)
            .empty(204)
            .audit("session.ended"),
        Route::post(
            "/v1/users/{id}/resend-invitation",
            "Send an invitation or activation link again; earlier ones are dead",
            needs::<policy::ManagePeople>(),
            users::resend,
        )
        .answers::<api::CreatedInvitation>(200)
        .audit("user.link_renewed"),
        Route::post(
            "/v1/me/activation/mail",
            "Mail oneself the link that begins the activation of a factor",
            needs::<policy::ActivateOwnFactor>(),
            activate::mail_own,
        )
        .answers::<api::ActivationMail>(200)
        .audit("user.link_renewed"),
        Route::delete("/v1/me/held-reset", "Stop the reset of one's own factor", needs::<policy::StopOwnReset>(), not_me::stop_reset)
            .empty(204)
            .audit("factor.reset_stopped"),
        Route::post("/v1/me/not-me", "Stop everything of one's account", needs::<policy::SayNotMe>(), not_me::from_session)
            .answers::<api::NotMeDone>(200)
            .audit("user.not_me"),
    ]
}

fn links() -> Vec<Route> {
    vec![
        Route::post("/v1/not-me", "Stop everything of an account", Access::Public("needs the one-use token of a mail"), not_me::from_mail)
            .takes::<api::LinkToken>()
            .answers::<api::NotMeDone>(200)
            .audit("user.not_me"),
        Route::post("/v1/invitations/look", "What a link is for", Access::Public("needs the token of a link"), activate::look)
            .takes::<api::LinkToken>()
            .answers::<api::Invitation>(200),
        Route::post(
            "/v1/invitations/start",
            "Begin an activation",
            Access::Public("needs the token of a link, and the present password where there is one"),
            activate::start,
        )
        .takes::<api::StartActivation>()
        .answers::<api::ActivationDraft>(200),
        Route::post(
            "/v1/invitations/finish",
            "Finish an activation",
            Access::Public("needs the one-use token of a link and a code of the new authenticator"),
            activate::finish,
        )
        .takes::<api::FinishActivation>()
        .answers::<api::RecoveryCodes>(201)
        .audit("user.activated password.changed session.opened"),
    ]
}
