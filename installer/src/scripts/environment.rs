//! What scripts find in their environment: the commands of packages in PATH, and npm's variables.

use super::lifecycle::Package;
use crate::rt;
use crate::virtual_store::Layout;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What all scripts of one install share.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Where commands are found that the package does not bring: the project's, then the hoisted ones.
    bin_dirs: Vec<PathBuf>,
    /// Our own PATH.
    path: String,
    project_dir: PathBuf,
    user_agent: String,
    node: Option<PathBuf>,
    node_gyp: Option<PathBuf>,
}

impl Environment {
    /// Looks around; blocks.
    pub fn new(layout: &Layout, user_agent: &str) -> Self {
        let path = rt::variable("PATH").unwrap_or_default();
        let found = |name: &str| search(&path, name);
        Environment {
            bin_dirs: vec![layout.modules_dir.join(".bin"), layout.hoisted_modules_dir().join(".bin")],
            project_dir: layout.project_dir.clone(),
            user_agent: user_agent.to_owned(),
            node: found("node"),
            node_gyp: rt::variable("npm_config_node_gyp")
                .map(PathBuf::from)
                .or_else(|| node_gyp_of_npm(&found("npm")?)),
            path,
        }
    }

    /// The command that stands for a missing install script where there is a binding.gyp.
    pub fn gyp_command(&self) -> &'static str {
        let installed = search(&self.path, "node-gyp").is_some();
        if installed || self.node_gyp.is_none() { "node-gyp rebuild" } else { "node \"$npm_config_node_gyp\" rebuild" }
    }

    /// The variables of one script.
    pub(super) fn variables(&self, package: &Package, event: &str, command: &str) -> BTreeMap<String, String> {
        let text = |path: &Path| path.display().to_string();
        // Where it lies inside others, as in a hoisted tree, theirs are found too.
        let above = package.dir.ancestors().skip(1).filter(|dir| dir.ends_with("node_modules"));
        let above = above.map(|dir| dir.join(".bin")).filter(|dir| !self.bin_dirs.contains(dir));
        let own = std::iter::once(package.dir.join("node_modules").join(".bin")).chain(above);
        let dirs = own.chain(self.bin_dirs.iter().cloned()).map(|dir| text(&dir));
        let separator = if cfg!(windows) { ";" } else { ":" };
        let path: Vec<String> = dirs.chain([self.path.clone()]).collect();
        let mut variables = BTreeMap::from([
            ("PATH", path.join(separator)),
            ("INIT_CWD", text(&self.project_dir)),
            ("npm_command", "install".to_owned()),
            ("npm_config_user_agent", self.user_agent.clone()),
            ("npm_lifecycle_event", event.to_owned()),
            ("npm_lifecycle_script", command.to_owned()),
            ("npm_package_json", text(&package.dir.join("package.json"))),
            ("npm_package_name", package.name.clone()),
            ("npm_package_version", package.version.clone()),
        ]);
        if let Some(node) = &self.node {
            variables.insert("NODE", text(node));
            variables.insert("npm_node_execpath", text(node));
        }
        if let Some(node_gyp) = &self.node_gyp {
            variables.insert("npm_config_node_gyp", text(node_gyp));
        }
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The first file of this name in PATH.
fn search(path: &str, name: &str) -> Option<PathBuf> {
    let separator = if cfg!(windows) { ';' } else { ':' };
    let files = path.split(separator).filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).join(name));
    files.into_iter().find(|file| rt::fs::exists(file))
}

/// npm brings node-gyp: beside the file that its command leads to.
fn node_gyp_of_npm(npm: &Path) -> Option<PathBuf> {
    let target = npm.parent()?.join(rt::fs::read_link(npm).ok()?);
    let node_gyp = target.parent()?.parent()?.join("node_modules/node-gyp/bin/node-gyp.js");
    rt::fs::exists(&node_gyp).then_some(node_gyp)
}
