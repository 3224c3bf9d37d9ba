//! What a project says of itself in pnpm-workspace.yaml (and, for the simple settings, in .npmrc and variables): which
//! packages it has, what is to be resolved otherwise than the registry says, and how node_modules is laid out.
//!
//! A setting that does not do anything here is listed by its name: whoever set it is told, once.

use super::error::ConfigError;
use super::name_patterns::NamePatterns;
use super::sources::{Found, Sources};
use super::values::{flag, invalid};
use super::workspace_file::WorkspaceFile;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Settings of a project, shared by all packages of its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectSettings {
    /// The directory of pnpm-workspace.yaml, where there is one.
    pub workspace_dir: Option<PathBuf>,
    /// `packages`: globs of the workspace's directories, those after a `!` left out. Empty: no workspace.
    pub packages: Vec<String>,
    /// `catalog` and `catalogs`: catalog (`default` for the one without a name) → package → range.
    pub catalogs: BTreeMap<String, BTreeMap<String, String>>,
    /// `overrides`: selector → range, as they are written.
    pub overrides: BTreeMap<String, String>,
    /// `autoInstallPeers`: whether peers that nobody asked for are installed.
    pub auto_install_peers: bool,
    /// `autoDedupe`: whether a project takes versions that other projects of the workspace ask for.
    pub auto_dedupe: bool,
    /// `linkWorkspacePackages`: whether a plain range that a workspace package satisfies leads to that package.
    pub link_workspace_packages: bool,
    /// `nodeLinker`: what node_modules consists of.
    pub node_linker: NodeLinker,
    /// `hoistPattern`: what every package can find in node_modules/.pnpm/node_modules without naming it.
    pub hoist_pattern: NamePatterns,
    /// `publicHoistPattern`: what the root project can find in node_modules without naming it.
    pub public_hoist_pattern: NamePatterns,
    /// `hoistWorkspacePackages`: whether every package can find the workspace's.
    pub hoist_workspace_packages: bool,
    /// `enableGlobalVirtualStore`: whether packages are put in place once for all projects, in the store.
    pub enable_global_virtual_store: bool,
    /// `supportedArchitectures`: the machines that are installed for; `current` is this one.
    pub supported_architectures: SupportedArchitectures,
    /// `packageExtensions`: selector → what its manifest lacks.
    pub package_extensions: BTreeMap<String, PackageExtension>,
    /// `packageExtensions` as it is written, for its checksum.
    pub package_extensions_value: Value,
    /// `ignoredOptionalDependencies`: optional dependencies that are never installed.
    pub ignored_optional_dependencies: NamePatterns,
    /// The same as a lockfile has it.
    pub ignored_optional_dependencies_texts: Vec<String>,
    /// `peerDependencyRules`: which peers need no mention.
    pub peer_dependency_rules: PeerDependencyRules,
    /// `patchedDependencies`: selector → path of a patch, relative to the root.
    pub patched_dependencies: BTreeMap<String, String>,
    /// `engineStrict`: whether every package has to run on the Node.js that is here.
    pub engine_strict: bool,
    /// `nodeVersion`: the Node.js that is meant in place of the one that is here.
    pub node_version: Option<String>,
    /// `lockfileIncludeTarballUrl`: whether the lockfile has the URL of every tarball.
    pub lockfile_include_tarball_url: bool,
    /// `ignoreCompatibilityDb`: whether packages whose manifests are known to be wrong are taken at their word.
    pub ignore_compatibility_db: bool,
    /// Settings that are set and do nothing here, by their names in the file; sorted.
    pub unsupported: Vec<String>,
}

impl Default for ProjectSettings {
    fn default() -> Self {
        ProjectSettings {
            workspace_dir: None,
            packages: Vec::new(),
            catalogs: BTreeMap::new(),
            overrides: BTreeMap::new(),
            auto_install_peers: true,
            auto_dedupe: false,
            link_workspace_packages: false,
            node_linker: NodeLinker::Isolated,
            hoist_pattern: NamePatterns::new(["*"]),
            public_hoist_pattern: NamePatterns::default(),
            hoist_workspace_packages: true,
            enable_global_virtual_store: false,
            supported_architectures: SupportedArchitectures::default(),
            package_extensions: BTreeMap::new(),
            package_extensions_value: Value::Null,
            ignored_optional_dependencies: NamePatterns::default(),
            ignored_optional_dependencies_texts: Vec::new(),
            peer_dependency_rules: PeerDependencyRules::default(),
            patched_dependencies: BTreeMap::new(),
            engine_strict: false,
            node_version: None,
            lockfile_include_tarball_url: false,
            ignore_compatibility_db: false,
            unsupported: Vec::new(),
        }
    }
}

/// What node_modules consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NodeLinker {
    /// Links to directories in node_modules/.pnpm: every package finds what it asks for, and little else.
    #[default]
    Isolated,
    /// Directories, as near to the root as their names are free.
    Hoisted,
}

impl NodeLinker {
    /// As settings and pnpm's own files have it.
    pub fn name(self) -> &'static str {
        match self {
            NodeLinker::Isolated => "isolated",
            NodeLinker::Hoisted => "hoisted",
        }
    }

    /// `None` for `pnp`, which is another program's whole idea of where packages are.
    fn of(sources: &Sources<'_>) -> Result<Option<Self>, ConfigError> {
        const KEY: &str = "node-linker";
        match sources.get(KEY).filter(|found| !found.value.is_empty()) {
            None => Ok(Some(NodeLinker::default())),
            Some(found) => match found.value.as_str() {
                "isolated" => Ok(Some(NodeLinker::Isolated)),
                "hoisted" => Ok(Some(NodeLinker::Hoisted)),
                "pnp" => Ok(None),
                value => Err(invalid(KEY, &found, value, "isolated or hoisted")),
            },
        }
    }
}

/// The machines that are installed for, each list in Node's words; an empty one means this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SupportedArchitectures {
    /// `process.platform`.
    pub os: Vec<String>,
    /// `process.arch`.
    pub cpu: Vec<String>,
    /// `glibc` or `musl`.
    pub libc: Vec<String>,
}

/// What a package's manifest lacks; what it has goes before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PackageExtension {
    /// Name → range.
    pub dependencies: BTreeMap<String, String>,
    /// Name → range.
    pub optional_dependencies: BTreeMap<String, String>,
    /// Name → range.
    pub peer_dependencies: BTreeMap<String, String>,
    /// Name → what is said of that peer.
    pub peer_dependencies_meta: BTreeMap<String, Value>,
}

/// Which peers need no mention.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerDependencyRules {
    /// `allowAny`: peers that may have any version.
    pub allow_any: NamePatterns,
    /// `allowedVersions`: `name` or `parent>name` → a range that will do too.
    pub allowed_versions: BTreeMap<String, String>,
}

/// The setting as it is written.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawPeerDependencyRules {
    allow_any: Vec<String>,
    allowed_versions: BTreeMap<String, Text>,
    /// Nothing is said of missing peers that nobody installs.
    #[serde(rename = "ignoreMissing")]
    _ignore_missing: Vec<String>,
}

/// Settings of pnpm-workspace.yaml that are read elsewhere: most are simple values that mean the same as in .npmrc.
const SIMPLE: [&str; 41] = [
    // See `BuildPolicy`.
    "allowBuilds",
    "dangerouslyAllowAllBuilds",
    "ignoredBuiltDependencies",
    "neverBuiltDependencies",
    "onlyBuiltDependencies",
    "autoDedupe",
    "autoInstallPeers",
    "ca",
    "cafile",
    "enableGlobalVirtualStore",
    "engineStrict",
    "fetchRetries",
    "fetchRetryFactor",
    "fetchRetryMaxtimeout",
    "fetchRetryMintimeout",
    "fetchTimeout",
    "hoist",
    "hoistPattern",
    "hoistWorkspacePackages",
    "httpProxy",
    "httpsProxy",
    "linkWorkspacePackages",
    "lockfileIncludeTarballUrl",
    "ignoreCompatibilityDb",
    "networkConcurrency",
    "nodeLinker",
    "nodeVersion",
    "noProxy",
    "noproxy",
    "offline",
    "proxy",
    "publicHoistPattern",
    "registries",
    "registry",
    "shamefullyHoist",
    "storeDir",
    "strictSsl",
    "tarballFilesMax",
    "tarballUnpackedBytesMax",
    "userAgent",
    "userconfig",
];

impl ProjectSettings {
    /// Whether packages are put in place once for all projects. A tree of real directories has none that it could share.
    pub fn shares_packages(&self) -> bool {
        self.enable_global_virtual_store && self.node_linker != NodeLinker::Hoisted
    }

    /// What the paths of patches are relative to: the workspace's directory, also for a project in `root` that it does not
    /// count among its own.
    pub fn patches_root<'a>(&'a self, root: &'a Path) -> &'a Path {
        self.workspace_dir.as_deref().unwrap_or(root)
    }

    /// The typed form of what `file` and the other sources say.
    pub(super) fn load(
        sources: &Sources<'_>,
        file: Option<WorkspaceFile>,
        workspace_dir: Option<PathBuf>,
    ) -> Result<Self, ConfigError> {
        let default = ProjectSettings::default();
        let mut file = Reader::new(file);
        let mut catalogs: BTreeMap<String, BTreeMap<String, Text>> =
            file.take("catalogs", "catalogs by their names")?;
        let catalog: BTreeMap<String, Text> = file.take("catalog", "packages and their ranges")?;
        if !catalog.is_empty() {
            catalogs.insert("default".to_owned(), catalog);
        }
        let flag = |key: &str, default: bool| flag(sources, key).map(|flag| flag.unwrap_or(default));
        let package_extensions_value: Value = file.peek("packageExtensions");
        let ignored_optional: Vec<String> = file.take("ignoredOptionalDependencies", "a list of names")?;
        let peer_rules: RawPeerDependencyRules = file.take("peerDependencyRules", "rules for peers")?;
        let patterns = |key: &str| {
            let patterns = sources.all(key).into_iter().filter(|pattern| !pattern.is_empty());
            sources.get(key).map(|_| NamePatterns::new(patterns))
        };
        let hoist_pattern =
            if flag("hoist", true)? { patterns("hoist-pattern") } else { Some(NamePatterns::default()) };
        let public_hoist_pattern = if flag("shamefully-hoist", false)? {
            Some(NamePatterns::new(["*"]))
        } else {
            patterns("public-hoist-pattern")
        };
        let node_linker = NodeLinker::of(sources)?;
        let settings = ProjectSettings {
            packages: file.take("packages", "a list of globs")?,
            catalogs: catalogs.into_iter().map(|(name, catalog)| (name, texts(catalog))).collect(),
            overrides: texts(file.take("overrides", "selectors and their ranges")?),
            auto_install_peers: flag("auto-install-peers", default.auto_install_peers)?,
            auto_dedupe: flag("auto-dedupe", default.auto_dedupe)?,
            link_workspace_packages: match sources.get("link-workspace-packages") {
                Some(found) if found.value == "deep" => true,
                _ => flag("link-workspace-packages", default.link_workspace_packages)?,
            },
            node_linker: node_linker.unwrap_or_default(),
            hoist_pattern: hoist_pattern.unwrap_or(default.hoist_pattern),
            public_hoist_pattern: public_hoist_pattern.unwrap_or(default.public_hoist_pattern),
            hoist_workspace_packages: flag("hoist-workspace-packages", default.hoist_workspace_packages)?,
            enable_global_virtual_store: flag("enable-global-virtual-store", default.enable_global_virtual_store)?,
            supported_architectures: file.take("supportedArchitectures", "lists called os, cpu and libc")?,
            package_extensions: file.take("packageExtensions", "selectors and what their manifests lack")?,
            package_extensions_value,
            ignored_optional_dependencies: NamePatterns::new(ignored_optional.clone()),
            ignored_optional_dependencies_texts: ignored_optional,
            peer_dependency_rules: PeerDependencyRules {
                allow_any: NamePatterns::new(peer_rules.allow_any),
                allowed_versions: texts(peer_rules.allowed_versions),
            },
            patched_dependencies: file.take("patchedDependencies", "packages and the paths of their patches")?,
            engine_strict: flag("engine-strict", default.engine_strict)?,
            node_version: sources.get("node-version").map(|found| found.value).filter(|version| !version.is_empty()),
            lockfile_include_tarball_url: flag("lockfile-include-tarball-url", default.lockfile_include_tarball_url)?,
            ignore_compatibility_db: flag("ignore-compatibility-db", default.ignore_compatibility_db)?,
            workspace_dir,
            unsupported: Vec::new(),
        };
        let mut unsupported = file.rest();
        unsupported.extend(node_linker.is_none().then(|| "nodeLinker".to_owned()));
        unsupported.sort();
        Ok(ProjectSettings { unsupported, ..settings })
    }
}

/// Takes settings out of a pnpm-workspace.yaml, so that the rest is known.
struct Reader {
    origin: String,
    settings: Map<String, Value>,
}

impl Reader {
    fn new(file: Option<WorkspaceFile>) -> Self {
        let (origin, settings) = file.map(|file| (file.origin, file.settings)).unwrap_or_default();
        Reader { origin, settings }
    }

    /// The default where it is not set, or set to nothing.
    fn take<T: DeserializeOwned + Default>(&mut self, name: &str, expected: &'static str) -> Result<T, ConfigError> {
        match self.settings.remove(name) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(value) => {
                let shown = value.to_string();
                serde_json::from_value(value).map_err(|_| {
                    let found = Found { value: shown.clone(), origin: self.origin.clone() };
                    invalid(name, &found, &shown, expected)
                })
            }
        }
    }

    /// The value as it is written; nothing where it is not set, or empty.
    fn peek(&self, name: &str) -> Value {
        let value = self.settings.get(name).filter(|value| value.as_object().is_some_and(|object| !object.is_empty()));
        value.cloned().unwrap_or_default()
    }

    /// What nobody took, except for what is read under its name in .npmrc; sorted.
    fn rest(self) -> Vec<String> {
        let does_nothing = |(name, value): &(String, Value)| !SIMPLE.contains(&name.as_str()) && !value.is_null();
        let mut names: Vec<_> = self.settings.into_iter().filter(does_nothing).map(|(name, _)| name).collect();
        names.sort();
        names
    }
}

/// Text, or a number that people forgot to quote.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Number(serde_json::Number),
}

fn texts(map: BTreeMap<String, Text>) -> BTreeMap<String, String> {
    let text = |text| match text {
        Text::Text(text) => text,
        Text::Number(number) => number.to_string(),
    };
    map.into_iter().map(|(name, value)| (name, text(value))).collect()
}
