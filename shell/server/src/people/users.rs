//! `/v1/users` and `/v1/roles`, reading; and what needs no request: ending sessions, sending a link again.

use axum::extract::State;
use axum::http::StatusCode;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::policy::{self, Role, Row, TABLE};
use sallyport_model::{MailId, UserId};
use sallyport_store::ops::accounts::sessions;
use sallyport_store::ops::networks::paused_until;
use sallyport_store::ops::people::{self as store, EndSessionsOf, LinkBy, LinkPurpose, RenewLink, UserRow};
use serde::Deserialize;

use super::ask::reset_takes;
use super::execute::{Made, tell_stopped};
use super::facts::{Facts, may_act};
use super::shown;
use crate::{Allowed, App, Id, Json, Query, Refusal, accounts, mail, paging};

/// Guarded actions that are shown of somebody.
pub(super) const RECENT: u32 = 20;

/// Which users, in which order.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListUsers {
    q: Option<String>,
    mfa: Option<WantedMfa>,
    state: Option<api::AccountState>,
    role: Option<String>,
    sort: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Which of the three states, or the two that have no factor.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WantedMfa {
    Active,
    Required,
    Off,
    Without,
}

impl WantedMfa {
    fn takes(self, mfa: api::Mfa) -> bool {
        match self {
            Self::Active => mfa == api::Mfa::Active,
            Self::Required => mfa == api::Mfa::Required,
            Self::Off => mfa == api::Mfa::Off,
            Self::Without => mfa != api::Mfa::Active,
        }
    }
}

/// A user's place in an order.
type Place = (String, String, UserId);

/// Users, with the counts for the tabs.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadPeople>,
    Query(query): Query<ListUsers>,
) -> Result<Json<api::UserPage>, Refusal> {
    let limit = paging::limit(query.limit)? as usize;
    let facts = Facts::load(&app, permit.actor().tenant).await?;
    let (by, down) = order(query.sort.as_deref().unwrap_or("name"))?;
    let after = query.cursor.as_deref().map(paging::read_place::<Place>).transpose()?;
    let viewer = permit.actor().user;
    let all: Vec<api::User> = facts.users.iter().map(|row| shown::user(row, &facts.policy, &facts.names(), viewer, facts.now)).collect();
    let counts = counts(&all);
    let mut found: Vec<(Place, api::User)> =
        all.into_iter().filter(|user| matches(user, &query)).map(|user| (place(&user, by), user)).collect();
    found.sort_by(|one, other| if down { other.0.cmp(&one.0) } else { one.0.cmp(&other.0) });
    let begin = after.map_or(0, |after| found.partition_point(|(place, _)| if down { *place >= after } else { *place <= after }));
    let total = found.len() as u64;
    let next = found.get(begin + limit).and(found.get(begin + limit - 1)).map(|(place, _)| paging::write_place(place));
    let items = found.into_iter().skip(begin).take(limit).map(|(_, user)| user).collect();
    Ok(Json(api::UserPage { items, next, total, counts }))
}

fn counts(users: &[api::User]) -> api::UserCounts {
    let count = |is: &dyn Fn(&api::User) -> bool| users.iter().filter(|user| is(user)).count() as u64;
    api::UserCounts {
        all: users.len() as u64,
        mfa_active: count(&|user| user.mfa == api::Mfa::Active),
        mfa_required: count(&|user| user.mfa == api::Mfa::Required),
        mfa_off: count(&|user| user.mfa == api::Mfa::Off),
        invited: count(&|user| user.state == api::AccountState::Invited),
        disabled: count(&|user| user.state == api::AccountState::Disabled),
        locked: count(&|user| user.state == api::AccountState::Locked),
    }
}

fn matches(user: &api::User, query: &ListUsers) -> bool {
    let text = || {
        let roles = user.assignments.iter().map(|one| format!("{} {}", one.role_name, one.scope.name)).collect::<Vec<_>>().join("\n");
        format!("{}\n{}\n{roles}", user.name, user.email).to_lowercase()
    };
    query.mfa.is_none_or(|mfa| mfa.takes(user.mfa))
        && query.state.is_none_or(|state| user.state == state)
        && query.role.as_ref().is_none_or(|role| user.assignments.iter().any(|one| one.role == *role))
        && query.q.as_ref().is_none_or(|q| q.to_lowercase().split_whitespace().all(|word| text().contains(word)))
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy)]
enum By {
    Name,
    Email,
    Mfa,
    State,
    Role,
    LastSignIn,
    Created,
}

fn order(text: &str) -> Result<(By, bool), Refusal> {
    let (word, down) = text.strip_prefix('-').map_or((text, false), |word| (word, true));
    let by = match word {
        "name" => By::Name,
        "email" => By::Email,
        "mfa" => By::Mfa,
        "state" => By::State,
        "role" => By::Role,
        "last_sign_in" => By::LastSignIn,
        "created" => By::Created,
        _ => return Err(Refusal::field("sort", "is not an order")),
    };
    Ok((by, down))
}

fn place(user: &api::User, by: By) -> Place {
    let key = match by {
        By::Name => String::new(),
        By::Email => user.email.clone(),
        By::Mfa => (user.mfa as u8).to_string(),
        By::State => (user.state as u8).to_string(),
        By::Role => user.assignments.first().map(|one| role_rank(&one.role) + &one.role_name).unwrap_or_default(),
        By::LastSignIn => user.last_sign_in.map(|at| at.to_string()).unwrap_or_default(),
        By::Created => user.created.to_string(),
    };
    (key, user.name.to_lowercase(), user.id)
}

fn role_rank(word: &str) -> String {
    Role::ALL.iter().position(|role| role.as_str() == word).unwrap_or(Role::ALL.len()).to_string()
}

/// One user, with sessions and what they did lately.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadPeople>,
    Id(id): Id<UserId>,
) -> Result<Json<api::UserDetails>, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let user = facts.user(id)?;
    let reset_takes = shown::takes(reset_takes(&app, actor, &facts, id).await?);
    let mut reader = app.store.read().await?;
    let sessions = sessions(&mut reader, id).await?;
    let recent = store::recent_actions(&mut reader, id, RECENT).await?;
    let paused = paused_until(&mut reader, id).await?.filter(|until| facts.now < *until);
    let live = sessions.into_iter().filter(|row| row.session.lives(facts.now).is_ok());
    Ok(Json(api::UserDetails {
        user: shown::user(user, &facts.policy, &facts.names(), actor.user, facts.now),
        policy: shown::mfa_policy(&facts.policy.mfa),
        reset_takes,
        verification_paused_until: paused,
        sessions: live.map(|row| accounts::sessions::shown(row, actor.session)).collect(),
        recent: shown::recent(recent),
    }))
}

/// All roles, and what roles are made of.
pub(crate) async fn roles(State(app): State<App>, Allowed(permit): Allowed<policy::ReadPeople>) -> Result<Json<api::Roles>, Refusal> {
    let facts = Facts::load(&app, permit.actor().tenant).await?;
    let has =
        |word: &str| facts.users.iter().filter(|user| user.rights.assignments().iter().any(|one| one.role.word() == word)).count() as u64;
    let all = vec![api::ScopeKind::Tenant, api::ScopeKind::Customer, api::ScopeKind::Site];
    let built_in = Role::ALL.into_iter().map(|role| api::Role {
        id: role.as_str().to_owned(),
        name: role.as_str().to_owned(),
        about: role.about().to_owned(),
        kind: api::RoleKind::BuiltIn,
        capabilities: TABLE.iter().filter(|row| row.roles.contains(&role)).map(|row| row.name.to_owned()).collect(),
        scopes: if role.can_be_scoped() { all.clone() } else { vec![api::ScopeKind::Tenant] },
        must_expire: role.must_expire(),
        users: has(role.as_str()),
    });
    let custom = facts.roles.iter().map(|role| api::Role {
        id: role.id.to_string(),
        name: role.name.clone(),
        about: String::new(),
        kind: api::RoleKind::Custom,
        capabilities: role.capabilities.iter().cloned().collect(),
        scopes: all.clone(),
        must_expire: false,
        users: role.users,
    });
    let capability = |row: &Row| api::RoleCapability {
        name: row.name.to_owned(),
        about: row.about.to_owned(),
        scoped: row.holds == policy::Holds::Places,
    };
    let capabilities = TABLE.iter().filter(|row| row.is_for_custom_roles()).map(capability).collect();
    Ok(Json(api::Roles { roles: built_in.chain(custom).collect(), capabilities }))
}

/// Ends all sessions of somebody.
pub(crate) async fn end_sessions(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManagePeople>,
    Id(id): Id<UserId>,
) -> Result<StatusCode, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let user = facts.user(id)?;
    if id != actor.user {
        may_act(actor, user)?;
    }
    let change = EndSessionsOf { tenant: actor.tenant, by: actor.user, user: id, at: facts.now, salt: app.random() };
    let stopped = app.store.commit(change).await?;
    tell_stopped(&app, actor.tenant, &stopped);
    Ok(StatusCode::NO_CONTENT)
}

/// Sends an invitation or activation link again: a new one, and earlier ones are dead.
pub(crate) async fn resend(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManagePeople>,
    Id(id): Id<UserId>,
) -> Result<Json<api::CreatedInvitation>, Refusal> {
    let actor = permit.actor();
    let facts = Facts::load(&app, actor.tenant).await?;
    let user = facts.user(id)?;
    may_act(actor, user)?;
    if user.has_factor() || user.state == "disabled" {
        return Err(Refusal::from(Code::NothingToDo).because("Only somebody who has no factor yet, and is not disabled, needs a link."));
    }
    let (change, invitation) = renewal(&app, &facts, user, LinkBy::User(actor.user), &actor.name);
    app.store.commit(change).await?;
    Ok(Json(invitation))
}

/// Another link for somebody without a factor, with its letter.
pub(super) fn renewal(app: &App, facts: &Facts, user: &UserRow, by: LinkBy, made_by: &str) -> (RenewLink, api::CreatedInvitation) {
    let purpose = if user.state == "invited" { LinkPurpose::Invitation } else { LinkPurpose::Activation };
    let made = Made::new(app, purpose, made_by, facts.now);
    let letter = match purpose {
        LinkPurpose::Invitation => mail::invitation(&facts.policy.name, &user.name, made_by, made.url.clone(), made.link.expires),
        LinkPurpose::Activation | LinkPurpose::NotMe => {
            mail::activation(&facts.policy.name, &user.name, made.url.clone(), made.link.expires)
        }
    };
    let mails = mail::outgoing(app, facts.tenant, &user.email, &letter, facts.now);
    let invitation = made.shown(user.id, &user.email, &mails);
    (RenewLink { tenant: facts.tenant, user: user.id, by, link: made.link, mails, at: facts.now, salt: app.random() }, invitation)
}

/// What became of mails, the newest first.
pub(crate) async fn mails(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadPolicy>,
    Query(query): Query<paging::Wanted>,
) -> Result<Json<api::Page<api::Mail>>, Refusal> {
    let limit = query.limit()?;
    let before: Option<MailId> = query.after()?;
    let rows = store::mails(&mut app.store.read().await?, permit.actor().tenant, before, limit + 1).await?;
    let shown = |row: store::MailRow| api::Mail {
        to: row.recipient,
        subject: row.subject,
        state: row.state,
        attempts: row.attempts,
        error: row.error,
        queued: row.queued,
        sent: row.sent,
    };
    Ok(Json(paging::page(rows, limit, |row| row.id.to_string(), shown)))
}
