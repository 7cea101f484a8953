//! Roles and scopes as they are stored, and what lies within a reach.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sallyport_decide::policy::{AssignedRole, Assignment, CustomRole, Place, Reach, Rights, Scope};
use sallyport_model::{CustomerId, DeviceId, RoleId, SiteId, TenantId, UserId};

use crate::{Reader, Row, StoreError, Tx, Value, values};

const ASSIGNMENTS: &str = "SELECT a.user_id, a.role, a.custom, a.scope_kind, a.scope, r.name, r.capabilities \
    FROM assignments a LEFT JOIN roles r ON r.id = a.custom WHERE a.user_id = $1";

/// A person's roles.
pub async fn rights_of(reader: &mut Reader, user: UserId) -> Result<Rights, StoreError> {
    let rows = reader.fetch_all(ASSIGNMENTS, values![user]).await?;
    Ok(Rights::new(rows.iter().map(assignment).collect::<Result<_, _>>()?))
}

/// The roles of everybody of a tenant.
pub async fn rights_of_all(reader: &mut Reader, tenant: TenantId) -> Result<BTreeMap<UserId, Rights>, StoreError> {
    let sql = "SELECT a.user_id, a.role, a.custom, a.scope_kind, a.scope, r.name, r.capabilities FROM assignments a \
               JOIN users u ON u.id = a.user_id LEFT JOIN roles r ON r.id = a.custom WHERE u.tenant = $1";
    let mut all: BTreeMap<UserId, Vec<Assignment>> = BTreeMap::new();
    for row in &reader.fetch_all(sql, values![tenant]).await? {
        all.entry(row.get("user_id")?).or_default().push(assignment(row)?);
    }
    Ok(all.into_iter().map(|(user, assignments)| (user, Rights::new(assignments))).collect())
}

fn assignment(row: &Row) -> Result<Assignment, StoreError> {
    let role = match row.get_opt::<RoleId>("custom")? {
        Some(id) => {
            AssignedRole::Custom(Arc::new(CustomRole { id, name: row.text("name")?, capabilities: words(&row.text("capabilities")?) }))
        }
        None => AssignedRole::BuiltIn(row.parse("role")?),
    };
    let scope = match row.text("scope_kind")?.as_str() {
        "tenant" => Scope::Tenant,
        "customer" => Scope::Customer(row.get("scope")?),
        "site" => Scope::Site(row.get("scope")?),
        _ => return Err(StoreError::Corrupt("scope_kind")),
    };
    Ok(Assignment { role, scope })
}

/// Words that are stored with spaces between them.
pub(crate) fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Puts other roles in place of a person's.
pub(crate) async fn replace_rights(tx: &mut Tx, tenant: TenantId, user: UserId, rights: &Rights) -> Result<(), StoreError> {
    tx.execute("DELETE FROM assignments WHERE user_id = $1", values![user]).await?;
    let rows: Vec<Vec<Value>> = rights.assignments().iter().map(|one| row(tenant, user, one)).collect();
    tx.insert_rows("assignments", &["user_id", "role", "custom", "scope_kind", "scope"], &rows).await
}

fn row(tenant: TenantId, user: UserId, assignment: &Assignment) -> Vec<Value> {
    let custom = match &assignment.role {
        AssignedRole::BuiltIn(_) => None,
        AssignedRole::Custom(role) => Some(role.id),
    };
    let (kind, scope) = match assignment.scope {
        Scope::Tenant => ("tenant", *tenant.as_bytes()),
        Scope::Customer(customer) => ("customer", *customer.as_bytes()),
        Scope::Site(site) => ("site", *site.as_bytes()),
    };
    values![user, assignment.role.word(), custom, kind, scope].to_vec()
}

/// Where every site of a tenant is.
pub async fn places(reader: &mut Reader, tenant: TenantId) -> Result<BTreeMap<SiteId, CustomerId>, StoreError> {
    let rows = reader.fetch_all("SELECT id, customer FROM sites WHERE tenant = $1", values![tenant]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("customer")?))).collect()
}

/// What of a tenant lies within a reach: everything, or what is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within<T: Ord> {
    /// Everything of the tenant.
    All,
    /// These alone.
    Only(BTreeSet<T>),
}

impl<T: Ord> Within<T> {
    /// Whether it is within.
    pub fn has(&self, one: &T) -> bool {
        match self {
            Self::All => true,
            Self::Only(some) => some.contains(one),
        }
    }
}

/// The sites within a reach.
pub async fn sites_within(reader: &mut Reader, tenant: TenantId, reach: &Reach) -> Result<Within<SiteId>, StoreError> {
    if reach.is_tenant() {
        return Ok(Within::All);
    }
    let places = places(reader, tenant).await?;
    let covered = |(site, customer): &(SiteId, CustomerId)| reach.covers(Place { customer: *customer, site: *site });
    Ok(Within::Only(places.into_iter().filter(covered).map(|(site, _)| site).collect()))
}

/// The devices within a reach, removed ones too: their jobs are still read.
pub async fn devices_within(reader: &mut Reader, tenant: TenantId, reach: &Reach) -> Result<Within<DeviceId>, StoreError> {
    let sites = sites_within(reader, tenant, reach).await?;
    let Within::Only(sites) = sites else { return Ok(Within::All) };
    let mut devices = BTreeSet::new();
    for site in sites {
        for row in &reader.fetch_all("SELECT id FROM devices WHERE tenant = $1 AND site = $2", values![tenant, site]).await? {
            devices.insert(row.get("id")?);
        }
    }
    Ok(Within::Only(devices))
}

/// Whether a device is within a reach; one that the tenant does not have is not.
pub async fn device_within(reader: &mut Reader, tenant: TenantId, reach: &Reach, device: DeviceId) -> Result<bool, StoreError> {
    let sql = "SELECT s.id, s.customer FROM devices d JOIN sites s ON s.id = d.site WHERE d.tenant = $1 AND d.id = $2";
    let Some(row) = reader.fetch_optional(sql, values![tenant, device]).await? else { return Ok(false) };
    Ok(reach.covers(Place { customer: row.get("customer")?, site: row.get("id")? }))
}
