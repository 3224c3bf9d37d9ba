//! Commands: `.bin/<command>`, a small shell script that starts the right program on the right file.
//!
//! As in pnpm, each project has the commands of its own dependencies and of their peers, each package its own and those of its
//! dependencies and of what its tarball carries ([`carried`](super::carried)), and the hoisted packages have theirs beside them.
//! A package that all projects share gets its commands before it is complete, and no others afterwards.
//!
//! A script rather than a link: a file in the store is shared by all projects and not ours to make executable, and a
//! script can say where hoisted packages are (`NODE_PATH`). In a tree of real directories ([`hoisted`](super::hoisted)) nothing
//! has to be said, and pnpm makes links: there a file that is to be executable becomes the package's own.

mod script;

use self::script::{Program, script};
use super::carried::CarriedPackages;
use super::hoisted::Locations;
use super::link::{Direct, LinkError, LinkPlan, relative_path};
use super::{InstalledPackages, Layout};
use crate::lockfile::{self, DepPath};
use crate::package::BundledManifest;
use crate::rt::{self, FileKind, TEMPORARY_PREFIX};
use crate::workspace::ROOT;
use deno_semver::Version;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bin {
    /// The script: `node_modules/.bin/tsc`.
    pub path: PathBuf,
    /// The file that it starts: `node_modules/typescript/bin/tsc`.
    pub target: PathBuf,
    /// Where packages can be found that the file's own package does not name, nearest first.
    pub node_path: Vec<PathBuf>,
    /// What it is on the disk.
    pub form: Form,
}

/// What a command is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A script.
    Script,
    /// A link to a file of a package, which is made executable.
    Link,
    /// A link where the file is executable as it is, else a script: a project's own files are not touched.
    LinkIfExecutable,
}

/// The manifests of directories that are used where they are.
pub type LinkedManifests = BTreeMap<PathBuf, BundledManifest>;

/// Everything that may have commands.
#[derive(Debug, Clone, Copy)]
pub struct Providers<'a> {
    /// The packages.
    pub installed: &'a InstalledPackages,
    /// What is used where it is.
    pub linked: &'a LinkedManifests,
    /// What lies in packages.
    pub carried: &'a CarriedPackages,
}

/// Decides all commands. Pure.
pub fn plan(links: &LinkPlan, providers: Providers<'_>, layout: &Layout) -> Vec<Bin> {
    let Providers { installed, linked, carried } = providers;
    // Few have commands, and are met often: their paths are made once.
    let with_commands = installed.iter().filter(|(_, row)| !row.manifest.bin.is_empty()).map(|(dep_path, row)| {
        let (own, dir) = (layout.own_modules_dir(dep_path), layout.package_dir(dep_path));
        let node_path = vec![own, layout.snapshot_modules_dir(dep_path), layout.hoisted_modules_dir()];
        let (package, manifest) = (dep_path.clone(), &row.manifest);
        (dep_path.as_str(), Provider { package, is_own: true, dir, manifest, node_path, form: Form::Script })
    });
    let with_commands: BTreeMap<&str, Provider<'_>> = with_commands.collect();
    let in_place = |dep_path: &DepPath| with_commands.get(dep_path.as_str()).cloned();
    let of_snapshot =
        |dep_path: &DepPath, dir: &dyn Fn() -> PathBuf| Some(Provider { dir: dir(), ..in_place(dep_path)? });
    let of_directory = |target: &Path, dir: PathBuf| {
        let manifest = linked.get(target)?;
        let (package, node_path) =
            (format!("{}@{}", manifest.name, manifest.version), vec![layout.hoisted_modules_dir()]);
        Some(Provider { package, is_own: true, dir, manifest, node_path, form: Form::Script })
    };
    let mut bins = Vec::new();
    for (importer, direct) in &links.direct {
        let modules_dir = layout.importer_modules_dir(importer);
        let own = direct.iter().filter_map(|(name, direct)| match direct {
            Direct::Snapshot(dep_path) => of_snapshot(dep_path, &|| modules_dir.join(name)),
            Direct::Directory(target) => of_directory(target, modules_dir.join(name)),
        });
        let peers = links.peers.get(importer).into_iter().flatten();
        let peers = peers.filter_map(in_place);
        let public = links.public.iter().filter(|_| importer == ROOT);
        let public = public.filter_map(|(name, dep_path)| of_snapshot(dep_path, &|| modules_dir.join(name)));
        let others = public.chain(peers).map(|provider| Provider { is_own: false, ..provider });
        bins.extend(commands(&modules_dir, own.chain(others)));
    }
    let hoisted_modules_dir = layout.hoisted_modules_dir();
    let hoisted =
        links.hoisted.iter().filter_map(|(name, dep_path)| of_snapshot(dep_path, &|| hoisted_modules_dir.join(name)));
    bins.extend(commands(&hoisted_modules_dir, hoisted));
    for (dep_path, dependencies) in &links.snapshots {
        let entry = layout.entry(dep_path);
        if entry.is_some_and(|entry| entry.complete.is_some()) {
            continue;
        }
        let of_packages: Vec<_> = dependencies.values().chain([dep_path]).filter_map(in_place).collect();
        let inside = carried.get(dep_path);
        if of_packages.is_empty() && inside.is_none() {
            continue;
        }
        let own_modules_dir = layout.own_modules_dir(dep_path);
        let inside = inside.into_iter().flatten().map(|(name, manifest)| {
            let provider = Provider::carried(name, manifest, &own_modules_dir, Form::Script);
            let modules_dirs =
                [provider.dir.join("node_modules"), own_modules_dir.clone(), hoisted_modules_dir.clone()];
            Provider { node_path: modules_dirs.into(), ..provider }
        });
        let providers = of_packages.into_iter().chain(inside).map(|mut provider| {
            if entry.is_some() {
                // What one project hoists is nothing to the others.
                provider.node_path.truncate(2);
            }
            provider
        });
        bins.extend(commands(&own_modules_dir, providers));
    }
    bins
}

/// Decides the commands of a tree of real directories: each node_modules has those of the packages in it. Pure.
pub fn plan_hoisted(links: &LinkPlan, providers: Providers<'_>, layout: &Layout, locations: &Locations) -> Vec<Bin> {
    let Providers { installed, linked, carried } = providers;
    let mut dirs = locations.modules_dirs();
    for importer in links.direct.keys() {
        dirs.entry(layout.importer_modules_dir(importer)).or_default();
    }
    let carriers = locations.dirs().iter().filter_map(|(dir, dep_path)| Some((dir, carried.get(dep_path)?)));
    let inside: BTreeMap<PathBuf, _> = carriers.map(|(dir, inside)| (dir.join("node_modules"), inside)).collect();
    for modules_dir in inside.keys() {
        dirs.entry(modules_dir.clone()).or_default();
    }
    let nothing = BTreeMap::new();
    let mut bins = Vec::new();
    for (modules_dir, packages) in &dirs {
        let importer = links.direct.iter().find(|(id, _)| layout.importer_modules_dir(id) == *modules_dir);
        let direct = importer.map_or(&nothing, |(_, direct)| direct);
        let of_package = |(name, dep_path): (&String, &&DepPath)| {
            let manifest = &installed.get(*dep_path)?.manifest;
            let (dir, is_own) = (modules_dir.join(name), direct.contains_key(name));
            let package = (*dep_path).clone();
            Some(Provider { package, is_own, dir, manifest, node_path: Vec::new(), form: Form::Link })
        };
        // Links are commands of the project that they lead to, by its own directory.
        let of_directory = |target: &PathBuf, is_own| {
            let manifest = linked.get(target)?;
            let (package, dir) = (format!("{}@{}", manifest.name, manifest.version), target.clone());
            let form = Form::LinkIfExecutable;
            Some(Provider { package, is_own, dir, manifest, node_path: Vec::new(), form })
        };
        let own = direct.values().filter_map(|direct| match direct {
            Direct::Directory(target) => of_directory(target, true),
            Direct::Snapshot(_) => None,
        });
        let is_root = *modules_dir == layout.modules_dir;
        let projects = links.hoisted_projects.values().filter(|_| is_root);
        let projects = projects.filter_map(|dir| of_directory(dir, false));
        let inside = inside.get(modules_dir).into_iter().flat_map(|inside| inside.iter());
        let inside = inside.map(|(name, manifest)| Provider::carried(name, manifest, modules_dir, Form::Link));
        let providers = packages.iter().filter_map(of_package).chain(own).chain(projects).chain(inside);
        bins.extend(commands(modules_dir, providers));
    }
    bins
}

/// A package that may have commands.
#[derive(Clone)]
struct Provider<'a> {
    /// Its name and version, perhaps with peers.
    package: String,
    /// Whether it was asked for, and not only hoisted.
    is_own: bool,
    /// Where its files are found.
    dir: PathBuf,
    manifest: &'a BundledManifest,
    node_path: Vec<PathBuf>,
    form: Form,
}

impl<'a> Provider<'a> {
    /// A package that another one carries in this node_modules.
    fn carried(name: &str, manifest: &'a BundledManifest, modules_dir: &Path, form: Form) -> Self {
        let (package, dir) = (manifest.label(), modules_dir.join(name));
        Provider { package, is_own: true, dir, manifest, node_path: Vec::new(), form }
    }
}

/// The commands in one `.bin`, of these packages.
fn commands<'a>(modules_dir: &Path, providers: impl Iterator<Item = Provider<'a>>) -> Vec<Bin> {
    let mut owners: BTreeMap<&str, (Claim, Bin)> = BTreeMap::new();
    for provider in providers {
        for (command, path) in &provider.manifest.bin {
            let claim = Claim::new(command, &provider);
            if owners.get(command.as_str()).is_none_or(|(there, _)| *there < claim) {
                let (target, node_path, form) = (provider.dir.join(path), provider.node_path.clone(), provider.form);
                let bin = Bin { path: modules_dir.join(".bin").join(command), target, node_path, form };
                owners.insert(command, (claim, bin));
            }
        }
    }
    owners.into_values().map(|(_, bin)| bin).collect()
}

/// How strong a package's claim to a command is, where several have one of that name: pnpm's order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    /// The package was asked for.
    is_own: bool,
    /// The command is called like the package.
    own_name: bool,
    /// The first by the alphabet.
    package: Reverse<String>,
    /// Then the newest.
    version: Option<Version>,
}

impl Claim {
    fn new(command: &str, provider: &Provider<'_>) -> Self {
        let dep_path = provider.package.as_str();
        let (package, version) = lockfile::name_and_version(dep_path).unwrap_or((dep_path, ""));
        let version = Version::parse_from_npm(version).ok();
        let (own_name, package) = (command == package, Reverse(package.to_owned()));
        Claim { is_own: provider.is_own, own_name, package, version }
    }
}

/// Writes one command, whole or not at all; one that is right already is left alone.
///
/// # Errors
/// When the disk refuses.
pub fn apply(bin: &Bin, layout: &Layout) -> Result<(), LinkError> {
    let failed = |action: &'static str| {
        let path = bin.path.clone();
        move |source| LinkError { action, path, source }
    };
    if cfg!(unix) && is_link(bin).map_err(failed("look at"))? {
        return link(bin).map_err(failed("link"));
    }
    let Ok(target) = rt::fs::read(&bin.target) else {
        // Declared but not published: npm and pnpm pass over it too.
        return Ok(());
    };
    let script = script(bin, &Program::of(&bin.target, &target), layout);
    if rt::fs::kind(&bin.path).is_ok_and(|kind| kind == FileKind::File)
        && rt::fs::read(&bin.path).is_ok_and(|there| there == script.as_bytes())
    {
        return Ok(());
    }
    let dir = bin.path.parent().expect("a command lies in .bin");
    rt::fs::create_dir_all(dir).map_err(failed("create"))?;
    let temporary = dir.join(format!("{TEMPORARY_PREFIX}{}", rt::unique()));
    rt::fs::write_new(&temporary, script.as_bytes(), true)
        .and_then(|()| rt::fs::rename(&temporary, &bin.path))
        .map_err(failed("write"))
}

/// Whether a command is to be a link.
fn is_link(bin: &Bin) -> io::Result<bool> {
    match bin.form {
        Form::Script => Ok(false),
        Form::Link => Ok(true),
        // What a project has not built yet is what it will be.
        Form::LinkIfExecutable => Ok(!rt::fs::exists(&bin.target) || rt::fs::is_executable(&bin.target)?),
    }
}

/// Makes a command a link, and what it leads to executable: then the file is the package's own, and no longer the store's.
fn link(bin: &Bin) -> io::Result<()> {
    let dir = bin.path.parent().expect("a command lies in .bin");
    let target = relative_path(&bin.target, dir);
    if rt::fs::kind(&bin.target).is_ok_and(|kind| kind == FileKind::File) && !rt::fs::is_executable(&bin.target)? {
        if rt::fs::names(&bin.target)? > 1 {
            let temporary = bin.target.with_file_name(format!("{TEMPORARY_PREFIX}{}", rt::unique()));
            rt::fs::copy(&bin.target, &temporary)?;
            rt::fs::rename(&temporary, &bin.target)?;
        }
        rt::fs::set_executable(&bin.target)?;
    }
    if rt::fs::read_link(&bin.path).is_ok_and(|there| there == target) {
        return Ok(());
    }
    rt::fs::create_dir_all(dir)?;
    let temporary = dir.join(format!("{TEMPORARY_PREFIX}{}", rt::unique()));
    rt::fs::symlink(&target, &temporary)?;
    rt::fs::rename(&temporary, &bin.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::PackageRow;
    use std::sync::Arc;

    #[test]
    fn a_command_belongs_to_the_package_of_its_name_else_to_the_first() {
        let row = |commands: &[&str]| {
            let bin = commands.iter().map(|command| (command.to_string(), "cli.js".to_owned())).collect();
            Arc::new(PackageRow { manifest: BundledManifest { bin, ..Default::default() }, ..Default::default() })
        };
        let direct = ["a", "b", "tsc"].map(|name| (name.to_owned(), Direct::Snapshot(format!("{name}@1.0.0"))));
        let linked_dir = PathBuf::from("/p/packages/w");
        let mut direct = BTreeMap::from(direct);
        direct.insert("w".to_owned(), Direct::Directory(linked_dir.clone()));
        let links = LinkPlan { direct: [(".".to_owned(), direct)].into(), ..LinkPlan::default() };
        let own = BundledManifest { name: "w".into(), bin: [("w".into(), "w.js".into())].into(), ..Default::default() };
        let rows = [("a@1.0.0", row(&["tsc", "x"])), ("b@1.0.0", row(&["x"])), ("tsc@1.0.0", row(&["tsc"]))];
        let installed = rows.map(|(dep_path, row)| (dep_path.to_owned(), row)).into();
        let (linked, carried) = ([(linked_dir, own)].into(), CarriedPackages::new());
        let providers = Providers { installed: &installed, linked: &linked, carried: &carried };
        let bins = plan(&links, providers, &Layout::new(Path::new("/p")));
        let targets: Vec<_> = bins.iter().map(|bin| bin.target.to_str().unwrap()).collect();
        assert_eq!(targets, ["/p/node_modules/tsc/cli.js", "/p/node_modules/w/w.js", "/p/node_modules/a/cli.js"]);
    }

    #[cfg(unix)]
    #[test]
    fn the_script_runs_the_file_wherever_it_is_called_from() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let target = layout.modules_dir.join("tool/say.sh");
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(&target, "#!/bin/sh\necho \"$1 $NODE_PATH\"\n").unwrap();
        let node_path = vec![layout.hoisted_modules_dir()];
        let bin = Bin { path: layout.modules_dir.join(".bin/say"), target, node_path, form: Form::Script };
        apply(&bin, &layout).unwrap();
        let output = std::process::Command::new(&bin.path).arg("hi").env_remove("NODE_PATH").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with("hi ") && said.trim_end().ends_with("/../.pnpm/node_modules"), "{said}");
    }
}
