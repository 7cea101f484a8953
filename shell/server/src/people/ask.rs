//! Asking for operations on people and policy: parsed, judged against what is, frozen.

use axum::extract::State;
use axum::response::Response;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::session::Timers;
use sallyport_decide::actions::Action;
use sallyport_decide::people as decided;
use sallyport_decide::people::{ADMIN_PASSKEYS, AdminsProve, ChangeMfaPolicy, ChangeSessionLimits, ChangedRole, MfaWho, ResetTakes};
use sallyport_decide::policy::{self, Actor, Role, row};
use sallyport_grant::body::Class;
use sallyport_model::{Email, Name, RoleId, UserId, limits};
use sallyport_store::ops::people::UserRow;
use sallyport_store::ops::requests::eligible;

use super::facts::{Facts, Ownership, may_act, person};
use super::shown::{self, read_mfa_policy};
use crate::work::ask_plainly;
use crate::{Allowed, App, Id, Json, Refusal};

/// Asks to invite somebody.
pub(crate) async fn invite(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManagePeople>,
    Json(body): Json<api::InviteUser>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let email = Email::parse(&body.email).map_err(|why| Refusal::field("email", why))?;
    let name = Name::parse(&body.name).map_err(|why| Refusal::field("name", why))?;
    if facts.users.iter().any(|user| user.email == email.as_str()) {
        return Err(Refusal::field("email", "has an account already"));
    }
    if facts.users.len() >= limits::USERS {
        return Err(Refusal::field("email", format!("there are {} accounts already, which is the most", limits::USERS)));
    }
    let rights = facts.rights(actor, &body.assignments, body.expires)?;
    let assignments = facts.names().given(&rights);
    let (email, name) = (email.as_str().to_owned(), name.into_string());
    let action = Action::InviteUser(decided::InviteUser { email, name, assignments, expires: body.expires });
    ask_plainly(&app, actor, action).await
}

/// Asks to disable users.
pub(crate) async fn disable(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManagePeople>,
    Json(body): Json<api::Users>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let users = facts.named(actor, &body.users)?;
    if let Some(one) = users.iter().find(|user| user.state == "disabled") {
        return Err(Refusal::field("users", format!("{} is disabled already", one.name)));
    }
    facts.an_owner_is_left(|user| if users.iter().any(|one| one.id == user.id) { Ownership::Gone } else { Ownership::Stays })?;
    ask_plainly(&app, actor, Action::DisableUsers(users.into_iter().map(person).collect())).await
}

/// Asks to enable users.
pub(crate) async fn enable(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManagePeople>,
    Json(body): Json<api::Users>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let users = facts.named(actor, &body.users)?;
    for user in &users {
        if user.state != "disabled" {
            return Err(Refusal::field("users", format!("{} is not disabled", user.name)));
        }
        if user.expires.is_some_and(|expires| expires <= facts.now) {
            return Err(Refusal::field("users", format!("the account of {} has ended: change its end first", user.name)));
        }
    }
    ask_plainly(&app, actor, Action::EnableUsers(users.into_iter().map(person).collect())).await
}

/// Asks to give a user other roles.
pub(crate) async fn assign(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManagePeople>,
    Id(id): Id<UserId>,
    Json(body): Json<api::ChangeAssignments>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let user = facts.user(id)?;
    may_act(actor, user)?;
    let after = facts.rights(actor, &body.assignments, body.expires)?;
    let given = if after.is(Role::Owner) && body.expires.is_none() { Ownership::Given } else { Ownership::Gone };
    facts.an_owner_is_left(|one| if one.id == id { given } else { Ownership::Stays })?;
    let names = facts.names();
    let (before, after) = (names.given(&user.rights), names.given(&after));
    if before == after && user.expires == body.expires {
        return Err(Refusal::from(Code::NothingToDo).because("These are the roles that they have."));
    }
    ask_plainly(&app, actor, Action::ChangeRole(decided::ChangeRole { user: person(user), before, after, expires: body.expires })).await
}

/// Asks to require a factor of users, or no longer.
pub(crate) async fn require_mfa(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManagePeople>,
    Json(body): Json<api::RequireMfa>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    if facts.policy.mfa.who == MfaWho::All {
        let why = "The tenant requires a second factor of everybody, so nothing is required of single users.";
        return Err(Refusal::from(Code::Conflict).because(why));
    }
    let users = facts.named(actor, &body.users)?;
    let required = if body.required == api::YesNo::Yes { decided::Required::Yes } else { decided::Required::No };
    let users = users.into_iter().map(person).collect();
    ask_plainly(&app, actor, Action::RequireMfa(decided::RequireMfa { users, required })).await
}

/// Asks to take away a user's factors.
pub(crate) async fn reset_factor(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManagePeople>,
    Id(id): Id<UserId>,
    Json(body): Json<api::ResetFactor>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let user = facts.user(id)?;
    may_act(actor, user)?;
    if !user.has_factor() {
        return Err(Refusal::from(Code::NothingToDo).because("There is no factor to reset: send the link again instead."));
    }
    if let Some(held) = &user.held {
        return Err(Refusal::from(Code::Conflict).because(format!("A reset by {} waits already.", held.by)));
    }
    let confirmed = match body.confirmed {
        api::Confirmed::InPerson => decided::Confirmed::InPerson,
        api::Confirmed::ByCall => decided::Confirmed::ByCall,
    };
    let takes = reset_takes(&app, actor, &facts, id).await?;
    ask_plainly(&app, actor, Action::ResetFactor(decided::ResetFactor { user: person(user), confirmed, takes })).await
}

/// What a reset takes: an administrator's own factor wants two people, or a day where there is no second one.
pub(super) async fn reset_takes(app: &App, actor: &Actor, facts: &Facts, id: UserId) -> Result<ResetTakes, Refusal> {
    let user = facts.user(id)?;
    if !user.rights.administers() {
        return Ok(ResetTakes::OneAdmin);
    }
    let (user, confirmed) = (person(user), decided::Confirmed::InPerson);
    let action = Action::ResetFactor(decided::ResetFactor { user, confirmed, takes: ResetTakes::TwoPeople });
    let asker = (actor.tenant, actor.user);
    let others = eligible(&mut app.store.read().await?, asker, &action, Class::Mass, facts.now).await?.others;
    Ok(if others > 0 { ResetTakes::TwoPeople } else { ResetTakes::Hold })
}

/// Asks to change who must have a second factor.
pub(crate) async fn change_mfa_policy(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ChangePolicy>,
    Json(body): Json<api::MfaPolicy>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let names_roles = body.who == api::MfaWho::Roles;
    if names_roles == body.roles.is_empty() {
        let why = if names_roles { "name at least one" } else { "are named only where `who` is `roles`" };
        return Err(Refusal::field("roles", why));
    }
    let known = |word: &String| word.parse::<Role>().is_ok() || facts.roles.iter().any(|role| role.id.to_string() == *word);
    if let Some(unknown) = body.roles.iter().find(|word| !known(word)) {
        return Err(Refusal::field("roles", format!("{unknown} is not a role")));
    }
    if body.factorless == api::YesNo::Yes && app.config.mail.is_none() {
        return Err(Refusal::from(Code::MailUnavailable).because(
            "Users without a factor activate it by a mailed link, and the server has no mail server: set mail.smtp and mail.from first.",
        ));
    }
    let after = read_mfa_policy(body, &facts.policy.mfa);
    if after.admins == AdminsProve::ByPasskey && facts.policy.mfa.admins != AdminsProve::ByPasskey {
        everybody_has_passkeys(&facts)?;
    }
    if after == facts.policy.mfa {
        return Err(Refusal::from(Code::NothingToDo).because("This is the policy that holds."));
    }
    ask_plainly(&app, actor, Action::ChangeMfaPolicy(ChangeMfaPolicy { before: facts.policy.mfa, after })).await
}

/// Whoever manages others has two passkeys: with one alone, a lost laptop would keep them out.
fn everybody_has_passkeys(facts: &Facts) -> Result<(), Refusal> {
    let lacks = |user: &&UserRow| user.state == "active" && user.rights.administers() && (user.passkeys as usize) < ADMIN_PASSKEYS;
    let names: Vec<&str> = facts.users.iter().filter(lacks).map(|user| user.name.as_str()).collect();
    match names.is_empty() {
        true => Ok(()),
        false => Err(Refusal::from(Code::Conflict)
            .because(format!("Each owner and administrator needs {ADMIN_PASSKEYS} passkeys first. Fewer: {}.", names.join(", ")))
            .at("admins_passkey")),
    }
}

/// Asks to change how long sessions last.
pub(crate) async fn change_session_limits(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ChangePolicy>,
    Json(body): Json<api::SessionLimits>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let after = Timers { idle_secs: body.idle_secs.into(), lifetime_secs: body.lifetime_secs.into() };
    for (field, secs, (least, most)) in [
        ("idle_secs", after.idle_secs, limits::SESSION_IDLE_RANGE_SECS),
        ("lifetime_secs", after.lifetime_secs, limits::SESSION_LIFETIME_RANGE_SECS),
    ] {
        if secs < least || secs > most {
            return Err(Refusal::field(field, format!("must be {least} to {most}")));
        }
    }
    if after.idle_secs > after.lifetime_secs {
        return Err(Refusal::field("idle_secs", "must not be longer than the whole session"));
    }
    if after == facts.policy.timers {
        return Err(Refusal::from(Code::NothingToDo).because("These are the limits that hold."));
    }
    ask_plainly(&app, actor, Action::ChangeSessionLimits(ChangeSessionLimits { before: facts.policy.timers, after })).await
}

/// Asks to make a custom role.
pub(crate) async fn add_role(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManageRoles>,
    Json(body): Json<api::SaveRole>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    if facts.roles.len() >= limits::ROLES {
        return Err(Refusal::field("name", format!("there are {} custom roles already, which is the most", limits::ROLES)));
    }
    let id = RoleId::new(facts.now, app.random());
    let role = changed_role(actor, &facts, id, &body)?;
    ask_plainly(&app, actor, Action::SaveRole(role)).await
}

/// Asks to change a custom role.
pub(crate) async fn save_role(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManageRoles>,
    Id(id): Id<RoleId>,
    Json(body): Json<api::SaveRole>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    facts.roles.iter().find(|role| role.id == id).ok_or(Code::NotFound)?;
    let role = changed_role(actor, &facts, id, &body)?;
    ask_plainly(&app, actor, Action::SaveRole(role)).await
}

/// Nobody puts into a role what they may not do themselves: they could have it given to them.
fn changed_role(actor: &Actor, facts: &Facts, id: RoleId, body: &api::SaveRole) -> Result<ChangedRole, Refusal> {
    let name = Name::parse(&body.name).map_err(|why| Refusal::field("name", why))?.into_string();
    let taken = |role: &&sallyport_store::ops::people::RoleRow| role.name.eq_ignore_ascii_case(&name) && role.id != id;
    if facts.roles.iter().any(|role| taken(&role)) || name.to_lowercase().parse::<Role>().is_ok() {
        return Err(Refusal::field("name", "is taken"));
    }
    let after: std::collections::BTreeSet<String> = body.capabilities.iter().cloned().collect();
    if after.is_empty() {
        return Err(Refusal::field("capabilities", "name at least one"));
    }
    for word in &after {
        let known = row(word).filter(|row| row.is_for_custom_roles());
        let known = known.ok_or_else(|| Refusal::field("capabilities", format!("{word} is not one that a role can have")))?;
        if !actor.rights.reach(known).is_some_and(|reach| reach.is_tenant()) {
            return Err(Refusal::from(Code::RoleRefused).because(format!("You may not {word} yourself.")));
        }
    }
    let before = facts.roles.iter().find(|role| role.id == id);
    Ok(ChangedRole {
        id,
        name,
        before: before.map(|role| role.capabilities.iter().cloned().collect()).unwrap_or_default(),
        after: after.into_iter().collect(),
        users: before.map_or(0, |role| role.users),
    })
}

/// Asks to take away a custom role that nobody has.
pub(crate) async fn delete_role(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManageRoles>,
    Id(id): Id<RoleId>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let role = facts.roles.iter().find(|role| role.id == id).ok_or(Code::NotFound)?;
    if role.users > 0 {
        return Err(Refusal::from(Code::Conflict).because(format!("{} users have this role: give them another one first.", role.users)));
    }
    if facts.policy.mfa.roles.contains(&id.to_string()) {
        return Err(Refusal::from(Code::Conflict).because("The policy of second factors names this role."));
    }
    let before = role.capabilities.iter().cloned().collect();
    ask_plainly(&app, actor, Action::DeleteRole(ChangedRole { id, name: role.name.clone(), before, after: Vec::new(), users: 0 })).await
}

/// What holds now.
pub(crate) async fn show_policy(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadPolicy>,
) -> Result<Json<api::Policy>, Refusal> {
    let facts = Facts::load(&app, permit.actor().tenant).await?;
    let since = facts.now.plus_secs(-30 * 24 * 60 * 60);
    let mail = sallyport_store::ops::people::mail_standing(&mut app.store.read().await?, facts.tenant, since).await?;
    let without = facts.users.iter().filter(|user| user.state == "active" && !user.has_factor()).count();
    Ok(Json(api::Policy {
        mfa: shown::mfa_policy(&facts.policy.mfa),
        sessions: shown::timers(facts.policy.timers),
        mail: api::MailState {
            configured: shown::yes_no(app.config.mail.is_some()),
            waiting: mail.waiting,
            failed: mail.failed,
            last_sent: mail.last_sent,
            last_error: mail.last_error,
        },
        without_factor: without as u64,
    }))
}
