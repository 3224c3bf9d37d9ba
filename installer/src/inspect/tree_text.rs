//! Trees as text, as pnpm draws them.

use super::Installed;
use super::list::{Listing, Node};
use super::why::Dependent;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A listing; ends with a newline.
pub fn listing(installed: &Installed, listing: &Listing) -> String {
    let dir = installed.project_dir();
    let dir = dir.display();
    let project = installed.project();
    let mut text = if project.is_empty() { format!("{dir}\n") } else { format!("{project} {dir}\n") };
    for (index, (field, nodes)) in listing.kinds.iter().enumerate() {
        let is_last_kind = index + 1 == listing.kinds.len();
        let _ = writeln!(text, "│\n│   {field}:");
        let branches: Vec<Branch> = nodes.iter().map(branch_of_node).collect();
        draw(&branches, "", is_last_kind, &mut text);
    }
    let packages = match listing.packages() {
        1 => "1 package".to_owned(),
        packages => format!("{packages} packages"),
    };
    let _ = writeln!(text, "\n{packages}");
    text
}

/// Who depends on what; ends with a newline unless it is empty.
pub fn dependents(dependents: &[Dependent]) -> String {
    let mut text = String::new();
    let mut versions: BTreeSet<(&str, &str)> = BTreeSet::new();
    for dependent in dependents {
        let Dependent::Package { package, .. } = dependent else { continue };
        let Branch { label, below } = branch_of_dependent(dependent);
        let _ = writeln!(text, "{label}");
        draw(&below, "", true, &mut text);
        text.push('\n');
        versions.insert((&package.name, &package.version));
    }
    let names: BTreeSet<&str> = versions.iter().map(|(name, _)| *name).collect();
    for name in names {
        let count = versions.iter().filter(|(of, _)| *of == name).count();
        let _ = writeln!(text, "Found {count} version{} of {name}", if count == 1 { "" } else { "s" });
    }
    text
}

struct Branch {
    label: String,
    below: Vec<Branch>,
}

fn branch_of_node(node: &Node) -> Branch {
    let Node { alias, package, peer, deduped, children } = node;
    let mut label = if *alias == package.name {
        format!("{alias}@{}", package.version)
    } else {
        format!("{alias}@npm:{}@{}", package.name, package.version)
    };
    if *peer {
        label.push_str(" peer");
    }
    if *deduped {
        label.push_str(" [deduped]");
    }
    Branch { label, below: children.iter().map(branch_of_node).collect() }
}

fn branch_of_dependent(dependent: &Dependent) -> Branch {
    match dependent {
        Dependent::Package { package, deduped, dependents } => {
            let deduped = if *deduped { " [deduped]" } else { "" };
            let peers = package.dep_path.find('(').map_or("", |at| &package.dep_path[at..]);
            let label = format!("{}@{}{peers}{deduped}", package.name, package.version);
            Branch { label, below: dependents.iter().map(branch_of_dependent).collect() }
        }
        Dependent::Project { name, version, field } => {
            let name = if name.is_empty() { "this project" } else { name };
            let version = if version.is_empty() { String::new() } else { format!("@{version}") };
            Branch { label: format!("{name}{version} ({field})"), below: Vec::new() }
        }
    }
}

/// Draws branches; `ends` says whether the last of them ends the line on the left.
fn draw(branches: &[Branch], prefix: &str, ends: bool, text: &mut String) {
    for (index, Branch { label, below }) in branches.iter().enumerate() {
        let is_last = ends && index + 1 == branches.len();
        let (corner, line) = if is_last { ("└", "  ") } else { ("├", "│ ") };
        let joint = if below.is_empty() { "─" } else { "┬" };
        let _ = writeln!(text, "{prefix}{corner}─{joint} {label}");
        draw(below, &format!("{prefix}{line}"), true, text);
    }
}
