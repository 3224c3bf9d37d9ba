//! Packages that no registry has: tarballs by URL, tarballs and directories of this machine. Each is had once.

use crate::support::{self, LocalRegistry, Package, failed, integrity, lockstep, project, says, succeeded, tarball};
use crate::tree::tree;
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    registry.publish(&[Package::new("leaf", "1.0.0"), Package::new("host", "1.0.0")]);
    registry.answer("/files/v1.tgz", 200, remote("1.0.0"));
    registry
}

/// A package with a dependency and a peer.
fn remote(version: &str) -> Vec<u8> {
    let manifest = json!({
        "name": "remote", "version": version, "bin": "cli.sh",
        "dependencies": { "leaf": "^1.0.0" }, "peerDependencies": { "host": "*" },
    });
    let script = format!("#!/bin/sh\necho remote {version}\n").into_bytes();
    tarball([("package.json", manifest.to_string().into_bytes()), ("cli.sh", script)])
}

fn lockfile(dir: &TempDir) -> String {
    std::fs::read_to_string(dir.path().join("pnpm-lock.yaml")).unwrap()
}

fn write(dir: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = dir.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_tarball_url_is_downloaded_once() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    let url = format!("{}files/v1.tgz", registry.url);
    let dependencies = json!({ "remote": &url, "alias": &url, "host": "1.0.0" });
    project(dir.path(), &json!({ "dependencies": dependencies }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let downloads = registry.tarball_requests();
    assert!(downloads.len() == 3 && downloads.values().all(|times| *times == 1), "{downloads:?}");
    let modules = dir.path().join("node_modules");
    for name in ["remote", "alias"] {
        let manifest = std::fs::read_to_string(modules.join(name).join("package.json")).unwrap();
        assert!(manifest.contains("\"remote\""), "{manifest}");
    }
    let said = std::process::Command::new("sh").arg(modules.join(".bin/remote")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "remote 1.0.0\n");
    for words in [
        format!("      alias:\n        specifier: {url}\n        version: remote@{url}(host@1.0.0)\n"),
        format!("      remote:\n        specifier: {url}\n        version: {url}(host@1.0.0)\n"),
        format!(
            "    resolution: {{integrity: {}, tarball: {url}}}\n    version: 1.0.0\n    hasBin: true\n    peerDependencies:\n      host: '*'\n",
            integrity(&remote("1.0.0"))
        ),
        format!("  remote@{url}(host@1.0.0):\n    dependencies:\n      host: 1.0.0\n      leaf: 1.0.0\n"),
    ] {
        assert!(lockfile(&dir).contains(&words), "{words} is missing in:\n{}", lockfile(&dir));
    }

    // Frozen, elsewhere, on the same store: nothing is asked for. On another store: once each.
    let (before, locked) = (tree(&modules), lockfile(&dir));
    let store = dir.path().join("store");
    for (arguments, requests) in [(["--store-dir", store.to_str().unwrap()].as_slice(), 0), (&[], 3)] {
        let copy = tempfile::tempdir().unwrap();
        project(copy.path(), &json!({ "dependencies": dependencies }));
        write(copy.path(), "pnpm-lock.yaml", &locked);
        registry.forget_requests();
        succeeded(&lockstep(&registry, copy.path(), &[&["--frozen-lockfile"], arguments].concat()));
        assert_eq!(registry.requests(), requests);
        assert_eq!(tree(&copy.path().join("node_modules")), before);
        assert_eq!(lockfile(&copy), locked);
    }
}

#[test]
fn what_is_behind_a_url_is_pinned() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    let url = format!("{}files/v1.tgz", registry.url);
    project(dir.path(), &json!({ "dependencies": { "remote": &url, "host": "1.0.0" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    registry.answer("/files/v1.tgz", 200, remote("2.0.0"));
    // Something else changes: the pin stays, and the store has it.
    project(dir.path(), &json!({ "dependencies": { "remote": &url, "host": "1.0.0", "leaf": "1.0.0" } }));
    registry.forget_requests();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(registry.tarball_requests().len(), 0);
    assert!(lockfile(&dir).contains("version: 1.0.0\n    hasBin"));
    // Without the lockfile it is what is there now, whatever the store has of that URL.
    std::fs::remove_file(dir.path().join("pnpm-lock.yaml")).unwrap();
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(registry.tarball_requests()["/files/v1.tgz"], 1);
    assert!(lockfile(&dir).contains("version: 2.0.0\n    hasBin"), "{}", lockfile(&dir));
    // Other bytes than the lockfile pins are refused.
    registry.answer("/files/v1.tgz", 200, remote("3.0.0"));
    let arguments = ["--frozen-lockfile", "--store-dir", "fresh"];
    std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
    says(&failed(&lockstep(&registry, dir.path(), &arguments)), &["cannot get remote@2.0.0", "hash to"]);
}

#[test]
fn files_and_directories_of_this_machine() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    write(dir.path(), "vendor/remote.tgz", remote("1.0.0"));
    write(
        dir.path(),
        "local/package.json",
        r#"{"name":"local","version":"7.0.0","dependencies":{"leaf":"1"},"bin":"run.sh"}"#,
    );
    write(dir.path(), "local/run.sh", "#!/bin/sh\necho local\n");
    write(dir.path(), "local/node_modules/junk/package.json", "{}");
    write(dir.path(), "local/.gitignore", "*.tmp\n");
    write(dir.path(), "local/scratch.tmp", "");
    let dependencies = json!({ "packed": "file:vendor/remote.tgz", "local": "file:./local", "host": "1.0.0" });
    project(dir.path(), &json!({ "dependencies": dependencies }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    for words in [
        "      local:\n        specifier: file:./local\n        version: file:local\n",
        "        version: remote@file:vendor/remote.tgz(host@1.0.0)\n",
        "  local@file:local:\n    resolution: {directory: local, type: directory}\n    hasBin: true\n",
        ", tarball: file:vendor/remote.tgz}\n    version: 1.0.0\n",
        "  local@file:local:\n    dependencies:\n      leaf: 1.0.0\n",
    ] {
        assert!(lockfile(&dir).contains(words), "{words} is missing in:\n{}", lockfile(&dir));
    }
    let modules = dir.path().join("node_modules");
    let link = std::fs::read_link(modules.join("local")).unwrap();
    assert_eq!(link.to_str().unwrap(), ".pnpm/local@file+local/node_modules/local");
    assert!(modules.join(".pnpm/local@file+local/node_modules/leaf/package.json").exists());
    let copies = json!({ "local": ["node_modules/.pnpm/local@file+local/node_modules/local"] });
    assert_eq!(support::modules(dir.path())["injectedDeps"], copies, "as pnpm writes it");
    assert!(!modules.join("local/node_modules/junk").exists());
    assert!(!modules.join("local/scratch.tmp").exists(), "npm would not pack it");
    let said = std::process::Command::new("sh").arg(modules.join(".bin/run.sh")).output();
    drop(said);
    let said = std::process::Command::new("sh").arg(modules.join(".bin/local")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "local\n");

    // A directory is copied again when it has changed, also where the lockfile stays.
    write(dir.path(), "local/run.sh", "#!/bin/sh\necho changed\n");
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    let said = std::process::Command::new("sh").arg(modules.join(".bin/local")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "changed\n");
    let before = tree(&modules);
    let text = succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    assert_eq!(tree(&modules), before);
    assert!(!text.contains("- local"), "nothing came or went: {text}");
}

#[test]
fn what_a_directory_of_this_machine_asks_for_is_noticed() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    let local = |fields: &str| write(dir.path(), "local/package.json", format!(r#"{{"name":"local",{fields}}}"#));
    local(r#""version":"1.0.0""#);
    project(dir.path(), &json!({ "dependencies": { "local": "file:./local" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(lockfile(&dir).contains("  local@file:local: {}\n"), "{}", lockfile(&dir));

    local(r#""version":"1.1.0","dependencies":{"leaf":"1"},"optionalDependencies":{"nowhere":"1"}"#);
    let text = failed(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    says(&text, &["changed: what local/package.json asks for"]);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert!(
        lockfile(&dir).contains("  local@file:local:\n    dependencies:\n      leaf: 1.0.0\n"),
        "{}",
        lockfile(&dir)
    );
    assert!(dir.path().join("node_modules/.pnpm/local@file+local/node_modules/leaf/package.json").exists());
    // What has no version anywhere is not waited for.
    let text = succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    assert!(!text.contains("WARN"), "{text}");

    for fields in [r#""dependencies":{"leaf":"2"}"#, r#""dependencies":{}"#] {
        local(fields);
        says(&failed(&lockstep(&registry, dir.path(), &["--frozen-lockfile"])), &["what local/package.json asks for"]);
    }
}

#[test]
fn what_cannot_be_had_is_named() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    for (specifier, words) in [
        (format!("{}gone.tgz", registry.url), ["cannot get x from", "404"]),
        ("file:missing.tgz".to_owned(), ["cannot get x from file:missing.tgz", "missing.tgz"]),
        ("file:missing".to_owned(), ["cannot get x from file:missing", "package.json"]),
        ("git+ssh://git@host/u/r.git".to_owned(), ["cannot install x from git+ssh", "package.json"]),
    ] {
        project(dir.path(), &json!({ "dependencies": { "x": specifier } }));
        says(&failed(&lockstep(&registry, dir.path(), &[])), &words);
    }
    registry.answer("/bad.tgz", 200, tarball([("readme.md", b"nothing".to_vec())]));
    project(dir.path(), &json!({ "dependencies": { "x": format!("{}bad.tgz", registry.url) } }));
    says(&failed(&lockstep(&registry, dir.path(), &[])), &["has no package.json", "required by package.json"]);
}
