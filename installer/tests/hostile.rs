//! What strangers can put into tarballs, packuments, lockfiles and settings to write where they may not, to be run, or to use up
//! the machine: each is refused with its reason, and nothing outside of the project and the store has changed.

use crate::support::{LocalRegistry, Package, failed, integrity, lockstep, project, says, succeeded, tarball};
use crate::tree::tree;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;

/// A project three directories down, so that a path that leads out of it lands where it is noticed.
struct Cage {
    outer: TempDir,
    registry: LocalRegistry,
}

impl Cage {
    fn new(manifest: &Value) -> Self {
        let cage = Cage { outer: tempfile::tempdir().unwrap(), registry: LocalRegistry::start() };
        std::fs::create_dir_all(cage.project()).unwrap();
        std::fs::write(cage.outer.path().join("precious"), "as it was").unwrap();
        project(&cage.project(), manifest);
        cage
    }

    /// A project that depends on `a` alone.
    fn for_a() -> Self {
        Cage::new(&json!({ "dependencies": { "a": "1" } }))
    }

    fn project(&self) -> PathBuf {
        self.outer.path().join("home/user/project")
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.project().join(name), text).unwrap();
    }

    /// Everything but what an install is there for: paths and what is there.
    fn outside(&self) -> BTreeMap<String, String> {
        let own = ["node_modules", "store", "pnpm-lock.yaml"].map(|name| format!("home/user/project/{name}"));
        let mut found = tree(self.outer.path());
        found.retain(|path, _| !own.iter().any(|own| path == own || path.starts_with(&format!("{own}/"))));
        found
    }

    /// Installs; it has to be refused with these words, and nothing else may have changed.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], words: &[&str]) {
        let before = self.outside();
        let text = failed(&lockstep(&self.registry, &self.project(), arguments));
        says(&text, words);
        assert!(!text.contains("panicked"), "{text}");
        assert_eq!(self.outside(), before, "{text}");
    }

    /// Installs; nothing else may have changed.
    #[track_caller]
    fn takes(&self) {
        let before = self.outside();
        succeeded(&lockstep(&self.registry, &self.project(), &[]));
        assert_eq!(self.outside(), before);
    }
}

/// A package `a` whose tarball has these entries, by their raw paths.
fn raw_tarball(entries: &[(&[u8], tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, kind, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

/// Publishes `a@1.0.0` with these bytes for a tarball, under their right integrity.
fn publish_bytes(registry: &LocalRegistry, bytes: &[u8]) {
    publish_manifest(registry, &json!({ "integrity": integrity(bytes) }), &json!({}));
    registry.answer("/a/-/a-1.0.0.tgz", 200, bytes.to_vec());
}

/// Publishes `a@1.0.0` with this in `dist`, and this in its manifest.
fn publish_manifest(registry: &LocalRegistry, dist: &Value, fields: &Value) {
    let mut version = json!({ "name": "a", "version": "1.0.0" });
    version["dist"] = json!({ "tarball": format!("{}a/-/a-1.0.0.tgz", registry.url) });
    version["dist"].as_object_mut().unwrap().extend(dist.as_object().unwrap().clone());
    version.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let packument = json!({ "name": "a", "dist-tags": { "latest": "1.0.0" }, "versions": { "1.0.0": version } });
    registry.answer("/a", 200, packument.to_string());
}

#[test]
fn tarballs_that_lead_out_of_their_package() {
    const FILE: tar::EntryType = tar::EntryType::Regular;
    let hostile: [(&[u8], tar::EntryType, &str); 8] = [
        (b"package/../../../../../escaped", FILE, "escaped"),
        (b"/escaped", FILE, "/escaped"),
        (b"package/..\\..\\escaped", FILE, "escaped"),
        (b"C:/escaped", FILE, "escaped"),
        (b"package/link", tar::EntryType::Symlink, "link or a device"),
        (b"package/link", tar::EntryType::Link, "link or a device"),
        (b"package/device", tar::EntryType::Char, "link or a device"),
        (b"package/device", tar::EntryType::Fifo, "link or a device"),
    ];
    for (path, kind, word) in hostile {
        let cage = Cage::for_a();
        publish_bytes(&cage.registry, &raw_tarball(&[(b"package/package.json", FILE, b"{}"), (path, kind, b"")]));
        cage.refuses(&[], &["a@1.0.0", word]);
        assert!(!cage.project().join("node_modules/a").exists());
    }
}

#[test]
fn tarballs_with_strange_names_are_taken_as_far_as_the_disk_can() {
    const FILE: tar::EntryType = tar::EntryType::Regular;
    let cage = Cage::for_a();
    let entries: [(&[u8], tar::EntryType, &[u8]); 7] = [
        (b"package/package.json", FILE, b"{}"),
        (b"package/twice", FILE, b"first"),
        (b"package/twice", FILE, b"last"),
        (b"package/Case", FILE, b"upper"),
        (b"package/case", FILE, b"lower"),
        (b"package/\xff\xfe", FILE, b"no UTF-8"),
        (b"package/node_modules/.bin/evil", FILE, b"#!/bin/sh"),
    ];
    publish_bytes(&cage.registry, &raw_tarball(&entries));
    cage.takes();
    let read = |name: &str| std::fs::read_to_string(cage.project().join("node_modules/a").join(name)).unwrap();
    assert_eq!((read("twice"), read("Case")), ("last".to_owned(), "upper".to_owned()));
    assert!(!cage.project().join("node_modules/.bin/evil").exists());
}

#[test]
fn a_file_that_is_a_directory_too() {
    const FILE: tar::EntryType = tar::EntryType::Regular;
    let cage = Cage::for_a();
    let entries: [(&[u8], tar::EntryType, &[u8]); 3] =
        [(b"package/package.json", FILE, b"{}"), (b"package/x", FILE, b"x"), (b"package/x/y", FILE, b"y")];
    publish_bytes(&cage.registry, &raw_tarball(&entries));
    cage.refuses(&[], &["a@1.0.0", "\"x\" both as a file and as a directory"]);
    assert!(!cage.project().join("node_modules/a").exists());
}

#[test]
fn a_name_that_no_disk_takes() {
    let cage = Cage::for_a();
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    archive.append_data(&mut header, format!("package/{}", "n".repeat(300)), &b"x"[..]).unwrap();
    publish_bytes(&cage.registry, &archive.into_inner().unwrap());
    cage.refuses(&[], &["a@1.0.0", "path is too long"]);
}

#[test]
fn a_small_tarball_that_unpacks_to_more_than_it_may() {
    let cage = Cage::for_a();
    let zeros = vec![0; 4 << 20];
    let bomb = tarball((0..10).map(|_| ("zeros", zeros.clone())));
    assert!(bomb.len() < 1 << 20);
    publish_bytes(&cage.registry, &bomb);
    cage.write(".npmrc", "tarball-unpacked-bytes-max=20000000\n");
    cage.refuses(&[], &["a@1.0.0", "more than 20000000 bytes", "tarball-unpacked-bytes-max"]);
    let cage = Cage::for_a();
    let many = tarball([("1", b"".to_vec()), ("2", b"".to_vec()), ("3", b"".to_vec())]);
    publish_bytes(&cage.registry, &many);
    cage.write(".npmrc", "tarball-files-max=2\n");
    cage.refuses(&[], &["a@1.0.0", "2 files"]);
    cage.write(".npmrc", "tarball-files-max=3\n");
    cage.takes();
    let cage = Cage::for_a();
    publish_bytes(&cage.registry, &tarball([("1/2/3", b"".to_vec())]));
    cage.write(".npmrc", "tarball-depth-max=1\n");
    cage.refuses(&[], &["a@1.0.0", "1/2/3", "more than 1 directories", "tarball-depth-max"]);
    cage.write(".npmrc", "tarball-depth-max=2\n");
    cage.takes();
}

/// Names that lead out of node_modules, or into what is the installer's own.
const NAMES: [&str; 6] = ["../../../../escaped", "..", ".bin", ".pnpm", "@s/../../../../../escaped", "a/b"];

#[test]
fn names_in_package_json() {
    for name in NAMES {
        let cage = Cage::new(&json!({ "dependencies": { name: "npm:b@1" } }));
        cage.registry.publish(&[Package::new("b", "1.0.0")]);
        cage.refuses(&[], &["cannot be the name of a package", name, "package.json"]);
        cage.refuses(&["--no-lockfile"], &["cannot be the name of a package", name]);
    }
}

#[test]
fn names_in_packuments() {
    for name in NAMES {
        for kind in ["dependencies", "optionalDependencies"] {
            let cage = Cage::for_a();
            cage.registry.publish(&[
                Package::new("b", "1.0.0"),
                Package::new("a", "1.0.0").with(kind, json!({ name: "npm:b@1" })),
            ]);
            cage.refuses(&[], &["cannot be the name of a package", name, "a@1.0.0"]);
            assert!(!cage.project().join("pnpm-lock.yaml").exists());
        }
    }
}

#[test]
fn names_in_lockfiles() {
    for name in NAMES {
        let cage = Cage::for_a();
        cage.registry.publish(&[
            Package::new("b", "1.0.0"),
            Package::new("a", "1.0.0").with("dependencies", json!({ "b": "1" })),
        ]);
        succeeded(&lockstep(&cage.registry, &cage.project(), &["--lockfile-only"]));
        let lockfile = std::fs::read_to_string(cage.project().join("pnpm-lock.yaml")).unwrap();
        // The alias under which `a` has `b`.
        cage.write("pnpm-lock.yaml", lockfile.replace("      b: 1.0.0", &format!("      '{name}': b@1.0.0")));
        cage.refuses(&["--frozen-lockfile"], &["cannot be the name of a package", name]);
        // The name of the package itself.
        cage.write(
            "pnpm-lock.yaml",
            lockfile
                .replace("  b@1.0.0:", &format!("  '{name}@1.0.0':"))
                .replace("      b: 1.0.0", &format!("      b: '{name}@1.0.0'")),
        );
        cage.refuses(&["--frozen-lockfile"], &[]);
    }
}

#[test]
fn tarball_urls_that_are_none_of_a_registry() {
    let urls = ["file:../../../secret.tgz", "file:///etc/passwd", "data:text/plain,x", "ftp://h/x.tgz", "nonsense"];
    for url in urls {
        let cage = Cage::for_a();
        std::fs::write(cage.outer.path().join("secret.tgz"), Package::new("a", "1.0.0").tarball()).unwrap();
        publish_manifest(&cage.registry, &json!({ "tarball": url }), &json!({}));
        cage.refuses(&[], &["a@1.0.0"]);
        cage.refuses(&["--frozen-lockfile"], &["a@1.0.0"]);
        assert!(!cage.project().join("node_modules/a").exists());
    }
}

#[test]
fn a_url_that_leads_elsewhere_has_to_have_the_same_bytes() {
    let (cage, elsewhere) = (Cage::for_a(), LocalRegistry::start());
    cage.registry.publish(&[Package::new("a", "1.0.0")]);
    succeeded(&lockstep(&cage.registry, &cage.project(), &["--lockfile-only"]));
    elsewhere.publish(&[Package::new("a", "1.0.0").file("evil.js", "")]);
    let lockfile = std::fs::read_to_string(cage.project().join("pnpm-lock.yaml")).unwrap();
    let url = format!(", tarball: {}a/-/a-1.0.0.tgz}}", elsewhere.url);
    cage.write("pnpm-lock.yaml", lockfile.replacen('}', &url, 1));
    cage.refuses(&["--frozen-lockfile"], &["a@1.0.0", "sha512-"]);
}

#[test]
fn commands_that_lead_out_of_their_package() {
    let cage = Cage::for_a();
    let bin = json!({ "../../evil": "x.js", "evil": "../../../../precious", ".hidden": "x.js", "ok": "/x.js", "a/../b": "x.js", "a\nb": "x.js" });
    cage.registry.publish(&[Package::new("a", "1.0.0").with("bin", bin).file("x.js", "#!/usr/bin/env node\n")]);
    cage.takes();
    let commands = std::fs::read_dir(cage.project().join("node_modules/.bin")).unwrap();
    let mut commands: Vec<_> = commands.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    commands.sort();
    // As npm has it: what comes before the last slash is dropped from a name, and a path begins at the package.
    assert_eq!(commands, ["b", "evil", "ok"]);
    let evil = std::fs::read_to_string(cage.project().join("node_modules/.bin/evil")).unwrap();
    assert!(evil.contains("/../a/x.js\"") && !evil.contains("precious"), "{evil}");
}

#[test]
fn packuments_that_are_none() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!("{{\"versions\":{deep}}}");
    for packument in ["[]", "", "null", "\"x\"", "{\"versions\":[1]}", "{\"versions\":{\"1.0.0\":7}}", &deep, &nested] {
        let cage = Cage::for_a();
        cage.registry.answer("/a", 200, packument.to_owned());
        cage.refuses(&[], &["a"]);
    }
    let huge = json!({ "name": ["a"], "version": 1e300, "dependencies": ["b"], "os": { "x": 1 }, "bin": [7], "engines": "node" });
    let cage = Cage::for_a();
    publish_manifest(&cage.registry, &json!({ "integrity": 7, "shasum": {}, "unpackedSize": 1e300 }), &huge);
    cage.registry.answer("/a/-/a-1.0.0.tgz", 200, tarball([("package.json", b"{}".to_vec())]));
    cage.takes();
}

#[test]
fn ranges_that_are_none() {
    for range in
        ["whatever", "latest", "not a range at all", ">=1 <", "999999999999999999999999", "\u{0}", "git+ssh://h/r.git"]
    {
        let cage = Cage::for_a();
        let lenient = json!({ "b": range, "c": range });
        cage.registry.publish(&[
            Package::new("a", "1.0.0")
                .with("peerDependencies", lenient.clone())
                .with("optionalDependencies", json!({ "d": range })),
            Package::new("b", "1.0.0"),
            Package::new("d", "1.0.0").with("engines", json!({ "node": range })).with("peerDependencies", lenient),
        ]);
        // Whether a peer of such a range can be had is for the registry to say.
        let output = lockstep(&cage.registry, &cage.project(), &[]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{range}: {}", String::from_utf8_lossy(&output.stderr));
        let _ = std::fs::remove_file(cage.project().join("pnpm-lock.yaml"));
        cage.registry.publish(&[Package::new("a", "1.0.0").with("dependencies", json!({ "no-such-package": range }))]);
        cage.refuses(&[], &["no-such-package"]);
        cage.refuses(&["--no-lockfile"], &["no-such-package"]);
    }
    let cage = Cage::new(&json!({ "dependencies": { "a": "no-such-tag" } }));
    cage.registry.publish(&[Package::new("a", "1.0.0")]);
    cage.refuses(&[], &["a", "no-such-tag"]);
    cage.refuses(&["--no-lockfile"], &["a", "no-such-tag"]);
}

#[test]
fn lockfiles_that_are_none() {
    let bomb = (1..40).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        let last = format!("*a{}, ", n - 1).repeat(9);
        format!("{text}a{n}: &a{n} [{last}]\n")
    });
    let deep = format!("packages: {}{}", "[".repeat(50_000), "]".repeat(50_000));
    let integrity = "importers:\n\n  .:\n    dependencies:\n      a:\n        specifier: '1'\n        version: 1.0.0\n\npackages:\n\n  \
                     a@1.0.0:\n    resolution: {integrity: sha512-none of this}\n\nsnapshots:\n\n  a@1.0.0: {}\n";
    for text in [&bomb, &deep, integrity, "importers: 7\n", "\u{0}\u{1}", "packages:\n  a@1.0.0: 7\n"] {
        let cage = Cage::for_a();
        // It is there to be had.
        cage.registry.publish(&[Package::new("a", "1.0.0")]);
        cage.write("pnpm-lock.yaml", format!("lockfileVersion: '9.0'\n{text}"));
        cage.refuses(&["--frozen-lockfile"], &[]);
    }
    let cage = Cage::for_a();
    cage.write("pnpm-lock.yaml", b"lockfileVersion: '9.0'\n\xff\xfe");
    cage.refuses(&["--frozen-lockfile"], &["pnpm-lock.yaml"]);
}

#[test]
fn settings_that_are_none() {
    for text in [&b"\xff\xfe=\x00"[..], b"=", b"[section\n]]]", b"registry", b"a\x00b=c", "ключ=значение".as_bytes()]
    {
        let cage = Cage::for_a();
        cage.registry.publish(&[Package::new("a", "1.0.0")]);
        cage.write(".npmrc", text);
        let before = cage.outside();
        let output = lockstep(&cage.registry, &cage.project(), &[]);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || (output.status.code() == Some(1) && words.contains(".npmrc")), "{words}");
        assert_eq!(cage.outside(), before);
    }
    let cage = Cage::for_a();
    cage.write("pnpm-workspace.yaml", format!("packages: {}{}", "[".repeat(50_000), "]".repeat(50_000)));
    cage.refuses(&[], &["pnpm-workspace.yaml"]);
}
