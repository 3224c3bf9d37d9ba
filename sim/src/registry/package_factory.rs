//! Real packuments and real tarballs for a scenario's packages. A pure function of the scenario.

use super::URL;
use crate::scenario::{Package, Scenario, VersionedName};
use base64::Engine as _;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use installer::store::{Digest, digest};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};
use std::collections::BTreeMap;

/// What the registry serves.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// Path of a packument → its JSON.
    pub packuments: BTreeMap<String, Bytes>,
    /// Path of a tarball → whose it is, and its bytes.
    pub tarballs: BTreeMap<String, (VersionedName, Bytes)>,
    /// Integrity of a tarball → whose it is.
    pub integrities: BTreeMap<String, VersionedName>,
    /// What the store names a file of a tarball by → its bytes.
    pub contents: BTreeMap<Digest, Vec<u8>>,
}

/// Publishes a scenario's packages.
pub fn publish(scenario: &Scenario) -> Published {
    let mut published = Published::default();
    let mut versions: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    for (id, package) in &scenario.packages {
        let files = files(id, package);
        let tarball = tarball(&files);
        published.contents.extend(files.map(|(_, bytes)| (digest(&bytes), bytes)));
        let path = package.tarball.clone().unwrap_or_else(|| tarball_path(id));
        let mut version = manifest(id, package);
        let url = format!("{URL}{}", path.trim_start_matches('/'));
        let (own, other) = (integrity(&tarball), package.integrity_of.as_ref());
        let promised =
            other.and_then(|other| Some(integrity(&self::tarball(&self::files(other, scenario.packages.get(other)?)))));
        version["dist"] = json!({ "tarball": url, "integrity": promised.as_ref().unwrap_or(&own) });
        published.integrities.insert(own, id.clone());
        versions.entry(&id.0.name).or_default().insert(&id.0.version, version);
        published.tarballs.entry(path).or_insert((id.clone(), tarball));
    }
    for (name, versions) in versions {
        let latest = versions.keys().next_back().expect("a package has a version");
        let packument = json!({ "name": name, "dist-tags": { "latest": latest }, "versions": versions });
        published.packuments.insert(format!("/{name}"), Bytes::from(packument.to_string()));
    }
    published
}

fn integrity(tarball: &[u8]) -> String {
    format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(Sha512::digest(tarball)))
}

fn tarball_path(id: &VersionedName) -> String {
    let (name, version) = (&id.0.name, &id.0.version);
    let base = name.rsplit('/').next().unwrap_or(name);
    format!("/{name}/-/{base}-{version}.tgz")
}

fn manifest(id: &VersionedName, package: &Package) -> Value {
    let mut manifest = json!({ "name": id.0.name, "version": id.0.version });
    let maps = [
        ("dependencies", &package.dependencies),
        ("optionalDependencies", &package.optional_dependencies),
        ("peerDependencies", &package.peer_dependencies),
    ];
    for (field, map) in maps {
        if !map.is_empty() {
            manifest[field] = json!(map);
        }
    }
    if !package.os.is_empty() {
        manifest["os"] = json!(package.os);
    }
    manifest
}

/// Path in the tarball, and bytes.
fn files(id: &VersionedName, package: &Package) -> [(&'static str, Vec<u8>); 2] {
    let mut content = vec![0; package.size_bytes];
    // Bytes that do not compress, the same ones for the same package in every process.
    let drawn_from = package.content.clone().unwrap_or_else(|| id.to_string());
    let seed: [u8; 32] = Sha256::digest(drawn_from).into();
    ChaCha8Rng::from_seed(seed).fill_bytes(&mut content);
    [("package/package.json", manifest(id, package).to_string().into_bytes()), ("package/index.js", content)]
}

fn tarball(files: &[(&str, Vec<u8>)]) -> Bytes {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, bytes.as_slice()).expect("writing to memory succeeds");
    }
    let gzip = archive.into_inner().expect("writing to memory succeeds");
    Bytes::from(gzip.finish().expect("writing to memory succeeds"))
}
