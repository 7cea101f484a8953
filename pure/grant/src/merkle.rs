//! Merkle trees of RFC 6962, section 2.1: hashes, appending, inclusion and consistency proofs.
//!
//! A store keeps the hash of every complete subtree under its [`NodeId`]; [`Frontier::append`] says which
//! become complete with a leaf, and proofs are made from them. Verification follows RFC 9162, section 2.1.

use sallyport_model::{Digest, limits};

use crate::hash::sha256;

/// Hash of a leaf: SHA-256(0x00 || data).
pub fn leaf_hash(data: &[u8]) -> Digest {
    sha256(&[&[0], data])
}

/// Hash of an inner node: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// Root of a tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    sha256(&[])
}

/// Root over leaf hashes in order.
pub fn root_of(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.append(*leaf);
    }
    frontier.root()
}

/// A complete subtree: the leaves from `index << level` up to, not including, `(index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId {
    /// 0 for leaves.
    pub level: u8,
    /// Place among the nodes of its level.
    pub index: u64,
}

/// A complete subtree and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Which subtree.
    pub id: NodeId,
    /// Its hash.
    pub hash: Digest,
}

/// Why stored hashes are no frontier or give no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A frontier has one hash per set bit of its size.
    #[error("{hashes} hashes do not make a frontier of {size} leaves")]
    NotAFrontier {
        /// Leaves that were claimed.
        size: u64,
        /// Hashes that were given.
        hashes: usize,
    },
    /// The leaf or the older tree lies outside of the tree.
    #[error("outside of the tree")]
    OutOfRange,
    /// The store lacks a node that the tree must have.
    #[error("the store lacks node {index} of level {level}", level = .0.level, index = .0.index)]
    MissingNode(NodeId),
}

/// The right edge of a tree: the hashes of its maximal complete subtrees, largest first. All that appending needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Digest>,
}

impl Frontier {
    /// Takes a stored frontier back.
    pub fn from_parts(size: u64, hashes: Vec<Digest>) -> Result<Self, TreeError> {
        if hashes.len() != size.count_ones() as usize {
            return Err(TreeError::NotAFrontier { size, hashes: hashes.len() });
        }
        Ok(Self { size, hashes })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, largest subtree first.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// Appends a leaf hash; gives the nodes to store, the leaf itself first.
    pub fn append(&mut self, leaf: Digest) -> Vec<Node> {
        let mut node = Node { id: NodeId { level: 0, index: self.size }, hash: leaf };
        let mut complete = vec![node];
        for _ in 0..self.size.trailing_ones() {
            let left = self.hashes.pop().expect("one hash per set bit of the size");
            node = Node { id: NodeId { level: node.id.level + 1, index: node.id.index >> 1 }, hash: node_hash(&left, &node.hash) };
            complete.push(node);
        }
        self.hashes.push(node.hash);
        self.size += 1;
        complete
    }

    /// Root of the tree.
    pub fn root(&self) -> Digest {
        fold(&self.hashes).unwrap_or_else(empty_root)
    }
}

/// Joins complete subtrees, largest first, into the hash of the range that they cover.
fn fold(hashes: &[Digest]) -> Option<Digest> {
    let (last, rest) = hashes.split_last()?;
    Some(rest.iter().rfold(*last, |right, left| node_hash(left, &right)))
}

/// Leaves from `start` up to, not including, `end`; `start` is a multiple of the largest power of two in the range.
#[derive(Clone, Copy)]
struct Range {
    start: u64,
    end: u64,
}

impl Range {
    fn len(self) -> u64 {
        self.end - self.start
    }

    /// Splits at the largest power of two below the length (RFC 6962's `k`).
    fn split(self) -> (Self, Self) {
        let middle = self.start + self.len().next_power_of_two() / 2;
        (Self { start: self.start, end: middle }, Self { start: middle, end: self.end })
    }

    fn nodes(self) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let level = (self.end - start).ilog2();
            nodes.push(NodeId { level: level as u8, index: start >> level });
            start += 1 << level;
        }
        nodes
    }
}

/// The ranges whose hashes prove leaf `index` in a tree of `size` leaves, lowest first.
fn inclusion_ranges(index: u64, size: u64) -> Result<Vec<Range>, TreeError> {
    if index >= size {
        return Err(TreeError::OutOfRange);
    }
    let mut ranges = Vec::new();
    let mut here = Range { start: 0, end: size };
    while here.len() > 1 {
        let (left, right) = here.split();
        let (next, other) = if index < left.end { (left, right) } else { (right, left) };
        ranges.push(other);
        here = next;
    }
    ranges.reverse();
    Ok(ranges)
}

/// The ranges whose hashes prove that a tree of `old` leaves is the beginning of one of `new`, lowest first.
fn consistency_ranges(old: u64, new: u64) -> Result<Vec<Range>, TreeError> {
    if old > new {
        return Err(TreeError::OutOfRange);
    }
    if old == 0 {
        return Ok(Vec::new());
    }
    let mut ranges = Vec::new();
    let mut here = Range { start: 0, end: new };
    while old != here.end {
        let (left, right) = here.split();
        let (next, other) = if old <= left.end { (left, right) } else { (right, left) };
        ranges.push(other);
        here = next;
    }
    if here.start != 0 {
        ranges.push(here);
    }
    ranges.reverse();
    Ok(ranges)
}

/// Every stored node that an inclusion proof needs, so that a store can load them in one query.
pub fn inclusion_nodes(index: u64, size: u64) -> Result<Vec<NodeId>, TreeError> {
    Ok(inclusion_ranges(index, size)?.into_iter().flat_map(Range::nodes).collect())
}

/// Every stored node that a consistency proof needs.
pub fn consistency_nodes(old: u64, new: u64) -> Result<Vec<NodeId>, TreeError> {
    Ok(consistency_ranges(old, new)?.into_iter().flat_map(Range::nodes).collect())
}

/// Proof that leaf `index` is in the tree of `size` leaves (RFC 6962, section 2.1.1).
pub fn inclusion_proof(index: u64, size: u64, fetch: impl Fn(NodeId) -> Option<Digest>) -> Result<Vec<Digest>, TreeError> {
    hashes_of(inclusion_ranges(index, size)?, fetch)
}

/// Proof that the tree of `old` leaves is the beginning of the tree of `new` leaves (RFC 6962, section 2.1.2).
/// Empty where `old` is 0 or equal to `new`.
pub fn consistency_proof(old: u64, new: u64, fetch: impl Fn(NodeId) -> Option<Digest>) -> Result<Vec<Digest>, TreeError> {
    hashes_of(consistency_ranges(old, new)?, fetch)
}

fn hashes_of(ranges: Vec<Range>, fetch: impl Fn(NodeId) -> Option<Digest>) -> Result<Vec<Digest>, TreeError> {
    let hash_of = |range: Range| {
        let hashes = range.nodes().into_iter().map(|node| fetch(node).ok_or(TreeError::MissingNode(node)));
        let hashes = hashes.collect::<Result<Vec<_>, _>>()?;
        fold(&hashes).ok_or(TreeError::OutOfRange)
    };
    ranges.into_iter().map(hash_of).collect()
}

/// Whether `proof` shows `leaf` at `index` in the tree of `size` leaves with `root` (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn inclusion_holds(leaf: &Digest, index: u64, size: u64, proof: &[Digest], root: &Digest) -> bool {
    if index >= size || proof.len() > limits::PROOF_HASHES {
        return false;
    }
    let mut walk = Walk { node: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in proof {
        match walk.up() {
            Some(Side::Left) => hash = node_hash(sibling, &hash),
            Some(Side::Right) => hash = node_hash(&hash, sibling),
            None => return false,
        }
    }
    walk.last == 0 && hash == *root
}

/// Whether `proof` shows that the tree `old` is the beginning of the tree `new` (RFC 9162, section 2.1.4.2).
#[must_use]
pub fn consistency_holds(old: TreeHead, new: TreeHead, proof: &[Digest]) -> bool {
    if old.size > new.size || proof.len() > limits::PROOF_HASHES + 1 {
        return false;
    }
    if old.size == new.size {
        return proof.is_empty() && old.root == new.root;
    }
    if old.size == 0 {
        return proof.is_empty() && old.root == empty_root();
    }
    let whole = old.size.is_power_of_two().then_some(old.root);
    let mut hashes = whole.iter().chain(proof);
    let Some(first) = hashes.next() else { return false };
    let odd_levels = (old.size - 1).trailing_ones();
    let mut walk = Walk { node: (old.size - 1) >> odd_levels, last: (new.size - 1) >> odd_levels };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in hashes {
        match walk.up() {
            Some(Side::Left) => (old_hash, new_hash) = (node_hash(sibling, &old_hash), node_hash(sibling, &new_hash)),
            Some(Side::Right) => new_hash = node_hash(&new_hash, sibling),
            None => return false,
        }
    }
    walk.last == 0 && old_hash == old.root && new_hash == new.root
}

/// Size and root of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Digest,
}

enum Side {
    Left,
    Right,
}

/// The way from a node up to the root, level by level, beside the way of the last node.
struct Walk {
    node: u64,
    last: u64,
}

impl Walk {
    /// Goes up past one sibling and says on which side it is; nothing where the root is reached.
    fn up(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node & 1 == 1 || self.node == self.last { Side::Left } else { Side::Right };
        if matches!(side, Side::Left) {
            // The rightmost node has no sibling on some levels; they are passed over.
            let lone_levels = if self.node == 0 { 0 } else { self.node.trailing_zeros() };
            self.node >>= lone_levels;
            self.last >>= lone_levels;
        }
        self.node >>= 1;
        self.last >>= 1;
        Some(side)
    }
}
