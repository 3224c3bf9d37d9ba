//! What an install left under node_modules: links and where they lead, commands, and files.

use super::{Found, Respect};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Each installer's own notes: what they say differs, as it may.
const NOTES: [&str; 5] = [
    ".modules.yaml",
    ".pnpm/lock.yaml",
    ".pnpm-workspace-state-v1.json",
    ".pnpm-workspace-state.json",
    ".lockstep-boot",
];

/// An entry below a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A symbolic link, and what it says.
    Link(PathBuf),
    /// A command in a .bin directory, whatever its form, and the file below the project that it starts, where that can be told.
    Command(Option<PathBuf>),
    /// A file of a package.
    File,
}

/// All entries below the node_modules directories of a project, by their paths.
///
/// # Errors
/// When the disk refuses.
pub fn read(project: &Path) -> io::Result<BTreeMap<String, Entry>> {
    let mut entries = BTreeMap::new();
    walk(project, project, false, &mut entries)?;
    Ok(entries)
}

fn walk(dir: &Path, root: &Path, below: bool, entries: &mut BTreeMap<String, Entry>) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let below = below || entry.file_name() == "node_modules";
        if kind.is_dir() {
            walk(&path, root, below, entries)?;
            continue;
        }
        let shown = path.strip_prefix(root).expect("the walk starts at the root").to_string_lossy().into_owned();
        let is_note = shown.strip_prefix("node_modules/").is_some_and(|rest| NOTES.contains(&rest));
        if !below || is_note {
            continue;
        }
        let in_bin = dir.file_name().is_some_and(|name| name == ".bin") && is_made_by_install(dir);
        let what = if in_bin {
            Entry::Command(started_by(&path, kind.is_symlink(), root))
        } else if kind.is_symlink() {
            Entry::Link(std::fs::read_link(&path)?)
        } else {
            Entry::File
        };
        entries.insert(shown, what);
    }
    Ok(())
}

/// Whether a .bin directory is one of the install's, and not part of a package.
fn is_made_by_install(bin: &Path) -> bool {
    bin.parent().is_some_and(|dir| dir.ends_with("node_modules"))
}

/// What a command starts: a link says it, and so do the scripts of both programs. One may go there through a link of the
/// project's, where the other goes straight.
fn started_by(command: &Path, is_link: bool, root: &Path) -> Option<PathBuf> {
    let text = if is_link { String::new() } else { std::fs::read_to_string(command).ok()? };
    let said = |line: &str| {
        let ours = line.split_once("exec ").and_then(|(_, rest)| rest.rsplit_once("\"$basedir/"));
        let ours = ours.and_then(|(_, rest)| rest.rsplit_once("\" \"$@\""));
        line.strip_prefix("# cmd-shim-target=").or(ours.map(|(target, _)| target)).map(PathBuf::from)
    };
    let target = if is_link { std::fs::read_link(command).ok() } else { text.lines().rev().find_map(said) };
    let target = command.parent()?.join(target?);
    let (whole, root) = (std::fs::canonicalize(target).ok()?, std::fs::canonicalize(root).ok()?);
    Some(whole.strip_prefix(root).unwrap_or(&whole).to_owned())
}

/// Adds what is in one tree and not in the other, or leads elsewhere. Files are told by package.
pub fn compare(theirs: &BTreeMap<String, Entry>, ours: &BTreeMap<String, Entry>, found: &mut Found<'_>) {
    let mut files: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let paths: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    for path in paths {
        let (their, our) = (theirs.get(path), ours.get(path));
        if their == our {
            continue;
        }
        match their.or(our) {
            Some(Entry::File) => {
                let (only_theirs, only_ours) = files.entry(package_of(path)).or_default();
                *only_theirs += usize::from(their.is_some());
                *only_ours += usize::from(our.is_some());
            }
            Some(Entry::Command(_)) => found.add(Respect::Command, path, told(their, our)),
            _ => found.add(Respect::Link, path, told(their, our)),
        }
    }
    for (package, (only_theirs, only_ours)) in files {
        let detail = format!("only pnpm has {only_theirs} files, only lockstep {only_ours}");
        found.add(Respect::File, &package, detail);
    }
}

fn told(their: Option<&Entry>, our: Option<&Entry>) -> String {
    let told = |entry: Option<&Entry>| match entry {
        None => "has none".to_owned(),
        Some(Entry::Link(target)) => format!("leads to {}", target.display()),
        Some(Entry::Command(None)) => "has it".to_owned(),
        Some(Entry::Command(Some(target))) => format!("starts {}", target.display()),
        Some(Entry::File) => "has a file".to_owned(),
    };
    format!("pnpm {}, lockstep {}", told(their), told(our))
}

/// The part of a path up to the package's own directory.
fn package_of(path: &str) -> String {
    let Some(at) = path.rfind("node_modules/") else { return path.to_owned() };
    let start = at + "node_modules/".len();
    let parts = if path[start..].starts_with('@') { 2 } else { 1 };
    let end = path[start..].match_indices('/').nth(parts - 1).map_or(path.len(), |(end, _)| start + end);
    path[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_commands_and_files_are_compared() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["theirs", "ours"] {
            let package = dir.path().join(name).join("node_modules/.pnpm/a@1.0.0/node_modules/a");
            std::fs::create_dir_all(&package).unwrap();
            std::fs::write(package.join("index.js"), "").unwrap();
            std::fs::create_dir_all(dir.path().join(name).join("node_modules/.bin")).unwrap();
        }
        let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
        symlink(".pnpm/a@1.0.0/node_modules/a", theirs.join("node_modules/a")).unwrap();
        symlink(".pnpm/a@2.0.0/node_modules/a", ours.join("node_modules/a")).unwrap();
        std::fs::write(theirs.join("node_modules/.pnpm/a@1.0.0/node_modules/a/other.js"), "").unwrap();
        std::fs::write(ours.join("node_modules/.pnpm/a@1.0.0/node_modules/a/other.js"), "").unwrap();
        let started = "../.pnpm/a@1.0.0/node_modules/a";
        let their_script = |file: &str| {
            format!("#!/bin/sh\n  exec node \"$basedir_abs\"/'x' \"$@\"\n# cmd-shim-target={started}/{file}\n")
        };
        std::fs::write(theirs.join("node_modules/.bin/a"), their_script("index.js")).unwrap();
        std::fs::write(theirs.join("node_modules/.bin/c"), their_script("other.js")).unwrap();
        let our_script =
            format!("#!/bin/sh\nif x; then\n  exec \"$basedir/node\" \"$basedir/{started}/index.js\" \"$@\"\nfi\n");
        symlink(format!("{started}/index.js"), ours.join("node_modules/.bin/a")).unwrap();
        std::fs::write(ours.join("node_modules/.bin/c"), our_script).unwrap();
        std::fs::write(theirs.join("node_modules/.bin/b"), "").unwrap();
        std::fs::write(ours.join("node_modules/.pnpm/a@1.0.0/node_modules/a/more.js"), "").unwrap();
        std::fs::write(theirs.join("node_modules/.modules.yaml"), "").unwrap();
        std::fs::write(theirs.join("package.json"), "").unwrap();

        let mut found = Found { project: "p", differences: Vec::new() };
        compare(&read(&theirs).unwrap(), &read(&ours).unwrap(), &mut found);
        let told: Vec<_> = found.differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "p: command of node_modules/.bin/b: pnpm has it, lockstep has none",
                "p: command of node_modules/.bin/c: pnpm starts node_modules/.pnpm/a@1.0.0/node_modules/a/other.js, \
                 lockstep starts node_modules/.pnpm/a@1.0.0/node_modules/a/index.js",
                "p: link of node_modules/a: pnpm leads to .pnpm/a@1.0.0/node_modules/a, lockstep leads to .pnpm/a@2.0.0/node_modules/a",
                "p: file of node_modules/.pnpm/a@1.0.0/node_modules/a: only pnpm has 0 files, only lockstep 1",
            ]
        );
    }
}
