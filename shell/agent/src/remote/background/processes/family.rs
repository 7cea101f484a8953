//! A process and all that hang under it.

use std::collections::BTreeMap;

use sallyport_wire::stream::background::ProcessKey;

/// A process and the number of the one that it hangs under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hanging {
    pub(super) key: ProcessKey,
    pub(super) parent: u32,
}

/// The process and all under it, itself first; empty when it is not among them.
pub(super) fn of(all: &[Hanging], root: ProcessKey) -> Vec<ProcessKey> {
    if !all.iter().any(|process| process.key == root) {
        return Vec::new();
    }
    let mut under: BTreeMap<u32, Vec<ProcessKey>> = BTreeMap::new();
    for process in all {
        under.entry(process.parent).or_default().push(process.key);
    }
    let mut family = vec![root];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        // A list that was not read in one moment may show circles.
        let children = under.remove(&parent.pid).unwrap_or_default();
        family.extend(children.into_iter().filter(|child| child.started >= parent.started && *child != root));
        next += 1;
    }
    family
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn process(pid: u32, parent: u32, started: u64) -> Hanging {
        Hanging { key: ProcessKey { pid, started }, parent }
    }

    #[test]
    fn children_of_children_belong_to_it_and_others_do_not() {
        let all = [process(1, 0, 0), process(5, 1, 10), process(7, 5, 11), process(8, 7, 12), process(9, 1, 13)];
        let pids: Vec<u32> = of(&all, ProcessKey { pid: 5, started: 10 }).iter().map(|key| key.pid).collect();
        assert_eq!(pids, [5, 7, 8]);
    }

    #[test]
    fn a_number_that_was_given_away_again_has_no_children() {
        let all = [process(5, 1, 100), process(7, 5, 11)];
        assert_eq!(of(&all, ProcessKey { pid: 5, started: 10 }), []);
        assert_eq!(of(&all, ProcessKey { pid: 5, started: 100 }).len(), 1, "7 is older than what it seems to hang under");
    }

    proptest! {
        #[test]
        fn any_list_ends_and_names_nobody_twice(all in prop::collection::btree_map(0u32..12, (0u32..12, 0u64..3), 0..12), root in 0u32..12) {
            let all: Vec<Hanging> = all.into_iter().map(|(pid, (parent, started))| process(pid, parent, started)).collect();
            let family = of(&all, ProcessKey { pid: root, started: 0 });
            let distinct: std::collections::BTreeSet<ProcessKey> = family.iter().copied().collect();
            prop_assert_eq!(distinct.len(), family.len());
        }
    }
}
