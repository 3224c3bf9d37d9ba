//! One store for many projects: used by several installs at once, and damaged behind our back. An install repairs what it
//! can and says clearly what it cannot; it never links a file that is missing or cut short.

use crate::support::{LocalRegistry, Package, command, failed, in_store, lockstep, project, says, succeeded};
use crate::tree::{assert_same_tree, tree};
use installer::store::RowKey;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

const NAMES: [&str; 16] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "@s/m", "@s/n", "@s/o", "@s/p"];

fn packages() -> Vec<Package> {
    let package = |name: &&'static str| {
        let own = Package::new(name, "1.0.0").file("index.js", format!("module.exports = '{name}'\n"));
        // The same bytes in each package: one file in the store.
        own.file("LICENSE", "anybody may do anything\n").file("lib/index.js", format!("// {name}\n").repeat(500))
    };
    NAMES.iter().map(package).collect()
}

fn registry() -> LocalRegistry {
    let registry = LocalRegistry::start();
    registry.publish(&packages());
    registry
}

/// A project that asks for these packages.
fn application(names: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let dependencies: serde_json::Map<_, _> = names.iter().map(|name| (name.to_string(), json!("1.0.0"))).collect();
    project(dir.path(), &json!({ "dependencies": dependencies }));
    dir
}

/// Installs into `dir` with the store of another project.
fn with_store(registry: &LocalRegistry, dir: &TempDir, store: &TempDir, arguments: &[&str]) -> std::process::Output {
    let store = store.path().join("store");
    let arguments: Vec<&str> = ["--store-dir", store.to_str().unwrap()].iter().chain(arguments).copied().collect();
    lockstep(registry, dir.path(), &arguments)
}

fn modules(dir: &TempDir) -> PathBuf {
    dir.path().join("node_modules")
}

/// All files in a store, in a fixed order.
fn stored_files(dir: &TempDir) -> Vec<PathBuf> {
    let root = in_store(dir.path(), "files");
    let files = tree(&root).into_iter().filter(|(_, what)| what != "a directory");
    files.map(|(path, _)| root.join(path)).collect()
}

/// Writes something else over a store's index. The log beside it goes too: a reader that closed last has left it, and
/// `SQLite` would read every row from there, whatever the database says.
fn replace_index(store: &TempDir, text: &str) -> PathBuf {
    let index = in_store(store.path(), "index.db");
    for beside in ["index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(index.with_file_name(beside));
    }
    std::fs::write(&index, text).unwrap();
    index
}

#[test]
fn two_installs_at_once_share_a_store() {
    let registry = registry();
    let (alone_first, alone_second) = (application(&NAMES[..12]), application(&NAMES[4..]));
    succeeded(&lockstep(&registry, alone_first.path(), &[]));
    succeeded(&lockstep(&registry, alone_second.path(), &[]));
    for round in 0..10 {
        let (store, first, second) =
            (tempfile::tempdir().unwrap(), application(&NAMES[..12]), application(&NAMES[4..]));
        let start = |dir: &TempDir| {
            let mut command = command(&registry, dir.path(), &[]);
            command.arg("--store-dir").arg(store.path().join("store"));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let running = [start(&first), start(&second)];
        for child in running {
            let text = succeeded(&child.wait_with_output().unwrap());
            assert!(!text.contains("WARN"), "round {round}: {text}");
        }
        assert_same_tree(&modules(&first), &modules(&alone_first));
        assert_same_tree(&modules(&second), &modules(&alone_second));
        // The index has every row of both.
        let all = application(&NAMES);
        succeeded(&with_store(&registry, &all, &store, &["--offline"]));
    }
}

#[test]
fn a_store_that_lost_files_is_repaired() {
    type Damage = fn(&Path) -> std::io::Result<()>;
    let damages: [(&str, Damage); 3] = [
        ("deleted", |path| std::fs::remove_file(path)),
        ("emptied", |path| std::fs::write(path, "")),
        ("grown", |path| std::fs::OpenOptions::new().append(true).open(path)?.set_len(100_000)),
    ];
    let registry = registry();
    let expected = application(&NAMES);
    succeeded(&lockstep(&registry, expected.path(), &[]));
    for (what, damage) in damages {
        for arguments in [[].as_slice(), &["--frozen-lockfile"], &["--no-lockfile"]] {
            let (store, dir) = (application(&NAMES), application(&NAMES));
            succeeded(&lockstep(&registry, store.path(), &[]));
            std::fs::copy(store.path().join("pnpm-lock.yaml"), dir.path().join("pnpm-lock.yaml")).unwrap();
            let files = stored_files(&store);
            assert_eq!(files.len(), 3 * NAMES.len() + 1, "package.json, index.js, lib/index.js, and one LICENSE");
            for path in files.iter().step_by(3) {
                damage(path).unwrap();
            }
            registry.forget_requests();
            succeeded(&with_store(&registry, &dir, &store, arguments));
            assert_same_tree(&modules(&dir), &modules(&expected));
            let most = registry.tarball_requests().into_values().max();
            assert_eq!(most, Some(1), "{what}, {arguments:?}: what is missing is downloaded once");
            // Whole again: the next one downloads nothing.
            registry.forget_requests();
            succeeded(&with_store(&registry, &application(&NAMES), &store, &["--offline"]));
            assert!(registry.tarball_requests().is_empty());
        }
    }
}

#[test]
fn a_damaged_store_without_a_network_is_an_error() {
    let registry = registry();
    let (store, dir) = (application(&["a"]), application(&["a"]));
    succeeded(&lockstep(&registry, store.path(), &[]));
    stored_files(&store).iter().for_each(|path| std::fs::remove_file(path).unwrap());
    says(&failed(&with_store(&registry, &dir, &store, &["--offline"])), &["a@1.0.0", "offline"]);
    assert!(!modules(&dir).join("a").exists());
}

#[test]
fn a_damaged_index_is_an_error_that_says_what_to_delete() {
    let registry = registry();
    let store = application(&["a", "b"]);
    succeeded(&lockstep(&registry, store.path(), &[]));
    let index = replace_index(&store, &"this was a database ".repeat(1000));
    for arguments in [[].as_slice(), &["--no-lockfile"]] {
        let dir = application(&["a", "b"]);
        let text = failed(&with_store(&registry, &dir, &store, arguments));
        says(&text, &["lockstep::store::index", "not a database", "delete"]);
        assert!(text.replace(['\n', '│', ' '], "").contains("/index.db"), "{text}");
    }
    std::fs::remove_file(&index).unwrap();
    let dir = application(&["a", "b"]);
    succeeded(&with_store(&registry, &dir, &store, &[]));
    assert_same_tree(&modules(&dir), &modules(&store));
}

#[test]
fn an_empty_index_is_filled_again() {
    let registry = registry();
    let (store, dir) = (application(&["a", "b"]), application(&["a", "b"]));
    succeeded(&lockstep(&registry, store.path(), &[]));
    replace_index(&store, "");
    let text = succeeded(&with_store(&registry, &dir, &store, &[]));
    assert!(!text.contains("WARN"), "{text}");
    assert_same_tree(&modules(&dir), &modules(&store));
    succeeded(&with_store(&registry, &application(&["a", "b"]), &store, &["--offline"]));
}

#[test]
fn a_lockfile_with_a_wrong_integrity_is_refused() {
    let registry = registry();
    let (locked, fresh_store) = (application(&["a", "b"]), application(&["a", "b"]));
    succeeded(&lockstep(&registry, locked.path(), &[]));
    let lockfile = std::fs::read_to_string(locked.path().join("pnpm-lock.yaml")).unwrap();
    let integrity = |name: &str| {
        let after = lockfile.split_once(&format!("\n  {name}@1.0.0:\n    resolution: {{integrity: ")).unwrap().1;
        after.split_once('}').unwrap().0.to_owned()
    };
    let wrong = lockfile.replace(&integrity("a"), &integrity("b"));
    for store in [&locked, &fresh_store] {
        let dir = application(&["a", "b"]);
        std::fs::write(dir.path().join("pnpm-lock.yaml"), &wrong).unwrap();
        // In one of the stores the integrity leads to a package, and to the wrong one.
        let text = failed(&with_store(&registry, &dir, store, &["--frozen-lockfile"]));
        says(&text, &["a@1.0.0", "lockstep::tarball::integrity", &integrity("a")[..20], &integrity("b")[..20]]);
        assert!(!modules(&dir).join("a").exists());
    }
}

/// pnpm#13417: one tarball has one row, whatever URL leads to it.
#[test]
fn urls_of_one_tarball_share_its_row() {
    let integrity: ssri::Integrity = "sha512-+w==".parse().unwrap();
    let row = |url| RowKey::new(url, Some(&integrity));
    assert_eq!(row("http://a.test/x.tgz"), row("http://b.test/y.tgz"));
    assert_ne!(RowKey::new("http://a.test/x.tgz", None), RowKey::new("http://b.test/y.tgz", None));
}
