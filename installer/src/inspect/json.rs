//! Trees as JSON, with pnpm's names.

use super::list::{Listing, Node};
use super::why::Dependent;
use super::{Installed, resolved};
use crate::config::Registries;
use serde_json::{Map, Value, json};

/// A listing of one project; pnpm prints an array of them.
pub fn listing(installed: &Installed, listing: &Listing, registries: &Registries) -> Value {
    let mut project = Map::new();
    let (name, version) = (installed.name_of(&installed.importer), installed.version_of(&installed.importer));
    for (field, value) in [("name", name), ("version", version)] {
        if !value.is_empty() {
            project.insert(field.to_owned(), json!(value));
        }
    }
    project.insert("path".to_owned(), json!(installed.project_dir()));
    for (field, nodes) in &listing.kinds {
        project.insert((*field).to_owned(), of_nodes(installed, nodes, registries));
    }
    project.into()
}

fn of_nodes(installed: &Installed, nodes: &[Node], registries: &Registries) -> Value {
    nodes.iter().map(|node| (node.alias.clone(), of_node(installed, node, registries))).collect::<Map<_, _>>().into()
}

fn of_node(installed: &Installed, node: &Node, registries: &Registries) -> Value {
    let Node { package, deduped, children, .. } = node;
    let mut value = json!({
        "from": package.name,
        "version": package.version,
        "path": installed.package_dir(package),
    });
    if let Some(url) = resolved(&installed.lockfile, package, registries.registry_for(&package.name)) {
        value["resolved"] = json!(url);
    }
    if *deduped {
        value["deduped"] = json!(true);
    }
    if !children.is_empty() {
        value["dependencies"] = of_nodes(installed, children, registries);
    }
    value
}

/// Who depends on what: an array with one entry for each snapshot.
pub fn dependents(installed: &Installed, dependents: &[Dependent]) -> Value {
    let paths = dependents.iter().map(|dependent| {
        let mut value = of_dependent(dependent);
        if let Dependent::Package { package, .. } = dependent {
            value["path"] = json!(installed.package_dir(package));
        }
        value
    });
    paths.collect()
}

fn of_dependent(dependent: &Dependent) -> Value {
    match dependent {
        Dependent::Package { package, deduped: true, .. } => {
            json!({ "name": package.name, "version": package.version, "deduped": true })
        }
        Dependent::Package { package, dependents, .. } => {
            let dependents: Vec<Value> = dependents.iter().map(of_dependent).collect();
            json!({ "name": package.name, "version": package.version, "dependents": dependents })
        }
        Dependent::Project { name, version, field } => {
            json!({ "name": name, "version": version, "depField": field })
        }
    }
}
