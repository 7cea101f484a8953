//! RFC 6962 arithmetic over stored subtrees: which ones grow when a leaf comes, and which ones a proof needs.

use std::ops::Range;

use sallyport_model::Digest;
use sha2::{Digest as _, Sha256};

/// RFC 6962, section 2.1: the hash of a leaf.
pub(super) fn leaf_hash(data: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
}

/// RFC 6962, section 2.1: the hash of two subtrees.
fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let hash = Sha256::new().chain_update([1]).chain_update(left.as_bytes()).chain_update(right.as_bytes());
    Digest::from_bytes(hash.finalize().into())
}

/// A complete subtree: the `index`-th one of 2^`level` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) level: u32,
    pub(super) index: u64,
}

/// The right edge of a tree: enough to append and to know the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frontier {
    pub(super) size: u64,
    /// Roots of the complete subtrees, from the largest to the smallest.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// Takes the stored form back; `None` where the number of peaks does not fit the size.
    pub(super) fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && peaks.len() == size.count_ones() as usize;
        fits.then(|| Self { size, peaks: peaks.iter().copied().map(Digest::from_bytes).collect() })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.peaks.iter().flat_map(|peak| *peak.as_bytes()).collect()
    }

    /// Appends a leaf and returns every subtree that became complete, the leaf first.
    pub(super) fn push(&mut self, leaf: Digest) -> Vec<(Node, Digest)> {
        let (mut node, mut hash) = (Node { level: 0, index: self.size }, leaf);
        let mut completed = vec![(node, hash)];
        while node.index % 2 == 1
            && let Some(left) = self.peaks.pop()
        {
            hash = node_hash(&left, &hash);
            node = Node { level: node.level + 1, index: node.index / 2 };
            completed.push((node, hash));
        }
        self.peaks.push(hash);
        self.size += 1;
        completed
    }

    pub(super) fn root(&self) -> Digest {
        fold(&self.peaks)
    }
}

/// The root over complete subtrees that stand side by side, from the largest to the smallest.
pub(super) fn fold(peaks: &[Digest]) -> Digest {
    let folded = peaks.iter().copied().rev().reduce(|right, left| node_hash(&left, &right));
    folded.unwrap_or_else(|| Digest::from_bytes(Sha256::digest(b"").into()))
}

/// The complete subtrees that make up a range of leaves of the tree.
pub(super) fn subtrees(range: Range<u64>) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut from = range.start;
    while let Some(level) = (range.end - from).checked_ilog2() {
        nodes.push(Node { level, index: from >> level });
        from += 1 << level;
    }
    nodes
}

/// RFC 6962, section 2.1.1: the ranges whose hashes prove that leaf `index` is in the tree of `size`.
pub(super) fn inclusion(index: u64, size: u64) -> Vec<Range<u64>> {
    let (mut range, mut path) = (0..size, Vec::new());
    while range.end - range.start > 1 {
        let middle = range.start + split(range.end - range.start);
        if index < middle {
            path.push(middle..range.end);
            range.end = middle;
        } else {
            path.push(range.start..middle);
            range.start = middle;
        }
    }
    path.reverse();
    path
}

/// RFC 6962, section 2.1.2: the ranges whose hashes prove that the tree of `old` leaves is a beginning
/// of the tree of `new`. Nothing is needed for the empty and for the same tree.
pub(super) fn consistency(old: u64, new: u64) -> Vec<Range<u64>> {
    let (mut range, mut path) = (0..new, Vec::new());
    if old == 0 {
        return path;
    }
    while old != range.end {
        let middle = range.start + split(range.end - range.start);
        if old <= middle {
            path.push(middle..range.end);
            range.end = middle;
        } else {
            path.push(range.start..middle);
            range.start = middle;
        }
    }
    if range.start > 0 {
        path.push(range);
    }
    path.reverse();
    path
}

/// The largest power of two below `leaves`, of which there are at least two.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}
