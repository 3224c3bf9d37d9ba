//! What leads back to itself.

use petgraph::algo::kosaraju_scc;
use petgraph::graphmap::{DiGraphMap, NodeTrait};
use std::collections::{BTreeMap, BTreeSet};

/// The nodes of a graph that can be reached from themselves.
pub fn cyclic<T: NodeTrait>(edges: &BTreeMap<T, BTreeSet<T>>) -> BTreeSet<T> {
    let graph: DiGraphMap<T, ()> = edges.iter().flat_map(|(from, to)| to.iter().map(|to| (*from, *to))).collect();
    let on_cycle = |component: &Vec<T>| component.len() > 1 || graph.contains_edge(component[0], component[0]);
    kosaraju_scc(&graph).into_iter().filter(on_cycle).flatten().collect()
}

/// Numbers the nodes of a graph so that those have the same number that can be reached from each other.
pub fn components(edges: impl IntoIterator<Item = (usize, usize)>) -> BTreeMap<usize, usize> {
    let graph: DiGraphMap<usize, ()> = edges.into_iter().collect();
    let components = kosaraju_scc(&graph).into_iter().enumerate();
    components.flat_map(|(number, nodes)| nodes.into_iter().map(move |node| (node, number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_a_cycle() {
        let edges = [("a", ["b"]), ("b", ["c"]), ("c", ["a"]), ("d", ["a"]), ("e", ["e"]), ("f", ["g"])];
        let edges = edges.into_iter().map(|(from, to)| (from, BTreeSet::from(to))).collect();
        assert_eq!(cyclic(&edges), BTreeSet::from(["a", "b", "c", "e"]));
    }

    #[test]
    fn what_can_be_reached_from_each_other() {
        let numbers = components([(1, 2), (2, 3), (3, 1), (3, 4), (4, 5)]);
        assert!(numbers[&1] == numbers[&2] && numbers[&2] == numbers[&3]);
        assert!(numbers[&3] != numbers[&4] && numbers[&4] != numbers[&5]);
    }
}
