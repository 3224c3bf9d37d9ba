//! pnpm-lock.yaml, version 9: the resolution as a value, and the file it is read from and written to.
//!
//! A [`Lockfile`] is what `resolve` produces and what `virtual_store` consumes; the file is only its written form.
//! Every map is ordered, so the same resolution always gives the same bytes.

mod bundled;
mod dep_path;
mod document;
mod installable;
mod names;
mod plain_yaml;
mod platform;
mod read;
mod satisfies;
mod settings_checksum;
mod tarball_url;
mod write;
mod yaml_scalar;

pub use self::bundled::BundledDependencies;
pub use self::dep_path::{DepPath, dep_path_of, name_and_version, package_key, reference_to};
pub use self::document::LockfileDocument;
pub use self::installable::{IncludeKinds, installable};
pub use self::platform::Platform;
pub use self::read::LockfileError;
pub use self::satisfies::{Difference, LockfileMismatch, satisfies};

pub use self::settings_checksum::settings_checksum;
pub use self::tarball_url::canonical_tarball_url;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the file is called, beside package.json.
pub const FILE_NAME: &str = "pnpm-lock.yaml";

/// The one version of the format that is read and written.
pub const LOCKFILE_VERSION: &str = "9.0";

/// A resolution: every package that the project needs, on every platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lockfile {
    /// `9.0`.
    pub lockfile_version: String,
    /// Settings that the resolution depends on.
    pub settings: LockfileSettings,
    /// The entries of catalogs that somebody uses: catalog → package → what it says and what that gave.
    pub catalogs: BTreeMap<String, BTreeMap<String, CatalogEntry>>,
    /// The overrides that the resolution depends on: selector → range.
    pub overrides: BTreeMap<String, String>,
    /// A hash of `packageExtensions`, where there are any.
    pub package_extensions_checksum: Option<String>,
    /// Optional dependencies that are never installed, by patterns of their names.
    pub ignored_optional_dependencies: Vec<String>,
    /// The patches that the resolution depends on: selector → hash.
    pub patched_dependencies: BTreeMap<String, String>,
    /// Project directory relative to the lockfile (`.` for the root) → its direct dependencies.
    pub importers: BTreeMap<String, Importer>,
    /// `name@version` → what is the same for every peer variant of a package.
    pub packages: BTreeMap<String, LockedPackage>,
    /// Dep path → one package with its dependencies resolved: `react-dom@18.3.1(react@18.3.1)`.
    pub snapshots: BTreeMap<DepPath, Snapshot>,
}

/// An entry of a catalog that somebody uses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CatalogEntry {
    /// What the catalog says.
    pub specifier: String,
    /// The version that this gave.
    pub version: String,
}

/// Settings recorded with a resolution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockfileSettings {
    /// Whether missing peers were added.
    pub auto_install_peers: bool,
    /// Whether `link:` dependencies are left out.
    pub exclude_links_from_lockfile: bool,
}

impl Default for LockfileSettings {
    fn default() -> Self {
        LockfileSettings { auto_install_peers: true, exclude_links_from_lockfile: false }
    }
}

/// A project's direct dependencies; keys are the names under node_modules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Importer {
    /// `dependencies`.
    pub dependencies: BTreeMap<String, DirectDependency>,
    /// `devDependencies`.
    pub dev_dependencies: BTreeMap<String, DirectDependency>,
    /// `optionalDependencies`.
    pub optional_dependencies: BTreeMap<String, DirectDependency>,
}

impl Importer {
    /// Those of all kinds, in this order.
    pub fn direct(&self) -> impl Iterator<Item = (&String, &DirectDependency)> {
        self.dependencies.iter().chain(&self.dev_dependencies).chain(&self.optional_dependencies)
    }
}

/// What package.json asked for and what it got.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DirectDependency {
    /// The range, tag or alias as package.json has it: `^4.18.0`, `npm:react@18`.
    pub specifier: String,
    /// A reference, see [`dep_path_of`].
    pub version: String,
}

/// What a package's registry entry says, for all its snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockedPackage {
    /// Where its bytes are and what they hash to.
    pub resolution: TarballResolution,
    /// The version in its package.json, where the key has something else in that place.
    pub version: Option<String>,
    /// The `engines` that it asks for.
    pub engines: BTreeMap<String, String>,
    /// CPUs it runs on (`x64`, `!arm64`); empty means any.
    pub cpu: Vec<String>,
    /// Operating systems it runs on (`linux`, `!win32`); empty means any.
    pub os: Vec<String>,
    /// C libraries it runs on (`glibc`, `musl`); empty means any.
    pub libc: Vec<String>,
    /// The publisher's deprecation message.
    pub deprecated: Option<String>,
    /// Whether it has commands.
    pub has_bin: bool,
    /// Peers as the package declares them: name → range.
    pub peer_dependencies: BTreeMap<String, String>,
    /// What it says of each peer.
    pub peer_dependencies_meta: BTreeMap<String, PeerDependencyMeta>,
    /// Dependencies that its tarball carries.
    pub bundled_dependencies: BundledDependencies,
}

/// Where a package's bytes are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TarballResolution {
    /// Whether it is a git repository's archive, made by its host.
    pub git_hosted: bool,
    /// Subresource integrity of the tarball, `sha512-…`.
    pub integrity: Option<String>,
    /// The tarball's URL, where it is not the registry's canonical one; `file:` and a path relative to the lockfile for one
    /// of this machine.
    pub tarball: Option<String>,
    /// The directory that the package is a copy of, relative to the lockfile.
    pub directory: Option<String>,
    /// `directory` where that is set; `git` for a repository that has to be cloned.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The directory of a repository that is the package, where that is not its top.
    pub path: Option<String>,
}

/// What a package says of one of its peers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PeerDependencyMeta {
    /// Whether it works without that peer.
    pub optional: bool,
}

/// One package with its dependencies resolved; the values of the maps are references, see [`dep_path_of`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Snapshot {
    /// Name under node_modules → reference.
    pub dependencies: BTreeMap<String, String>,
    /// As `dependencies`, for those it works without.
    pub optional_dependencies: BTreeMap<String, String>,
    /// Peers that are resolved further up.
    pub transitive_peer_dependencies: Vec<String>,
    /// Whether only optional dependencies lead here.
    pub optional: bool,
}
