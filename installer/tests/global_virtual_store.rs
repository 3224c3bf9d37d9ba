//! `enableGlobalVirtualStore`: packages are put in place once for all projects, in the store.
//!
//! What is there without being whole is never taken for it, whoever made it and however that ended; and what a project uses
//! stays.
#![cfg(unix)]

use crate::support::machine::{Machine, ON, age_notes, native};
use crate::support::{Package, modules, names, project, read, run, says};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn packages_are_put_in_place_once_for_all_projects() {
    let machine = Machine::new();
    let (a, b) = (machine.app("a"), machine.app("b"));
    machine.install(&a, &[]);
    let target = std::fs::read_link(a.join("node_modules/app")).unwrap();
    assert_eq!(target, machine.entry("app@1.0.0").join("node_modules/app"));
    assert_eq!(names(&a.join("node_modules/.pnpm")), ["lock.yaml", "node_modules"]);
    assert_eq!(names(&a.join("node_modules/.pnpm/node_modules")), [".bin", "@s", "tool"]);
    let leaf = machine.entry("app@1.0.0").join("node_modules/@s/leaf");
    assert!(
        std::fs::read_link(&leaf).unwrap().starts_with("../../../../../../@s/leaf/1.0.0"),
        "the store can be moved"
    );
    assert_eq!(read(leaf.join("lib/leaf.js")), "leaf");
    assert_eq!(modules(&a)["virtualStoreDir"], json!("../../store/v3/links"));
    assert_eq!(names(&machine.store().tmp_dir()), [""; 0]);

    // The other one needs no file of the store.
    std::fs::remove_dir_all(machine.store().files_dir()).unwrap();
    std::fs::remove_file(machine.store().index_path()).unwrap();
    std::fs::copy(a.join("pnpm-lock.yaml"), b.join("pnpm-lock.yaml")).unwrap();
    machine.registry.forget_requests();
    let text = machine.install(&b, &["--frozen-lockfile"]);
    says(&text, &["app 1.0.0"]);
    assert_eq!(machine.registry.requests(), 0);
    assert_eq!(std::fs::read_link(b.join("node_modules/app")).unwrap(), target);
}

/// Its files are of no use to an install that only leads to it, so nobody looks whether the store has them.
#[test]
fn what_is_there_for_all_projects_is_not_prefetched() {
    let machine = Machine::new();
    machine.install(&machine.app("a"), &[]);
    std::fs::remove_dir_all(machine.store().files_dir()).unwrap();
    machine.registry.forget_requests();
    let b = machine.app("b");
    machine.install(&b, &[]);
    assert_eq!(machine.registry.tarball_requests(), BTreeMap::new());
    machine.install(&b, &["--force"]);
    assert_eq!(machine.registry.tarball_requests().len(), 3, "they are made anew, and need files");
}

#[test]
fn commands_find_what_is_theirs() {
    let machine = Machine::new();
    let a = machine.project("a", json!({ "app": "1.0.0", "tool": "1.0.0" }), ON);
    machine.install(&a, &[]);
    let said = |path: PathBuf| {
        let output = Command::new(&path).env_remove("NODE_PATH").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let tool = machine.entry("tool@1.0.0");
    let of_project = said(a.join("node_modules/.bin/tool"));
    assert!(
        of_project.contains(tool.to_str().unwrap()) && of_project.contains("/../.pnpm/node_modules"),
        "{of_project}"
    );
    let of_package = said(machine.entry("app@1.0.0").join("node_modules/app/node_modules/.bin/tool"));
    assert!(of_package.starts_with("tool ") && !of_package.contains(".pnpm"), "no project's: {of_package}");

    // A project that is reached by another way finds the same.
    let other_way = machine.dir.path().join("deeper/than/it");
    std::fs::create_dir_all(other_way.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&a, &other_way).unwrap();
    std::fs::remove_dir_all(a.join("node_modules")).unwrap();
    let store = machine.dir.path().join("store");
    machine.install(&other_way, &["--store-dir", store.to_str().unwrap()]);
    assert!(a.join("node_modules/app/package.json").exists());
    assert!(said(a.join("node_modules/.bin/tool")).contains(tool.to_str().unwrap()));
}

#[test]
fn what_is_not_whole_is_made_anew() {
    let machine = Machine::new();
    let damage = |path: PathBuf| {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(path, "").unwrap();
    };
    machine.install(&machine.app("a"), &[]);
    let leaf = machine.entry("@s/leaf@1.0.0");
    let file = leaf.join("node_modules/@s/leaf/lib/leaf.js");

    // Whoever made it was killed before it was complete.
    std::fs::remove_file(leaf.join(".lockstep-complete.json")).unwrap();
    damage(file.clone());
    machine.install(&machine.app("b"), &[]);
    assert_eq!(read(&file), "leaf");

    // The machine has lost its power.
    age_notes(&machine, "@s/leaf@1.0.0");
    damage(file.clone());
    machine.install(&machine.app("c"), &[]);
    assert_eq!(read(&file), "leaf");

    // It has lost it, and nothing is missing: that is looked into once.
    age_notes(&machine, "@s/leaf@1.0.0");
    std::fs::write(leaf.join("stays"), "").unwrap();
    machine.install(&machine.app("d"), &[]);
    assert!(leaf.join("stays").exists() && !read(leaf.join(".lockstep-complete.json")).contains("another"));

    // What is complete is not looked into, unless somebody asks for that.
    damage(file.clone());
    machine.install(&machine.app("e"), &[]);
    assert_eq!(read(&file), "");
    machine.install(&machine.dir.path().join("e"), &["--force"]);
    assert_eq!(read(&file), "leaf");
    assert_eq!(names(&machine.store().tmp_dir()), [""; 0]);
}

#[test]
fn the_setting_can_be_changed() {
    let machine = Machine::new();
    let dir = machine.project("a", json!({ "app": "1.0.0", "tool": "1.0.0" }), "");
    machine.install(&dir, &[]);
    let virtual_store = dir.join("node_modules/.pnpm");
    let own = ["@s+leaf@1.0.0", "app@1.0.0", "lock.yaml", "node_modules", "tool@1.0.0"];
    assert_eq!(names(&virtual_store), own);
    assert!(machine.entries("app@1.0.0").is_empty());
    machine.app("a");
    machine.install(&dir, &[]);
    assert_eq!(names(&virtual_store), ["lock.yaml", "node_modules"]);
    assert!(dir.join("node_modules/app/package.json").exists());
    assert!(!dir.join("node_modules/tool").exists(), "nobody asks for it any more");
    machine.project("a", json!({ "tool": "1.0.0" }), "");
    machine.install(&dir, &[]);
    assert_eq!(names(&virtual_store), ["lock.yaml", "tool@1.0.0"]);
    assert_eq!(names(&dir.join("node_modules")).iter().filter(|name| !name.starts_with('.')).count(), 1);
    assert_eq!(modules(&dir)["virtualStoreDir"], json!(".pnpm"));
}

#[test]
fn nothing_is_done_where_nothing_changed_and_everything_is_there() {
    let machine = Machine::new();
    let dir = machine.app("a");
    machine.install(&dir, &[]);
    says(&machine.install(&dir, &[]), &["Already up to date"]);
    std::fs::remove_dir_all(machine.store().links_dir()).unwrap();
    machine.install(&dir, &[]);
    assert!(dir.join("node_modules/app/package.json").exists());
}

#[test]
fn a_directory_and_what_leads_to_it_stay_the_project_s() {
    let machine = Machine::new();
    let dir = machine.project("a", json!({ "here": "file:here", "app": "1.0.0" }), ON);
    std::fs::create_dir_all(dir.join("here")).unwrap();
    project(&dir.join("here"), &json!({ "name": "here", "version": "1.0.0", "dependencies": { "tool": "1.0.0" } }));
    machine.install(&dir, &[]);
    assert_eq!(names(&dir.join("node_modules/.pnpm")), ["here@file+here", "lock.yaml", "node_modules"]);
    let tool = dir.join("node_modules/.pnpm/here@file+here/node_modules/tool");
    assert_eq!(std::fs::read_link(tool).unwrap(), machine.entry("tool@1.0.0").join("node_modules/tool"));
    assert_eq!(names(&machine.store().links_dir().join("@")), ["app", "tool"]);
}

#[test]
fn patterns_say_what_is_hoisted() {
    let machine = Machine::new();
    let dir = machine.project(
        "a",
        json!({ "app": "1.0.0" }),
        &format!("{ON}hoistPattern: ['@s/*']\npublicHoistPattern: [t*]\n"),
    );
    machine.install(&dir, &[]);
    assert_eq!(names(&dir.join("node_modules/.pnpm/node_modules")), ["@s"]);
    assert!(dir.join("node_modules/tool/package.json").exists() && dir.join("node_modules/.bin/tool").exists());
    machine.project("a", json!({ "app": "1.0.0" }), &format!("{ON}hoist: false\n"));
    machine.install(&dir, &[]);
    assert_eq!(names(&dir.join("node_modules/.pnpm")), ["lock.yaml"]);
    assert!(!dir.join("node_modules/tool").exists());
}

#[test]
fn a_patched_package_is_another_one() {
    let machine = Machine::new();
    let dependencies = json!({ "app": "1.0.0" });
    let plain = machine.project("plain", dependencies.clone(), ON);
    let patched =
        machine.project("patched", dependencies, &format!("{ON}patchedDependencies: {{'@s/leaf': leaf.patch}}\n"));
    let patch = "diff --git a/lib/leaf.js b/lib/leaf.js\n--- a/lib/leaf.js\n+++ b/lib/leaf.js\n@@ -1 +1 @@\n-leaf\n\\ No newline at end of file\n+patched\n";
    std::fs::write(patched.join("leaf.patch"), patch).unwrap();
    machine.install(&plain, &[]);
    machine.install(&patched, &[]);
    let leaf = |dir: &Path| read(dir.join("node_modules/app/../@s/leaf/lib/leaf.js"));
    assert_eq!((leaf(&plain).as_str(), leaf(&patched).as_str()), ("leaf", "patched\n"));
    // One that nobody knows to be whole is patched anew.
    age_notes(&machine, "@s/leaf@1.0.0");
    std::fs::remove_dir_all(patched.join("node_modules")).unwrap();
    machine.install(&patched, &[]);
    assert_eq!(leaf(&patched), "patched\n");
}

#[test]
fn pruning_takes_what_no_project_uses() {
    let machine = Machine::new();
    let (a, b) = (machine.app("a"), machine.project("b", json!({ "native": "1.0.0" }), ON));
    machine.install(&a, &[]);
    machine.install(&b, &[]);
    assert_eq!(names(&machine.store().projects_dir()).len(), 2);
    let text = machine.store_command(&a, "prune");
    assert!(text.contains("Removed 0 packages"), "{text}");

    std::fs::remove_dir_all(&b).unwrap();
    let text = machine.store_command(&a, "prune");
    assert!(text.contains("No project has a link to 1 package any more") && text.contains("- native@1.0.0"), "{text}");
    assert!(machine.entries("native@1.0.0").is_empty());
    assert_eq!(names(&machine.store().projects_dir()).len(), 1);
    for package in ["app@1.0.0", "@s/leaf@1.0.0", "tool@1.0.0"] {
        assert!(machine.entry(package).exists(), "used, if by way of another");
    }

    // Where an install did not end nobody wrote down which projects there are.
    std::fs::create_dir_all(a.join("packages/x/node_modules")).unwrap();
    std::fs::rename(a.join("node_modules/app"), a.join("packages/x/node_modules/app")).unwrap();
    std::fs::remove_dir_all(a.join("node_modules/.pnpm")).unwrap();
    machine.store_command(&a, "prune");
    for package in ["app@1.0.0", "@s/leaf@1.0.0", "tool@1.0.0"] {
        assert!(machine.entry(package).exists(), "used by one of them");
    }
    std::fs::remove_file(a.join("packages/x/node_modules/app")).unwrap();
    machine.store_command(&a, "prune");
    assert!(machine.entries("app@1.0.0").is_empty());
}

#[test]
fn nothing_is_pruned_while_an_install_runs() {
    let machine = Machine::new();
    let (a, b) = (machine.app("a"), machine.project("b", json!({ "native": "1.0.0" }), ON));
    machine.install(&a, &[]);
    std::fs::remove_dir_all(&a).unwrap();
    machine.registry.stall(&native().tarball_path());
    let mut waiting = machine.command(&b, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while names(&machine.store().projects_dir()).len() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let text = machine.store_command(machine.dir.path(), "prune");
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    assert!(text.contains("an install uses"), "{text}");
    assert!(machine.entry("app@1.0.0").exists());
    // Whoever is killed uses nothing any more.
    let text = machine.store_command(machine.dir.path(), "prune");
    assert!(text.contains("No project has a link to 3 packages any more"), "{text}");
}

#[test]
fn what_is_installed_is_where_it_is_said_to_be() {
    let machine = Machine::new();
    let dir = machine.app("a");
    machine.install(&dir, &[]);
    let output = run(&machine.registry, &dir, "list", &["--json", "--depth", "9"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let app = &listed[0]["dependencies"]["app"];
    assert_eq!(app["path"], json!(machine.entry("app@1.0.0").join("node_modules/app")));
    let leaf = &app["dependencies"]["@s/leaf"];
    assert_eq!(leaf["path"], json!(machine.entry("@s/leaf@1.0.0").join("node_modules/@s/leaf")));
}

#[test]
fn what_was_altered_is_made_anew_after_a_verification() {
    let machine = Machine::new();
    let dir = machine.app("a");
    machine.install(&dir, &[]);
    let file = machine.entry("@s/leaf@1.0.0").join("node_modules/@s/leaf/lib/leaf.js");
    assert!(machine.store_command(&dir, "verify").contains("Everything is as it was written"));
    std::fs::write(&file, "LEAF").unwrap();
    assert!(machine.store_command(&dir, "verify").contains("altered"), "it is a file of the store");
    machine.install(&machine.app("b"), &[]);
    assert_eq!(read(&file), "leaf");
    assert!(machine.store_command(&dir, "verify").contains("Everything is as it was written"));
}

#[test]
fn killed_at_any_moment_and_nothing_half_made_is_used() {
    let machine = Machine::new();
    let text = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let file = |number: usize| (text(format!("lib/{number}.js")), format!("{number}\n").repeat(50));
    for round in 0..6_u64 {
        let version = text(format!("2.0.{round}"));
        let fill =
            |package: Package| (0..80).map(file).fold(package, |package, (path, bytes)| package.file(path, bytes));
        let build = "echo 1 >> built; sleep 0.02; echo 2 >> built";
        machine.registry.publish(&[
            fill(Package::new("top", version).with("dependencies", json!({ "low": version, "tool": "1.0.0" }))),
            fill(Package::new("low", version).with("scripts", json!({ "postinstall": build }))),
        ]);
        let settings = format!("{ON}allowBuilds: {{low: true}}\n");
        // Each is killed a little later than the one before.
        for step in 0..15 {
            let dir = machine.project(&format!("killed{step}"), json!({ "top": version }), &settings);
            let mut install = machine.command(&dir, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(5 + step * 8 + round));
            let _ = install.kill();
            install.wait().unwrap();
        }
        let dir = machine.project("left-alone", json!({ "top": version }), &settings);
        machine.install(&dir, &[]);
        for name in ["top", "low"] {
            let package = dir.join("node_modules/top/..").join(name);
            (0..80).map(file).for_each(|(path, bytes)| assert_eq!(read(package.join(path)), bytes, "{name}"));
        }
        assert_eq!(read(dir.join("node_modules/top/../low/built")), "1\n2\n");
        assert!(dir.join("node_modules/top/node_modules/.bin/tool").exists());
    }
}
