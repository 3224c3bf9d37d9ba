//! The words that every stage shares: which package, and what its manifest says that an installer needs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A published package: its real name (never an alias) and its exact version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId {
    /// `react`, `@babel/core`.
    pub name: String,
    /// An exact version, `18.3.1`.
    pub version: String,
}

impl PackageId {
    /// A package by its name and exact version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        PackageId { name: name.into(), version: version.into() }
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// What a package's own package.json says that matters after extraction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BundledManifest {
    /// The name in the tarball's package.json.
    pub name: String,
    /// The version in the tarball's package.json.
    pub version: String,
    /// Command name → path inside the package, normalised: `bin` as text, as a map, or `directories.bin`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bin: BTreeMap<String, String>,
    /// Whether it has a preinstall, install or postinstall script, or a binding.gyp without an install script.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_build_script: bool,
}
