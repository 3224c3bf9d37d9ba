//! Finds the packages of a workspace: the directories with a package.json that the globs of `packages` lead to.
//!
//! A glob is followed component by component, so that only directories that can match are looked into. As in pnpm, `*`
//! and `**` pass over hidden directories and node_modules, and a glob after a `!` takes away from all others.

use super::{ROOT, WorkspaceError};
use crate::rt::{self, FileKind};
use globset::{Glob, GlobBuilder, GlobMatcher};
use std::collections::BTreeSet;
use std::path::Path;

/// Directories that no glob goes into.
const NEVER: [&str; 2] = ["node_modules", "bower_components"];

/// The importer ids of the packages below `root`, sorted; the root itself is not among them. Blocks.
pub(super) fn members(root: &Path, globs: &[String]) -> Result<Vec<String>, WorkspaceError> {
    let mut found = BTreeSet::new();
    let mut excluded = Vec::new();
    for glob in globs {
        match glob.strip_prefix('!') {
            Some(excluding) => excluded.push(matcher(glob, &format!("{}/package.json", normal(excluding)))?),
            None => {
                let components =
                    normal(glob).split('/').map(|text| component(glob, text)).collect::<Result<Vec<_>, _>>()?;
                follow(root, "", &components, &mut found);
            }
        }
    }
    found.remove(ROOT);
    let is_excluded = |id: &str| excluded.iter().any(|matcher| matcher.is_match(format!("{id}/package.json")));
    Ok(found.into_iter().filter(|id| !is_excluded(id)).collect())
}

/// One component of a glob.
enum Component {
    Literal(String),
    /// One directory.
    Any {
        matcher: GlobMatcher,
        hidden: bool,
    },
    /// Any number of directories.
    Deep,
}

fn component(glob: &str, text: &str) -> Result<Component, WorkspaceError> {
    Ok(match text {
        "**" => Component::Deep,
        text if text.contains(['*', '?', '[', '{']) => {
            Component::Any { matcher: matcher(glob, text)?, hidden: text.starts_with('.') }
        }
        text => Component::Literal(text.to_owned()),
    })
}

/// A glob that a whole path has to match; `glob` is how it is written.
pub(super) fn matcher(glob: &str, text: &str) -> Result<GlobMatcher, WorkspaceError> {
    let built: Result<Glob, _> = GlobBuilder::new(text).literal_separator(true).build();
    let wrong =
        |error: globset::Error| WorkspaceError::Glob { glob: glob.to_owned(), message: error.kind().to_string() };
    built.map(|glob| glob.compile_matcher()).map_err(wrong)
}

/// `./packages/*/` as `packages/*`.
fn normal(glob: &str) -> String {
    glob.split('/').filter(|component| !matches!(*component, "" | ".")).collect::<Vec<_>>().join("/")
}

fn follow(root: &Path, at: &str, components: &[Component], found: &mut BTreeSet<String>) {
    let Some((first, rest)) = components.split_first() else {
        let id = if at.is_empty() { ROOT } else { at };
        if rt::fs::exists(&root.join(at).join("package.json")) {
            found.insert(id.to_owned());
        }
        return;
    };
    match first {
        Component::Literal(name) if name.is_empty() => follow(root, at, rest, found),
        Component::Literal(name) => follow(root, &below(at, name), rest, found),
        Component::Any { matcher, hidden } => {
            for name in directories(&root.join(at), *hidden) {
                if matcher.is_match(&name) {
                    follow(root, &below(at, &name), rest, found);
                }
            }
        }
        Component::Deep => {
            follow(root, at, rest, found);
            for name in directories(&root.join(at), false) {
                follow(root, &below(at, &name), components, found);
            }
        }
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") }
}

fn directories(dir: &Path, hidden: bool) -> Vec<String> {
    let names = rt::fs::read_dir(dir).unwrap_or_default().into_iter();
    let visible = names.filter(|name| !NEVER.contains(&name.as_str()) && (hidden || !name.starts_with('.')));
    visible.filter(|name| rt::fs::kind(&dir.join(name)).is_ok_and(|kind| kind == FileKind::Directory)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(globs: &[&str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for package in
            [".", "apps/web", "apps/web/node_modules/dep", "apps/api", "libs/deep/er", "libs/.hidden", "tool"]
        {
            std::fs::create_dir_all(dir.path().join(package)).unwrap();
            std::fs::write(dir.path().join(package).join("package.json"), "{}").unwrap();
        }
        std::fs::create_dir_all(dir.path().join("apps/empty")).unwrap();
        let globs: Vec<_> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        members(dir.path(), &globs).unwrap()
    }

    #[test]
    fn globs_lead_to_packages() {
        assert_eq!(found(&["apps/*"]), ["apps/api", "apps/web"]);
        assert_eq!(found(&["./libs/**/", "tool", "missing"]), ["libs/deep/er", "tool"]);
        assert_eq!(found(&["**"]), ["apps/api", "apps/web", "libs/deep/er", "tool"]);
        assert_eq!(found(&["apps/{web,x}", "."]), ["apps/web"]);
        assert_eq!(found(&["!**/web", "apps/*", "!libs/**", "**"]), ["apps/api", "tool"]);
    }

    #[test]
    fn what_is_no_glob_is_an_error() {
        let error = members(Path::new("."), &["apps/[".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("apps/["), "{error}");
    }
}
