//! Which project of a workspace depends on which.

use super::wanted::join;
use super::{ImporterId, Target, Workspace};
use std::collections::{BTreeMap, BTreeSet};

type Edges = BTreeMap<ImporterId, BTreeSet<ImporterId>>;

/// The projects of a workspace as nodes; those that depend on one another may form a cycle.
#[derive(Debug, Default)]
pub struct ProjectGraph {
    dependencies: Edges,
    dependents: Edges,
}

impl ProjectGraph {
    /// The graph of a workspace.
    pub fn of(workspace: &Workspace) -> Self {
        let mut graph = ProjectGraph::default();
        for (id, member) in &workspace.members {
            for wanted in member.wanted.values() {
                let Target::Link { path } = &wanted.target else { continue };
                let to = join(id, path);
                if workspace.members.contains_key(&to) {
                    graph.dependents.entry(to.clone()).or_default().insert(id.clone());
                    graph.dependencies.entry(id.clone()).or_default().insert(to);
                }
            }
        }
        graph
    }

    /// What these depend on at any distance; themselves only where a cycle leads back.
    pub fn dependencies_of(&self, from: &BTreeSet<ImporterId>) -> BTreeSet<ImporterId> {
        reach(from, &self.dependencies)
    }

    /// What depends on these at any distance; themselves only where a cycle leads back.
    pub fn dependents_of(&self, from: &BTreeSet<ImporterId>) -> BTreeSet<ImporterId> {
        reach(from, &self.dependents)
    }

    /// These projects, dependencies before their dependents, each with the places in the list of those that it needs, also
    /// by way of projects that are not in it. A cycle is cut where the first of its projects, by name, comes in.
    pub fn in_order(&self, projects: &BTreeSet<ImporterId>) -> Vec<(ImporterId, BTreeSet<usize>)> {
        let (mut sorted, mut seen) = (Vec::new(), BTreeSet::new());
        for id in projects {
            self.visit(id, &mut seen, &mut sorted);
        }
        sorted.retain(|id| projects.contains(id));
        let after = |(place, id): (usize, &ImporterId)| {
            let needed = self.dependencies_of(&BTreeSet::from([id.clone()]));
            let before = sorted[..place].iter().enumerate().filter(|(_, other)| needed.contains(*other));
            (id.clone(), before.map(|(place, _)| place).collect())
        };
        sorted.iter().enumerate().map(after).collect()
    }

    fn visit(&self, id: &ImporterId, seen: &mut BTreeSet<ImporterId>, sorted: &mut Vec<ImporterId>) {
        if !seen.insert(id.clone()) {
            return;
        }
        for dependency in self.dependencies.get(id).into_iter().flatten() {
            self.visit(dependency, seen, sorted);
        }
        sorted.push(id.clone());
    }
}

fn reach(from: &BTreeSet<ImporterId>, edges: &Edges) -> BTreeSet<ImporterId> {
    let (mut found, mut pending) = (BTreeSet::new(), from.iter().cloned().collect::<Vec<_>>());
    while let Some(id) = pending.pop() {
        for next in edges.get(id.as_str()).into_iter().flatten() {
            if found.insert(next.clone()) {
                pending.push(next.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use std::path::Path;

    fn graph(projects: &[(&str, &[&str])]) -> ProjectGraph {
        let manifest = |(id, needs): &(&str, &[&str])| {
            let needs: BTreeMap<&str, &str> = needs.iter().map(|name| (*name, "workspace:*")).collect();
            let text = serde_json::json!({ "name": id, "version": "1.0.0", "dependencies": needs }).to_string();
            ((*id).to_owned(), Manifest::parse(text.as_bytes(), Path::new("package.json")).unwrap())
        };
        let manifests = projects.iter().map(manifest).collect();
        ProjectGraph::of(&Workspace::new(Path::new("/w"), manifests, &Default::default()).unwrap())
    }

    fn in_order(graph: &ProjectGraph, projects: &[&str]) -> Vec<(String, Vec<usize>)> {
        let projects = projects.iter().map(|id| (*id).to_owned()).collect();
        graph.in_order(&projects).into_iter().map(|(id, after)| (id, after.into_iter().collect())).collect()
    }

    fn expected(list: &[(&str, &[usize])]) -> Vec<(String, Vec<usize>)> {
        list.iter().map(|(id, after)| ((*id).to_owned(), after.to_vec())).collect()
    }

    #[test]
    fn dependencies_come_first_and_what_is_independent_waits_for_nobody() {
        let graph = graph(&[("app", &["ui"]), ("core", &[]), ("docs", &[]), ("ui", &["core"])]);
        let all = in_order(&graph, &["app", "core", "docs", "ui"]);
        assert_eq!(all, expected(&[("core", &[]), ("ui", &[0]), ("app", &[0, 1]), ("docs", &[])]));
        // Also where what lies between is left out.
        assert_eq!(in_order(&graph, &["app", "core"]), expected(&[("core", &[]), ("app", &[0])]));
    }

    #[test]
    fn a_cycle_is_cut() {
        let graph = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"])]);
        assert_eq!(in_order(&graph, &["a", "b", "c"]), expected(&[("c", &[]), ("b", &[0]), ("a", &[0, 1])]));
    }
}
