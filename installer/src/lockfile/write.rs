//! Writes pnpm-lock.yaml, byte for byte as pnpm does: key order, blank lines, quotes and flow maps.
//!
//! An emitter of our own: the YAML serializers at hand cannot mix block and flow style this way, and the crate that
//! writes this very format (aube-lockfile) does its own file I/O, which cannot go through [`rt::fs`](crate::rt::fs).

use super::yaml_scalar::{Place, scalar};
use super::{
    BundledDependencies, CatalogEntry, DirectDependency, Importer, LockedPackage, Lockfile, Snapshot, TarballResolution,
};
use std::collections::BTreeMap;
use std::fmt::Write;

impl Lockfile {
    /// The text of the file. A function of the value alone.
    pub fn to_yaml(&self) -> String {
        let mut out = Emitter { text: String::new() };
        out.entry(0, "lockfileVersion", &self.lockfile_version);
        out.text.push_str("\nsettings:\n");
        out.plain(2, "autoInstallPeers", self.settings.auto_install_peers);
        out.plain(2, "excludeLinksFromLockfile", self.settings.exclude_links_from_lockfile);
        if !self.catalogs.is_empty() {
            out.text.push_str("\ncatalogs:\n");
            self.catalogs.iter().for_each(|(name, catalog)| out.map(name, catalog, Emitter::catalog));
        }
        if !self.overrides.is_empty() {
            out.text.push('\n');
            out.texts(0, "overrides", &self.overrides);
        }
        if let Some(checksum) = &self.package_extensions_checksum {
            out.text.push('\n');
            out.entry(0, "packageExtensionsChecksum", checksum);
        }
        if !self.ignored_optional_dependencies.is_empty() {
            out.text.push('\n');
            out.list(0, "ignoredOptionalDependencies", &self.ignored_optional_dependencies);
        }
        if !self.patched_dependencies.is_empty() {
            out.text.push('\n');
            out.texts(0, "patchedDependencies", &self.patched_dependencies);
        }
        out.section("importers", &self.importers, Emitter::importer);
        out.section("packages", &self.packages, Emitter::package);
        out.section("snapshots", &self.snapshots, Emitter::snapshot);
        out.text
    }
}

struct Emitter {
    text: String,
}

impl Emitter {
    /// A top-level map with a blank line before each entry. An empty one is left out.
    fn section<T>(&mut self, name: &str, map: &BTreeMap<String, T>, emit: impl Fn(&mut Self, &T)) {
        if map.is_empty() {
            return;
        }
        self.text.push('\n');
        self.open(0, name);
        for (key, value) in map {
            self.text.push('\n');
            self.map(key, value, &emit);
        }
    }

    /// A map below a top-level one; `{}` where nothing is in it.
    fn map<T>(&mut self, key: &str, value: &T, emit: impl Fn(&mut Self, &T)) {
        self.open(2, key);
        let start = self.text.len();
        emit(self, value);
        if self.text.len() == start {
            self.text.truncate(start - 1);
            self.text.push_str(" {}\n");
        }
    }

    fn catalog(&mut self, catalog: &BTreeMap<String, CatalogEntry>) {
        for (package, entry) in catalog {
            self.open(4, package);
            self.entry(6, "specifier", &entry.specifier);
            self.entry(6, "version", &entry.version);
        }
    }

    fn importer(&mut self, importer: &Importer) {
        self.direct("dependencies", &importer.dependencies);
        self.direct("devDependencies", &importer.dev_dependencies);
        self.direct("optionalDependencies", &importer.optional_dependencies);
    }

    fn direct(&mut self, name: &str, map: &BTreeMap<String, DirectDependency>) {
        if map.is_empty() {
            return;
        }
        self.open(4, name);
        for (alias, dependency) in map {
            self.open(6, alias);
            self.entry(8, "specifier", &dependency.specifier);
            self.entry(8, "version", &dependency.version);
        }
    }

    fn package(&mut self, package: &LockedPackage) {
        let TarballResolution { git_hosted, integrity, tarball, directory, kind, path } = &package.resolution;
        let text = |text: &Option<String>| text.as_deref().map(in_flow);
        let resolution = [
            ("directory", text(directory)),
            ("type", text(kind)),
            ("gitHosted", git_hosted.then(|| "true".to_owned())),
            ("integrity", text(integrity)),
            ("path", text(path)),
            ("tarball", text(tarball)),
        ];
        self.flow_map("resolution", resolution.into_iter().filter_map(|(name, value)| Some((name, value?))));
        if let Some(version) = &package.version {
            self.entry(4, "version", version);
        }
        if !package.engines.is_empty() {
            self.flow_map("engines", package.engines.iter().map(|(name, range)| (name.as_str(), in_flow(range))));
        }
        self.flow_list("cpu", &package.cpu);
        self.flow_list("os", &package.os);
        self.flow_list("libc", &package.libc);
        if let Some(deprecated) = &package.deprecated {
            self.entry(4, "deprecated", deprecated);
        }
        if package.has_bin {
            self.plain(4, "hasBin", true);
        }
        self.texts(4, "peerDependencies", &package.peer_dependencies);
        if !package.peer_dependencies_meta.is_empty() {
            self.open(4, "peerDependenciesMeta");
            for (name, meta) in &package.peer_dependencies_meta {
                self.open(6, name);
                self.plain(8, "optional", meta.optional);
            }
        }
        match &package.bundled_dependencies {
            BundledDependencies::All(true) => self.plain(4, "bundledDependencies", true),
            BundledDependencies::All(false) => {}
            BundledDependencies::Named(names) => self.list(4, "bundledDependencies", names),
        }
    }

    fn snapshot(&mut self, snapshot: &Snapshot) {
        self.texts(4, "dependencies", &snapshot.dependencies);
        self.texts(4, "optionalDependencies", &snapshot.optional_dependencies);
        self.list(4, "transitivePeerDependencies", &snapshot.transitive_peer_dependencies);
        if snapshot.optional {
            self.plain(4, "optional", true);
        }
    }

    /// `key:` and the end of the line.
    fn open(&mut self, indent: usize, key: &str) {
        self.pad(indent);
        self.text.push_str(&scalar(key, Place::Key));
        self.text.push_str(":\n");
    }

    /// `key: value` with the value as a scalar.
    fn entry(&mut self, indent: usize, key: &str, value: &str) {
        self.pad(indent);
        let (key, value) = (scalar(key, Place::Key), scalar(value, Place::Block { indent: indent + 2 }));
        let _ = writeln!(self.text, "{key}: {value}");
    }

    /// `key: true` or `key: false`.
    fn plain(&mut self, indent: usize, key: &str, value: bool) {
        self.pad(indent);
        let _ = writeln!(self.text, "{key}: {value}");
    }

    fn texts(&mut self, indent: usize, name: &str, map: &BTreeMap<String, String>) {
        if map.is_empty() {
            return;
        }
        self.open(indent, name);
        for (key, value) in map {
            self.entry(indent + 2, key, value);
        }
    }

    fn list(&mut self, indent: usize, name: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.open(indent, name);
        for item in items {
            self.pad(indent + 2);
            let _ = writeln!(self.text, "- {}", scalar(item, Place::Block { indent: indent + 4 }));
        }
    }

    /// `name: {key: value}`, the values as they are written.
    fn flow_map<'a>(&mut self, name: &str, entries: impl Iterator<Item = (&'a str, String)>) {
        let entries: Vec<_> = entries.map(|(key, value)| format!("{}: {value}", in_flow(key))).collect();
        let _ = writeln!(self.text, "    {name}: {{{}}}", entries.join(", "));
    }

    fn flow_list(&mut self, name: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        let items: Vec<_> = items.iter().map(|item| scalar(item, Place::Flow)).collect();
        let _ = writeln!(self.text, "    {name}: [{}]", items.join(", "));
    }

    fn pad(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
    }
}

fn in_flow(text: &str) -> String {
    scalar(text, Place::Flow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lockfile::LOCKFILE_VERSION;
    use std::path::Path;

    #[test]
    fn a_lockfile_of_pnpm_is_written_again_byte_for_byte() {
        let text = include_str!("../../tests/fixtures/pnpm/pnpm-lock.yaml");
        let lockfile = Lockfile::parse(text, Path::new("pnpm-lock.yaml")).unwrap();
        assert!(lockfile.snapshots.len() > 200);
        let written = lockfile.to_yaml();
        for (index, (expected, actual)) in text.lines().zip(written.lines()).enumerate() {
            assert_eq!(actual, expected, "line {}", index + 1);
        }
        assert_eq!(written, text);
    }

    #[test]
    fn a_project_without_dependencies_is_short() {
        let lockfile = Lockfile {
            lockfile_version: LOCKFILE_VERSION.to_owned(),
            importers: BTreeMap::from([(".".to_owned(), Importer::default())]),
            ..Lockfile::default()
        };
        let expected = "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  \
            excludeLinksFromLockfile: false\n\nimporters:\n\n  .: {}\n";
        assert_eq!(lockfile.to_yaml(), expected);
    }
}
