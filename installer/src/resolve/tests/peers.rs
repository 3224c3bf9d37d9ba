//! Variants of packages, and peers that are missing.

use super::*;

#[test]
fn a_package_has_a_variant_for_each_set_of_peers() {
    let memory = Memory::default()
        .with("react", "17.0.0", json!({}))
        .with("react", "18.0.0", json!({}))
        .with("hooks", "1.0.0", json!({ "peerDependencies": { "react": "*" } }))
        .with("old-app", "1.0.0", json!({ "dependencies": { "react": "^17.0.0", "hooks": "^1.0.0" } }));
    let project = json!({ "dependencies": { "react": "^18.0.0", "hooks": "^1.0.0", "old-app": "^1.0.0" } });
    let lockfile = lock(&memory, &project);
    let expected =
        ["hooks@1.0.0(react@17.0.0)", "hooks@1.0.0(react@18.0.0)", "old-app@1.0.0", "react@17.0.0", "react@18.0.0"];
    assert_eq!(snapshots(&lockfile), expected);
    assert_eq!(lockfile.importers["."].dependencies["hooks"].version, "1.0.0(react@18.0.0)");
    assert_eq!(lockfile.snapshots["old-app@1.0.0"].dependencies["hooks"], "1.0.0(react@17.0.0)");
}

#[test]
fn peers_nest_and_bubble_up() {
    let memory = Memory::default()
        .with("c", "1.0.0", json!({}))
        .with("p", "1.0.0", json!({ "peerDependencies": { "c": "*" } }))
        .with("x", "1.0.0", json!({ "peerDependencies": { "p": "*", "o": "*" }, "peerDependenciesMeta": { "o": { "optional": true } } }))
        .with("w", "1.0.0", json!({ "dependencies": { "x": "1" } }))
        .with("o", "1.0.0", json!({}));
    let lockfile = lock(&memory, &json!({ "dependencies": { "c": "1", "p": "1", "w": "1" } }));
    let expected = ["c@1.0.0", "p@1.0.0(c@1.0.0)", "w@1.0.0(p@1.0.0(c@1.0.0))", "x@1.0.0(p@1.0.0(c@1.0.0))"];
    assert_eq!(snapshots(&lockfile), expected);
    assert_eq!(lockfile.snapshots["w@1.0.0(p@1.0.0(c@1.0.0))"].transitive_peer_dependencies, ["o", "p"]);
}

#[test]
fn peers_in_a_cycle_end() {
    let memory = Memory::default().with("a", "1.0.0", json!({ "peerDependencies": { "b": "*" } })).with(
        "b",
        "1.0.0",
        json!({ "peerDependencies": { "a": "*" } }),
    );
    let lockfile = lock(&memory, &json!({ "dependencies": { "a": "1", "b": "1" } }));
    assert_eq!(snapshots(&lockfile), ["a@1.0.0(b@1.0.0)", "b@1.0.0(a@1.0.0)"]);
}

#[test]
fn peers_are_left_out_where_the_setting_says_so() {
    let memory = Memory::default()
        .with("a", "1.0.0", json!({ "peerDependencies": { "host": "*", "other": "*" } }))
        .with("host", "1.0.0", json!({}))
        .with("other", "1.0.0", json!({}));
    let project = json!({ "dependencies": { "a": "1", "host": "1" }, "peerDependencies": { "other": "*" } });
    for (auto_install_peers, expected) in [(true, 3), (false, 2)] {
        let workspace =
            workspace_of(&[(ROOT, &project)], &ProjectSettings { auto_install_peers, ..Default::default() });
        let heard = Heard::default();
        let request = ResolveRequest {
            workspace: &workspace,
            packuments: &memory,
            foreign: &Nowhere,
            previous: None,
            hook: &heard,
        };
        let lockfile = run(resolve(request)).unwrap();
        assert_eq!(lockfile.packages.len(), expected, "{}", lockfile.to_yaml());
        assert_eq!(lockfile.settings.auto_install_peers, auto_install_peers);
        assert!(lockfile.importers["."].dependencies["a"].version.contains("(host@1.0.0)"));
    }
}

#[test]
fn a_chain_of_packages_may_be_long() {
    const LENGTH: usize = 5_000;
    let name = |number: usize| format!("p{number:05}");
    let mut memory = Memory::default().with("host", "1.0.0", json!({}));
    for number in 0..LENGTH {
        memory = memory.with(&name(number), "1.0.0", json!({ "dependencies": { name(number + 1): "1" } }));
    }
    memory = memory.with(&name(LENGTH), "1.0.0", json!({ "peerDependencies": { "host": "1" } }));
    let lockfile = lock(&memory, &json!({ "dependencies": { name(0): "1", "host": "1" } }));
    assert_eq!(lockfile.snapshots.len(), LENGTH + 2);
    assert!(lockfile.snapshots.contains_key(&format!("{}@1.0.0(host@1.0.0)", name(LENGTH / 2))));
}

#[test]
fn a_cycle_of_packages_is_cut_at_the_same_place_wherever_it_is_entered() {
    let memory = Memory::default()
        .with("a", "1.0.0", json!({ "dependencies": { "b": "1" } }))
        .with("b", "1.0.0", json!({ "dependencies": { "c": "1" }, "peerDependencies": { "host": "*" } }))
        .with("c", "1.0.0", json!({ "dependencies": { "a": "1" } }))
        .with("host", "1.0.0", json!({}));
    let of = |first: &str| {
        let lockfile = lock(&memory, &json!({ "dependencies": { first: "1", "host": "1" } }));
        lockfile.snapshots.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(of("a").len(), 4);
    assert_eq!(of("a"), of("b"));
    assert_eq!(of("a"), of("c"));
}

#[test]
fn a_peer_that_nobody_has_is_given_to_the_project() {
    let memory = Memory::default()
        .with("a", "1.0.0", json!({ "dependencies": { "b": "1" }, "peerDependencies": { "host": "^1.0.0" } }))
        .with("b", "1.0.0", json!({ "peerDependencies": { "host": "*" } }))
        .with("host", "1.0.0", json!({ "dependencies": { "d": "1" } }))
        .with("host", "2.0.0", json!({}))
        .with(
            "d",
            "1.0.0",
            json!({ "peerDependencies": { "opt": "*" }, "peerDependenciesMeta": { "opt": { "optional": true } } }),
        )
        .with("e", "1.0.0", json!({ "dependencies": { "opt": "1" } }))
        .with("opt", "1.0.0", json!({}));
    let lockfile = lock(&memory, &json!({ "dependencies": { "a": "1" } }));
    assert_eq!(snapshots(&lockfile), ["a@1.0.0(host@1.0.0)", "b@1.0.0(host@1.0.0)", "d@1.0.0", "host@1.0.0"]);
    assert_eq!(lockfile.importers["."].dependencies.len(), 1, "the project does not ask for it");
    let lockfile = lock(&memory, &json!({ "dependencies": { "a": "1", "e": "1" } }));
    assert!(
        snapshots(&lockfile).contains(&"d@1.0.0(opt@1.0.0)"),
        "the graph has it anyway: {:?}",
        snapshots(&lockfile)
    );
}

#[test]
fn a_peer_that_no_registry_can_have_stays_missing() {
    let memory = Memory::default().with("a", "1.0.0", json!({ "peerDependencies": { "host": "workspace:^" } }));
    assert_eq!(snapshots(&lock(&memory, &json!({ "dependencies": { "a": "1" } }))), ["a@1.0.0"]);
}

#[test]
fn a_variant_gives_way_to_one_that_has_all_of_its_peers_and_more() {
    let memory = Memory::default()
        .with(
            "tool",
            "1.0.0",
            json!({ "peerDependencies": { "opt": "1" }, "peerDependenciesMeta": { "opt": { "optional": true } } }),
        )
        .with("opt", "1.0.0", json!({}))
        .with("opt", "2.0.0", json!({}))
        .with("a", "1.0.0", json!({ "dependencies": { "tool": "1", "opt": "1" } }))
        .with("b", "1.0.0", json!({ "dependencies": { "tool": "1" } }));
    let project = json!({ "dependencies": { "a": "1", "b": "1" } });
    assert!(snapshots(&lock(&memory, &project)).contains(&"b@1.0.0(opt@1.0.0)"));
}

#[test]
fn a_dependency_that_is_a_peer_too_is_a_peer_alone_where_it_stands_above() {
    let optional = json!({ "ajv": { "optional": true } });
    let formats = json!({ "dependencies": { "ajv": "^8" }, "peerDependencies": { "ajv": "^8" }, "peerDependenciesMeta": optional });
    let memory = Memory::default()
        .with("ajv", "6.0.0", json!({}))
        .with("ajv", "8.0.0", json!({}))
        .with("formats", "1.0.0", formats)
        .with("keywords", "1.0.0", json!({ "peerDependencies": { "ajv": "^8" } }))
        .with("schema", "1.0.0", json!({ "dependencies": { "ajv": "^8", "formats": "1" } }))
        .with("other", "1.0.0", json!({ "dependencies": { "ajv": "^8", "keywords": "1" } }))
        .with("loader", "1.0.0", json!({ "peerDependencies": { "schema": "1" } }));
    let below = lock(&memory, &json!({ "dependencies": { "schema": "1" } }));
    assert_eq!(
        snapshots(&below),
        ["ajv@8.0.0", "formats@1.0.0", "schema@1.0.0"],
        "what stands beside it does not count"
    );
    assert_eq!(below.snapshots["formats@1.0.0"].dependencies["ajv"], "8.0.0");
    assert_eq!(below.packages["formats@1.0.0"].peer_dependencies["ajv"], "^8");
    let beside = lock(&memory, &json!({ "dependencies": { "schema": "1", "ajv": "6" } }));
    let expected = ["ajv@6.0.0", "ajv@8.0.0", "formats@1.0.0(ajv@8.0.0)", "schema@1.0.0"];
    assert_eq!(snapshots(&beside), expected);
    // What the project is given stands below all peers that were found for others.
    let given = lock(&memory, &json!({ "dependencies": { "loader": "1", "other": "1" } }));
    assert!(snapshots(&given).contains(&"formats@1.0.0(ajv@8.0.0)"), "{:?}", snapshots(&given));
}

/// As in pnpm; Nuxt's jiti and that of tailwindcss showed it.
#[test]
fn of_two_that_are_peers_somewhere_the_last_counts_as_the_project_s_and_development_comes_first() {
    let memory = two_that_bring_a_peer();
    let of = |dependencies: &[&str], dev: &[&str]| {
        let all = |names: &[&str]| names.iter().map(|name| (name.to_string(), "1")).collect::<BTreeMap<_, _>>();
        let project = json!({ "dependencies": all(dependencies), "devDependencies": all(dev) });
        let lockfile = lock(&memory, &project);
        snapshots(&lockfile).into_iter().find(|dep_path| dep_path.starts_with("other-user")).unwrap().to_owned()
    };
    assert_eq!(of(&["a", "b", "other-user"], &[]), "other-user@1.0.0(lib@2.0.0)");
    assert_eq!(of(&["a", "other-user"], &["b"]), "other-user@1.0.0(lib@1.0.0)");
    assert_eq!(of(&["other-user"], &["a", "b"]), "other-user@1.0.0(lib@2.0.0)");
}

/// As in pnpm; Nuxt in several orders showed it.
#[test]
fn those_of_one_kind_come_as_package_json_has_them_and_the_project_s_own_peers_first() {
    let memory = two_that_bring_a_peer();
    for (text, lib) in [
        (r#"{"dependencies":{"a":"1","other-user":"1","b":"1"}}"#, "2.0.0"),
        (r#"{"dependencies":{"other-user":"1","b":"1","a":"1"}}"#, "1.0.0"),
        (r#"{"dependencies":{"b":"1","a":"1","other-user":"1"},"peerDependencies":{"a":"1"}}"#, "2.0.0"),
    ] {
        let manifest = Manifest::parse(text.as_bytes(), Path::new("package.json")).unwrap();
        let settings = ProjectSettings::default();
        let workspace = Workspace::new(Path::new("/p"), [(ROOT.to_owned(), manifest)].into(), &settings).unwrap();
        let (packuments, hook) = (&memory, &Heard::default());
        let request = ResolveRequest { workspace: &workspace, packuments, foreign: &Nowhere, previous: None, hook };
        let lockfile = run(resolve(request)).unwrap();
        assert!(lockfile.snapshots.contains_key(&format!("other-user@1.0.0(lib@{lib})")), "{text}");
    }
}

/// Two packages that bring a library and its user, and another user.
fn two_that_bring_a_peer() -> Memory {
    let optional = json!({ "lib": { "optional": true } });
    let user = json!({ "peerDependencies": { "lib": "*" }, "peerDependenciesMeta": optional });
    let brings = |version: &str| json!({ "dependencies": { "lib": version, "user": "1" } });
    Memory::default()
        .with("lib", "1.0.0", json!({}))
        .with("lib", "2.0.0", json!({}))
        .with("user", "1.0.0", user.clone())
        .with("other-user", "1.0.0", user)
        .with("a", "1.0.0", brings("1.0.0"))
        .with("b", "1.0.0", brings("2.0.0"))
}

/// pnpm/pnpm#12079: the plugin and the parser that it gets have to agree on their peer.
#[test]
fn a_peer_has_the_peers_that_stand_beside_whoever_needs_both() {
    let memory = || {
        Memory::default()
            .with("ts", "1.0.0", json!({}))
            .with("ts", "2.0.0", json!({}))
            .with("parser", "1.0.0", json!({ "peerDependencies": { "ts": "*" } }))
            .with("plugin", "1.0.0", json!({ "peerDependencies": { "parser": "*", "ts": "*" } }))
            .with("between", "1.0.0", json!({ "dependencies": { "plugin": "1" } }))
            .with("parser-alone", "1.0.0", json!({ "peerDependencies": { "parser": "*" } }))
    };
    let project = json!({ "dependencies": { "ts": "2.0.0", "parser": "1", "preset": "1" } });
    for (needed, dep_path) in [
        ("plugin", "plugin@1.0.0(parser@1.0.0(ts@1.0.0))(ts@1.0.0)"),
        ("between", "between@1.0.0(parser@1.0.0(ts@1.0.0))(ts@1.0.0)"),
        // It does not mind which ts its parser has: the one above will do.
        ("parser-alone", "parser-alone@1.0.0(parser@1.0.0(ts@2.0.0))"),
    ] {
        let preset = json!({ "dependencies": { "ts": "1.0.0", "parser": "1", needed: "1" } });
        let lockfile = lock(&memory().with("preset", "1.0.0", preset), &project);
        assert!(snapshots(&lockfile).contains(&dep_path), "{needed}: {:?}", snapshots(&lockfile));
    }
}
