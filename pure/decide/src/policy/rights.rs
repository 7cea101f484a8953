//! What a person's roles add up to: which capabilities, and where.

use std::collections::BTreeSet;
use std::sync::Arc;

use sallyport_model::{CustomerId, RoleId, SiteId};

use super::{Capability, Holds, ManageOwners, Role, Row, TABLE};

/// Where a role holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everywhere.
    Tenant,
    /// In all sites of a customer.
    Customer(CustomerId),
    /// In one site.
    Site(SiteId),
}

/// Where something is: a site with its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The customer.
    pub customer: CustomerId,
    /// The site.
    pub site: SiteId,
}

/// How far a permit reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The whole tenant.
    Tenant,
    /// These places alone.
    Places(BTreeSet<Scope>),
}

impl Reach {
    /// Whether a site is within it.
    pub fn covers(&self, place: Place) -> bool {
        match self {
            Self::Tenant => true,
            Self::Places(scopes) => scopes.contains(&Scope::Site(place.site)) || scopes.contains(&Scope::Customer(place.customer)),
        }
    }

    /// Whether a customer as a whole is within it.
    pub fn covers_customer(&self, customer: CustomerId) -> bool {
        match self {
            Self::Tenant => true,
            Self::Places(scopes) => scopes.contains(&Scope::Customer(customer)),
        }
    }

    /// Whether it is the whole tenant.
    pub fn is_tenant(&self) -> bool {
        matches!(self, Self::Tenant)
    }
}

/// A role that a tenant made for itself: a name and words of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRole {
    /// Its id.
    pub id: RoleId,
    /// What people call it.
    pub name: String,
    /// Words of the table; unknown ones allow nothing.
    pub capabilities: BTreeSet<String>,
}

/// A role as it is given to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignedRole {
    /// One of the product's.
    BuiltIn(Role),
    /// One of the tenant's own.
    Custom(Arc<CustomRole>),
}

impl AssignedRole {
    /// Whether it has a capability.
    pub fn has(&self, row: &Row) -> bool {
        match self {
            Self::BuiltIn(role) => row.roles.contains(role),
            Self::Custom(role) => row.is_for_custom_roles() && role.capabilities.contains(row.name),
        }
    }

    /// The stored word: a built-in role's, or a custom one's id.
    pub fn word(&self) -> String {
        match self {
            Self::BuiltIn(role) => role.as_str().to_owned(),
            Self::Custom(role) => role.id.to_string(),
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn(role) => role.as_str(),
            Self::Custom(role) => &role.name,
        }
    }
}

/// A role, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The role.
    pub role: AssignedRole,
    /// Where.
    pub scope: Scope,
}

/// All roles of a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    assignments: Vec<Assignment>,
}

impl Rights {
    /// Puts roles together, the most powerful first.
    pub fn new(mut assignments: Vec<Assignment>) -> Self {
        let rank = |role: &AssignedRole| match role {
            AssignedRole::BuiltIn(role) => Role::ALL.iter().position(|known| known == role).unwrap_or(Role::ALL.len()),
            AssignedRole::Custom(_) => Role::ALL.len(),
        };
        assignments
            .sort_by(|one, other| (rank(&one.role), one.role.name(), one.scope).cmp(&(rank(&other.role), other.role.name(), other.scope)));
        Self { assignments }
    }

    /// One built-in role for the whole tenant.
    pub fn of(role: Role) -> Self {
        Self::new(vec![Assignment { role: AssignedRole::BuiltIn(role), scope: Scope::Tenant }])
    }

    /// The roles, the most powerful first.
    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    /// The name of the most powerful role; nothing where there is none.
    pub fn main_role(&self) -> &str {
        self.assignments.first().map_or("", |assignment| assignment.role.name())
    }

    /// How far a capability reaches; `None` where no role gives it.
    pub fn reach(&self, row: &Row) -> Option<Reach> {
        let scopes = || self.assignments.iter().filter(|assignment| assignment.role.has(row)).map(|assignment| assignment.scope);
        let whole = scopes().any(|scope| scope == Scope::Tenant).then_some(Reach::Tenant);
        match row.holds {
            Holds::Oneself => Some(Reach::Tenant),
            Holds::Tenant => whole,
            Holds::Anywhere => scopes().next().map(|_| Reach::Tenant),
            Holds::Places => whole.or_else(|| scopes().next().map(|_| Reach::Places(scopes().collect()))),
        }
    }

    /// The same places with these capabilities at most: what an API client may do in somebody's name.
    pub fn narrowed(&self, scopes: &BTreeSet<String>) -> Self {
        let narrow = |one: &Assignment| {
            let kept = TABLE.iter().filter(|row| row.is_for_clients() && one.role.has(row) && scopes.contains(row.name));
            let capabilities = kept.map(|row| row.name.to_owned()).collect();
            let role = CustomRole { id: RoleId::from_bytes([0; 16]), name: "api client".to_owned(), capabilities };
            Assignment { role: AssignedRole::Custom(Arc::new(role)), scope: one.scope }
        };
        Self { assignments: self.assignments.iter().map(narrow).collect() }
    }

    /// Whether they hold a built-in role for the whole tenant.
    pub fn is(&self, role: Role) -> bool {
        self.assignments.iter().any(|one| one.role == AssignedRole::BuiltIn(role) && one.scope == Scope::Tenant)
    }

    /// Whether they manage others: owners, administrators, and whoever has a custom role that manages people, policy or networks.
    /// A second factor is required of all of them.
    pub fn administers(&self) -> bool {
        let manages =
            |row: &Row| ["people.write", "policy.write", "roles.write", "networks.write"].contains(&row.name) && self.reach(row).is_some();
        self.assignments.iter().any(|one| matches!(one.role, AssignedRole::BuiltIn(Role::Owner | Role::Admin))) || TABLE.iter().any(manages)
    }
}

/// Whether somebody with these rights may act on a person with those: nobody disables, resets or changes who may do more than themselves.
pub fn may_act_on(actor: &Rights, person: &Rights) -> bool {
    person.assignments.iter().all(|assignment| may_give(actor, &assignment.role))
}

/// Whether somebody with these rights may give that role: only what they have for the whole tenant themselves, and owners are made by owners.
pub fn may_give(actor: &Rights, role: &AssignedRole) -> bool {
    let holds = |row: &Row| actor.reach(row) == Some(Reach::Tenant);
    let owner = *role == AssignedRole::BuiltIn(Role::Owner);
    (!owner || holds(&ManageOwners::ROW)) && TABLE.iter().filter(|row| row.holds != Holds::Oneself && role.has(row)).all(holds)
}
