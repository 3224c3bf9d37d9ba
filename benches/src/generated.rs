//! Packages that nobody wrote: as many as one likes, in as many versions, as a recording that can be replayed.
//!
//! All hang below the first, in one of some shapes. A version asks for the same versions of what it needs. Everything is a function of
//! the shape and the two numbers.

use crate::recording::{Asked, Recording};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha512};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

/// How many packages a package needs that nothing above it does.
const BRANCHES: usize = 10;

/// Who is a peer of the plugin, and the plugin.
const HOST: &str = "generated-host";
const PLUGIN: &str = "generated-plugin";

/// How many lines the one file has that a package has beside its package.json.
const LINES: usize = 40;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Generated {
    /// Who needs whom.
    pub shape: Shape,
    /// How many packages are installed.
    pub packages: usize,
    /// How many versions each has: 1.0.0, 1.0.1 and so on.
    pub versions: usize,
}

/// Who needs whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// Each needs ten packages below it and one elsewhere.
    Tree,
    /// Each needs the next.
    Chain,
    /// The first needs all others.
    Fan,
    /// The first needs a third of them. Each of these needs a host in a version of its own, and a plugin, which is a variant for each
    /// host. There is one version of each.
    Peers,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 4] = [Shape::Tree, Shape::Chain, Shape::Fan, Shape::Peers];
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::Tree => "a tree",
            Shape::Chain => "a chain",
            Shape::Fan => "a fan",
            Shape::Peers => "peer variants",
        })
    }
}

impl Generated {
    /// Writes them into a recording in `dir`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn record(self, dir: &Path) -> io::Result<Recording> {
        let recording = Recording::open(dir, None);
        let mut packuments: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
        for mut manifest in self.manifests() {
            let [name, version] = ["name", "version"].map(|key| manifest[key].as_str().unwrap_or_default().to_owned());
            let tarball = tarball(&manifest)?;
            let path = format!("{name}/-/{name}-{version}.tgz");
            let integrity = format!("sha512-{}", BASE64_STANDARD.encode(Sha512::digest(&tarball)));
            recording.keep(&Asked::Tarball(path.clone()), Some(&tarball))?;
            manifest["dist"] = json!({ "tarball": format!("http://generated.test/{path}"), "integrity": integrity });
            packuments.entry(name).or_default().push((version, manifest));
        }
        for (name, versions) in packuments {
            let tags = json!({ "latest": versions.last().map(|(version, _)| version) });
            let versions: Map<_, _> = versions.into_iter().collect();
            let packument = json!({ "name": name, "dist-tags": tags, "versions": versions });
            recording.keep(&Asked::Packument(name), Some(packument.to_string().as_bytes()))?;
        }
        Ok(recording)
    }

    /// The package.json of a project that needs them all, in this version.
    pub fn project(self, version_number: usize) -> String {
        json!({ "dependencies": { name(0): version(version_number) } }).to_string()
    }

    fn manifests(self) -> Box<dyn Iterator<Item = Value>> {
        if self.shape == Shape::Peers {
            return Box::new(self.with_peers());
        }
        let versions = move |package| (0..self.versions).map(move |version_number| (package, version(version_number)));
        Box::new((0..self.packages).flat_map(versions).map(move |(package, version)| {
            let needed = self.needed(package).filter(|needed| (package + 1..self.packages).contains(needed));
            let dependencies: Map<_, _> = needed.map(|needed| (name(needed), json!(version))).collect();
            json!({ "name": name(package), "version": version, "dependencies": dependencies })
        }))
    }

    /// Whom a package needs; what is no later package is none.
    fn needed(self, package: usize) -> Box<dyn Iterator<Item = usize>> {
        match self.shape {
            Shape::Tree => {
                let below = (1..=BRANCHES).map(move |branch| package * BRANCHES + branch);
                // Every package but the first is needed twice, so nothing can be got once for each who needs it.
                Box::new(below.chain([package + self.packages / 2]))
            }
            Shape::Chain => Box::new([package + 1].into_iter()),
            Shape::Fan | Shape::Peers if package == 0 => Box::new(1..self.packages),
            Shape::Fan | Shape::Peers => Box::new([].into_iter()),
        }
    }

    fn with_peers(self) -> impl Iterator<Item = Value> {
        let guests = self.packages.div_ceil(3);
        let plugin = json!({ "name": PLUGIN, "version": version(0), "peerDependencies": { HOST: "*" } });
        let pairs = (0..guests).flat_map(move |guest| {
            let others = (1..guests).filter(|_| guest == 0).map(|other| (name(other), json!(version(0))));
            let own = [(HOST.to_owned(), json!(version(guest))), (PLUGIN.to_owned(), json!(version(0)))];
            let dependencies: Map<_, _> = others.chain(own).collect();
            [
                json!({ "name": name(guest), "version": version(0), "dependencies": dependencies }),
                json!({ "name": HOST, "version": version(guest) }),
            ]
        });
        pairs.chain([plugin])
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
