//! What decisions about people stand on, loaded in one call; and what people wrote, parsed against it.

use std::collections::BTreeSet;
use std::sync::Arc;

use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::people::Person;
use sallyport_decide::policy::{Actor, AssignedRole, Assignment, CustomRole, Rights, Role, Scope, may_act_on, may_give};
use sallyport_model::{TenantId, Timestamp, UserId, limits};
use sallyport_store::ops::customers::{self, Places};
use sallyport_store::ops::people::{self as store, RoleRow, TenantPolicy, UserRow};

use super::shown::ScopeNames;
use crate::{App, Refusal};

/// Everything about a tenant's people at one moment.
pub(super) struct Facts {
    pub(super) tenant: TenantId,
    pub(super) policy: TenantPolicy,
    pub(super) places: Places,
    pub(super) roles: Vec<RoleRow>,
    pub(super) users: Vec<UserRow>,
    pub(super) now: Timestamp,
}

impl Facts {
    pub(super) async fn load(app: &App, tenant: TenantId) -> Result<Self, Refusal> {
        let now = app.clock.now();
        let mut reader = app.store.read().await?;
        Ok(Self {
            tenant,
            policy: store::policy(&mut reader, tenant).await?,
            places: customers::places(&mut reader, tenant).await?,
            roles: store::roles(&mut reader, tenant).await?,
            users: store::users(&mut reader, tenant, now).await?,
            now,
        })
    }

    pub(super) fn names(&self) -> ScopeNames<'_> {
        ScopeNames { tenant: self.tenant, tenant_name: &self.policy.name, places: &self.places }
    }

    pub(super) fn user(&self, id: UserId) -> Result<&UserRow, Refusal> {
        self.users.iter().find(|user| user.id == id).ok_or_else(|| Code::NotFound.into())
    }

    /// The named users, each once. Nobody acts on themselves here, nor on somebody who may do more than they may.
    pub(super) fn named(&self, actor: &Actor, ids: &[String]) -> Result<Vec<&UserRow>, Refusal> {
        if ids.is_empty() {
            return Err(Refusal::from(Code::NothingToDo).because("Choose at least one user.").at("users"));
        }
        if ids.len() > limits::USERS_AT_ONCE {
            return Err(Refusal::field("users", format!("at most {} at once", limits::USERS_AT_ONCE)));
        }
        let ids: BTreeSet<UserId> =
            ids.iter().map(|id| id.parse()).collect::<Result<_, _>>().map_err(|error| Refusal::field("users", error))?;
        let find = |id| self.users.iter().find(|user| user.id == id).ok_or_else(|| Refusal::field("users", "one of them does not exist"));
        let users: Vec<&UserRow> = ids.into_iter().map(find).collect::<Result<_, _>>()?;
        for user in &users {
            may_act(actor, user)?;
        }
        Ok(users)
    }

    /// Roles as they were written. Whoever gives them must have what they give.
    pub(super) fn rights(&self, actor: &Actor, wanted: &[api::NewAssignment], expires: Option<Timestamp>) -> Result<Rights, Refusal> {
        let wrong = |why: String| Refusal::field("assignments", why);
        if wanted.is_empty() || wanted.len() > limits::ASSIGNMENTS {
            return Err(wrong(format!("must be 1 to {}", limits::ASSIGNMENTS)));
        }
        if expires.is_some_and(|expires| expires <= self.now) {
            return Err(Refusal::field("expires", "must be in the future"));
        }
        let mut assignments: Vec<Assignment> = Vec::with_capacity(wanted.len());
        for one in wanted {
            let assignment = Assignment {
                role: self.role(&one.role).ok_or_else(|| wrong(format!("{} is not a role", one.role)))?,
                scope: self.scope(one)?,
            };
            if !may_give(&actor.rights, &assignment.role) {
                return Err(
                    Refusal::from(Code::RoleRefused).because("You can only give what you may do yourself; owners are made by owners.")
                );
            }
            if let AssignedRole::BuiltIn(role) = assignment.role {
                if !role.can_be_scoped() && assignment.scope != Scope::Tenant {
                    return Err(wrong(format!("{} holds for the whole tenant", role.as_str())));
                }
                if role.must_expire() && expires.is_none() {
                    return Err(Refusal::field("expires", "support accounts must have an end"));
                }
            }
            if !assignments.contains(&assignment) {
                assignments.push(assignment);
            }
        }
        Ok(Rights::new(assignments))
    }

    fn role(&self, word: &str) -> Option<AssignedRole> {
        if let Ok(role) = word.parse::<Role>() {
            return Some(AssignedRole::BuiltIn(role));
        }
        let row = self.roles.iter().find(|row| row.id.to_string() == word)?;
        let (id, name, capabilities) = (row.id, row.name.clone(), row.capabilities.clone());
        Some(AssignedRole::Custom(Arc::new(CustomRole { id, name, capabilities })))
    }

    fn scope(&self, wanted: &api::NewAssignment) -> Result<Scope, Refusal> {
        let wrong = || Refusal::field("assignments", "the customer or site does not exist");
        let id = wanted.id.as_deref().unwrap_or_default();
        match wanted.scope {
            api::ScopeKind::Tenant => Ok(Scope::Tenant),
            api::ScopeKind::Customer => {
                let id = id.parse().map_err(|_| wrong())?;
                self.places.customers.iter().find(|one| one.id == id).map(|one| Scope::Customer(one.id)).ok_or_else(wrong)
            }
            api::ScopeKind::Site => {
                let id = id.parse().map_err(|_| wrong())?;
                self.places.sites.iter().find(|one| one.id == id).map(|one| Scope::Site(one.id)).ok_or_else(wrong)
            }
        }
    }

    /// Refuses what would leave the tenant without an owner who can sign in. `keeps` says of each user whether they still are one.
    pub(super) fn an_owner_is_left(&self, keeps: impl Fn(&UserRow) -> Ownership) -> Result<(), Refusal> {
        let lives = |user: &&UserRow| user.state == "active" && user.expires.is_none_or(|expires| expires > self.now);
        let left = self.users.iter().filter(lives).any(|user| match keeps(user) {
            Ownership::Stays => user.rights.is(Role::Owner),
            Ownership::Gone => false,
            Ownership::Given => true,
        });
        if left { Ok(()) } else { Err(Code::LastOwner.into()) }
    }
}

/// What an action makes of somebody's ownership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ownership {
    Stays,
    Gone,
    Given,
}

/// Nobody acts on themselves here, nor on somebody who may do more than they may.
pub(super) fn may_act(actor: &Actor, user: &UserRow) -> Result<(), Refusal> {
    if user.id == actor.user {
        return Err(Refusal::field("users", "this is your own account: somebody else must do this"));
    }
    if may_act_on(&actor.rights, &user.rights) {
        return Ok(());
    }
    Err(Refusal::from(Code::RoleRefused).because(format!("{} may do more than you: ask an owner.", user.name)))
}

pub(super) fn person(user: &UserRow) -> Person {
    Person { user: user.id, name: user.name.clone(), email: user.email.clone() }
}
