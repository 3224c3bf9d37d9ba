//! Resolution against a registry in memory.

mod peers;

use super::{
    Detail, ForeignPackage, ForeignPackages, ForeignSource, OnResolved, PackumentError, Packuments, ResolveError,
    ResolveRequest, ResolveWarning, ResolvedTarball, resolve,
};
use crate::config::ProjectSettings;
use crate::lockfile::{Lockfile, satisfies};
use crate::manifest::{Manifest, texts_of};
use crate::registry::Document;
use crate::rt;
use crate::workspace::{ROOT, Workspace};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const REGISTRY: &str = "http://registry.test";

/// Packages by name: each version with the fields that matter to a test.
#[derive(Default)]
struct Memory {
    packages: BTreeMap<String, BTreeMap<String, Value>>,
    tags: BTreeMap<String, Value>,
    /// Packuments answer in the order of this function of their names.
    delay_ms: Option<fn(&str) -> u64>,
    broken: Option<&'static str>,
}

impl Memory {
    fn with(mut self, name: &str, version: &str, fields: Value) -> Self {
        let base = name.rsplit('/').next().unwrap();
        let mut value = json!({
            "name": name, "version": version,
            "dist": { "tarball": format!("{REGISTRY}/{name}/-/{base}-{version}.tgz"), "integrity": format!("sha512-{base}{version}") },
        });
        value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.packages.entry(name.to_owned()).or_default().insert(version.to_owned(), value);
        self.tags.insert(name.to_owned(), json!({ "latest": version }));
        self
    }

    fn tagged(mut self, name: &str, tags: Value) -> Self {
        self.tags.insert(name.to_owned(), tags);
        self
    }
}

#[async_trait(?Send)]
impl Packuments for Memory {
    async fn packument(&self, name: &str, _detail: Detail) -> Result<Document, PackumentError> {
        if let Some(delay_ms) = self.delay_ms {
            rt::sleep(Duration::from_millis(delay_ms(name))).await;
        }
        if self.broken == Some(name) {
            return Err(PackumentError::Failed(Arc::new(miette::MietteDiagnostic::new("no route to host"))));
        }
        let versions = self.packages.get(name).ok_or(PackumentError::NotFound)?;
        let packument = json!({ "name": name, "dist-tags": self.tags[name], "versions": versions });
        Ok(Document::parse(packument.to_string().as_bytes()).unwrap())
    }

    fn registry(&self, _name: &str) -> String {
        REGISTRY.to_owned()
    }
}

/// No test here has such packages.
struct Nowhere;

#[async_trait(?Send)]
impl ForeignPackages for Nowhere {
    async fn open(&self, alias: &str, source: &ForeignSource) -> Result<ForeignPackage, ResolveError> {
        panic!("{alias} is not at {source:?}")
    }

    async fn manifest_in(&self, _path: &str) -> Value {
        Value::Null
    }
}

#[derive(Default)]
struct Heard {
    tarballs: Mutex<Vec<ResolvedTarball>>,
    warnings: Mutex<Vec<ResolveWarning>>,
}

impl OnResolved for Heard {
    fn on_resolved(&self, tarball: ResolvedTarball) {
        self.tarballs.lock().unwrap().push(tarball);
    }

    fn on_warning(&self, warning: ResolveWarning) {
        self.warnings.lock().unwrap().push(warning);
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// One project; its `settings` are those of a pnpm-workspace.yaml.
fn workspace(project: &Value) -> Workspace {
    let settings = ProjectSettings { overrides: texts_of(&project["settings"]["overrides"]), ..Default::default() };
    workspace_of(&[(ROOT, project)], &settings)
}

fn workspace_of(projects: &[(&str, &Value)], settings: &ProjectSettings) -> Workspace {
    let parse = |value: &Value| Manifest::parse(value.to_string().as_bytes(), Path::new("package.json")).unwrap();
    let manifests = projects.iter().map(|(id, project)| (id.to_string(), parse(project))).collect();
    Workspace::new(Path::new("/p"), manifests, settings).unwrap()
}

fn try_resolve(
    memory: &Memory,
    project: &Value,
    previous: Option<&Lockfile>,
) -> (Result<Lockfile, ResolveError>, Heard) {
    let heard = Heard::default();
    let workspace = workspace(project);
    let request =
        ResolveRequest { workspace: &workspace, packuments: memory, foreign: &Nowhere, previous, hook: &heard };
    (run(resolve(request)), heard)
}

/// The lockfile, checked to satisfy its manifest and to survive being written.
fn lock(memory: &Memory, project: &Value) -> Lockfile {
    let lockfile = try_resolve(memory, project, None).0.unwrap();
    let read = Lockfile::parse(&lockfile.to_yaml(), Path::new("pnpm-lock.yaml")).unwrap();
    assert_eq!(read, lockfile);
    lockfile
}

fn snapshots(lockfile: &Lockfile) -> Vec<&str> {
    lockfile.snapshots.keys().map(String::as_str).collect()
}

#[test]
fn a_simple_graph() {
    let memory = Memory::default()
        .with("a", "1.0.0", json!({ "dependencies": { "b": "^1.0.0" }, "bin": "a.js", "engines": { "node": ">=18" } }))
        .with("b", "1.0.0", json!({}))
        .with("b", "1.2.0", json!({ "dist": { "tarball": "http://elsewhere.test/b.tgz", "shasum": "00ff" } }))
        .with("b", "2.0.0", json!({}));
    let project = json!({ "dependencies": { "a": "^1.0.0" } });
    let (lockfile, heard) = try_resolve(&memory, &project, None);
    let lockfile = lockfile.unwrap();
    satisfies(&lockfile, &workspace(&project)).unwrap();
    let expected = "lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      a:
        specifier: ^1.0.0
        version: 1.0.0

packages:

  a@1.0.0:
    resolution: {integrity: sha512-a1.0.0}
    engines: {node: '>=18'}
    hasBin: true

  b@1.2.0:
    resolution: {integrity: sha1-AP8=, tarball: http://elsewhere.test/b.tgz}

snapshots:

  a@1.0.0:
    dependencies:
      b: 1.2.0

  b@1.2.0: {}
";
    assert_eq!(lockfile.to_yaml(), expected);
    let heard = heard.tarballs.into_inner().unwrap();
    let heard: Vec<_> =
        heard.iter().map(|tarball| (tarball.package.to_string(), tarball.tarball_url.as_str())).collect();
    let url = "http://registry.test/a/-/a-1.0.0.tgz";
    assert_eq!(heard, [("a@1.0.0".to_owned(), url), ("b@1.2.0".to_owned(), "http://elsewhere.test/b.tgz")]);
}

#[test]
fn optional_dependencies_that_are_not_there_are_left_out() {
    let memory = Memory::default()
        .with("a", "1.0.0", json!({ "dependencies": { "gone": "1" }, "optionalDependencies": { "gone": "1", "b": "^9.0.0", "c": "1", "git": "git+ssh://h/r.git" } }))
        .with("b", "1.0.0", json!({}))
        .with("c", "1.0.0", json!({ "os": ["darwin"], "libc": ["musl"] }));
    let project = json!({ "dependencies": { "a": "1" }, "optionalDependencies": { "lost": "1" } });
    let (lockfile, heard) = try_resolve(&memory, &project, None);
    let lockfile = lockfile.unwrap();
    assert_eq!(snapshots(&lockfile), ["a@1.0.0", "c@1.0.0"]);
    assert!(lockfile.snapshots["c@1.0.0"].optional && !lockfile.snapshots["a@1.0.0"].optional);
    assert_eq!(lockfile.snapshots["a@1.0.0"].optional_dependencies["c"], "1.0.0");
    assert_eq!(
        (&*lockfile.packages["c@1.0.0"].os, &*lockfile.packages["c@1.0.0"].libc),
        (&["darwin".to_owned()][..], &["musl".to_owned()][..])
    );
    let warnings: Vec<_> = heard.warnings.into_inner().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
    assert_eq!(warnings[0], "left out b@^9.0.0, optional dependency of a@1.0.0: there is no such version");
    let of_hook = heard.tarballs.into_inner().unwrap();
    assert_eq!(of_hook.iter().filter(|tarball| tarball.package.name == "a").count(), 1);
    assert_eq!(of_hook.iter().find(|tarball| tarball.package.name == "c").unwrap().libc, ["musl"]);
}

#[test]
fn what_is_needed_and_not_there_is_an_error() {
    let memory = Memory::default()
        .with("a", "1.0.0", json!({ "dependencies": { "b": "^9.0.0" } }))
        .with("b", "1.0.0", json!({}))
        .with("c", "1.0.0", json!({ "dependencies": { "gone": "1" } }))
        .with("d", "1.0.0", json!({ "dependencies": { "git": "github:o/r" } }));
    let error = |name: &str| try_resolve(&memory, &json!({ "dependencies": { name: "1" } }), None).0.unwrap_err();
    let missing_version = error("a");
    assert_eq!(missing_version.to_string(), "no version of b matches ^9.0.0, required by a@1.0.0");
    let help = miette::Diagnostic::help(&missing_version).unwrap().to_string();
    assert_eq!(help, "its tags are latest: 1.0.0; the newest versions are 1.0.0");
    assert_eq!(error("c").to_string(), "there is no package gone at http://registry.test, required by c@1.0.0");
    assert_eq!(error("d").to_string(), "cannot install git from github:o/r, required by d@1.0.0");
    assert_eq!(error("e").to_string(), "there is no package e at http://registry.test, required by package.json");
}

#[test]
fn a_failure_of_the_registry_is_never_taken_for_a_missing_package() {
    let memory = Memory { broken: Some("o"), ..Memory::default() };
    let memory = memory.with("a", "1.0.0", json!({ "optionalDependencies": { "o": "1" } }));
    let error = try_resolve(&memory, &json!({ "dependencies": { "a": "1" } }), None).0.unwrap_err();
    assert_eq!(error.to_string(), "cannot load the packument of o");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no route to host");
}

#[test]
fn aliases_tags_and_overrides() {
    let memory = Memory::default()
        .with("react", "17.0.0", json!({ "dependencies": { "own": "npm:@s/dep@^1.0.0", "@s/dep": "^1.0.0" } }))
        .with("react", "18.0.0", json!({}))
        .with("@s/dep", "1.0.0", json!({}))
        .with("@s/dep", "1.1.0", json!({}))
        .with("t", "1.0.0", json!({}))
        .with("t", "2.0.0-rc.1", json!({}))
        .tagged("t", json!({ "latest": "1.0.0", "next": "2.0.0-rc.1" }));
    let project = json!({
        "dependencies": { "react17": "npm:react@^17.0.0", "react": "latest", "t": "next" },
        "settings": { "overrides": { "@s/dep": "1.0.0", "react@18>never": "-" } },
    });
    let lockfile = lock(&memory, &project);
    let direct = &lockfile.importers["."].dependencies;
    assert_eq!((&*direct["react17"].version, &*direct["react17"].specifier), ("react@17.0.0", "npm:react@^17.0.0"));
    assert_eq!((&*direct["react"].version, &*direct["t"].version), ("18.0.0", "2.0.0-rc.1"));
    let react17 = &lockfile.snapshots["react@17.0.0"].dependencies;
    assert_eq!((&*react17["@s/dep"], &*react17["own"]), ("1.0.0", "@s/dep@1.1.0"), "an override is about a name");
}

#[test]
fn versions_of_the_previous_lockfile_are_kept_where_they_fit() {
    let old = Memory::default()
        .with("a", "1.0.0", json!({ "dependencies": { "b": "^1.0.0" } }))
        .with("b", "1.0.0", json!({}))
        .with("c", "1.0.0", json!({}));
    let project = json!({ "dependencies": { "a": "^1.0.0", "c": "^1.0.0" } });
    let previous = lock(&old, &project);
    let new = old
        .with("a", "1.5.0", json!({ "dependencies": { "b": "^1.0.0" } }))
        .with("b", "1.5.0", json!({}))
        .with("c", "1.5.0", json!({}))
        .with("d", "1.0.0", json!({ "dependencies": { "b": "^1.0.0", "c": "^1.2.0" } }));
    let project = json!({ "dependencies": { "a": "^1.0.0", "c": "^1.0.0", "d": "^1.0.0" } });
    let kept = try_resolve(&new, &project, Some(&previous)).0.unwrap();
    assert_eq!(kept.importers["."].dependencies["a"].version, "1.0.0");
    assert_eq!(kept.snapshots["d@1.0.0"].dependencies["b"], "1.0.0");
    assert_eq!(kept.snapshots["d@1.0.0"].dependencies["c"], "1.5.0");
    assert_eq!(snapshots(&lock(&new, &project)), ["a@1.5.0", "b@1.5.0", "c@1.5.0", "d@1.0.0"]);
}

#[test]
fn the_order_of_answers_has_no_part_in_the_result() {
    let memory = |delay_ms: Option<fn(&str) -> u64>| {
        Memory { delay_ms, ..Memory::default() }
            .with(
                "a",
                "1.0.0",
                json!({ "dependencies": { "x": "1", "m": "^1.0.0" }, "optionalDependencies": { "no": "1" } }),
            )
            .with("b", "1.0.0", json!({ "dependencies": { "y": "1", "m": "1.0.0" } }))
            .with("m", "1.0.0", json!({}))
            .with("m", "1.1.0", json!({}))
            .with("x", "1.0.0", json!({ "peerDependencies": { "m": "*" }, "optionalDependencies": { "nope": "1" } }))
            .with("y", "1.0.0", json!({ "dependencies": { "x": "1", "a": "1" } }))
    };
    let project = json!({ "dependencies": { "a": "1", "b": "1" } });
    let orders: [fn(&str) -> u64; 3] = [
        |name| u64::from(name.as_bytes()[0] - b'a'),
        |name| u64::from(b'z' - name.as_bytes()[0]),
        |name| u64::from(name.as_bytes()[0]) * 7 % 13,
    ];
    let expected = lock(&memory(None), &project).to_yaml();
    for order in orders {
        assert_eq!(lock(&memory(Some(order)), &project).to_yaml(), expected);
    }
}

#[test]
fn the_projects_of_a_workspace_are_solved_together() {
    let memory = Memory::default()
        .with("host", "1.0.0", json!({}))
        .with("host", "2.0.0", json!({}))
        .with("plugin", "1.0.0", json!({ "peerDependencies": { "host": "*", "shared": "*" } }))
        .with("shared", "1.0.0", json!({}));
    let root = json!({ "name": "root", "dependencies": { "shared": "1.0.0", "b": "workspace:*" } });
    let a = json!({ "name": "a", "dependencies": { "host": "1.0.0", "plugin": "1.0.0" }, "optionalDependencies": { "lost": "1" } });
    let b = json!({ "name": "b", "dependencies": { "a": "workspace:*" }, "devDependencies": { "host": "catalog:", "plugin": "1.0.0" } });
    let catalog = BTreeMap::from([("host".to_owned(), "^2.0.0".to_owned())]);
    let settings =
        ProjectSettings { catalogs: BTreeMap::from([("default".to_owned(), catalog)]), ..Default::default() };
    let workspace = workspace_of(&[(ROOT, &root), ("packages/a", &a), ("packages/b", &b)], &settings);
    let heard = Heard::default();
    let request =
        ResolveRequest { workspace: &workspace, packuments: &memory, foreign: &Nowhere, previous: None, hook: &heard };
    let lockfile = run(resolve(request)).unwrap();
    let shown = |id: &str| {
        let importer = &lockfile.importers[id];
        let maps = importer.dependencies.iter().chain(&importer.dev_dependencies);
        maps.map(|(name, dependency)| format!("{name}={}", dependency.version)).collect::<Vec<_>>()
    };
    assert_eq!(shown(ROOT), ["b=link:packages/b", "shared=1.0.0"]);
    assert_eq!(shown("packages/a"), ["host=1.0.0", "plugin=1.0.0(host@1.0.0)(shared@1.0.0)"]);
    assert_eq!(shown("packages/b"), ["a=link:../a", "host=2.0.0", "plugin=1.0.0(host@2.0.0)(shared@1.0.0)"]);
    assert_eq!(snapshots(&lockfile).len(), 5, "{:?}", snapshots(&lockfile));
    assert_eq!(lockfile.packages.len(), 4, "no project is a package");
    let entry = &lockfile.catalogs["default"]["host"];
    assert_eq!((&*entry.specifier, &*entry.version), ("^2.0.0", "2.0.0"));
    assert_eq!(Lockfile::parse(&lockfile.to_yaml(), Path::new("pnpm-lock.yaml")).unwrap(), lockfile);
    let warnings: Vec<_> = heard.warnings.lock().unwrap().iter().map(ToString::to_string).collect();
    assert!(warnings[0].contains("lost@1") && warnings[0].contains("packages/a/package.json"), "{warnings:?}");
    assert_eq!(heard.tarballs.lock().unwrap().len(), 4);
}

#[test]
fn an_override_can_take_a_dependency_away() {
    let memory = Memory::default()
        .with("a", "1.0.0", json!({ "dependencies": { "b": "1", "c": "1" }, "peerDependencies": { "d": "1" } }))
        .with("b", "1.0.0", json!({ "dependencies": { "c": "1" } }))
        .with("c", "1.0.0", json!({}));
    let overrides = json!({ "overrides": { "a>c": "-", "d": "npm:c@1.0.0" } });
    let lockfile = lock(&memory, &json!({ "dependencies": { "a": "1" }, "settings": overrides }));
    assert_eq!(
        lockfile.snapshots["a@1.0.0"].dependencies.iter().map(|(a, b)| format!("{a}={b}")).collect::<Vec<_>>(),
        ["b=1.0.0", "d=c@1.0.0"]
    );
    assert_eq!(lockfile.snapshots["b@1.0.0"].dependencies["c"], "1.0.0");
}

#[test]
fn what_stands_above_is_preferred_and_what_is_deprecated_is_not() {
    let memory = Memory::default()
        .with("a", "1.0.0", json!({ "dependencies": { "b": "^1.0.0", "c": "1" } }))
        .with("b", "1.0.0", json!({}))
        .with("b", "1.1.0", json!({}))
        .with("b", "1.2.0", json!({ "deprecated": "broken" }))
        .with("c", "1.0.0", json!({ "dependencies": { "b": "1" } }));
    let lockfile = lock(&memory, &json!({ "dependencies": { "a": "1" } }));
    assert_eq!(lockfile.snapshots["a@1.0.0"].dependencies["b"], "1.1.0");
    let lockfile = lock(&memory, &json!({ "dependencies": { "a": "1", "b": "1.0.0" } }));
    assert_eq!(snapshots(&lockfile), ["a@1.0.0", "b@1.0.0", "c@1.0.0"], "what the project has serves all");
}
