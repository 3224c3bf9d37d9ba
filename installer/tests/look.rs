//! `list`, `why` and `store`: what they say, and what `store verify` repairs.

use crate::support::{LocalRegistry, Package, in_store, lockstep, named_command, project, run, says, succeeded};
use installer::store::StoreDir;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

fn installed() -> (LocalRegistry, TempDir) {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[
        Package::new("app", "1.0.0")
            .with("dependencies", json!({ "leaf": "1.0.0", "middle": "1.0.0" }))
            .file("big.js", "/* something that is in no other package */"),
        Package::new("middle", "1.0.0").with("dependencies", json!({ "leaf": "1.0.0" })),
        Package::new("plugin", "1.0.0").with("peerDependencies", json!({ "leaf": "*" })),
        Package::new("leaf", "1.0.0").file("index.js", "module.exports = 1\n"),
        Package::new("leaf", "2.0.0").file("index.js", "module.exports = 2\n"),
    ]);
    project(
        dir.path(),
        &json!({
            "name": "mine",
            "version": "1.2.3",
            "dependencies": { "app": "1.0.0", "old": "npm:leaf@1.0.0" },
            "devDependencies": { "plugin": "1.0.0", "leaf": "2.0.0" },
        }),
    );
    succeeded(&lockstep(&registry, dir.path(), &[]));
    (registry, dir)
}

fn look(registry: &LocalRegistry, dir: &Path, arguments: &[&str]) -> Output {
    let (name, rest) = arguments.split_first().unwrap();
    // `store path` and the like: the options follow the second word.
    let mut command = named_command(registry, dir, name, rest);
    command.output().unwrap()
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn a_list_looks_as_pnpm_s_does() {
    let (registry, dir) = installed();
    let text = said(&look(&registry, dir.path(), &["list"]), 0);
    let place = dir.path().display();
    assert_eq!(
        text,
        format!(
            "mine@1.2.3 {place}\n│\n│   dependencies:\n├── app@1.0.0\n├── old@npm:leaf@1.0.0\n│\n│   devDependencies:\n\
             ├── leaf@2.0.0\n└── plugin@1.0.0\n\n4 packages\n"
        )
    );
    let text = said(&look(&registry, dir.path(), &["list", "--prod", "--depth", "Infinity"]), 0);
    assert_eq!(
        text,
        format!(
            "mine@1.2.3 {place}\n│\n│   dependencies:\n├─┬ app@1.0.0\n│ ├── leaf@1.0.0\n│ └─┬ middle@1.0.0\n│   └── leaf@1.0.0\n\
             └── old@npm:leaf@1.0.0\n\n5 packages\n"
        )
    );
    let text = said(&look(&registry, dir.path(), &["list", "--dev", "--depth", "1"]), 0);
    assert!(text.ends_with("├── leaf@2.0.0\n└─┬ plugin@1.0.0\n  └── leaf@2.0.0 peer\n\n3 packages\n"), "{text}");
    let text = said(&look(&registry, dir.path(), &["list", "--depth", "Infinity", "middle"]), 0);
    assert!(text.ends_with("dependencies:\n└─┬ app@1.0.0\n  └── middle@1.0.0\n\n2 packages\n"), "{text}");
}

#[test]
fn a_list_is_json_with_pnpm_s_names() {
    let (registry, dir) = installed();
    let text = said(&look(&registry, dir.path(), &["list", "--json", "--depth", "1"]), 0);
    let listed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["version"]), (&json!("mine"), &json!("1.2.3")));
    let old = &listed[0]["dependencies"]["old"];
    assert_eq!((&old["from"], &old["version"]), (&json!("leaf"), &json!("1.0.0")));
    assert_eq!(old["resolved"], json!(format!("{}leaf/-/leaf-1.0.0.tgz", registry.url)));
    assert_eq!(old["path"], json!(dir.path().join("node_modules/.pnpm/leaf@1.0.0/node_modules/leaf")));
    assert_eq!(listed[0]["dependencies"]["app"]["dependencies"]["middle"]["version"], json!("1.0.0"));
}

#[test]
fn why_leads_up_to_the_project() {
    let (registry, dir) = installed();
    let text = said(&look(&registry, dir.path(), &["why", "leaf"]), 0);
    assert_eq!(
        text,
        "leaf@1.0.0\n├─┬ app@1.0.0\n│ └── mine@1.2.3 (dependencies)\n├─┬ middle@1.0.0\n│ └── app@1.0.0 [deduped]\n\
         └── mine@1.2.3 (dependencies)\n\n\
         leaf@2.0.0\n├── mine@1.2.3 (devDependencies)\n└─┬ plugin@1.0.0(leaf@2.0.0)\n  └── mine@1.2.3 (devDependencies)\n\n\
         Found 2 versions of leaf\n"
    );
    let text = said(&look(&registry, dir.path(), &["why", "--json", "middle"]), 0);
    let why: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(why[0]["dependents"][0]["dependents"][0]["depField"], json!("dependencies"));
    let output = look(&registry, dir.path(), &["why", "nowhere"]);
    assert_eq!(said(&output, 0), "");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "not installed: nowhere\n");
}

#[test]
fn in_a_workspace_each_project_has_its_own_list() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    registry.publish(&[Package::new("leaf", "1.0.0"), Package::new("tool", "1.0.0")]);
    std::fs::write(dir.path().join("pnpm-workspace.yaml"), "packages:\n  - packages/*\n").unwrap();
    project(dir.path(), &json!({ "name": "root", "devDependencies": { "tool": "1.0.0" } }));
    let (a, b) = (dir.path().join("packages/a"), dir.path().join("packages/b"));
    for (dir, name, dependencies) in
        [(&a, "a", json!({ "leaf": "1.0.0" })), (&b, "b", json!({ "a": "workspace:*", "leaf": "1.0.0" }))]
    {
        std::fs::create_dir_all(dir).unwrap();
        project(dir, &json!({ "name": name, "version": "1.0.0", "dependencies": dependencies }));
    }
    succeeded(&lockstep(&registry, dir.path(), &[]));
    let text = said(&look(&registry, &b, &["list"]), 0);
    let own = format!("b@1.0.0 {}\n│\n│   dependencies:\n├── a@link:../a\n└── leaf@1.0.0\n\n2 packages\n", b.display());
    assert_eq!(text, own);
    let of_root = said(&look(&registry, dir.path(), &["list"]), 0);
    assert!(of_root.starts_with("root ") && of_root.contains("tool@1.0.0") && !of_root.contains("leaf"), "{of_root}");
    let all = said(&look(&registry, &a, &["list", "--recursive"]), 0);
    assert!(all.starts_with(&of_root) && all.contains(&own) && all.contains("a@1.0.0 "), "{all}");
    let all: Value = serde_json::from_str(&said(&look(&registry, &a, &["list", "-r", "--json"]), 0)).unwrap();
    let names: Vec<_> = all.as_array().unwrap().iter().map(|project| project["name"].as_str().unwrap()).collect();
    assert_eq!((names, &all[2]["dependencies"]["leaf"]["version"]), (vec!["root", "a", "b"], &json!("1.0.0")));
    let text = said(&look(&registry, &a, &["why", "leaf"]), 0);
    assert_eq!(text, "leaf@1.0.0\n├── a@1.0.0 (dependencies)\n└── b@1.0.0 (dependencies)\n\nFound 1 version of leaf\n");
}

#[test]
fn where_nothing_is_installed_it_says_so() {
    let (registry, dir) = (LocalRegistry::start(), tempfile::tempdir().unwrap());
    project(dir.path(), &json!({}));
    let output = look(&registry, dir.path(), &["list"]);
    assert_eq!(output.status.code(), Some(1));
    says(&String::from_utf8_lossy(&output.stderr), &["nothing is installed", "lockstep install"]);
}

/// A file of the store with these words in it.
fn stored(dir: &Path, words: &str) -> PathBuf {
    let shards = std::fs::read_dir(in_store(dir, "files")).unwrap();
    let files = shards.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
    let mut paths = files.map(|file| file.unwrap().path());
    paths.find(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains(words))).unwrap()
}

/// Runs `store verify` three times: it finds the damage, removes it, and finds nothing any more. The next install makes the
/// tree that was there before.
#[track_caller]
fn found_and_repaired(registry: &LocalRegistry, dir: &Path, words: &str) {
    let text = said(&look(registry, dir, &["store", "verify", "--check"]), 1);
    assert!(text.contains(words) && text.contains("Found 1 problem"), "{words} is missing in:\n{text}");
    assert_eq!(said(&look(registry, dir, &["store", "status"]), 1), text);
    let repaired = said(&look(registry, dir, &["store", "verify"]), 0);
    assert!(repaired.contains(words) && repaired.contains("removed what is damaged"), "{repaired}");
    let text = said(&look(registry, dir, &["store", "verify", "--check"]), 0);
    assert!(text.contains("Everything is as it was written"), "{text}");
    std::fs::remove_dir_all(dir.join("node_modules")).unwrap();
    succeeded(&lockstep(registry, dir, &["--frozen-lockfile"]));
    let index = std::fs::read_to_string(dir.join("node_modules/leaf/index.js")).unwrap();
    assert_eq!(index, "module.exports = 2\n");
    let text = said(&look(registry, dir, &["store", "verify", "--check"]), 0);
    assert!(text.contains("5 packages"), "{text}");
}

#[test]
fn a_sound_store_is_left_alone() {
    let (registry, dir) = installed();
    let path = said(&look(&registry, dir.path(), &["store", "path"]), 0);
    assert_eq!(path, format!("{}\n", StoreDir::new(&dir.path().join("store")).root().display()));
    for arguments in [["store", "status"].as_slice(), &["store", "verify", "--check"], &["store", "verify"]] {
        let text = said(&look(&registry, dir.path(), arguments), 0);
        assert!(text.contains("5 packages") && text.contains("Everything is as it was written"), "{text}");
    }
}

#[test]
fn a_flipped_byte_is_found_and_repaired() {
    let (registry, dir) = installed();
    let path = stored(dir.path(), "module.exports = 2");
    let text = std::fs::read_to_string(&path).unwrap();
    // The project's file is the same one, so that it shows where node_modules was made anew.
    std::fs::write(&path, text.replace('2', "3")).unwrap();
    found_and_repaired(&registry, dir.path(), "altered: ");
}

#[test]
fn a_truncated_file_is_found_and_repaired() {
    let (registry, dir) = installed();
    std::fs::write(stored(dir.path(), "module.exports = 2"), "module").unwrap();
    found_and_repaired(&registry, dir.path(), "has 6 bytes instead of 19");
}

#[test]
fn a_missing_file_is_found_and_repaired() {
    let (registry, dir) = installed();
    std::fs::remove_file(stored(dir.path(), "module.exports = 2")).unwrap();
    found_and_repaired(&registry, dir.path(), "of leaf@2.0.0");
}

#[test]
fn a_row_without_files_is_found_and_repaired() {
    let (registry, dir) = installed();
    std::fs::remove_file(stored(dir.path(), "module.exports = 2")).unwrap();
    std::fs::remove_file(stored(dir.path(), "\"leaf\",\"version\":\"2.0.0\"")).unwrap();
    found_and_repaired(&registry, dir.path(), "no files: leaf@2.0.0");
}

#[test]
fn a_row_that_cannot_be_read_is_found_and_repaired() {
    let (registry, dir) = installed();
    let index = rusqlite::Connection::open(in_store(dir.path(), "index.db")).unwrap();
    let sql = "UPDATE packages SET data = 'x' WHERE key = (SELECT key FROM packages WHERE instr(data, x'322e302e30'))";
    assert_eq!(index.execute(sql, []).unwrap(), 1);
    drop(index);
    found_and_repaired(&registry, dir.path(), "unreadable row: sha512-");
}

#[test]
fn a_file_without_a_row_goes_once_it_is_old() {
    let (registry, dir) = installed();
    let path = in_store(dir.path(), "files/00").join("a".repeat(62));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    said(&look(&registry, dir.path(), &["store", "verify", "--check"]), 0);
    assert!(path.exists(), "an install may be about to write its row");
    file.set_modified(SystemTime::now() - Duration::from_hours(2)).unwrap();
    found_and_repaired(&registry, dir.path(), "belongs to no package: ");
    assert!(!path.exists());
}

#[test]
fn a_damaged_packument_is_found_and_repaired() {
    let (registry, dir) = installed();
    let shard = std::fs::read_dir(in_store(dir.path(), "packuments")).unwrap().next().unwrap().unwrap().path();
    let path = std::fs::read_dir(shard).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    found_and_repaired(&registry, dir.path(), "damaged packument: ");
    assert!(!path.exists());
}

#[test]
fn a_damaged_index_is_found_and_repaired() {
    let (registry, dir) = installed();
    for name in ["index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(in_store(dir.path(), name));
    }
    std::fs::write(in_store(dir.path(), "index.db"), "no database").unwrap();
    found_and_repaired(&registry, dir.path(), "the index is damaged");
}

#[test]
fn prune_removes_what_no_project_uses() {
    let (registry, dir) = installed();
    let text = said(&look(&registry, dir.path(), &["store", "prune"]), 0);
    assert!(text.contains("Removed 0 packages"), "{text}");
    succeeded(&run(&registry, dir.path(), "remove", &["app"]));
    let text = said(&look(&registry, dir.path(), &["store", "prune"]), 0);
    assert!(text.starts_with("- app@1.0.0\n- middle@1.0.0\nRemoved 2 packages, 3 files"), "{text}");
    let text = said(&look(&registry, dir.path(), &["store", "status"]), 0);
    assert!(text.contains("3 packages"), "{text}");
    succeeded(&run(&registry, dir.path(), "add", &["app"]));
    assert!(dir.path().join("node_modules/app/big.js").exists());
}
