//! What leads back to itself.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use petgraph::graphmap::{DiGraphMap, NodeTrait};
use std::collections::{BTreeMap, BTreeSet};

/// The nodes of a graph that can be reached from themselves.
pub fn cyclic<T: NodeTrait>(edges: &BTreeMap<T, BTreeSet<T>>) -> BTreeSet<T> {
    let graph: DiGraphMap<T, ()> = edges.iter().flat_map(|(from, to)| to.iter().map(|to| (*from, *to))).collect();
    let on_cycle = |component: &Vec<T>| component.len() > 1 || graph.contains_edge(component[0], component[0]);
    kosaraju_scc(&graph).into_iter().filter(on_cycle).flatten().collect()
}

/// Numbers the nodes of a graph, which are `0..count`, so that those have the same number that can be reached from each other.
pub fn components(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Vec<usize> {
    let mut graph: DiGraph<(), (), usize> = DiGraph::from_edges(edges);
    while graph.node_count() < count {
        graph.add_node(());
    }
    let mut numbers = vec![0; count];
    for (number, nodes) in kosaraju_scc(&graph).into_iter().enumerate() {
        for node in nodes {
            numbers[node.index()] = number;
        }
    }
    numbers
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
        let numbers = components(7, [(1, 2), (2, 3), (3, 1), (3, 4), (4, 5)]);
        assert!(numbers[1] == numbers[2] && numbers[2] == numbers[3]);
        assert_eq!([0, 3, 4, 5, 6].map(|node| numbers[node]).into_iter().collect::<BTreeSet<_>>().len(), 5);
    }
}
