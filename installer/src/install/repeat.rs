//! Recognises a project in which nothing changed since its last install, so that the next one ends at once: no request,
//! no look at the store, no lockfile parsed.
//!
//! An install that is complete leaves a note in node_modules with one digest: of what decided the tree (every package.json,
//! pnpm-lock.yaml, patches, the settings, this program's version) and of what shows that it is still that tree (pnpm's files
//! about it, the projects' links and commands, the names in .pnpm or which directories of a hoisted tree are there, the
//! machine's start). Contents are compared, never times.
//! The note goes before anything changes, so a tree that an interrupted install left has none.

use super::{InstallOptions, InstallPath, Summary};
use crate::config::{Auth, NetworkSettings, ProjectSettings, Settings, TarballLimits};
use crate::lockfile;
use crate::rt;
use crate::virtual_store::hoisted::Record;
use crate::virtual_store::{Layout, direct, modules_yaml};
use crate::workspace::{ImporterId, Located, dir_of};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The note's name in node_modules.
pub const FILE_NAME: &str = ".lockstep-state.json";

/// What decides the tree, as it was when an install began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inputs {
    /// Of every project, by importer id.
    manifests: BTreeMap<ImporterId, String>,
    /// By selector.
    patches: BTreeMap<String, String>,
    workspace: String,
    lockfile: String,
}

/// What an install leaves for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    digest: String,
    packages: usize,
    ignored_builds: Vec<String>,
}

impl Inputs {
    /// Reads what decides the tree; blocks. What cannot be read counts as absent: whoever needs it says so.
    pub(super) fn read(located: &Located, settings: &ProjectSettings) -> Self {
        let Located { root, importers } = located;
        let of_path = |path: &Path| digest_of(rt::fs::read(path).ok().as_deref());
        let of_file = |name: &str| of_path(&root.join(name));
        let manifest = |id: &ImporterId| (id.clone(), of_path(&dir_of(root, id).join("package.json")));
        let patches_root = settings.patches_root(root);
        let patch = |(selector, path): (&String, &String)| (selector.clone(), of_path(&patches_root.join(path)));
        Inputs {
            manifests: importers.iter().map(manifest).collect(),
            patches: settings.patched_dependencies.iter().map(patch).collect(),
            workspace: of_file("pnpm-workspace.yaml"),
            lockfile: of_file(lockfile::FILE_NAME),
        }
    }

    /// These inputs, once a project's package.json has this text.
    pub(super) fn with_manifest(&self, importer: &str, text: &str) -> Self {
        let mut inputs = self.clone();
        inputs.manifests.insert(importer.to_owned(), digest_of(Some(text.as_bytes())));
        inputs
    }

    /// These inputs, once a lockfile of this text is written.
    pub(super) fn with_lockfile(&self, text: &str) -> Self {
        Inputs { lockfile: digest_of(Some(text.as_bytes())), ..self.clone() }
    }
}

/// What the last install came to, if all of it still holds; blocks.
pub(super) fn recognise(options: &InstallOptions) -> Option<Summary> {
    let changes_something = options.edit.is_some() || options.lockfile_only || options.force;
    if changes_something || !options.filter.is_empty() || options.path == InstallPath::NoLockfile {
        return None;
    }
    let settings = &options.settings.project;
    let located = Located::find(&options.dir, settings).ok()?;
    let layout = Layout::new(&located.root);
    let note: Note = serde_json::from_slice(&rt::fs::read(&layout.modules_dir.join(FILE_NAME)).ok()?).ok()?;
    let holds = note.digest == digest(&Inputs::read(&located, settings), options, &layout)?;
    let ignored_builds = if options.ignore_scripts { Vec::new() } else { note.ignored_builds };
    holds.then(|| Summary { packages: note.packages, ignored_builds, ..Summary::default() })
}

/// Takes the note away: from now on the tree may change. Blocks.
///
/// # Errors
/// When the disk refuses.
pub(super) fn forget(layout: &Layout) -> io::Result<()> {
    match rt::fs::remove_file(&layout.modules_dir.join(FILE_NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => modules_yaml::forget_pnpm_validation(layout),
    }
}

/// Leaves the note, unless somebody changed an input meanwhile; blocks. A hint: without it the next install does more.
pub(super) fn remember(layout: &Layout, inputs: &Inputs, options: &InstallOptions, summary: &Summary) {
    let settings = &options.settings.project;
    let Ok(located) = Located::find(&options.dir, settings) else { return };
    if options.path == InstallPath::NoLockfile || Inputs::read(&located, settings) != *inputs {
        return;
    }
    let Some(digest) = digest(inputs, options, layout) else { return };
    let note = Note { digest, packages: summary.packages, ignored_builds: summary.ignored_builds.clone() };
    let note = serde_json::to_vec(&note).expect("it is plain data");
    let _ = rt::write_whole(&layout.modules_dir.join(FILE_NAME), &note, &layout.modules_dir);
}

/// One digest of everything that has to be as it was. None where the machine cannot say when it was started: whether
/// files lost their bytes in a power loss cannot be known there.
fn digest(inputs: &Inputs, options: &InstallOptions, layout: &Layout) -> Option<String> {
    let mut parts = Parts::default();
    parts.add(Some(rt::boot()?.as_bytes()));
    parts.add(Some(env!("CARGO_PKG_VERSION").as_bytes()));
    parts.add(Some(choices(options).as_bytes()));
    for (name, input) in inputs.manifests.iter().chain(&inputs.patches) {
        parts.add(Some(name.as_bytes()));
        parts.add(Some(input.as_bytes()));
    }
    for input in [&inputs.workspace, &inputs.lockfile] {
        parts.add(Some(input.as_bytes()));
    }
    parts.add(rt::fs::read(&layout.modules_dir.join(modules_yaml::FILE_NAME)).ok().as_deref());
    parts.add(rt::fs::read(&layout.virtual_store_dir.join(modules_yaml::CURRENT_LOCKFILE)).ok().as_deref());
    for importer in inputs.manifests.keys() {
        let modules_dir = layout.importer_modules_dir(importer);
        for (name, target) in direct::links(&modules_dir) {
            // Only what is in the store for all projects is named by its whole path, and can be gone without a trace here.
            if target.is_absolute() && !rt::fs::exists(&target) {
                return None;
            }
            parts.add(Some(format!("{name} {}", target.display()).as_bytes()));
        }
        parts.add_names(&modules_dir.join(".bin"));
    }
    parts.add_names(&layout.virtual_store_dir);
    for dir in Record::read(layout).dirs() {
        parts.add(Some(dir.to_string_lossy().as_bytes()).filter(|_| rt::fs::exists(dir)));
    }
    Some(parts.digest())
}

/// Everything in options and settings that may change the tree. How packages travel does not.
fn choices(options: &InstallOptions) -> String {
    let settings = Settings {
        auth: Auth::default(),
        network: NetworkSettings::default(),
        tarballs: TarballLimits::default(),
        warnings: Vec::new(),
        ..options.settings.clone()
    };
    format!("{settings:?} {:?} {}", options.include, options.ignore_scripts)
}

fn digest_of(part: Option<&[u8]>) -> String {
    let mut parts = Parts::default();
    parts.add(part);
    parts.digest()
}

/// A digest of several parts, each with its length, so that no two lists of parts look alike.
#[derive(Default)]
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, part: Option<&[u8]>) {
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        self.0.update(length.to_le_bytes());
        self.0.update(part.unwrap_or_default());
    }

    /// The names in a directory.
    fn add_names(&mut self, dir: &Path) {
        let names = rt::fs::read_dir(dir).unwrap_or_default();
        self.add(Some(names.join("/").as_bytes()));
    }

    fn digest(self) -> String {
        hex::encode(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let digest = |parts: &[Option<&str>]| {
            let mut digest = Parts::default();
            parts.iter().for_each(|part| digest.add(part.map(str::as_bytes)));
            digest.digest()
        };
        let all = [digest(&[Some("ab"), Some("c")]), digest(&[Some("a"), Some("bc")]), digest(&[Some("abc")])];
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
        assert_ne!(digest(&[None]), digest(&[Some("")]));
    }
}
