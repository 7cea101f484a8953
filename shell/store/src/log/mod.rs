//! The audit log: one RFC 6962 Merkle tree per tenant, appended in the transaction of the change.

mod check;
mod entry;
mod pending;
mod read;

use sallyport_grant::merkle::TreeHead;
use sallyport_model::TenantId;

pub use check::check;
pub use entry::{Actor, Entry};
pub(crate) use pending::Pending;
pub use read::{Filter, Head, Logged, Page, consistency, entry, head, inclusion, page, root_at};

/// Signs the head of a tenant's log. The store never sees the key.
pub trait CheckpointSigner: Send + Sync + 'static {
    /// The signed checkpoint ([`sallyport_grant::checkpoint::sign`]), or `None` where the tenant has no log key.
    fn sign(&self, tenant: TenantId, head: TreeHead) -> Option<String>;
}
