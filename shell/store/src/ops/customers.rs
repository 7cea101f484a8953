//! Customers and their sites.

use std::collections::BTreeMap;

use sallyport_decide::policy::{ManageCustomers, Permit};
use sallyport_model::{CustomerId, Name, SiteId, TenantId, Timestamp, limits};
use serde_json::json;

use crate::{Actor, Change, Entry, Reader, StoreError, Tx, values};

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerRow {
    pub id: CustomerId,
    pub name: String,
}

/// A place of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteRow {
    pub id: SiteId,
    pub customer: CustomerId,
    pub name: String,
}

/// All customers and sites of a tenant, each list by name.
#[derive(Debug, Clone, Default)]
pub struct Places {
    pub customers: Vec<CustomerRow>,
    pub sites: Vec<SiteRow>,
}

/// A site with the names that people know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub customer: CustomerId,
    pub customer_name: String,
    pub site_name: String,
}

impl Places {
    /// Where each site is.
    pub fn by_site(&self) -> BTreeMap<SiteId, Place> {
        let names: BTreeMap<CustomerId, &str> = self.customers.iter().map(|customer| (customer.id, customer.name.as_str())).collect();
        let place = |site: &SiteRow| Place {
            customer: site.customer,
            customer_name: names.get(&site.customer).copied().unwrap_or_default().to_owned(),
            site_name: site.name.clone(),
        };
        self.sites.iter().map(|site| (site.id, place(site))).collect()
    }
}

/// Reads all of them: there are never more than [`limits::CUSTOMERS`] and [`limits::SITES`].
pub async fn places(reader: &mut Reader, tenant: TenantId) -> Result<Places, StoreError> {
    let sql = "SELECT id, name FROM customers WHERE tenant = $1 LIMIT $2";
    let rows = reader.fetch_all(sql, values![tenant, limits::CUSTOMERS]).await?;
    let read = |row: &crate::Row| Ok(CustomerRow { id: row.get("id")?, name: row.text("name")? });
    let mut customers = rows.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
    let sql = "SELECT id, customer, name FROM sites WHERE tenant = $1 LIMIT $2";
    let rows = reader.fetch_all(sql, values![tenant, limits::SITES]).await?;
    let read = |row: &crate::Row| Ok(SiteRow { id: row.get("id")?, customer: row.get("customer")?, name: row.text("name")? });
    let mut sites = rows.iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
    customers.sort_by_cached_key(|customer| (customer.name.to_lowercase(), customer.id));
    sites.sort_by_cached_key(|site| (site.name.to_lowercase(), site.id));
    Ok(Places { customers, sites })
}

/// Adds a customer; [`StoreError::Exists`] where the tenant has one of that name.
pub struct AddCustomer {
    pub permit: Permit<ManageCustomers>,
    pub id: CustomerId,
    pub name: Name,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for AddCustomer {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        if !self.permit.reach().is_tenant() {
            return Err(StoreError::NotFound);
        }
        let sql = "INSERT INTO customers (id, tenant, name, created) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, values![self.id, actor.tenant, self.name, self.at]).await?;
        let payload = json!({ "customer": self.id, "name": self.name });
        tx.append(actor.tenant, Entry::new("customer.created", Actor::of(actor), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// Adds a site; [`StoreError::NotFound`] where the tenant has no such customer, [`StoreError::Exists`] where the customer
/// has a site of that name.
pub struct AddSite {
    pub permit: Permit<ManageCustomers>,
    pub id: SiteId,
    pub customer: CustomerId,
    pub name: Name,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for AddSite {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        if !self.permit.reach().covers_customer(self.customer) {
            return Err(StoreError::NotFound);
        }
        tx.fetch_one("SELECT id FROM customers WHERE tenant = $1 AND id = $2", values![actor.tenant, self.customer]).await?;
        let sql = "INSERT INTO sites (id, tenant, customer, name, created) VALUES ($1, $2, $3, $4, $5)";
        tx.execute(sql, values![self.id, actor.tenant, self.customer, self.name, self.at]).await?;
        let payload = json!({ "site": self.id, "customer": self.customer, "name": self.name });
        tx.append(actor.tenant, Entry::new("site.created", Actor::of(actor), self.at, self.salt, payload)).await?;
        Ok(())
    }
}
