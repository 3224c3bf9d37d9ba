//! A full packument made into the abbreviated one that npm's registry would send for it.
//!
//! The fields are those of npm's document `package-metadata.md`. `libc` and the dates of publication are not among them:
//! whoever needs those has to ask for the full packument.

use serde_json::{Map, Value};

/// What an abbreviated packument says of each version.
const VERSION_FIELDS: [&str; 19] = [
    "name",
    "version",
    "deprecated",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "bin",
    "directories",
    "dist",
    "engines",
    "os",
    "cpu",
    "funding",
    "_hasShrinkwrap",
];

/// Scripts that a package wants to run when it is installed.
const INSTALL_SCRIPTS: [&str; 3] = ["preinstall", "install", "postinstall"];

/// The abbreviated form of a full packument.
pub fn abbreviated(full: &Value) -> Value {
    let versions = full["versions"].as_object().into_iter().flatten();
    let versions: Map<String, Value> =
        versions.map(|(version, manifest)| (version.clone(), abbreviated_version(manifest))).collect();
    let mut out = Map::new();
    out.insert("name".to_owned(), full["name"].clone());
    out.insert("dist-tags".to_owned(), full["dist-tags"].clone());
    out.insert("versions".to_owned(), versions.into());
    if let Some(modified) = full["time"].get("modified") {
        out.insert("modified".to_owned(), modified.clone());
    }
    out.into()
}

fn abbreviated_version(full: &Value) -> Value {
    let Some(fields) = full.as_object() else { return full.clone() };
    let kept = fields.iter().filter(|(name, _)| VERSION_FIELDS.contains(&name.as_str()));
    let mut out: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    let has_script = INSTALL_SCRIPTS.iter().any(|script| full["scripts"].get(script).is_some());
    if has_script || full["hasInstallScript"] == true {
        out.insert("hasInstallScript".to_owned(), true.into());
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_an_install_needs_is_left() {
        let full = json!({
            "_id": "a", "name": "a", "readme": "long", "dist-tags": { "latest": "1.0.0" },
            "time": { "modified": "2026-01-01T00:00:00.000Z", "1.0.0": "2025-01-01T00:00:00.000Z" },
            "versions": { "1.0.0": {
                "name": "a", "version": "1.0.0", "dist": { "tarball": "t" }, "libc": ["glibc"], "os": ["linux"],
                "scripts": { "postinstall": "node x" }, "maintainers": [],
            }, "2.0.0": "nonsense" },
        });
        let expected = json!({
            "name": "a", "dist-tags": { "latest": "1.0.0" }, "modified": "2026-01-01T00:00:00.000Z",
            "versions": { "1.0.0": {
                "name": "a", "version": "1.0.0", "dist": { "tarball": "t" }, "os": ["linux"], "hasInstallScript": true,
            }, "2.0.0": "nonsense" },
        });
        assert_eq!(abbreviated(&full), expected);
    }
}
