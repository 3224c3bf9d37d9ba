//! Packages that nobody wrote: as many as one likes, in as many versions, as a recording that can be replayed.
//!
//! Each needs the `BRANCHES` packages below it and one elsewhere, so all hang below the first. A version asks for the same
//! versions of what it needs. Everything is a function of the two numbers.

use crate::recording::{Asked, Recording};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};
use std::io;
use std::path::Path;

/// How many packages a package needs that nothing above it does.
const BRANCHES: usize = 10;

/// How many lines the one file has that a package has beside its package.json.
const LINES: usize = 40;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Generated {
    /// How many packages.
    pub packages: usize,
    /// How many versions each has: 1.0.0, 1.0.1 and so on.
    pub versions: usize,
}

impl Generated {
    /// Writes them into a recording in `dir`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn record(self, dir: &Path) -> io::Result<Recording> {
        let recording = Recording::open(dir, None);
        for package in 0..self.packages {
            let name = name(package);
            let mut versions = Map::new();
            for version in (0..self.versions).map(version) {
                let mut manifest = self.manifest(package, &version);
                let tarball = tarball(&manifest)?;
                let path = format!("{name}/-/{name}-{version}.tgz");
                let integrity = format!("sha512-{}", BASE64_STANDARD.encode(Sha512::digest(&tarball)));
                recording.keep(&Asked::Tarball(path.clone()), Some(&tarball))?;
                manifest["dist"] =
                    json!({ "tarball": format!("http://generated.test/{path}"), "integrity": integrity });
                versions.insert(version, manifest);
            }
            let tags = json!({ "latest": version(self.versions - 1) });
            let packument = json!({ "name": name, "dist-tags": tags, "versions": versions });
            recording.keep(&Asked::Packument(name), Some(packument.to_string().as_bytes()))?;
        }
        Ok(recording)
    }

    /// The package.json of a project that needs them all, in this version.
    pub fn project(self, version_number: usize) -> String {
        json!({ "dependencies": { name(0): version(version_number) } }).to_string()
    }

    fn manifest(self, package: usize, version: &str) -> Value {
        let below = (1..=BRANCHES).map(|branch| package * BRANCHES + branch);
        // Every package but the first is needed twice, so nothing can be got once for each who needs it.
        let elsewhere = package + self.packages / 2;
        let needed = below.chain([elsewhere]).filter(|needed| (package + 1..self.packages).contains(needed));
        let dependencies: Map<_, _> = needed.map(|needed| (name(needed), json!(version))).collect();
        json!({ "name": name(package), "version": version, "dependencies": dependencies })
    }
}

fn name(package: usize) -> String {
    format!("generated-{package:05}")
}

fn version(number: usize) -> String {
    format!("1.0.{number}")
}

fn tarball(manifest: &Value) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let line = format!("module.exports.name = {} + {};\n", manifest["name"], manifest["version"]);
    for (path, text) in [("package/package.json", manifest.to_string()), ("package/index.js", line.repeat(LINES))] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes())?;
    }
    archive.into_inner()?.finish()
}
