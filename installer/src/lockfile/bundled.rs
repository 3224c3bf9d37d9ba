//! What a package brings along in its own tarball.

use serde::Deserialize;

/// Which of a package's dependencies its tarball carries: nothing is installed for them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum BundledDependencies {
    /// All that it does not work without, or none.
    All(bool),
    /// These.
    Named(Vec<String>),
}

impl BundledDependencies {
    /// Whether it carries any at all.
    pub fn any(&self) -> bool {
        match self {
            BundledDependencies::All(all) => *all,
            BundledDependencies::Named(names) => !names.is_empty(),
        }
    }

    /// Whether it carries this one, which is among its `dependencies` or not.
    pub fn has(&self, name: &str, is_dependency: bool) -> bool {
        match self {
            BundledDependencies::All(all) => *all && is_dependency,
            BundledDependencies::Named(names) => names.iter().any(|bundled| bundled == name),
        }
    }
}

impl Default for BundledDependencies {
    fn default() -> Self {
        BundledDependencies::All(false)
    }
}
