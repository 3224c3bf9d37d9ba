//! A packument as the registry sends it: an index of its versions, each parsed when it is asked for.
//!
//! The registry holds twenty years of packuments, so every field may have any shape. A version that cannot be used is
//! left out; it never spoils the others.

use super::manifest_edits::ManifestEdits;
use crate::lockfile::{LockedPackage, PeerDependencyMeta, TarballResolution, canonical_tarball_url};
use crate::manifest::{optional_peers_of, texts_of};
use crate::package::PackageId;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use deno_semver::Version;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// The packument of one package.
#[derive(Debug)]
pub(super) struct Packument {
    pub name: String,
    pub dist_tags: BTreeMap<String, Version>,
    bytes: Bytes,
    versions: BTreeMap<Version, Range<usize>>,
    edits: Arc<ManifestEdits>,
    /// Whether the edits may concern some version.
    is_edited: bool,
    /// What has been read so far.
    manifests: Mutex<BTreeMap<Version, Option<Arc<VersionManifest>>>>,
}

/// What stands at the top of a packument.
#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow, default)]
    versions: Option<&'a RawValue>,
    #[serde(rename = "dist-tags", default)]
    dist_tags: Value,
}

impl Packument {
    /// Indexes `bytes`.
    pub fn parse(name: &str, bytes: Bytes, edits: Arc<ManifestEdits>) -> Result<Packument, serde_json::Error> {
        let top: Top<'_> = serde_json::from_slice(&bytes)?;
        let raw = top.versions.map_or("{}", RawValue::get);
        let versions: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(raw).unwrap_or_default();
        let offset_of = |raw: &RawValue| raw.get().as_ptr() as usize - bytes.as_ptr() as usize;
        let versions = versions.into_iter().filter_map(|(version, raw)| {
            let start = offset_of(raw);
            Some((Version::parse_from_npm(&version).ok()?, start..start + raw.get().len()))
        });
        let dist_tags = texts_of(&top.dist_tags).into_iter();
        let dist_tags = dist_tags.filter_map(|(tag, version)| Some((tag, Version::parse_from_npm(&version).ok()?)));
        Ok(Packument {
            name: name.to_owned(),
            dist_tags: dist_tags.collect(),
            versions: versions.collect(),
            is_edited: str::from_utf8(&bytes).map_or(true, |text| edits.may_concern(name, text)),
            edits,
            bytes: bytes.clone(),
            manifests: Mutex::default(),
        })
    }

    /// Every version, lowest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.versions.keys()
    }

    /// Whether it names this version.
    pub fn has(&self, version: &Version) -> bool {
        self.versions.contains_key(version)
    }

    /// What the packument says of one version. `None` when there is no such version, or it cannot be used.
    pub fn version(&self, version: &Version) -> Option<Arc<VersionManifest>> {
        let mut manifests = self.manifests.lock().expect("no one panics while holding this lock");
        if let Some(known) = manifests.get(version) {
            return known.clone();
        }
        let read = || VersionManifest::parse(&self.raw(version)?, self.edits.peers_come_first()).map(Arc::new);
        manifests.entry(version.clone()).or_insert_with(read).clone()
    }

    fn raw(&self, version: &Version) -> Option<Cow<'_, [u8]>> {
        let raw = &self.bytes[self.versions.get(version)?.clone()];
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
    /// Those only named in `peerDependenciesMeta` count as `*`.
    pub peer_dependencies: BTreeMap<String, String>,
    pub peer_dependencies_meta: BTreeMap<String, bool>,
    pub tarball: String,
    pub integrity: Option<String>,
    pub os: Vec<String>,
    pub cpu: Vec<String>,
    pub libc: Vec<String>,
    engines: BTreeMap<String, String>,
    pub deprecated: Option<String>,
    has_bin: bool,
    bundled_dependencies: Vec<String>,
}

impl VersionManifest {
    /// What is a dependency and a peer is a peer alone where `peers_come_first`; otherwise it is a dependency alone.
    pub fn parse(raw: &[u8], peers_come_first: bool) -> Option<VersionManifest> {
        let value: Value = serde_json::from_slice(raw).ok()?;
        let mut dependencies = texts_of(&value["dependencies"]);
        let optional_dependencies = texts_of(&value["optionalDependencies"]);
        let mut peer_dependencies = texts_of(&value["peerDependencies"]);
        if peers_come_first {
            dependencies.retain(|name, _| !peer_dependencies.contains_key(name));
        }
        let peer_dependencies_meta = optional_peers_of(&value["peerDependenciesMeta"]);
        let implied = peer_dependencies_meta.iter().filter(|(_, optional)| **optional);
        for (name, _) in implied {
            peer_dependencies.entry(name.clone()).or_insert_with(|| "*".to_owned());
        }
        let own = |name: &String| dependencies.contains_key(name) || optional_dependencies.contains_key(name);
        peer_dependencies.retain(|name, _| !own(name));
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
            bundled_dependencies: bundled_of(&value, &dependencies),
            dependencies,
            optional_dependencies,
            peer_dependencies,
            peer_dependencies_meta,
        })
    }

    /// What is installed for the package: name under node_modules, what is asked for, and whether it works without. What it
    /// brings along in its own tarball is not installed.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        let optional = self.optional_dependencies.iter().map(|(alias, range)| (&**alias, &**range, true));
        let edges = optional.chain(self.needed().map(|(alias, range)| (&**alias, &**range, false)));
        edges.filter(|(alias, ..)| !self.bundled_dependencies.iter().any(|bundled| bundled == alias))
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
        let meta = self
            .peer_dependencies_meta
            .iter()
            .filter(|(name, optional)| **optional && self.peer_dependencies.contains_key(*name));
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
            peer_dependencies: self.peer_dependencies.clone(),
            peer_dependencies_meta: meta
                .map(|(name, _)| (name.clone(), PeerDependencyMeta { optional: true }))
                .collect(),
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

/// `bundleDependencies` or `bundledDependencies`: a list, or `true` for every dependency.
fn bundled_of(value: &Value, dependencies: &BTreeMap<String, String>) -> Vec<String> {
    let bundled = [&value["bundledDependencies"], &value["bundleDependencies"]];
    match bundled.into_iter().find(|value| !value.is_null()) {
        Some(Value::Bool(true)) => dependencies.keys().cloned().collect(),
        Some(list) => list_of(list),
        None => Vec::new(),
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
        Packument::parse("x", Bytes::from(text), Arc::default()).unwrap()
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
        assert_eq!(packument.dist_tags.len(), 1);
    }

    #[test]
    fn a_packument_without_versions_is_empty() {
        assert_eq!(Packument::parse("x", Bytes::from_static(b"{}"), Arc::default()).unwrap().versions().count(), 0);
        assert_eq!(packument("[]").versions().count(), 0);
    }

    #[test]
    fn peers_are_what_pnpm_sees() {
        let packument = packument(
            r#"{"1.0.0":{"version":"1.0.0","dist":{"tarball":"t"},"dependencies":{"a":"1"},
                "peerDependencies":{"a":"*","b":"^1"},"peerDependenciesMeta":{"c":{"optional":true},"b":{}}}}"#,
        );
        let version = Version::parse_from_npm("1.0.0").unwrap();
        let manifest = VersionManifest::parse(&packument.raw(&version).unwrap(), true).unwrap();
        let peers: Vec<_> = manifest.peer_dependencies.iter().map(|(name, range)| format!("{name}@{range}")).collect();
        assert_eq!(peers, ["a@*", "b@^1", "c@*"]);
        assert!(manifest.dependencies.is_empty());
        assert!(manifest.is_optional("c") && !manifest.is_optional("b") && !manifest.is_optional("a"));
        let own = packument.version(&version).unwrap();
        assert_eq!((own.dependencies.len(), own.peer_dependencies.len()), (1, 2));
    }
}
