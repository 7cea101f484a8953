//! The audit log: one RFC 6962 Merkle tree per tenant, appended in the transaction of the change.

mod entry;
mod pending;
mod read;
mod tree;

use sallyport_model::{Digest, TenantId};

pub use entry::{Actor, Entry, commitment};
pub(crate) use pending::Pending;
pub use read::{Filter, Head, Logged, Page, consistency, entry, head, inclusion, page, root_at};

/// Signs the head of a tenant's log. The store never sees the key.
pub trait CheckpointSigner: Send + Sync + 'static {
    /// The signed note (C2SP checkpoint) over this size and root, or `None` where the tenant has no log key.
    fn sign(&self, tenant: TenantId, size: u64, root: Digest) -> Option<String>;
}
