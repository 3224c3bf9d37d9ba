//! A packument: an index of its versions, each parsed when it is asked for.
//!
//! The registry holds twenty years of packuments, so every field may have any shape. A version that cannot be used is
//! left out; it never spoils the others.

use super::manifest_edits::ManifestEdits;
use crate::lockfile::{
    BundledDependencies, LockedPackage, PeerDependencyMeta, TarballResolution, canonical_tarball_url,
};
use crate::manifest::{optional_peers_of, texts_of};
use crate::package::PackageId;
use crate::registry::Document;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use deno_semver::Version;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The packument of one package.
#[derive(Debug)]
pub(super) struct Packument {
    pub name: String,
    document: Document,
    edits: Arc<ManifestEdits>,
    /// Whether the edits may concern some version.
    is_edited: bool,
    /// What has been read so far.
    manifests: Mutex<BTreeMap<Version, Option<Arc<VersionManifest>>>>,
}

impl Packument {
    /// Opens a document. That takes long where it is searched: see [`ManifestEdits::are_looked_for`].
    pub fn new(name: &str, document: Document, edits: Arc<ManifestEdits>) -> Packument {
        Packument {
            name: name.to_owned(),
            is_edited: edits.may_concern(name, document.text()),
            edits,
            document,
            manifests: Mutex::default(),
        }
    }

    /// Its tags.
    pub fn dist_tags(&self) -> &BTreeMap<String, Version> {
        self.document.dist_tags()
    }

    /// Every version, lowest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.document.versions().iter().map(|(version, _)| version)
    }

    /// Whether it names this version.
    pub fn has(&self, version: &Version) -> bool {
        self.document.version(version).is_some()
    }

    /// What the packument says of one version. `None` when there is no such version, or it cannot be used.
    pub fn version(&self, version: &Version) -> Option<Arc<VersionManifest>> {
        let mut manifests = self.manifests.lock().expect("no one panics while holding this lock");
        if let Some(known) = manifests.get(version) {
            return known.clone();
        }
        let read = || VersionManifest::parse(&self.raw(version)?).map(Arc::new);
        manifests.entry(version.clone()).or_insert_with(read).clone()
    }

    /// A version as it stands here.
    pub fn listed(&self, version: &Version) -> Option<&Version> {
        self.document.version(version).map(|(listed, _)| listed)
    }

    fn raw(&self, version: &Version) -> Option<Cow<'_, [u8]>> {
        let (_, manifest) = self.document.version(version)?;
        let raw = &self.document.text()[manifest.clone()];
        if !self.is_edited {
            return Some(Cow::Borrowed(raw));
        }
        let mut manifest: Value = serde_json::from_slice(raw).ok()?;
        manifest.is_object().then(|| self.edits.apply(&self.name, version, &mut manifest))?;
        serde_json::to_vec(&manifest).ok().map(Cow::Owned)
    }
}

/// What a packument says of one version, as far as a lockfile needs it.
#[derive(Debug, Clone, Default)]
pub(super) struct VersionManifest {
    pub dependencies: BTreeMap<String, String>,
    pub optional_dependencies: BTreeMap<String, String>,
    /// Those only named in `peerDependenciesMeta` count as `*`. None of its own dependencies is among them.
    pub peer_dependencies: BTreeMap<String, String>,
    /// Own dependencies that are peers too; without a range where only `peerDependenciesMeta` says so.
    own_peers: BTreeMap<String, Option<String>>,
    pub peer_dependencies_meta: BTreeMap<String, bool>,
    pub tarball: String,
    pub integrity: Option<String>,
    pub os: Vec<String>,
    pub cpu: Vec<String>,
    pub libc: Vec<String>,
    engines: BTreeMap<String, String>,
    pub deprecated: Option<String>,
    has_bin: bool,
    bundled_dependencies: BundledDependencies,
}

impl VersionManifest {
    /// Reads it; what is a dependency and a peer is a dependency.
    pub fn parse(raw: &[u8]) -> Option<VersionManifest> {
        let value: Value = serde_json::from_slice(raw).ok()?;
        let dependencies = texts_of(&value["dependencies"]);
        let optional_dependencies = texts_of(&value["optionalDependencies"]);
        let mut peer_dependencies = texts_of(&value["peerDependencies"]);
        let peer_dependencies_meta = optional_peers_of(&value["peerDependenciesMeta"]);
        let own = |name: &String| dependencies.contains_key(name) || optional_dependencies.contains_key(name);
        let mut own_peers = BTreeMap::new();
        for (name, _) in peer_dependencies_meta.iter().filter(|(_, optional)| **optional) {
            if own(name) {
                own_peers.insert(name.clone(), None);
            } else {
                peer_dependencies.entry(name.clone()).or_insert_with(|| "*".to_owned());
            }
        }
        own_peers
            .extend(peer_dependencies.extract_if(.., |name, _| own(name)).map(|(name, range)| (name, Some(range))));
        let has_bin = match &value["bin"] {
            Value::String(path) => !path.is_empty(),
            Value::Object(commands) => !commands.is_empty(),
            _ => !value["directories"]["bin"].is_null(),
        };
        let dist = &value["dist"];
        Some(VersionManifest {
            tarball: dist["tarball"].as_str()?.to_owned(),
            integrity: integrity_of(dist),
            os: list_of(&value["os"]),
            cpu: list_of(&value["cpu"]),
            libc: list_of(&value["libc"]),
            engines: engines_of(&value["engines"]),
            deprecated: value["deprecated"].as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned),
            has_bin,
            bundled_dependencies: bundled_of(&value),
            dependencies,
            optional_dependencies,
            peer_dependencies,
            own_peers,
            peer_dependencies_meta,
        })
    }

    /// The manifest, where it stands below what `is_above` knows: a dependency that is a peer too, and is there already, is a
    /// peer alone. As in pnpm.
    pub fn below(self: Arc<Self>, is_above: impl Fn(&str) -> bool) -> Arc<VersionManifest> {
        let moves = |name: &String, range: &Option<String>| range.is_some() && is_above(name);
        if !self.own_peers.iter().any(|(name, range)| moves(name, range)) {
            return self;
        }
        let mut manifest = VersionManifest::clone(&self);
        for (name, range) in manifest.own_peers.extract_if(.., |name, range| moves(name, range)) {
            manifest.dependencies.remove(&name);
            manifest.peer_dependencies.extend(range.map(|range| (name, range)));
        }
        Arc::new(manifest)
    }

    /// What is installed for the package: name under node_modules, what is asked for, and whether it works without. What it
    /// brings along in its own tarball is not installed.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        let optional = self.optional_dependencies.iter().map(|(alias, range)| (&**alias, &**range, true));
        let edges = optional.chain(self.needed().map(|(alias, range)| (&**alias, &**range, false)));
        edges.filter(|(alias, ..)| !self.bundled_dependencies.has(alias, self.dependencies.contains_key(*alias)))
    }

    /// The dependencies that the package does not work without.
    pub fn needed(&self) -> impl Iterator<Item = (&String, &String)> {
        // npm's registry repeats optional dependencies under `dependencies`.
        self.dependencies.iter().filter(|(alias, _)| !self.optional_dependencies.contains_key(*alias))
    }

    /// Whether nothing is installed for the package, and nothing has to stand beside it.
    pub fn is_leaf(&self) -> bool {
        self.dependencies.is_empty() && self.optional_dependencies.is_empty() && self.peer_dependencies.is_empty()
    }

    /// Whether the package works without this dependency or peer.
    pub fn is_optional(&self, alias: &str) -> bool {
        self.optional_dependencies.contains_key(alias)
            || (self.peer_dependencies.contains_key(alias) && self.peer_dependencies_meta.get(alias) == Some(&true))
    }

    /// The package's entry in a lockfile; `with_url` says whether it has the tarball's URL also where everybody knows it.
    pub fn to_locked(&self, package: &PackageId, registry: &str, with_url: bool) -> LockedPackage {
        let canonical = canonical_tarball_url(registry, package);
        let tarball = (with_url || self.tarball != canonical).then(|| self.tarball.clone());
        let or_any = |range: &Option<String>| range.clone().unwrap_or_else(|| "*".to_owned());
        let own_peers = self.own_peers.iter().map(|(name, range)| (name.clone(), or_any(range)));
        let peer_dependencies: BTreeMap<_, _> = self.peer_dependencies.clone().into_iter().chain(own_peers).collect();
        let meta = self
            .peer_dependencies_meta
            .iter()
            .filter(|(name, optional)| **optional && peer_dependencies.contains_key(*name));
        LockedPackage {
            resolution: TarballResolution {
                integrity: self.integrity.clone(),
                tarball,
                ..TarballResolution::default()
            },
            version: None,
            engines: self.engines.clone(),
            cpu: self.cpu.clone(),
            os: self.os.clone(),
            libc: self.libc.clone(),
            deprecated: self.deprecated.clone(),
            has_bin: self.has_bin,
            peer_dependencies_meta: meta
                .map(|(name, _)| (name.clone(), PeerDependencyMeta { optional: true }))
                .collect(),
            peer_dependencies,
            bundled_dependencies: self.bundled_dependencies.clone(),
        }
    }
}

/// `engines` as pnpm records them: without those that accept anything. What an old list says, it passes over.
fn engines_of(value: &Value) -> BTreeMap<String, String> {
    let mut engines = texts_of(value);
    engines.retain(|_, range| range != "*");
    engines
}

/// `dist.integrity`, or the SHA-1 that older packages have instead.
fn integrity_of(dist: &Value) -> Option<String> {
    if let Some(integrity) = dist["integrity"].as_str().filter(|text| !text.is_empty()) {
        return Some(integrity.to_owned());
    }
    let digest = hex::decode(dist["shasum"].as_str()?).ok()?;
    Some(format!("sha1-{}", BASE64_STANDARD.encode(digest)))
}

/// `bundledDependencies` or `bundleDependencies`: a list, or `true` for every dependency. As in pnpm, a text is neither.
fn bundled_of(value: &Value) -> BundledDependencies {
    let bundled = [&value["bundledDependencies"], &value["bundleDependencies"]];
    match bundled.into_iter().find(|value| !value.is_null()) {
        Some(Value::Bool(all)) => BundledDependencies::All(*all),
        Some(list @ Value::Array(names)) if !names.is_empty() => BundledDependencies::Named(list_of(list)),
        _ => BundledDependencies::default(),
    }
}

/// A list of texts; one text alone is a list too.
fn list_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(ToOwned::to_owned)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packument(versions: &str) -> Packument {
        let text = format!(r#"{{"name":"x","dist-tags":{{"latest":"1.0.0","odd":7}},"versions":{versions}}}"#);
        Packument::new("x", Document::parse(text.as_bytes()).unwrap(), Arc::default())
    }

    #[test]
    fn one_bad_version_spoils_nothing() {
        let packument = packument(
            r#"{"1.0.0":{"version":"1.0.0","dist":{"tarball":"t","shasum":"00ff"},"dependencies":[],"os":"linux","bin":["x"],"engines":["node >= 0.6"]},
                "1.1.0":{"version":"1.1.0","dist":"gone"},"nonsense":{},"2.0.0":null}"#,
        );
        let good = Version::parse_from_npm("1.0.0").unwrap();
        let usable: Vec<_> = packument.versions().filter(|version| packument.version(version).is_some()).collect();
        assert_eq!(usable, [&good]);
        let manifest = packument.version(&good).unwrap();
        assert_eq!(manifest.os, ["linux"]);
        assert!(manifest.engines.is_empty(), "as pnpm 12 has it: {:?}", manifest.engines);
        assert_eq!(manifest.integrity.as_deref(), Some("sha1-AP8="));
        assert_eq!(packument.dist_tags().len(), 1);
    }

    #[test]
    fn a_packument_without_versions_is_empty() {
        assert_eq!(Packument::new("x", Document::parse(b"{}").unwrap(), Arc::default()).versions().count(), 0);
        for none in ["[]", "[[1]]", "null", "true", "7", "-7", "7.5", "\"1.0.0\""] {
            assert_eq!(packument(none).versions().count(), 0, "{none}");
        }
    }

    #[test]
    fn peers_are_what_pnpm_sees() {
        let packument = packument(
            r#"{"1.0.0":{"version":"1.0.0","dist":{"tarball":"t"},"dependencies":{"a":"1"},
                "peerDependencies":{"a":"*","b":"^1"},"peerDependenciesMeta":{"c":{"optional":true},"b":{}}}}"#,
        );
        let version = Version::parse_from_npm("1.0.0").unwrap();
        let manifest = packument.version(&version).unwrap().below(|name| name == "a");
        let peers: Vec<_> = manifest.peer_dependencies.iter().map(|(name, range)| format!("{name}@{range}")).collect();
        assert_eq!(peers, ["a@*", "b@^1", "c@*"]);
        assert!(manifest.dependencies.is_empty());
        assert!(manifest.is_optional("c") && !manifest.is_optional("b") && !manifest.is_optional("a"));
        let own = packument.version(&version).unwrap();
        assert_eq!((own.dependencies.len(), own.peer_dependencies.len()), (1, 2));
    }

    #[test]
    fn a_lockfile_has_own_dependencies_among_the_peers_where_they_are_optional_ones() {
        let raw = r#"{"version":"1.0.0","dist":{"tarball":"t"},"dependencies":{"a":"1"},
            "peerDependenciesMeta":{"a":{"optional":true},"b":{"optional":true}}}"#;
        let manifest = VersionManifest::parse(raw.as_bytes()).unwrap();
        assert_eq!((manifest.dependencies.len(), manifest.peer_dependencies.len()), (1, 1));
        let locked = manifest.to_locked(&PackageId::new("x", "1.0.0"), "https://r.test/", false);
        assert_eq!(locked.peer_dependencies.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(locked.peer_dependencies_meta.len(), 2);
    }
}
