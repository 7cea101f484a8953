//! People as the API says them. Nothing is judged here but what `decide` judges.

use sallyport_api as api;
use sallyport_decide::people as decided;
use sallyport_decide::people::{
    AdminsProve, DeviceCodes, Factorless, Given, MfaPolicy, MfaWho, Person, RequiredBy, ResetTakes, required_by,
};
use sallyport_decide::policy::{Assignment, Rights, Scope};
use sallyport_model::{TenantId, Timestamp, UserId};
use sallyport_store::ops::customers::Places;
use sallyport_store::ops::people::{HeldRow, RecentAction, TenantPolicy, UserRow};

/// Names of what roles hold for.
pub(crate) struct ScopeNames<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) tenant_name: &'a str,
    pub(crate) places: &'a Places,
}

impl ScopeNames<'_> {
    /// A scope with its name; of a place that is gone the name is empty.
    pub(crate) fn scope(&self, scope: Scope) -> api::Scope {
        let customer = |id| self.places.customers.iter().find(|one| one.id == id).map(|one| one.name.clone()).unwrap_or_default();
        match scope {
            Scope::Tenant => api::Scope::tenant(self.tenant, self.tenant_name),
            Scope::Customer(id) => api::Scope { kind: api::ScopeKind::Customer, id: id.to_string(), name: customer(id) },
            Scope::Site(id) => {
                let site = self.places.sites.iter().find(|one| one.id == id);
                let name = site.map(|site| format!("{} / {}", customer(site.customer), site.name)).unwrap_or_default();
                api::Scope { kind: api::ScopeKind::Site, id: id.to_string(), name }
            }
        }
    }

    pub(crate) fn assignment(&self, assignment: &Assignment) -> api::Assignment {
        let (role, role_name) = (assignment.role.word(), assignment.role.name().to_owned());
        api::Assignment { role, role_name, scope: self.scope(assignment.scope) }
    }

    pub(crate) fn assignments(&self, rights: &Rights) -> Vec<api::Assignment> {
        rights.assignments().iter().map(|one| self.assignment(one)).collect()
    }

    /// Roles as an action freezes them.
    pub(crate) fn given(&self, rights: &Rights) -> Vec<Given> {
        let one = |one: api::Assignment| Given {
            role: one.role,
            role_name: one.role_name,
            scope_kind: kind_word(one.scope.kind).to_owned(),
            scope: one.scope.id,
            scope_name: one.scope.name,
        };
        self.assignments(rights).into_iter().map(one).collect()
    }
}

fn kind_word(kind: api::ScopeKind) -> &'static str {
    match kind {
        api::ScopeKind::Tenant => "tenant",
        api::ScopeKind::Customer => "customer",
        api::ScopeKind::Site => "site",
    }
}

/// Frozen roles as the API says them.
pub(crate) fn given(given: &[Given]) -> Vec<api::Assignment> {
    let kind = |word: &str| match word {
        "customer" => api::ScopeKind::Customer,
        "site" => api::ScopeKind::Site,
        _ => api::ScopeKind::Tenant,
    };
    let one = |one: &Given| api::Assignment {
        role: one.role.clone(),
        role_name: one.role_name.clone(),
        scope: api::Scope { kind: kind(&one.scope_kind), id: one.scope.clone(), name: one.scope_name.clone() },
    };
    given.iter().map(one).collect()
}

/// A user as the list shows them.
pub(crate) fn user(row: &UserRow, policy: &TenantPolicy, names: &ScopeNames<'_>, viewer: UserId, now: Timestamp) -> api::User {
    let required = required_by(&policy.mfa, &row.rights, row.mfa_required);
    api::User {
        id: row.id,
        email: row.email.clone(),
        name: row.name.clone(),
        state: account_state(row, now),
        mfa: mfa(row, required),
        mfa_required_by: required.map(shown_required),
        factors: api::FactorCounts { totp: row.totp, passkeys: row.passkeys, recovery_codes_left: row.codes_left },
        assignments: names.assignments(&row.rights),
        expires: row.expires,
        last_sign_in: row.last_sign_in,
        created: row.created,
        sessions: row.sessions,
        invited_until: row.link_until,
        held_reset: row.held.as_ref().map(held),
        you: row.id == viewer,
    }
}

pub(crate) fn account_state(row: &UserRow, now: Timestamp) -> api::AccountState {
    let over = row.expires.is_some_and(|expires| now >= expires);
    match row.state.as_str() {
        "invited" if !over => api::AccountState::Invited,
        "active" if !over && row.has_factor() && row.locked >= row.totp + row.passkeys => api::AccountState::Locked,
        "active" if !over => api::AccountState::Active,
        _ => api::AccountState::Disabled,
    }
}

pub(crate) fn mfa(row: &UserRow, required: Option<RequiredBy>) -> api::Mfa {
    match (row.has_factor(), required) {
        (true, _) => api::Mfa::Active,
        (false, Some(_)) => api::Mfa::Required,
        (false, None) => api::Mfa::Off,
    }
}

pub(crate) fn shown_required(required: RequiredBy) -> api::MfaRequiredBy {
    match required {
        RequiredBy::Tenant => api::MfaRequiredBy::Tenant,
        RequiredBy::Role => api::MfaRequiredBy::Role,
        RequiredBy::User => api::MfaRequiredBy::User,
    }
}

pub(crate) fn held(row: &HeldRow) -> api::HeldReset {
    api::HeldReset { until: row.until, by: row.by.clone() }
}

pub(crate) fn recent(rows: Vec<RecentAction>) -> Vec<api::GuardedAction> {
    let one = |row: RecentAction| api::GuardedAction { request: row.request, summary: row.summary, state: row.state, at: row.at };
    rows.into_iter().map(one).collect()
}

pub(crate) fn mfa_policy(policy: &MfaPolicy) -> api::MfaPolicy {
    let who = match policy.who {
        MfaWho::Admins => api::MfaWho::Admins,
        MfaWho::All => api::MfaWho::All,
        MfaWho::Roles => api::MfaWho::Roles,
    };
    let factorless = yes_no(policy.factorless == Factorless::Allowed);
    let admins_passkey = Some(yes_no(policy.admins == AdminsProve::ByPasskey));
    let device_codes = Some(yes_no(policy.device_codes == DeviceCodes::Allowed));
    api::MfaPolicy { who, roles: policy.roles.clone(), deadline: policy.deadline, factorless, admins_passkey, device_codes }
}

/// The policy that a body asks for; what it leaves out stays as it is.
pub(crate) fn read_mfa_policy(policy: api::MfaPolicy, before: &MfaPolicy) -> MfaPolicy {
    let who = match policy.who {
        api::MfaWho::Admins => MfaWho::Admins,
        api::MfaWho::All => MfaWho::All,
        api::MfaWho::Roles => MfaWho::Roles,
    };
    let factorless = if policy.factorless == api::YesNo::Yes { Factorless::Allowed } else { Factorless::Refused };
    let roles: std::collections::BTreeSet<String> = policy.roles.into_iter().collect();
    let admins = match policy.admins_passkey {
        Some(api::YesNo::Yes) => AdminsProve::ByPasskey,
        Some(api::YesNo::No) => AdminsProve::ByAnyFactor,
        None => before.admins,
    };
    let device_codes = match policy.device_codes {
        Some(api::YesNo::Yes) => DeviceCodes::Allowed,
        Some(api::YesNo::No) => DeviceCodes::Refused,
        None => before.device_codes,
    };
    MfaPolicy { who, roles: roles.into_iter().collect(), deadline: policy.deadline, factorless, admins, device_codes }
}

pub(crate) fn timers(timers: sallyport_decide::accounts::session::Timers) -> api::SessionLimits {
    let secs = |secs: i64| u32::try_from(secs).unwrap_or(u32::MAX);
    api::SessionLimits { idle_secs: secs(timers.idle_secs), lifetime_secs: secs(timers.lifetime_secs) }
}

/// A stored flag as a word.
pub(crate) fn yes_no(is_so: bool) -> api::YesNo {
    if is_so { api::YesNo::Yes } else { api::YesNo::No }
}

pub(crate) fn takes(takes: ResetTakes) -> api::ResetTakes {
    match takes {
        ResetTakes::OneAdmin => api::ResetTakes::OneAdmin,
        ResetTakes::TwoPeople => api::ResetTakes::TwoPeople,
        ResetTakes::Hold => api::ResetTakes::Hold,
    }
}

fn person(person: &Person) -> api::Person {
    api::Person { id: person.user, name: person.name.clone(), email: person.email.clone() }
}

fn persons(users: &[Person]) -> api::PeopleDetails {
    api::PeopleDetails { users: users.iter().map(person).collect() }
}

fn role(role: &decided::ChangedRole) -> api::RoleDetails {
    api::RoleDetails { id: role.id, name: role.name.clone(), before: role.before.clone(), after: role.after.clone(), users: role.users }
}

/// An operation on people or on policy, exactly; `None` for what is about something else.
pub(crate) fn details(action: &sallyport_decide::actions::Action) -> Option<api::ActionDetails> {
    use sallyport_decide::actions::Action;
    Some(match action {
        Action::InviteUser(invited) => api::ActionDetails::InviteUser(api::InviteUserDetails {
            email: invited.email.clone(),
            name: invited.name.clone(),
            assignments: given(&invited.assignments),
            expires: invited.expires,
        }),
        Action::DisableUsers(users) => api::ActionDetails::DisableUsers(persons(users)),
        Action::EnableUsers(users) => api::ActionDetails::EnableUsers(persons(users)),
        Action::ChangeRole(change) => api::ActionDetails::ChangeRole(api::ChangeRoleDetails {
            user: person(&change.user),
            before: given(&change.before),
            after: given(&change.after),
            expires: change.expires,
        }),
        Action::RequireMfa(wanted) => api::ActionDetails::RequireMfa(api::RequireMfaDetails {
            users: wanted.users.iter().map(person).collect(),
            required: yes_no(wanted.required == decided::Required::Yes),
        }),
        Action::ResetFactor(reset) => api::ActionDetails::ResetFactor(api::ResetFactorDetails {
            user: person(&reset.user),
            confirmed: match reset.confirmed {
                decided::Confirmed::InPerson => api::Confirmed::InPerson,
                decided::Confirmed::ByCall => api::Confirmed::ByCall,
            },
            takes: takes(reset.takes),
        }),
        Action::ChangeMfaPolicy(change) => api::ActionDetails::ChangeMfaPolicy(api::ChangeMfaPolicyDetails {
            before: mfa_policy(&change.before),
            after: mfa_policy(&change.after),
        }),
        Action::ChangeSessionLimits(change) => api::ActionDetails::ChangeSessionLimits(api::ChangeSessionLimitsDetails {
            before: timers(change.before),
            after: timers(change.after),
        }),
        Action::SaveRole(saved) => api::ActionDetails::SaveRole(role(saved)),
        Action::DeleteRole(gone) => api::ActionDetails::DeleteRole(role(gone)),
        _ => return None,
    })
}
