//! Executing what was released about people and policy: one function for each action, inside the transaction of [`Execute`].

use sallyport_decide::actions::{Action, Released};
use sallyport_decide::people::{ChangeRole, Given, InviteUser, Person, RequireMfa, Required, ResetFactor, ResetTakes};
use sallyport_decide::policy::{AssignedRole, Assignment, CustomRole, Rights, Role, Scope, may_act_on, may_give};
use sallyport_model::{RoleId, SessionId, TenantId, Timestamp, UserId, limits};
use serde_json::{Value as Json, json};

use super::links::{NewLink, forget_links, make_link};
use super::mail::{NewMail, queue};
use super::rights::{replace_rights, rights_of};
use super::seconds::remember_second;
use super::stop::{Stopped, close_requests, stop_all};
use super::{policy, rights};
use crate::{StoreError, Tx, values};

/// What is made outside for an action on people.
#[derive(Debug, Clone)]
pub struct PeoplePart {
    /// The new account's id, where one is made.
    pub user: UserId,
    /// The link to hand over or mail, where one is made.
    pub link: Option<NewLink>,
    pub mails: Vec<NewMail>,
    /// In place of the others, where a reset waits for a day.
    pub held_mails: Vec<NewMail>,
}

/// What happened to people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeopleDone {
    pub users: Vec<UserId>,
    pub stopped: Stopped,
    /// Sessions that live on with other rights: their streams begin anew.
    pub changed: Vec<SessionId>,
    /// Until when a reset waits.
    pub held_until: Option<Timestamp>,
}

/// What the transaction of an action knows.
pub(crate) struct Ground<'a> {
    pub(crate) released: &'a Released,
    pub(crate) salt: [u8; 32],
}

impl Ground<'_> {
    fn tenant(&self) -> TenantId {
        self.released.frozen().asker.tenant
    }

    fn at(&self) -> Timestamp {
        self.released.at()
    }

    fn asker(&self) -> UserId {
        self.released.frozen().asker.user
    }
}

/// The kind of an audit entry, and what it says.
pub(crate) struct Told(pub(crate) &'static str, pub(crate) Json);

/// Does it, and tells the kind of its audit entry with the payload.
pub(crate) async fn apply(tx: &mut Tx, ground: &Ground<'_>, part: &PeoplePart) -> Result<(PeopleDone, Told), StoreError> {
    let tenant = ground.tenant();
    let mut done = PeopleDone::default();
    let told = match &ground.released.frozen().action {
        Action::InviteUser(invited) => Told("user.invited", invite(tx, ground, part, invited, &mut done).await?),
        Action::DisableUsers(users) => Told("users.disabled", disable(tx, ground, users, &mut done).await?),
        Action::EnableUsers(users) => Told("users.enabled", enable(tx, ground, users, &mut done).await?),
        Action::ChangeRole(change) => Told("user.role_changed", change_role(tx, ground, change, &mut done).await?),
        Action::RequireMfa(wanted) => Told("users.mfa_required", require_mfa(tx, ground, wanted, &mut done).await?),
        Action::ResetFactor(reset) => reset_factor(tx, ground, part, reset, &mut done).await?,
        Action::ChangeMfaPolicy(change) => {
            policy::change_mfa(tx, tenant, change).await?;
            Told("policy.mfa_changed", json!(change))
        }
        Action::ChangeSessionLimits(change) => {
            policy::change_timers(tx, tenant, change).await?;
            Told("policy.sessions_changed", json!(change))
        }
        Action::SaveRole(role) => {
            policy::save_role(tx, tenant, role, ground.at()).await?;
            Told("role.saved", json!(role))
        }
        Action::DeleteRole(role) => {
            policy::delete_role(tx, tenant, role).await?;
            Told("role.deleted", json!(role))
        }
        _ => return Err(StoreError::Corrupt("action")),
    };
    queue(tx, if done.held_until.is_some() { &part.held_mails } else { &part.mails }).await?;
    Ok((done, told))
}

async fn invite(
    tx: &mut Tx,
    ground: &Ground<'_>,
    part: &PeoplePart,
    invited: &InviteUser,
    done: &mut PeopleDone,
) -> Result<Json, StoreError> {
    let (tenant, at) = (ground.tenant(), ground.at());
    let rights = given(tx, tenant, &invited.assignments).await?;
    may_give_all(tx, ground.asker(), &rights).await?;
    if super::users::count(tx, tenant).await? >= limits::USERS {
        return Err(StoreError::Conflict);
    }
    let sql = "INSERT INTO users (id, tenant, email, name, state, codes_kept, created, version, expires) VALUES ($1, $2, $3, $4, 'invited', 0, $5, 1, $6)";
    tx.execute(sql, values![part.user, tenant, invited.email, invited.name, at, invited.expires]).await?;
    replace_rights(tx, tenant, part.user, &rights).await?;
    let link = part.link.as_ref().ok_or(StoreError::Corrupt("link"))?;
    make_link(tx, tenant, part.user, link, at).await?;
    done.users.push(part.user);
    Ok(json!({ "user": part.user, "email": invited.email, "name": invited.name, "roles": invited.assignments, "expires": invited.expires }))
}

async fn disable(tx: &mut Tx, ground: &Ground<'_>, users: &[Person], done: &mut PeopleDone) -> Result<Json, StoreError> {
    for person in users {
        may_act(tx, ground.asker(), person.user).await?;
        remember_second(tx, ground.tenant(), person.user, ground.at()).await?;
        let sql = "UPDATE users SET state = 'disabled', version = version + 1 WHERE tenant = $1 AND id = $2 AND state <> 'disabled'";
        tx.execute_versioned(sql, values![ground.tenant(), person.user]).await?;
        forget_links(tx, person.user).await?;
        let mut stopped = stop_all(tx, ground.tenant(), person.user, ground.at(), ground.salt).await?;
        done.stopped.sessions.append(&mut stopped.sessions);
        done.stopped.requests += stopped.requests;
        done.stopped.runs.append(&mut stopped.runs);
        done.users.push(person.user);
    }
    an_owner_is_left(tx, ground.tenant(), ground.at()).await?;
    Ok(json!({ "users": users }))
}

async fn enable(tx: &mut Tx, ground: &Ground<'_>, users: &[Person], done: &mut PeopleDone) -> Result<Json, StoreError> {
    for person in users {
        may_act(tx, ground.asker(), person.user).await?;
        let sql = "UPDATE users SET state = CASE WHEN EXISTS (SELECT 1 FROM passwords p WHERE p.user_id = users.id) THEN 'active' ELSE 'invited' END, \
                   version = version + 1 WHERE tenant = $1 AND id = $2 AND state = 'disabled' AND (expires IS NULL OR expires > $3)";
        tx.execute_versioned(sql, values![ground.tenant(), person.user, ground.at()]).await?;
        tx.execute("DELETE FROM former_seconds WHERE user_id = $1", values![person.user]).await?;
        done.users.push(person.user);
    }
    Ok(json!({ "users": users }))
}

async fn change_role(tx: &mut Tx, ground: &Ground<'_>, change: &ChangeRole, done: &mut PeopleDone) -> Result<Json, StoreError> {
    let (tenant, user) = (ground.tenant(), change.user.user);
    may_act(tx, ground.asker(), user).await?;
    let after = given(tx, tenant, &change.after).await?;
    may_give_all(tx, ground.asker(), &after).await?;
    remember_second(tx, tenant, user, ground.at()).await?;
    replace_rights(tx, tenant, user, &after).await?;
    let sql = "UPDATE users SET expires = $3, version = version + 1 WHERE tenant = $1 AND id = $2";
    tx.execute_versioned(sql, values![tenant, user, change.expires]).await?;
    an_owner_is_left(tx, tenant, ground.at()).await?;
    done.stopped.requests = close_requests(tx, tenant, user).await?;
    let sessions = tx.fetch_all("SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL", values![user]).await?;
    done.changed = sessions.iter().map(|row| row.id("id")).collect::<Result<_, _>>()?;
    done.users.push(user);
    Ok(json!({ "user": change.user, "before": change.before, "after": change.after, "expires": change.expires }))
}

async fn require_mfa(tx: &mut Tx, ground: &Ground<'_>, wanted: &RequireMfa, done: &mut PeopleDone) -> Result<Json, StoreError> {
    let required = wanted.required == Required::Yes;
    for person in &wanted.users {
        may_act(tx, ground.asker(), person.user).await?;
        let sql = "UPDATE users SET mfa_required = $3, version = version + 1 WHERE tenant = $1 AND id = $2";
        tx.execute_versioned(sql, values![ground.tenant(), person.user, required]).await?;
        done.users.push(person.user);
    }
    Ok(json!({ "users": wanted.users, "required": wanted.required }))
}

/// What happens follows from what was proved, not from what was foretold: an administrator's factor is reset at once only by two people.
async fn reset_factor(
    tx: &mut Tx,
    ground: &Ground<'_>,
    part: &PeoplePart,
    reset: &ResetFactor,
    done: &mut PeopleDone,
) -> Result<Told, StoreError> {
    let (tenant, user, at) = (ground.tenant(), reset.user.user, ground.at());
    may_act(tx, ground.asker(), user).await?;
    let grave = rights_of(tx, user).await?.administers();
    if grave && reset.takes == ResetTakes::OneAdmin {
        return Err(StoreError::Conflict);
    }
    done.users.push(user);
    let payload = json!({ "user": reset.user, "confirmed": reset.confirmed });
    if grave && ground.released.frozen().requirement.people() < 2 {
        let until = at.plus_secs(limits::HELD_RESET_SECS);
        let sql = "INSERT INTO held_resets (user_id, tenant, asked_by, asked_by_name, created, until) VALUES ($1, $2, $3, $4, $5, $6)";
        let asker = &ground.released.frozen().asker;
        tx.execute(sql, values![user, tenant, asker.user, asker.name, at, until]).await?;
        done.held_until = Some(until);
        let mut payload = payload;
        payload["until"] = json!(until);
        return Ok(Told("factor.reset_held", payload));
    }
    remember_second(tx, tenant, user, at).await?;
    done.stopped = stop_all(tx, tenant, user, at, ground.salt).await?;
    drop_factors(tx, user).await?;
    let link = part.link.as_ref().ok_or(StoreError::Corrupt("link"))?;
    make_link(tx, tenant, user, link, at).await?;
    Ok(Told("factor.reset", payload))
}

/// Takes all factors of a person, their recovery codes, and a reset that waits for them.
pub(super) async fn drop_factors(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM recovery_codes WHERE user_id = $1", values![user]).await?;
    tx.execute("DELETE FROM totp_drafts WHERE user_id = $1", values![user]).await?;
    let sql = "DELETE FROM passkeys WHERE factor IN (SELECT id FROM factors WHERE user_id = $1)";
    tx.execute(sql, values![user]).await?;
    tx.execute("DELETE FROM factors WHERE user_id = $1", values![user]).await?;
    tx.execute("DELETE FROM held_resets WHERE user_id = $1", values![user]).await.map(|_| ())
}

/// Roles as they are now: a custom one or a place that is gone gives nobody anything.
async fn given(tx: &mut Tx, tenant: TenantId, given: &[Given]) -> Result<Rights, StoreError> {
    let mut assignments = Vec::with_capacity(given.len());
    for one in given {
        assignments.push(Assignment { role: role(tx, tenant, &one.role).await?, scope: scope(tx, tenant, one).await? });
    }
    Ok(Rights::new(assignments))
}

async fn role(tx: &mut Tx, tenant: TenantId, word: &str) -> Result<AssignedRole, StoreError> {
    if let Ok(role) = word.parse::<Role>() {
        return Ok(AssignedRole::BuiltIn(role));
    }
    let id: RoleId = word.parse().map_err(|_| StoreError::Corrupt("role"))?;
    let sql = "SELECT name, capabilities FROM roles WHERE tenant = $1 AND id = $2";
    let row = tx.fetch_optional(sql, values![tenant, id]).await?.ok_or(StoreError::Conflict)?;
    let capabilities = rights::words(&row.text("capabilities")?);
    Ok(AssignedRole::Custom(std::sync::Arc::new(CustomRole { id, name: row.text("name")?, capabilities })))
}

async fn scope(tx: &mut Tx, tenant: TenantId, given: &Given) -> Result<Scope, StoreError> {
    let broken = || StoreError::Corrupt("scope");
    let (found, scope) = match given.scope_kind.as_str() {
        "tenant" => return Ok(Scope::Tenant),
        "customer" => {
            let customer = given.scope.parse().map_err(|_| broken())?;
            let sql = "SELECT id FROM customers WHERE tenant = $1 AND id = $2";
            (tx.fetch_optional(sql, values![tenant, customer]).await?, Scope::Customer(customer))
        }
        "site" => {
            let site = given.scope.parse().map_err(|_| broken())?;
            let sql = "SELECT id FROM sites WHERE tenant = $1 AND id = $2";
            (tx.fetch_optional(sql, values![tenant, site]).await?, Scope::Site(site))
        }
        _ => return Err(broken()),
    };
    found.map(|_| scope).ok_or(StoreError::Conflict)
}

async fn may_give_all(tx: &mut Tx, asker: UserId, wanted: &Rights) -> Result<(), StoreError> {
    let own = rights_of(tx, asker).await?;
    match wanted.assignments().iter().all(|one| may_give(&own, &one.role)) {
        true => Ok(()),
        false => Err(StoreError::Conflict),
    }
}

/// Nobody acts on themselves here, nor on somebody who may do more than they may.
async fn may_act(tx: &mut Tx, asker: UserId, person: UserId) -> Result<(), StoreError> {
    let (own, theirs) = (rights_of(tx, asker).await?, rights_of(tx, person).await?);
    if asker != person && may_act_on(&own, &theirs) { Ok(()) } else { Err(StoreError::Conflict) }
}

/// A tenant always has an owner who can sign in.
async fn an_owner_is_left(tx: &mut Tx, tenant: TenantId, at: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT u.id FROM users u JOIN assignments a ON a.user_id = u.id WHERE u.tenant = $1 AND u.state = 'active' AND a.role = 'owner' \
               AND (u.expires IS NULL OR u.expires > $2) LIMIT 1";
    tx.fetch_optional(sql, values![tenant, at]).await?.map(|_| ()).ok_or(StoreError::Conflict)
}
