//! What an install left under node_modules, in whatever layout.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Every `name@version` whose own directory, not a link to it, is below node_modules, or in a virtual store of all projects
/// that links lead to from there.
///
/// # Errors
/// When the disk refuses.
pub(super) fn packages(project: &Path) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let own = project.join("node_modules");
    modules(&own, &mut found)?;
    let mut seen = BTreeSet::new();
    let mut pending = vec![own.join(".pnpm/node_modules"), own];
    while let Some(dir) = pending.pop() {
        for link in links(&dir)? {
            let target = link.canonicalize()?;
            let is_shared = target.components().any(|component| component.as_os_str() == "links");
            let beside = target.ancestors().skip(1).find(|dir| dir.ends_with("node_modules"));
            if let Some(beside) = beside.filter(|dir| is_shared && seen.insert(dir.to_path_buf())) {
                modules(beside, &mut found)?;
                pending.push(beside.to_owned());
            }
        }
    }
    Ok(found)
}

/// The links in a node_modules, those in scopes too.
fn links(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let scopes = directories(dir)?.unwrap_or_default().into_iter().filter(|(name, _)| name.starts_with('@'));
    for dir in scopes.map(|(_, path)| path).chain([dir.to_owned()]) {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
            let entry = entry?;
            if entry.file_type()?.is_symlink() {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

fn modules(dir: &Path, found: &mut BTreeSet<String>) -> io::Result<()> {
    let Some(entries) = directories(dir)? else { return Ok(()) };
    for (name, path) in entries {
        match name.as_str() {
            ".bin" | ".cache" => {}
            // pnpm's virtual store and aube's: a directory for each variant, or a link to one, with a node_modules of its own.
            ".pnpm" | ".aube" => {
                for variant in std::fs::read_dir(&path)? {
                    modules(&variant?.path().join("node_modules"), found)?;
                }
            }
            scope if scope.starts_with('@') => {
                for (_, package) in directories(&path)?.unwrap_or_default() {
                    one(&package, found)?;
                }
            }
            _ => one(&path, found)?,
        }
    }
    Ok(())
}

fn one(package: &Path, found: &mut BTreeSet<String>) -> io::Result<()> {
    if let Ok(manifest) = std::fs::read(package.join("package.json")) {
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
        if let (Some(name), Some(version)) = (manifest["name"].as_str(), manifest["version"].as_str()) {
            found.insert(format!("{name}@{version}"));
        }
    }
    modules(&package.join("node_modules"), found)
}

/// The directories in `dir` that are no links; `None` when there is no such directory.
fn directories(dir: &Path) -> io::Result<Option<Vec<(String, PathBuf)>>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_counted_and_links_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let package = |path: &str, name: &str| {
            let path = dir.path().join("node_modules").join(path);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("package.json"), format!(r#"{{"name":"{name}","version":"1.0.0"}}"#)).unwrap();
        };
        package(".pnpm/a@1.0.0/node_modules/a", "a");
        package(".pnpm/@s+b@1.0.0/node_modules/@s/b", "@s/b");
        package("c", "c");
        package("c/node_modules/d", "d");
        std::os::unix::fs::symlink("c", dir.path().join("node_modules/e")).unwrap();
        let found = packages(dir.path()).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), ["@s/b@1.0.0", "a@1.0.0", "c@1.0.0", "d@1.0.0"]);
    }

    #[test]
    fn what_all_projects_share_is_counted_where_links_lead_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let link = |target: &str, path: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(dir.path().join(target), path).unwrap();
        };
        for name in ["a", "b", "c", "unused"] {
            let path = dir.path().join(format!("store/links/{name}/node_modules/{name}"));
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("package.json"), format!(r#"{{"name":"{name}","version":"1.0.0"}}"#)).unwrap();
        }
        link("store/links/a/node_modules/a", "project/node_modules/@s/a");
        link("store/links/b/node_modules/b", "store/links/a/node_modules/b");
        link("store/links/c", "project/node_modules/.aube/c@1.0.0");
        link("elsewhere", "project/node_modules/elsewhere");
        std::fs::create_dir_all(dir.path().join("elsewhere")).unwrap();
        let found = packages(&dir.path().join("project")).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), ["a@1.0.0", "b@1.0.0", "c@1.0.0"]);
    }
}
