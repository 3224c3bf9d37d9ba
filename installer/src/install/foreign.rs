//! Packages that no registry has, on their way into an install: downloaded or read once, through the same cache as all
//! others, and pinned by the hash of what came.

use super::git;
use super::project::Project;
use super::session::Session;
use super::{Edit, PackageSpec};
use crate::package::PackageId;
use crate::package::files_of_directory;
use crate::packlist;
use crate::resolve::{ForeignPackage, ForeignPackages, ForeignSource, RequiredBy, ResolveError, SharedError};
use crate::rt;
use crate::store::{CasWriter, PackageFiles, PackageRow, StoreDir};
use crate::tarball::{Caller, Coordinator, Origin, TarballRequest, integrity};
use async_trait::async_trait;
use miette::Diagnostic;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens packages through the session's cache.
pub(super) struct SessionForeignPackages<'a, C: Coordinator> {
    pub(super) project: &'a Project,
    pub(super) session: &'a Session<C>,
}

#[async_trait(?Send)]
impl<C: Coordinator> ForeignPackages for SessionForeignPackages<'_, C> {
    async fn open(&self, alias: &str, source: &ForeignSource) -> Result<ForeignPackage, ResolveError> {
        let failed = |cause: Arc<dyn Diagnostic + Send + Sync>| ResolveError::Foreign {
            dependency: alias.to_owned(),
            specifier: source.reference(),
            source: SharedError::from(cause),
        };
        match source {
            ForeignSource::Git { git, specifier } => {
                let archive = git::archive_of(self.project, self.session, git, specifier).await;
                let archive = archive.map_err(|error| failed(Arc::new(error)))?;
                let package = self.open(alias, &ForeignSource::Url(archive.clone())).await?;
                Ok(ForeignPackage { archive: Some(archive), ..package })
            }
            ForeignSource::Directory(path) => {
                let file = self.project.workspace.root.join(path).join("package.json");
                let read =
                    rt::blocking("read manifest", move || rt::fs::read(&file).map_err(|e| DirectoryError(file, e)));
                let bytes = read.await.map_err(|error| failed(Arc::new(error)))?;
                Ok(ForeignPackage { manifest: parsed(&bytes), integrity: None, archive: None })
            }
            ForeignSource::Url(_) | ForeignSource::File(_) => {
                let request = self.request(alias, source);
                let pinned = request.integrity.as_ref().map(ToString::to_string);
                let fetched = request.run_with_mem_cache(&self.session.coordination.cache, Caller::Install).await;
                let row = fetched.map_err(|error| failed(error))?.row.clone();
                git::check_prepared(self.session, &row.manifest).map_err(|error| failed(Arc::new(error)))?;
                let integrity = row.integrity.clone().or(pinned);
                let store = self.session.coordination.store.clone();
                let bytes = rt::blocking("read manifest", move || read_manifest(&row, &store)).await;
                Ok(ForeignPackage { manifest: parsed(&bytes.unwrap_or_default()), integrity, archive: None })
            }
        }
    }

    async fn manifest_in(&self, path: &str) -> Value {
        let file = self.project.workspace.root.join(path).join("package.json");
        rt::blocking("read manifest", move || rt::fs::read(&file).map(|bytes| parsed(&bytes)).unwrap_or_default()).await
    }
}

impl<C: Coordinator> SessionForeignPackages<'_, C> {
    /// What to add, with the names that packages without one give themselves.
    pub(super) async fn named(&self, edit: &Edit) -> Result<Edit, ResolveError> {
        let mut edit = edit.clone();
        let Edit::Add(add) = &mut edit else { return Ok(edit) };
        for package in add.packages.iter_mut().filter(|package| package.name.is_empty()) {
            let specifier = package.specifier.clone().unwrap_or_default();
            let no_manifest = || ResolveError::NoManifest {
                dependency: specifier.clone(),
                specifier: specifier.clone(),
                required_by: RequiredBy::default(),
            };
            let source = ForeignSource::of(self.project.id(), &specifier).ok_or_else(no_manifest)?;
            let manifest = self.open(&specifier, &source).await?.manifest;
            let name = manifest["name"].as_str().and_then(|name| PackageSpec::parse(name).ok());
            let name = name.filter(|name| name.specifier.is_none()).ok_or_else(no_manifest)?.name;
            package.name = name;
        }
        Ok(edit)
    }

    /// The tarball, pinned where the lockfile so far pins it: then the store may have it.
    fn request(&self, alias: &str, source: &ForeignSource) -> TarballRequest {
        let reference = source.reference();
        let suffix = format!("@{reference}");
        let packages = self.project.previous_lockfile().into_iter().flat_map(|lockfile| &lockfile.packages);
        let locked = packages.filter(|(key, _)| key.ends_with(&suffix)).find_map(|(key, locked)| {
            let name = key.strip_suffix(&suffix)?.to_owned();
            Some((PackageId::new(name, locked.version.clone()?), locked.resolution.integrity.clone()?))
        });
        // A file of this machine costs nothing to read again, and may have changed.
        let locked = locked.filter(|_| matches!(source, ForeignSource::Url(_)));
        let (package, pinned) = locked.map_or_else(
            || (PackageId::new(alias, ""), None),
            |(package, integrity)| (package, integrity::parse(&integrity).ok()),
        );
        if pinned.is_none() {
            self.session.note_unpinned(&reference);
        }
        let origin = match source {
            ForeignSource::File(path) => Origin::File(self.project.workspace.root.join(path)),
            _ => Origin::Elsewhere,
        };
        let downloader = self.session.downloader.clone();
        TarballRequest::new(downloader, package, reference, pinned, origin)
    }
}

/// A directory that is no package.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("cannot read {}", .0.display())]
#[diagnostic(code(lockstep::foreign::directory), help("check the path after `file:` in package.json"))]
pub(super) struct DirectoryError(PathBuf, #[source] io::Error);

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).unwrap_or_default()
}

fn read_manifest(row: &PackageRow, store: &StoreDir) -> Option<Vec<u8>> {
    rt::fs::read(&store.file_path(row.files.get("package.json")?)).ok()
}

/// Puts the files of a directory that npm would pack into the store, as if they came in a tarball; blocks.
pub(super) fn row_of_directory(dir: &Path, store: &StoreDir) -> io::Result<PackageRow> {
    let all: BTreeSet<String> = files_of_directory(dir)?.into_iter().collect();
    let package_json = rt::fs::read(&dir.join("package.json"))?;
    let ignore_files = all.iter().filter(|path| packlist::is_ignore_file(path));
    let ignore_files = ignore_files.map(|path| Ok((path.clone(), rt::fs::read(&dir.join(path))?)));
    let ignore_files = ignore_files.collect::<io::Result<_>>()?;
    let writer = CasWriter::open(store)?;
    let mut files = PackageFiles::new();
    for path in packlist::packed(&all, &parsed(&package_json), &ignore_files) {
        let bytes = rt::fs::read(&dir.join(&path))?;
        // What a shell could run.
        let executable = bytes.starts_with(b"#!");
        files.insert(path, writer.write(&bytes, executable)?);
    }
    let manifest = crate::package::BundledManifest::parse(&package_json, &files);
    Ok(PackageRow { manifest, files, integrity: None })
}
