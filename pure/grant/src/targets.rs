//! The devices of a grant, as a Merkle tree that names none of them to the others.

use std::collections::BTreeSet;

use sallyport_model::{Digest, TenantId, limits};
use serde::{Deserialize, Serialize};

use crate::keys::KeyId;
use crate::merkle::{self, Frontier, NodeId};

/// Why devices are no targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetsError {
    /// No device at all.
    #[error("a grant must have a target")]
    Empty,
    /// More than [`limits::TARGETS`].
    #[error("a grant has at most {} targets", limits::TARGETS)]
    TooMany,
    /// One device twice.
    #[error("a device is a target twice")]
    Repeated,
}

/// The signed summary of the devices of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// Number of devices.
    pub count: u32,
    /// Root over their leaves, sorted by bytes.
    pub root: Digest,
}

/// A device's place among the targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetProof {
    /// Place of the leaf.
    pub index: u32,
    /// Inclusion proof, at most 17 hashes.
    pub hashes: Vec<Digest>,
}

/// Leaf of a device: SHA-256(0x00 || "sallyport.target/1\n" || tenant, 16 bytes || thumbprint of the device key).
pub fn target_leaf(tenant: TenantId, device: KeyId) -> Digest {
    let mut data = Vec::with_capacity(80);
    data.extend_from_slice(b"sallyport.target/1\n");
    data.extend_from_slice(tenant.as_bytes());
    data.extend_from_slice(device.0.as_bytes());
    merkle::leaf_hash(&data)
}

/// The whole tree, as the server holds it while it makes the proofs.
#[derive(Debug, Clone)]
pub struct TargetTree {
    tenant: TenantId,
    root: Digest,
    /// Hashes of complete subtrees: the sorted leaves first, then level by level.
    levels: Vec<Vec<Digest>>,
}

impl TargetTree {
    /// Builds the tree over distinct devices, in any order.
    pub fn build(tenant: TenantId, devices: impl IntoIterator<Item = KeyId>) -> Result<Self, TargetsError> {
        let mut frontier = Frontier::default();
        let mut levels: Vec<Vec<Digest>> = Vec::new();
        for leaf in sorted_leaves(tenant, devices)? {
            for node in frontier.append(leaf) {
                let level = usize::from(node.id.level);
                if levels.len() == level {
                    levels.push(Vec::new());
                }
                levels[level].push(node.hash);
            }
        }
        Ok(Self { tenant, root: frontier.root(), levels })
    }

    /// What goes into the grant.
    pub fn targets(&self) -> Targets {
        Targets { count: self.levels[0].len() as u32, root: self.root }
    }

    /// The proof for one device; nothing where it is no target.
    pub fn proof(&self, device: KeyId) -> Option<TargetProof> {
        let leaves = &self.levels[0];
        let index = leaves.binary_search(&target_leaf(self.tenant, device)).ok()?;
        let fetch = |node: NodeId| self.levels.get(usize::from(node.level))?.get(node.index as usize).copied();
        let hashes = merkle::inclusion_proof(index as u64, leaves.len() as u64, fetch).ok()?;
        Some(TargetProof { index: index as u32, hashes })
    }
}

fn sorted_leaves(tenant: TenantId, devices: impl IntoIterator<Item = KeyId>) -> Result<BTreeSet<Digest>, TargetsError> {
    let mut leaves = BTreeSet::new();
    for device in devices {
        if leaves.len() == limits::TARGETS {
            return Err(TargetsError::TooMany);
        }
        if !leaves.insert(target_leaf(tenant, device)) {
            return Err(TargetsError::Repeated);
        }
    }
    if leaves.is_empty() { Err(TargetsError::Empty) } else { Ok(leaves) }
}

impl Targets {
    /// Whether `proof` shows the device among these targets of `tenant`.
    #[must_use]
    pub fn include(&self, tenant: TenantId, device: KeyId, proof: &TargetProof) -> bool {
        let leaf = target_leaf(tenant, device);
        merkle::inclusion_holds(&leaf, u64::from(proof.index), u64::from(self.count), &proof.hashes, &self.root)
    }
}
