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
use deno_npm::registry::{
    NpmPackageInfo, NpmPackageVersionBinEntry, NpmPackageVersionDistInfo, NpmPackageVersionInfo, NpmPeerDependencyMeta,
    NpmUser,
};
use deno_semver::Version;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

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
}

/// What stands at the top of a packument.
#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow, default)]
    versions: Option<&'a RawValue>,
    #[serde(rename = "dist-tags", default)]
    dist_tags: Value,
}

/// The fields of a version that the solver's parser is strict about. With them right, it parses.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    version: Version,
    #[serde(rename = "dist")]
    _dist: NpmPackageVersionDistInfo,
    #[serde(rename = "bin", default)]
    _bin: Option<NpmPackageVersionBinEntry>,
    #[serde(rename = "hasInstallScript", default)]
    _has_install_script: Option<bool>,
    #[serde(rename = "_npmUser", default)]
    _npm_user: Option<NpmUser>,
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
        })
    }

    /// Every version, lowest first.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = &Version> {
        self.versions.keys()
    }

    /// What the packument says of one version.
    pub fn version(&self, version: &Version) -> Option<VersionManifest> {
        VersionManifest::parse(&self.raw(version)?)
    }

    /// The same for the solver, with the peers that pnpm sees. `None` when there is no such version, or it is unusable.
    pub fn version_info(&self, version: &Version) -> Option<NpmPackageVersionInfo> {
        let raw = self.raw(version)?;
        let mut info = match serde_json::from_slice::<NpmPackageVersionInfo>(&raw) {
            Ok(info) => info,
            Err(_) => {
                let mut value: Value = serde_json::from_slice(&raw).ok()?;
                value.as_object_mut()?.remove("bin");
                serde_json::from_value(value).ok()?
            }
        };
        info.dist.as_ref()?;
        info.version = version.clone();
        let declared: BTreeSet<_> = info.peer_dependencies.keys().cloned().collect();
        let NpmPackageVersionInfo {
            dependencies,
            optional_dependencies,
            peer_dependencies,
            peer_dependencies_meta: meta,
            ..
        } = &mut info;
        // A peer that is an alias is looked for under that name alone; the solver would take the package behind it.
        let foreign =
            |name: &_, range: &str| range.starts_with("npm:") && meta.get(name).is_some_and(|meta| meta.optional);
        peer_dependencies.retain(|name, range| {
            !dependencies.contains_key(name) && !optional_dependencies.contains_key(name) && !foreign(name, range)
        });
        for (name, meta) in &info.peer_dependencies_meta {
            let own = info.dependencies.contains_key(name) || info.optional_dependencies.contains_key(name);
            if meta.optional && !own && !declared.contains(name) {
                info.peer_dependencies.insert(name.clone(), "*".into());
            }
        }
        if self.edits.leave_peers_out() {
            let peers = info.peer_dependencies.keys().cloned();
            let optional = |name| (name, NpmPeerDependencyMeta { optional: true });
            info.peer_dependencies_meta = peers.map(optional).collect();
        }
        Some(info)
    }

    /// The whole packument for the solver, each version parsed only when the solver looks at it. `None` where
    /// [`version_info`](Self::version_info) would say anything else: a version is unusable (the solver panics when it
    /// chooses one that does not parse), or has peers to be seen as pnpm does.
    pub fn lazy_info(&self) -> Option<NpmPackageInfo> {
        let usable = |(version, range): (&Version, &Range<usize>)| {
            let shape = serde_json::from_slice::<Shape>(&self.bytes[range.clone()]);
            shape.is_ok_and(|shape| shape.version == *version)
        };
        let plain = !self.is_edited && !self.mentions("\"peerDependencies") && self.versions.iter().all(usable);
        let info = plain.then(|| NpmPackageInfo::from_packument_bytes(self.bytes.to_vec()))?.ok()?;
        let complete = info.name.as_str() == self.name && info.versions.len() == self.versions.len();
        complete.then_some(info)
    }

    /// Whether some version may name this package: a cheap test that errs on the side of yes.
    pub fn mentions(&self, name: &str) -> bool {
        str::from_utf8(&self.bytes).map_or(true, |text| text.contains(name))
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
    /// Peers that are not dependencies as well; those only named in `peerDependenciesMeta` count as `*`.
    pub peer_dependencies: BTreeMap<String, String>,
    pub peer_dependencies_meta: BTreeMap<String, bool>,
    pub tarball: String,
    pub integrity: Option<String>,
    pub os: Vec<String>,
    pub cpu: Vec<String>,
    pub libc: Vec<String>,
    engines: BTreeMap<String, String>,
    deprecated: Option<String>,
    has_bin: bool,
    bundled_dependencies: Vec<String>,
}

impl VersionManifest {
    pub fn parse(raw: &[u8]) -> Option<VersionManifest> {
        let value: Value = serde_json::from_slice(raw).ok()?;
        let dependencies = texts_of(&value["dependencies"]);
        let optional_dependencies = texts_of(&value["optionalDependencies"]);
        let own = |name: &String| dependencies.contains_key(name) || optional_dependencies.contains_key(name);
        let peer_dependencies_meta = optional_peers_of(&value["peerDependenciesMeta"]);
        let implied = peer_dependencies_meta.iter().filter(|(_, optional)| **optional);
        let mut peer_dependencies: BTreeMap<_, _> = implied.map(|(name, _)| (name.clone(), "*".to_owned())).collect();
        peer_dependencies.extend(texts_of(&value["peerDependencies"]));
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
        let usable: Vec<_> = packument.versions().filter(|version| packument.version_info(version).is_some()).collect();
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
        let manifest = packument.version(&version).unwrap();
        let peers: Vec<_> = manifest.peer_dependencies.iter().map(|(name, range)| format!("{name}@{range}")).collect();
        assert_eq!(peers, ["b@^1", "c@*"]);
        assert!(manifest.is_optional("c") && !manifest.is_optional("b") && !manifest.is_optional("a"));
        let info = packument.version_info(&version).unwrap();
        assert_eq!(info.peer_dependencies.len(), 2);
    }
}
