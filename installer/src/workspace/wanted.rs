//! What a project asks for, once overrides, catalogs and the other projects of its workspace are taken into account.

use super::{Overrides, REMOVED, ROOT, WorkspaceError, shown};
use crate::config::ProjectSettings;
use crate::manifest::{DependencyKind, Manifest};
use crate::range;
use deno_semver::Version;
use std::collections::BTreeMap;
use std::path::Path;

/// One thing that a project asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedDependency {
    /// As a lockfile records it: package.json's text, with the overrides applied.
    pub specifier: String,
    /// The map of package.json that it stands in.
    pub kind: DependencyKind,
    /// Its place among all that the project asks for, from the top of package.json; see [`NameOrder`](crate::manifest::NameOrder).
    pub place: usize,
    /// Where it comes from.
    pub target: Target,
}

/// Where a dependency comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Something to resolve: a range, a tag or an alias. What a catalog says, where a catalog is asked.
    Resolved {
        /// What is asked for.
        specifier: String,
        /// The catalog's entry that says so.
        catalog: Option<CatalogUse>,
    },
    /// A directory that is used where it is.
    Link {
        /// The way there from the project's directory, with forward slashes.
        path: String,
    },
}

/// An entry of a catalog that somebody uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogUse {
    /// The catalog's name.
    pub catalog: String,
    /// What it says of the package.
    pub specifier: String,
}

/// The catalog that a specifier names: `catalog:` is the default one.
pub(super) fn catalog_of(specifier: &str) -> Option<&str> {
    let name = specifier.strip_prefix("catalog:")?.trim();
    Some(if name.is_empty() { "default" } else { name })
}

/// What to install for a project: name under node_modules → what is asked for. A name in more than one map counts where
/// an installer looks first: optional, then production, then development, then peer, as pnpm does it.
pub(super) fn wanted(
    root: &Path,
    importer: &str,
    manifests: &BTreeMap<String, Manifest>,
    overrides: &Overrides,
    settings: &ProjectSettings,
) -> Result<BTreeMap<String, WantedDependency>, WorkspaceError> {
    let manifest = &manifests[importer];
    let none = BTreeMap::new();
    let peers = if settings.auto_install_peers { &manifest.peer_dependencies } else { &none };
    let maps = [
        (&manifest.optional_dependencies, DependencyKind::Optional),
        (&manifest.dependencies, DependencyKind::Production),
        (&manifest.dev_dependencies, DependencyKind::Development),
        (peers, DependencyKind::Production),
    ];
    let version = manifest.version.as_deref().and_then(|version| Version::parse_from_npm(version).ok());
    let parent = (manifest.name.as_deref().unwrap_or_default(), version.as_ref());
    let asker = Asker { root, importer, manifests, settings };
    let places = manifest.name_order.places(settings.auto_install_peers);
    let mut wanted = BTreeMap::new();
    for (map, kind) in maps {
        for (name, asked) in map {
            let specifier = overrides.replacement(parent, name, asked).unwrap_or(asked);
            let ignored = kind == DependencyKind::Optional && settings.ignored_optional_dependencies.matches(name);
            if ignored || specifier == REMOVED || wanted.contains_key(name) {
                continue;
            }
            let target = asker.target(name, specifier)?;
            let place = places.get(name.as_str()).copied().unwrap_or_default();
            wanted.insert(name.clone(), WantedDependency { specifier: specifier.to_owned(), kind, place, target });
        }
    }
    Ok(wanted)
}

/// A project that asks, and what it can get from its workspace.
struct Asker<'a> {
    root: &'a Path,
    importer: &'a str,
    manifests: &'a BTreeMap<String, Manifest>,
    settings: &'a ProjectSettings,
}

impl Asker<'_> {
    fn target(&self, name: &str, specifier: &str) -> Result<Target, WorkspaceError> {
        if let Some(catalog) = catalog_of(specifier) {
            let entry = self.settings.catalogs.get(catalog).and_then(|catalog| catalog.get(name));
            let entry = entry.ok_or_else(|| WorkspaceError::NoCatalogEntry {
                importer: shown(self.importer),
                dependency: name.to_owned(),
                specifier: specifier.to_owned(),
                catalog: catalog.to_owned(),
            })?;
            let catalog = Some(CatalogUse { catalog: catalog.to_owned(), specifier: entry.clone() });
            return Ok(Target::Resolved { specifier: entry.clone(), catalog });
        }
        if let Some(path) = specifier.strip_prefix("link:") {
            return Ok(Target::Link { path: self.way_to(path) });
        }
        match specifier.strip_prefix("workspace:") {
            Some(path) if path.starts_with(['.', '/']) => Ok(Target::Link { path: self.way_to(path) }),
            Some(rest) => self.workspace_package(name, specifier, rest),
            None => {
                let linked = self.settings.link_workspace_packages.then(|| self.member(name, specifier)).flatten();
                let resolved = || Target::Resolved { specifier: specifier.to_owned(), catalog: None };
                Ok(linked.map_or_else(resolved, |id| Target::Link { path: relative(self.importer, id) }))
            }
        }
    }

    /// `workspace:range` or `workspace:name@range`.
    fn workspace_package(&self, alias: &str, specifier: &str, rest: &str) -> Result<Target, WorkspaceError> {
        let (name, range) = match rest.rfind('@') {
            Some(at) if at > 0 => (&rest[..at], &rest[at + 1..]),
            _ => (alias, rest),
        };
        if let Some(id) = self.member(name, range) {
            return Ok(Target::Link { path: relative(self.importer, id) });
        }
        let versions: Vec<_> = self
            .manifests
            .values()
            .filter(|manifest| manifest.name.as_deref() == Some(name))
            .map(|manifest| manifest.version.clone().unwrap_or_else(|| "no version".to_owned()))
            .collect();
        let reason = if versions.is_empty() {
            format!("the workspace has no package called {name}")
        } else {
            format!("the workspace has {name} in {}", versions.join(", "))
        };
        Err(WorkspaceError::NoPackage {
            importer: shown(self.importer),
            dependency: alias.to_owned(),
            specifier: specifier.to_owned(),
            reason,
        })
    }

    /// The workspace's package of that name whose version is in the range: the newest of several.
    fn member(&self, name: &str, range: &str) -> Option<&str> {
        let any = matches!(range, "" | "*" | "^" | "~");
        let range = range::parse(range);
        let candidates = self.manifests.iter().filter(|(_, manifest)| manifest.name.as_deref() == Some(name));
        let versions = candidates.map(|(id, manifest)| {
            let version = manifest.version.as_deref().and_then(|version| Version::parse_from_npm(version).ok());
            (version, id)
        });
        let matching = versions.filter(|(version, _)| {
            any || range.as_ref().zip(version.as_ref()).is_some_and(|(range, version)| range.matches(version))
        });
        matching.max_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, id)| id.as_str())
    }

    /// The way from this project to a path that it names.
    fn way_to(&self, path: &str) -> String {
        if path.starts_with('/') {
            let here = join(&join(ROOT, &self.root.to_string_lossy()), self.importer);
            return relative(&here, &join(ROOT, path));
        }
        relative(self.importer, &join(self.importer, path))
    }
}

/// A path that a project names, relative to the root.
pub(crate) fn join(importer: &str, path: &str) -> String {
    let mut components: Vec<&str> = if importer == ROOT { Vec::new() } else { importer.split('/').collect() };
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." if components.last().is_some_and(|last| *last != "..") => drop(components.pop()),
            component => components.push(component),
        }
    }
    if components.is_empty() { ROOT.to_owned() } else { components.join("/") }
}

/// The way from one directory to another, both relative to the root; `.` where they are the same.
fn relative(from: &str, to: &str) -> String {
    let parts =
        |id: &str| -> Vec<String> { if id == ROOT { Vec::new() } else { id.split('/').map(str::to_owned).collect() } };
    let (from, to) = (parts(from), parts(to));
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| "..".to_owned());
    let way: Vec<_> = up.chain(to[common..].iter().cloned()).collect();
    if way.is_empty() { ROOT.to_owned() } else { way.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifests(texts: &[(&str, &str)]) -> BTreeMap<String, Manifest> {
        let parse = |text: &str| Manifest::parse(text.as_bytes(), Path::new("package.json")).unwrap();
        texts.iter().map(|(id, text)| (id.to_string(), parse(text))).collect()
    }

    fn shown_targets(dependencies: &str, settings: &ProjectSettings) -> Result<Vec<String>, String> {
        let project = format!(r#"{{"name":"a","version":"1.0.0","dependencies":{dependencies}}}"#);
        let all = [
            (".", r#"{"name":"root"}"#),
            ("packages/a", &project),
            ("packages/b", r#"{"name":"@x/b","version":"2.1.0"}"#),
        ];
        let manifests = manifests(&all);
        let overrides = Overrides::of(&settings.overrides, manifests.get(ROOT), &settings.catalogs).unwrap();
        let wanted = wanted(Path::new("/w"), "packages/a", &manifests, &overrides, settings)
            .map_err(|error| error.to_string())?;
        let shown = wanted.into_iter().map(|(name, wanted)| match wanted.target {
            Target::Link { path } => format!("{name} -> {path}"),
            Target::Resolved { specifier, .. } => format!("{name}@{specifier}"),
        });
        Ok(shown.collect())
    }

    #[test]
    fn a_name_counts_once_and_where_it_is_looked_for_first() {
        let text = r#"{"dependencies":{"a":"1","b":"1"},"devDependencies":{"a":"2","c":"^1"},
            "optionalDependencies":{"b":"2"},"peerDependencies":{"c":"9","d":"4"}}"#;
        let manifests = manifests(&[(ROOT, text)]);
        let kinds = |settings: &ProjectSettings| -> Vec<(String, String, DependencyKind)> {
            let wanted = wanted(Path::new("/w"), ROOT, &manifests, &Overrides::default(), settings).unwrap();
            wanted.into_iter().map(|(name, wanted)| (name, wanted.specifier, wanted.kind)).collect()
        };
        let expected = [
            ("a", "1", DependencyKind::Production),
            ("b", "2", DependencyKind::Optional),
            ("c", "^1", DependencyKind::Development),
            ("d", "4", DependencyKind::Production),
        ];
        let expected = expected.map(|(name, range, kind)| (name.to_owned(), range.to_owned(), kind));
        assert_eq!(kinds(&ProjectSettings::default()), expected);
        let settings = ProjectSettings { auto_install_peers: false, ..ProjectSettings::default() };
        assert_eq!(kinds(&settings), expected[..3]);
    }

    #[test]
    fn workspace_packages_are_linked() {
        let settings = ProjectSettings::default();
        let dependencies = r#"{"@x/b":"workspace:^2.0.0","alias":"workspace:@x/b@*","path":"workspace:../b","link":"link:../../x/./y","same":"link:.","whole":"link:/w/x"}"#;
        let expected =
            ["@x/b -> ../b", "alias -> ../b", "link -> ../../x/y", "path -> ../b", "same -> .", "whole -> ../../x"];
        assert_eq!(shown_targets(dependencies, &settings).unwrap(), expected);
        let error = shown_targets(r#"{"@x/b":"workspace:^3"}"#, &settings).unwrap_err();
        assert!(
            error.contains("packages/a/package.json asks for @x/b@workspace:^3") && error.contains("2.1.0"),
            "{error}"
        );
        assert!(shown_targets(r#"{"z":"workspace:*"}"#, &settings).unwrap_err().contains("no package called z"));
    }

    #[test]
    fn a_plain_range_is_linked_only_where_the_setting_says_so() {
        let mut settings = ProjectSettings::default();
        let dependencies = r#"{"@x/b":"^2.0.0"}"#;
        assert_eq!(shown_targets(dependencies, &settings).unwrap(), ["@x/b@^2.0.0"]);
        settings.link_workspace_packages = true;
        assert_eq!(shown_targets(dependencies, &settings).unwrap(), ["@x/b -> ../b"]);
        assert_eq!(shown_targets(r#"{"@x/b":"^1.0.0"}"#, &settings).unwrap(), ["@x/b@^1.0.0"]);
    }

    #[test]
    fn catalogs_and_overrides_say_what_to_resolve() {
        let catalog = |entries: &[(&str, &str)]| {
            entries.iter().map(|(name, range)| (name.to_string(), range.to_string())).collect()
        };
        let settings = ProjectSettings {
            catalogs: [
                ("default".to_owned(), catalog(&[("react", "^18")])),
                ("old".to_owned(), catalog(&[("vue", "2")])),
            ]
            .into(),
            overrides: catalog(&[("a>left", "5.0.0"), ("gone", "-")]),
            ..ProjectSettings::default()
        };
        let dependencies = r#"{"react":"catalog:","vue":"catalog:old","left":"^1","gone":"*"}"#;
        assert_eq!(shown_targets(dependencies, &settings).unwrap(), ["left@5.0.0", "react@^18", "vue@2"]);
        let error = shown_targets(r#"{"vue":"catalog:"}"#, &settings).unwrap_err();
        assert!(error.contains("the catalog default has no vue"), "{error}");
    }
}
