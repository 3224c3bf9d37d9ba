//! What a registry says of packages, abbreviated or in full: one document, given for every name that is asked for.
//!
//! Resolution ends, by a lockfile or an error. A lockfile whose names are accepted is the one that it reads back, answers what the project
//! asks, and is a function of its inputs: the same again is the same.

use async_trait::async_trait;
use bytes::Bytes;
use installer::config::ProjectSettings;
use installer::lockfile::{Lockfile, satisfies};
use installer::manifest::Manifest;
use installer::package_name;
use installer::resolve::{
    Detail, Document, ForeignPackage, ForeignPackages, ForeignSource, NoHook, PackumentError, Packuments, ResolveError,
    ResolveRequest, VersionChooser, resolve,
};
use installer::workspace::{ROOT, Workspace};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What the project asks for. Every name has the same packument, so what that asks for has it too.
const PROJECT: &str = r#"{"dependencies":{"a":"*"},"devDependencies":{"@s/b":"^1.0.0 || *"}}"#;

/// Names that begin so are of packages that do not exist.
const MISSING: &str = "no-";

/// Longer documents only repeat what shorter ones can say, and take their time.
const BYTES_MAX: usize = 4 << 10;

/// The resolution of one document, or one that is broken on purpose.
pub type Resolve = fn(&Bytes) -> Result<Lockfile, ResolveError>;

/// Any bytes; in the ordinary run a document is JSON, and of a packument's shape.
pub fn check(data: &[u8]) {
    check_with(data, resolved);
}

/// As [`check`], with this resolution.
pub fn check_with(data: &[u8], resolve: Resolve) {
    let document = Bytes::copy_from_slice(&data[..data.len().min(BYTES_MAX)]);
    chosen_holds(&document);
    let Ok(lockfile) = resolve(&document) else { return };
    if lockfile.check_names().is_err() {
        return;
    }
    let written = lockfile.to_yaml();
    let read = Lockfile::parse(&written, Path::new("pnpm-lock.yaml"));
    assert_eq!(read.ok().as_ref(), Some(&lockfile), "it reads otherwise once it is written:\n{written}");
    assert_eq!(satisfies(&lockfile, &workspace()), Ok(()), "it does not answer what the project asks:\n{written}");
    let again = resolve(&document).expect("it could be resolved before");
    assert_eq!(again, lockfile, "the same again is something else");
    for dep_path in lockfile.snapshots.values().flat_map(|snapshot| snapshot.dependencies.keys()) {
        assert_eq!(package_name::check(dep_path, String::new), Ok(()));
    }
}

/// The other way to a version, package by package: what it chooses is of the package that was asked for.
fn chosen_holds(document: &Bytes) {
    let chooser = VersionChooser::new(OneDocument(document), &workspace());
    if let Ok(chosen) = run(chooser.choose("a", "*", "package.json")) {
        assert_eq!(chosen.package.name, "a");
    }
}

/// Resolves the project with this document for every package.
pub fn resolved(document: &Bytes) -> Result<Lockfile, ResolveError> {
    run(resolve(ResolveRequest {
        workspace: &workspace(),
        packuments: &OneDocument(document),
        foreign: &Nowhere,
        previous: None,
        hook: &NoHook,
    }))
}

fn workspace() -> Workspace {
    let manifest = Manifest::parse(PROJECT.as_bytes(), Path::new("package.json")).expect("the project is JSON");
    let manifests = BTreeMap::from([(ROOT.to_owned(), manifest)]);
    Workspace::new(Path::new("/project"), manifests, &ProjectSettings::default()).expect("nothing contradicts itself")
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("there is a thread").block_on(future)
}

/// A registry that has the same document for every package.
struct OneDocument<'d>(&'d Bytes);

#[async_trait(?Send)]
impl Packuments for OneDocument<'_> {
    async fn packument(&self, name: &str, _detail: Detail) -> Result<Document, PackumentError> {
        if name.starts_with(MISSING) {
            return Err(PackumentError::NotFound);
        }
        Document::parse(self.0).map_err(|error| PackumentError::Invalid(Arc::new(error)))
    }

    fn registry(&self, _name: &str) -> String {
        "http://registry.test/".to_owned()
    }
}

/// The project asks for nothing that a registry does not have.
struct Nowhere;

#[async_trait(?Send)]
impl ForeignPackages for Nowhere {
    async fn open(&self, alias: &str, source: &ForeignSource) -> Result<ForeignPackage, ResolveError> {
        panic!("only the project may ask for such, and it does not: {alias} at {source:?}")
    }

    async fn manifest_in(&self, path: &str) -> serde_json::Value {
        panic!("only the project may link to such, and it does not: {path}")
    }
}
