//! Peers in workspaces, as pnpm 12 finds and writes them: docs/pnpm-compat.md has what was run beside it.

use crate::support::{LocalRegistry, Package, failed, lockstep, modules, says, succeeded};
use crate::workspace::{link, lockfile, package, write};
use serde_json::{Value, json};
use tempfile::TempDir;

fn registry() -> LocalRegistry {
    let optional = json!({ "p": { "optional": true } });
    let registry = LocalRegistry::start();
    registry.publish(&[
        Package::new("p", "1.0.0"),
        Package::new("p", "2.0.0"),
        Package::new("p", "3.0.0"),
        Package::new("y", "1.0.0").with("peerDependencies", json!({ "p": "*" })),
        Package::new("yo", "1.0.0")
            .with("peerDependencies", json!({ "p": "*" }))
            .with("peerDependenciesMeta", optional),
        Package::new("x", "1.0.0").with("dependencies", json!({ "y": "1" })),
        Package::new("w", "1.0.0").with("dependencies", json!({ "x": "1" })),
        Package::new("r", "1.0.0"),
        Package::new("r", "1.1.0"),
        Package::new("r", "1.2.0"),
        Package::new("t", "1.0.0").with("dependencies", json!({ "r": "^1.0.0" })),
    ]);
    registry
}

/// A workspace of these projects: id and what it asks for, or a whole package.json.
fn workspace(projects: &[(&str, Value)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "pnpm-workspace.yaml", "packages: [packages/*]\n");
    for (id, asked) in projects {
        let name = id.rsplit('/').next().unwrap();
        let manifest = match asked.get("name").or(asked.get("private")) {
            Some(_) => asked.clone(),
            None => json!({ "name": name, "version": "1.0.0", "dependencies": asked }),
        };
        package(dir.path(), id, &manifest);
    }
    dir
}

fn has(dir: &TempDir, words: &str) {
    assert!(lockfile(dir).contains(words), "{words} is missing in:\n{}", lockfile(dir));
}

/// What a project's dependency came to, as the lockfile has it.
fn version(dir: &TempDir, id: &str, name: &str) -> String {
    let lockfile = lockfile(dir);
    let project = lockfile.split(&format!("\n  {id}:\n")).nth(1).unwrap();
    let dependency = project.split(&format!("\n      {name}:\n")).nth(1).unwrap();
    dependency.split("version: ").nth(1).unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn a_project_of_the_workspace_is_the_peer_of_packages() {
    let registry = registry();
    let dir = workspace(&[
        (".", json!({ "private": true })),
        ("packages/p", json!({ "name": "p", "version": "2.0.0" })),
        ("packages/a", json!({ "p": "workspace:*", "x": "1", "yo": "1" })),
        ("packages/b", json!({ "alias": "workspace:p@*", "y": "1" })),
        ("packages/c", json!({ "p": "link:../../out/.p.js", "y": "1" })),
        ("packages/d", json!({ "y": "1" })),
    ]);
    succeeded(&lockstep(&registry, dir.path(), &[]));
    has(&dir, "  x@1.0.0(p@packages+p):\n    dependencies:\n      y: 1.0.0(p@packages+p)\n");
    has(&dir, "  y@1.0.0(p@packages+p):\n    dependencies:\n      p: link:packages/p\n");
    has(&dir, "  yo@1.0.0(p@packages+p):\n    optionalDependencies:\n      p: link:packages/p\n");
    assert_eq!(version(&dir, "packages/b", "y"), "1.0.0(p@packages+p)");
    assert_eq!(version(&dir, "packages/c", "y"), "1.0.0(p@out+.p.js)");
    assert_eq!(version(&dir, "packages/d", "y"), "1.0.0(p@2.0.0)", "what others have is what it is given");
    let peer = |name: &str| format!("node_modules/.pnpm/{name}/node_modules/p");
    assert_eq!(link(&dir, &peer("y@1.0.0_p@packages+p")), "../../../../packages/p");
    assert_eq!(link(&dir, &peer("y@1.0.0_p@out+.p.js")), "../../../../out/.p.js");
    assert_eq!(link(&dir, &peer("y@1.0.0_p@2.0.0")), "../../p@2.0.0/node_modules/p");

    // The same from the lockfile, and nothing of it is taken for left over.
    let text = succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile", "--force"]));
    assert!(!text.contains("WARN"), "{text}");
    assert_eq!(link(&dir, &peer("y@1.0.0_p@packages+p")), "../../../../packages/p");
}

#[test]
fn what_the_root_links_to_is_a_peer_everywhere() {
    let dir = workspace(&[
        (".", json!({ "private": true, "dependencies": { "p": "workspace:*" } })),
        ("packages/p", json!({ "name": "p", "version": "1.0.0" })),
        ("packages/a", json!({ "y": "1" })),
    ]);
    succeeded(&lockstep(&registry(), dir.path(), &[]));
    assert_eq!(version(&dir, "packages/a", "y"), "1.0.0(p@packages+p)");
}

#[test]
fn a_version_that_only_the_workspace_has_gives_way_to_what_is_asked_for() {
    let dir = workspace(&[
        (".", json!({ "private": true })),
        ("packages/p", json!({ "name": "p", "version": "2.9.0" })),
        ("packages/a", json!({ "p": "workspace:*" })),
        ("packages/b", json!({ "y": "1" })),
        ("packages/c", json!({ "yo": "1" })),
    ]);
    succeeded(&lockstep(&registry(), dir.path(), &[]));
    assert_eq!(version(&dir, "packages/b", "y"), "1.0.0(p@3.0.0)");
}

#[test]
fn what_the_first_project_has_is_not_given_to_the_others_for_what_is_further_below() {
    // x is met first below b, which has p.
    let dir = workspace(&[
        (".", json!({ "private": true })),
        ("packages/a", json!({ "w": "1" })),
        ("packages/b", json!({ "p": "1.0.0", "x": "1" })),
    ]);
    succeeded(&lockstep(&registry(), dir.path(), &[]));
    assert_eq!(version(&dir, "packages/a", "w"), "1.0.0");
    has(&dir, "  w@1.0.0:\n    dependencies:\n      x: 1.0.0(p@1.0.0)\n");
    // Below a it is missing where it is met first, and so it is given to a.
    let dir = workspace(&[
        (".", json!({ "private": true })),
        ("packages/a", json!({ "w": "1" })),
        ("packages/b", json!({ "p": "1.0.0", "w": "1" })),
    ]);
    succeeded(&lockstep(&registry(), dir.path(), &[]));
    assert_eq!(version(&dir, "packages/a", "w"), "1.0.0(p@1.0.0)");
    // What a project asks for itself has no part in this.
    let dir = workspace(&[
        (".", json!({ "private": true })),
        ("packages/a", json!({ "p": "1.0.0", "y": "1" })),
        ("packages/b", json!({ "y": "1" })),
    ]);
    succeeded(&lockstep(&registry(), dir.path(), &[]));
    assert_eq!(version(&dir, "packages/b", "y"), "1.0.0(p@1.0.0)");
}

#[test]
fn what_another_project_asks_for_holds_nobody_back() {
    let projects = |peers: Value| {
        workspace(&[
            (".", json!({ "private": true })),
            ("packages/a", json!({ "r": "1.1.0" })),
            ("packages/b", json!({ "name": "b", "dependencies": { "t": "1" }, "peerDependencies": peers })),
        ])
    };
    let t = |dir: &TempDir, r: &str| has(dir, &format!("  t@1.0.0:\n    dependencies:\n      r: {r}\n"));
    let (registry, dir) = (registry(), projects(json!({})));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    t(&dir, "1.2.0");
    let dir = projects(json!({ "r": "^1.0.0" }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    t(&dir, "1.1.0");
    let dir = projects(json!({}));
    write(dir.path(), "pnpm-workspace.yaml", "packages: [packages/*]\nautoDedupe: true\n");
    succeeded(&lockstep(&registry, dir.path(), &[]));
    t(&dir, "1.1.0");
}

#[test]
fn projects_are_among_what_is_hoisted() {
    let dir = workspace(&[
        (".", json!({ "private": true })),
        ("packages/a", json!({ "name": "@s/a", "dependencies": { "r": "1.0.0" } })),
    ]);
    succeeded(&lockstep(&registry(), dir.path(), &[]));
    let expected = json!({ "packages/a": { "@s/a": "private" }, "r@1.0.0": { "r": "private" } });
    assert_eq!(modules(dir.path())["hoistedDependencies"], expected);
}

#[test]
fn a_frozen_install_does_without_what_is_optional_and_has_no_version() {
    let (registry, dir) = (registry(), tempfile::tempdir().unwrap());
    package(dir.path(), ".", &json!({ "optionalDependencies": { "p": "9", "r": "1" } }));
    says(&succeeded(&lockstep(&registry, dir.path(), &[])), &["left out p@9"]);
    std::fs::remove_dir_all(dir.path().join("node_modules")).unwrap();
    succeeded(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    assert!(dir.path().join("node_modules/r").exists() && !dir.path().join("node_modules/p").exists());
    package(dir.path(), ".", &json!({ "optionalDependencies": { "p": "9", "r": "1" }, "dependencies": { "t": "1" } }));
    let text = failed(&lockstep(&registry, dir.path(), &["--frozen-lockfile"]));
    says(&text, &["added: t@1"]);
    assert!(!text.contains("p@9"), "{text}");
    // Where the lockfile may change, what is new is looked for.
    package(dir.path(), ".", &json!({ "optionalDependencies": { "p": "2", "r": "1" } }));
    succeeded(&lockstep(&registry, dir.path(), &[]));
    assert_eq!(link(&dir, "node_modules/p"), ".pnpm/p@2.0.0/node_modules/p");
}
