//! `--filter`: which projects of a workspace an install is for, in pnpm's notation.
//!
//! A selector is a name (`@x/a`, `@x/*`, `a` for an `@x/a` that is the only one) or a directory (`./packages/a`,
//! `./packages/*`, `{packages/**}`); `a...` adds the projects that `a` depends on and `...a` those that depend on it, at any
//! distance, without `a` itself where a `^` stands in between; `!` takes away.

use super::discover::matcher;
use super::project_graph::ProjectGraph;
use super::wanted::join;
use super::{ImporterId, ROOT, Workspace, WorkspaceError};
use crate::config::name_patterns;
use std::collections::BTreeSet;
use std::path::Path;

/// The projects that the selectors name, and the selectors that name none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The projects.
    pub importers: BTreeSet<ImporterId>,
    /// Selectors without effect, as they were written.
    pub unmatched: Vec<String>,
}

/// Chooses among the projects of `workspace`; relative directories start at `dir`. Without a selector, all of them.
///
/// # Errors
/// When a selector is not understood, or when no project is left.
pub fn select(workspace: &Workspace, dir: &Path, selectors: &[String]) -> Result<Selection, WorkspaceError> {
    let all: BTreeSet<ImporterId> = workspace.members.keys().cloned().collect();
    if selectors.is_empty() {
        return Ok(Selection { importers: all, unmatched: Vec::new() });
    }
    let parsed = selectors.iter().map(|text| Selector::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let graph = ProjectGraph::of(workspace);
    let mut selection = Selection::default();
    // Nothing but exclusions: all the others are meant.
    if parsed.iter().all(|selector| selector.excludes) {
        selection.importers = all;
    }
    let (excluding, including): (Vec<_>, Vec<_>) = parsed.iter().partition(|selector| selector.excludes);
    for selector in including.into_iter().chain(excluding) {
        let found = selector.select(workspace, dir, &graph)?;
        if found.is_empty() {
            selection.unmatched.push(selector.text.to_owned());
        }
        if selector.excludes {
            selection.importers.retain(|id| !found.contains(id));
        } else {
            selection.importers.extend(found);
        }
    }
    if selection.importers.is_empty() {
        let names = workspace.members.iter().map(|(id, member)| member.manifest.name.clone().unwrap_or(id.clone()));
        return Err(WorkspaceError::NothingSelected {
            selectors: selectors.join(" "),
            projects: names.collect::<Vec<_>>().join(", "),
        });
    }
    Ok(selection)
}

#[derive(Debug)]
struct Selector<'a> {
    text: &'a str,
    excludes: bool,
    dependencies: bool,
    dependents: bool,
    without_itself: bool,
    what: What<'a>,
}

#[derive(Debug)]
enum What<'a> {
    Name(&'a str),
    Directory(&'a str),
}

impl<'a> Selector<'a> {
    fn parse(text: &'a str) -> Result<Self, WorkspaceError> {
        let strip = |text: &'a str, prefix: &str| text.strip_prefix(prefix).map_or((false, text), |rest| (true, rest));
        let strip_end =
            |text: &'a str, suffix: &str| text.strip_suffix(suffix).map_or((false, text), |rest| (true, rest));
        let (excludes, rest) = strip(text, "!");
        let (dependents, rest) = strip(rest, "...");
        let (after, rest) = strip(rest, "^");
        let (dependencies, rest) = strip_end(rest, "...");
        let (before, rest) = strip_end(rest, "^");
        let what = match rest.strip_prefix('{').and_then(|inside| inside.strip_suffix('}')) {
            Some(directory) => What::Directory(directory),
            None if rest.starts_with('.') => What::Directory(rest),
            None => What::Name(rest),
        };
        if rest.is_empty() || rest.contains(['[', '{']) && matches!(what, What::Name(_)) {
            return Err(WorkspaceError::Selector { selector: text.to_owned() });
        }
        Ok(Selector { text, excludes, dependencies, dependents, without_itself: after || before, what })
    }

    fn select(
        &self,
        workspace: &Workspace,
        dir: &Path,
        graph: &ProjectGraph,
    ) -> Result<BTreeSet<ImporterId>, WorkspaceError> {
        let named = match self.what {
            What::Name(name) => by_name(workspace, name)?,
            What::Directory(glob) => by_directory(workspace, dir, glob)?,
        };
        let mut selected = if self.without_itself { BTreeSet::new() } else { named.clone() };
        if self.dependencies {
            selected.extend(graph.dependencies_of(&named));
        }
        if self.dependents {
            selected.extend(graph.dependents_of(&named));
        }
        Ok(selected)
    }
}

fn by_name(workspace: &Workspace, glob: &str) -> Result<BTreeSet<ImporterId>, WorkspaceError> {
    let find = |matches: &dyn Fn(&str) -> bool| -> BTreeSet<ImporterId> {
        let named = workspace.members.iter().filter(|(_, member)| member.manifest.name.as_deref().is_some_and(matches));
        named.map(|(id, _)| id.clone()).collect()
    };
    let found = find(&|name| name_patterns::matches(glob, name));
    if !found.is_empty() || glob.starts_with('@') {
        return Ok(found);
    }
    let scoped = find(&|name| name.split_once('/').is_some_and(|(_, base)| base == glob));
    Ok(if scoped.len() == 1 { scoped } else { BTreeSet::new() })
}

fn by_directory(workspace: &Workspace, dir: &Path, glob: &str) -> Result<BTreeSet<ImporterId>, WorkspaceError> {
    let here = dir.strip_prefix(&workspace.root).ok().and_then(Path::to_str).unwrap_or_default();
    let here = if here.is_empty() { ROOT.to_owned() } else { here.replace('\\', "/") };
    let whole = join(&here, glob);
    let matcher = matcher(glob, &whole)?;
    let selected = workspace.members.keys().filter(|id| **id == whole || (*id != ROOT && matcher.is_match(id)));
    Ok(selected.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn workspace() -> Workspace {
        let projects = [
            (".", r#"{"name":"root"}"#),
            ("apps/web", r#"{"name":"web","dependencies":{"@x/ui":"workspace:*"}}"#),
            ("libs/ui", r#"{"name":"@x/ui","version":"1.0.0","dependencies":{"@x/core":"workspace:*"}}"#),
            ("libs/core", r#"{"name":"@x/core","version":"1.0.0"}"#),
            ("libs/deep/er", r#"{"name":"@y/deep"}"#),
        ];
        let parse = |text: &str| Manifest::parse(text.as_bytes(), Path::new("package.json")).unwrap();
        let manifests = projects.iter().map(|(id, text)| (id.to_string(), parse(text))).collect();
        Workspace::new(Path::new("/w"), manifests, &Default::default()).unwrap()
    }

    fn selected(selectors: &[&str]) -> Vec<String> {
        let selectors: Vec<_> = selectors.iter().map(|text| (*text).to_owned()).collect();
        select(&workspace(), Path::new("/w/libs"), &selectors).unwrap().importers.into_iter().collect()
    }

    #[test]
    fn names_and_directories() {
        assert_eq!(selected(&[]).len(), 5);
        assert_eq!(selected(&["web"]), ["apps/web"]);
        assert_eq!(selected(&["core"]), ["libs/core"]);
        assert_eq!(selected(&["@x/*"]), ["libs/core", "libs/ui"]);
        assert_eq!(selected(&["./*"]), ["libs/core", "libs/ui"]);
        assert_eq!(selected(&["./**"]), ["libs/core", "libs/deep/er", "libs/ui"]);
        assert_eq!(selected(&["{../apps/web}", "./deep/er"]), ["apps/web", "libs/deep/er"]);
        assert_eq!(selected(&["*e*"]), ["apps/web", "libs/core", "libs/deep/er"]);
    }

    #[test]
    fn dependencies_dependents_and_exclusions() {
        assert_eq!(selected(&["web..."]), ["apps/web", "libs/core", "libs/ui"]);
        assert_eq!(selected(&["web^..."]), ["libs/core", "libs/ui"]);
        assert_eq!(selected(&["...core"]), ["apps/web", "libs/core", "libs/ui"]);
        assert_eq!(selected(&["...^core"]), ["apps/web", "libs/ui"]);
        assert_eq!(selected(&["!@x/*", "!root"]), ["apps/web", "libs/deep/er"]);
        assert_eq!(selected(&["!ui", "web..."]), ["apps/web", "libs/core"]);
    }

    #[test]
    fn what_selects_nothing_is_told() {
        let select = |selectors: &[&str]| {
            let selectors: Vec<_> = selectors.iter().map(|text| (*text).to_owned()).collect();
            select(&workspace(), Path::new("/w"), &selectors)
        };
        assert_eq!(select(&["web", "nope"]).unwrap().unmatched, ["nope"]);
        let error = select(&["nope"]).unwrap_err().to_string();
        assert!(error.contains("nope"), "{error}");
        for nonsense in ["", "...", "[main]", "a{b"] {
            assert!(matches!(select(&[nonsense]), Err(WorkspaceError::Selector { .. })), "{nonsense}");
        }
    }
}
