//! Whether a lockfile still answers what the projects ask: the check of a frozen install.

use super::{DirectDependency, Importer, Lockfile, settings_checksum};
use crate::config::redact_url;
use crate::manifest::DependencyKind;
use crate::workspace::{Member, ROOT, Target, Workspace, shown};
use miette::Diagnostic;
use std::collections::BTreeMap;
use std::fmt;

/// package.json and the lockfile say different things.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[error("pnpm-lock.yaml is not up to date with package.json:\n{}", differences.iter().map(|difference| format!("  {difference}")).collect::<Vec<_>>().join("\n"))]
#[diagnostic(code(lockstep::lockfile::mismatch), help("run `lockstep install --no-frozen-lockfile`"))]
pub struct LockfileMismatch {
    /// Every difference: project by project, then by name.
    pub differences: Vec<Difference>,
}

impl LockfileMismatch {
    /// What is left where a frozen install may leave out what is optional and not in the lockfile: that has no version where it was
    /// resolved, and pnpm takes it so too.
    pub fn but_for_optional(mut self) -> Option<Self> {
        self.differences.retain(|difference| !matches!(difference, Difference::Added { optional: true, .. }));
        (!self.differences.is_empty()).then_some(self)
    }
}

/// One thing that package.json and the lockfile disagree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// package.json asks for it, the lockfile does not know it.
    Added {
        /// Which project's, as a path to its package.json.
        project: String,
        /// Name under node_modules.
        name: String,
        /// What package.json asks for.
        specifier: String,
        /// Whether the project works without it.
        optional: bool,
    },
    /// The lockfile has it, package.json does not ask for it.
    Removed {
        /// Which project's, as a path to its package.json.
        project: String,
        /// Name under node_modules.
        name: String,
        /// What package.json asked for.
        specifier: String,
    },
    /// Both have it, with other ranges.
    Changed {
        /// Which project's, as a path to its package.json.
        project: String,
        /// Name under node_modules.
        name: String,
        /// What the lockfile answers.
        locked: String,
        /// What package.json asks for.
        specifier: String,
    },
    /// Both have it, in other maps.
    Moved {
        /// Which project's, as a path to its package.json.
        project: String,
        /// Name under node_modules.
        name: String,
        /// The lockfile's map.
        locked: &'static str,
        /// package.json's map.
        wanted: &'static str,
    },
    /// A directory that a package is a copy of asks for something else.
    Directory {
        /// Its path from the lockfile.
        path: String,
    },
    /// A setting that the resolution depends on differs.
    Setting {
        /// Its name in pnpm-workspace.yaml.
        name: &'static str,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let project = match self {
            Difference::Added { project, name, specifier, .. } => {
                write!(f, "added: {name}@{}", redact_url(specifier))?;
                project
            }
            Difference::Removed { project, name, specifier } => {
                write!(f, "removed: {name}@{}", redact_url(specifier))?;
                project
            }
            Difference::Changed { project, name, locked, specifier } => {
                write!(f, "changed: {name} from {} to {}", redact_url(locked), redact_url(specifier))?;
                project
            }
            Difference::Moved { project, name, locked, wanted } => {
                write!(f, "moved: {name} from {locked} to {wanted}")?;
                project
            }
            Difference::Directory { path } => return write!(f, "changed: what {path}/package.json asks for"),
            Difference::Setting { name } => return write!(f, "changed: {name}"),
        };
        // Where there is one project, everybody knows which.
        if *project == shown(ROOT) { Ok(()) } else { write!(f, " (in {project})") }
    }
}

/// Checks that each project's importer has exactly its specifiers, in the same maps, and that the settings are those that
/// were resolved with. Importers of projects that are not there are nobody's concern.
///
/// # Errors
/// [`LockfileMismatch`] with every difference.
pub fn satisfies(lockfile: &Lockfile, workspace: &Workspace) -> Result<(), LockfileMismatch> {
    let mut differences = Vec::new();
    for (id, member) in &workspace.members {
        add_differences(&shown(id), lockfile.importers.get(id), member, &mut differences);
    }
    let catalogs_match = lockfile.catalogs.iter().all(|(name, entries)| {
        let catalog = workspace.settings.catalogs.get(name);
        entries
            .iter()
            .all(|(package, entry)| catalog.and_then(|catalog| catalog.get(package)) == Some(&entry.specifier))
    });
    let catalogs_known = workspace.members.values().flat_map(|member| member.wanted.iter()).all(|(name, wanted)| {
        let Target::Resolved { catalog: Some(used), .. } = &wanted.target else { return true };
        lockfile.catalogs.get(&used.catalog).is_some_and(|entries| entries.contains_key(name))
    });
    let settings = [
        ("patchedDependencies", lockfile.patched_dependencies == workspace.patches.hashes()),
        ("overrides", lockfile.overrides == workspace.overrides.texts),
        ("catalogs", catalogs_match && catalogs_known),
        (
            "packageExtensions",
            lockfile.package_extensions_checksum == settings_checksum(&workspace.settings.package_extensions_value),
        ),
        (
            "ignoredOptionalDependencies",
            lockfile.ignored_optional_dependencies == workspace.settings.ignored_optional_dependencies_texts,
        ),
        ("autoInstallPeers", lockfile.settings.auto_install_peers == workspace.settings.auto_install_peers),
    ];
    let changed = settings.into_iter().filter(|(_, same)| !same);
    differences.extend(changed.map(|(name, _)| Difference::Setting { name }));
    if differences.is_empty() { Ok(()) } else { Err(LockfileMismatch { differences }) }
}

fn add_differences(project: &str, importer: Option<&Importer>, member: &Member, differences: &mut Vec<Difference>) {
    let empty = Importer::default();
    let importer = importer.unwrap_or(&empty);
    let mut locked: BTreeMap<&str, (&DirectDependency, DependencyKind)> = BTreeMap::new();
    for (map, kind) in [
        (&importer.dependencies, DependencyKind::Production),
        (&importer.dev_dependencies, DependencyKind::Development),
        (&importer.optional_dependencies, DependencyKind::Optional),
    ] {
        locked.extend(map.iter().map(|(name, dependency)| (name.as_str(), (dependency, kind))));
    }
    for (name, wanted) in &member.wanted {
        let (project, name, specifier) = (project.to_owned(), name.clone(), wanted.specifier.clone());
        let link = match &wanted.target {
            Target::Link { path } => Some(format!("link:{path}")),
            Target::Resolved { .. } => None,
        };
        match locked.remove(name.as_str()) {
            None => {
                let optional = wanted.kind == DependencyKind::Optional;
                differences.push(Difference::Added { project, name, specifier, optional });
            }
            Some((dependency, _))
                if dependency.specifier != specifier || link.is_some_and(|link| link != dependency.version) =>
            {
                let locked = dependency.specifier.clone();
                differences.push(Difference::Changed { project, name, locked, specifier });
            }
            Some((_, kind)) if kind != wanted.kind => {
                let (locked, wanted) = (map_name(kind), map_name(wanted.kind));
                differences.push(Difference::Moved { project, name, locked, wanted });
            }
            Some(_) => {}
        }
    }
    for (name, (dependency, _)) in locked {
        let (project, specifier) = (project.to_owned(), dependency.specifier.clone());
        differences.push(Difference::Removed { project, name: name.to_owned(), specifier });
    }
}

fn map_name(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Production => "dependencies",
        DependencyKind::Development => "devDependencies",
        DependencyKind::Optional => "optionalDependencies",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProjectSettings;
    use crate::manifest::Manifest;
    use std::path::Path;

    fn fixture() -> (Lockfile, Manifest) {
        let lockfile = include_str!("../../tests/fixtures/pnpm/pnpm-lock.yaml");
        let manifest = include_bytes!("../../tests/fixtures/pnpm/package.json");
        (
            Lockfile::parse(lockfile, Path::new("pnpm-lock.yaml")).unwrap(),
            Manifest::parse(manifest, Path::new("package.json")).unwrap(),
        )
    }

    fn workspace(members: &[(&str, &Manifest)]) -> Workspace {
        let manifests = members.iter().map(|(id, manifest)| (id.to_string(), (*manifest).clone())).collect();
        let overrides = fixture().0.overrides;
        let settings = ProjectSettings { overrides, ..ProjectSettings::default() };
        Workspace::new(Path::new("/p"), manifests, &settings).unwrap()
    }

    #[test]
    fn pnpm_s_own_lockfile_satisfies_its_manifest() {
        let (lockfile, manifest) = fixture();
        satisfies(&lockfile, &workspace(&[(".", &manifest)])).unwrap();
    }

    #[test]
    fn every_difference_is_listed() {
        let (lockfile, mut manifest) = fixture();
        manifest.dependencies.remove("express");
        manifest.dependencies.insert("react".to_owned(), "^19.0.0".to_owned());
        manifest.dependencies.insert("left-pad".to_owned(), "1".to_owned());
        let typescript = manifest.dev_dependencies.remove("typescript").unwrap();
        manifest.dependencies.insert("typescript".to_owned(), typescript);
        let error = satisfies(&lockfile, &workspace(&[(".", &manifest)])).unwrap_err();
        let expected = "pnpm-lock.yaml is not up to date with package.json:\n  added: left-pad@1\n  \
            changed: react from ^18.0.0 to ^19.0.0\n  moved: typescript from devDependencies to dependencies\n  \
            removed: express@^4.18.0";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn every_project_and_every_setting_counts() {
        let (mut lockfile, manifest) = fixture();
        let other = Manifest { dependencies: [("left-pad".to_owned(), "1".to_owned())].into(), ..Manifest::default() };
        let mut workspace = workspace(&[(".", &manifest), ("packages/a", &other)]);
        workspace.settings.auto_install_peers = false;
        lockfile.overrides.insert("a".to_owned(), "1".to_owned());
        let differences = satisfies(&lockfile, &workspace).unwrap_err().differences;
        let shown: Vec<_> = differences.iter().map(ToString::to_string).collect();
        let expected =
            ["added: left-pad@1 (in packages/a/package.json)", "changed: overrides", "changed: autoInstallPeers"];
        assert_eq!(shown, expected);
    }
}
