//! Merkle trees against the known answers of Certificate Transparency and against a naive tree.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sallyport_grant::KeyId;
use sallyport_grant::merkle::{
    Frontier, NodeId, TreeError, TreeHead, consistency_holds, consistency_nodes, consistency_proof, empty_root, inclusion_holds,
    inclusion_nodes, inclusion_proof, leaf_hash, node_hash, root_of,
};
use sallyport_grant::targets::{TargetTree, TargetsError, target_leaf};
use sallyport_model::{Digest, TenantId, limits};

/// Leaves and roots as published with Certificate Transparency's reference code, sizes 0 to 8.
const LEAVES: [&str; 8] = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// A tree together with every node that a store would hold.
struct Stored {
    frontier: Frontier,
    nodes: BTreeMap<NodeId, Digest>,
    leaves: Vec<Digest>,
}

impl Stored {
    fn of(leaves: impl IntoIterator<Item = Digest>) -> Self {
        let mut tree = Self { frontier: Frontier::default(), nodes: BTreeMap::new(), leaves: Vec::new() };
        for leaf in leaves {
            for node in tree.frontier.append(leaf) {
                assert!(tree.nodes.insert(node.id, node.hash).is_none(), "a node is stored once");
            }
            tree.leaves.push(leaf);
        }
        tree
    }

    fn numbered(size: u64) -> Self {
        Self::of((0..size).map(|n| leaf_hash(&n.to_be_bytes())))
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Digest> {
        inclusion_proof(index, size, |node| self.nodes.get(&node).copied()).unwrap()
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Digest> {
        consistency_proof(old, new, |node| self.nodes.get(&node).copied()).unwrap()
    }

    fn head(&self, size: u64) -> TreeHead {
        TreeHead { size, root: naive_root(&self.leaves[..size as usize]) }
    }
}

/// RFC 6962, section 2.1, word for word.
fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        more => {
            let k = more.len().next_power_of_two() / 2;
            node_hash(&naive_root(&more[..k]), &naive_root(&more[k..]))
        }
    }
}

fn digests(texts: &[&str]) -> Vec<Digest> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn reference() -> Stored {
    Stored::of(LEAVES.map(|leaf| leaf_hash(&hex::decode(leaf).unwrap())))
}

#[test]
fn reference_roots() {
    let tree = reference();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(root_of(&tree.leaves[..size]).to_string(), *root, "size {size}");
    }
}

#[test]
fn reference_inclusion_proofs() {
    let tree = reference();
    assert_eq!(tree.inclusion(0, 1), []);
    let first = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(tree.inclusion(0, 8), digests(&first));
    let sixth = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(tree.inclusion(5, 8), digests(&sixth));
}

#[test]
fn reference_consistency_proofs() {
    let tree = reference();
    let six_to_eight = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(tree.consistency(6, 8), digests(&six_to_eight));
    let two_to_five = [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ];
    assert_eq!(tree.consistency(2, 5), digests(&two_to_five));
}

#[test]
fn every_small_tree_proves_every_leaf_and_every_beginning() {
    let tree = Stored::numbered(66);
    for size in 1..=66 {
        let new = tree.head(size);
        assert_eq!(root_of(&tree.leaves[..size as usize]), new.root);
        for index in 0..size {
            let proof = tree.inclusion(index, size);
            let leaf = tree.leaves[index as usize];
            assert!(inclusion_holds(&leaf, index, size, &proof, &new.root), "{index} in {size}");
            assert!(!inclusion_holds(&leaf, index + 1, size, &proof, &new.root) || size == 1 && index == 1);
        }
        for old in 0..=size {
            assert!(consistency_holds(tree.head(old), new, &tree.consistency(old, size)), "{old} to {size}");
        }
    }
}

#[test]
fn proofs_need_exactly_the_nodes_that_are_announced() {
    let tree = Stored::numbered(33);
    for (index, size) in [(0, 1), (0, 2), (6, 7), (31, 33), (32, 33), (12, 31)] {
        let announced: BTreeSet<NodeId> = inclusion_nodes(index, size).unwrap().into_iter().collect();
        let known = |node: NodeId| announced.contains(&node).then(|| tree.nodes[&node]);
        assert_eq!(inclusion_proof(index, size, known).unwrap(), tree.inclusion(index, size));
    }
    let announced: BTreeSet<NodeId> = consistency_nodes(13, 33).unwrap().into_iter().collect();
    let known = |node: NodeId| announced.contains(&node).then(|| tree.nodes[&node]);
    assert_eq!(consistency_proof(13, 33, known).unwrap(), tree.consistency(13, 33));
}

#[test]
fn a_missing_node_and_a_leaf_outside_are_named() {
    let missing = NodeId { level: 1, index: 0 };
    assert_eq!(inclusion_proof(2, 3, |_| None), Err(TreeError::MissingNode(missing)));
    assert_eq!(inclusion_proof(3, 3, |_| None), Err(TreeError::OutOfRange));
    assert_eq!(inclusion_proof(0, 0, |_| None), Err(TreeError::OutOfRange));
    assert_eq!(consistency_proof(4, 3, |_| None), Err(TreeError::OutOfRange));
}

#[test]
fn a_stored_frontier_goes_on_where_it_was() {
    let whole = Stored::numbered(29);
    let before = Stored::numbered(13).frontier;
    let mut again = Frontier::from_parts(before.size(), before.hashes().to_vec()).unwrap();
    for leaf in &whole.leaves[13..] {
        again.append(*leaf);
    }
    assert_eq!(again, whole.frontier);
    assert_eq!(Frontier::from_parts(3, Vec::new()), Err(TreeError::NotAFrontier { size: 3, hashes: 0 }));
}

#[test]
fn a32_a_rewritten_history_is_not_consistent() {
    let honest = Stored::numbered(20);
    let forked = Stored::of((0..30_u64).map(|n| leaf_hash(&(n + u64::from(n == 7)).to_be_bytes())));
    for old in 8..=20 {
        let proof = forked.consistency(old, 30);
        assert!(!consistency_holds(honest.head(old), forked.head(30), &proof), "fork at 7 hidden from a tree of {old}");
    }
    assert!(!consistency_holds(honest.head(20), honest.head(19), &[]), "a log never shrinks");
    let longer = TreeHead { size: 40, ..honest.head(20) };
    assert!(!consistency_holds(honest.head(16), longer, &honest.consistency(16, 20)), "a proof reaches the root of its size");
    assert!(!consistency_holds(honest.head(20), forked.head(20), &[]), "one size has one root");
}

#[test]
fn a26_targets_hold_their_devices_and_no_others() {
    let tenant = TenantId::from_bytes([1; 16]);
    for count in [1_u64, 2, 3, 4, 5, 15, 16, 17, 100] {
        let device = |n: u64| KeyId(leaf_hash(&n.to_be_bytes()));
        let tree = TargetTree::build(tenant, (0..count).map(device)).unwrap();
        let targets = tree.targets();
        assert_eq!(u64::from(targets.count), count);
        for n in 0..count {
            let proof = tree.proof(device(n)).unwrap();
            assert!(targets.include(tenant, device(n), &proof));
            assert!(!targets.include(tenant, device(count), &proof));
            assert!(!targets.include(TenantId::from_bytes([2; 16]), device(n), &proof));
        }
        assert_eq!(tree.proof(device(count)), None);
    }
}

#[test]
fn targets_have_a_limit() {
    let tenant = TenantId::from_bytes([1; 16]);
    let devices = |count: u64| (0..count).map(|n| KeyId(leaf_hash(&n.to_be_bytes())));
    let most = limits::TARGETS as u64;
    let tree = TargetTree::build(tenant, devices(most)).unwrap();
    let last = devices(most).next_back().unwrap();
    assert!(tree.targets().include(tenant, last, &tree.proof(last).unwrap()));
    assert_eq!(TargetTree::build(tenant, devices(most + 1)).err(), Some(TargetsError::TooMany));
}

#[test]
fn targets_are_distinct_sorted_and_not_empty() {
    let tenant = TenantId::from_bytes([1; 16]);
    let devices: Vec<KeyId> = (0..9_u64).map(|n| KeyId(leaf_hash(&n.to_be_bytes()))).collect();
    let forwards = TargetTree::build(tenant, devices.iter().copied()).unwrap().targets();
    let backwards = TargetTree::build(tenant, devices.iter().rev().copied()).unwrap().targets();
    assert_eq!(forwards, backwards);
    let sorted: BTreeSet<Digest> = devices.iter().map(|device| target_leaf(tenant, *device)).collect();
    assert_eq!(forwards.root, naive_root(&sorted.into_iter().collect::<Vec<_>>()));
    assert_eq!(TargetTree::build(tenant, []).err(), Some(TargetsError::Empty));
    assert_eq!(TargetTree::build(tenant, [devices[0], devices[0]]).err(), Some(TargetsError::Repeated));
}

proptest! {
    #[test]
    fn any_bent_inclusion_proof_fails(size in 1_u64..300, pick in any::<u64>(), at in any::<usize>(), bit in 0_usize..256) {
        let tree = Stored::numbered(size);
        let (index, root) = (pick % size, tree.frontier.root());
        let leaf = tree.leaves[index as usize];
        let proof = tree.inclusion(index, size);
        prop_assert!(inclusion_holds(&leaf, index, size, &proof, &root));
        prop_assert!(!inclusion_holds(&leaf, index ^ 1, size, &proof, &root));
        let mut longer = proof.clone();
        longer.push(leaf);
        prop_assert!(!inclusion_holds(&leaf, index, size, &longer, &root));
        if !proof.is_empty() {
            let mut bent = proof.clone();
            let at = at % bent.len();
            let mut bytes = *bent[at].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bent[at] = Digest::from_bytes(bytes);
            prop_assert!(!inclusion_holds(&leaf, index, size, &bent, &root));
            prop_assert!(!inclusion_holds(&leaf, index, size, &proof[1..], &root));
        }
    }

    #[test]
    fn verification_never_panics(index: u64, size: u64, old: u64, proof in proptest::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let proof: Vec<Digest> = proof.into_iter().map(Digest::from_bytes).collect();
        let root = empty_root();
        prop_assert!(!inclusion_holds(&root, index, size, &proof, &root) || size == 1);
        let (old_head, new_head) = (TreeHead { size: old, root }, TreeHead { size, root: leaf_hash(b"x") });
        prop_assert!(!consistency_holds(old_head, new_head, &proof) || old == 0);
    }
}
