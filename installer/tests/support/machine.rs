//! A machine whose projects share one store, and with `enableGlobalVirtualStore` the packages in it.

use super::{LocalRegistry, Package, command, project, read, run, succeeded};
use installer::store::StoreDir;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub const ON: &str = "enableGlobalVirtualStore: true\n";

/// A registry, and a directory for projects that share a store.
pub struct Machine {
    pub registry: LocalRegistry,
    pub dir: TempDir,
}

impl Machine {
    pub fn new() -> Self {
        let registry = LocalRegistry::start();
        registry.publish(&[
            Package::new("app", "1.0.0").with("dependencies", json!({ "@s/leaf": "1.0.0", "tool": "1.0.0" })),
            Package::new("@s/leaf", "1.0.0").file("lib/leaf.js", "leaf"),
            Package::new("tool", "1.0.0")
                .with("bin", json!("tool.sh"))
                .file("tool.sh", "#!/bin/sh\necho \"tool $NODE_PATH\"\n"),
            native(),
            Package::new("uses-native", "1.0.0").with("dependencies", json!({ "native": "1.0.0" })),
        ]);
        Machine { registry, dir: tempfile::tempdir().unwrap() }
    }

    /// A project that asks for these.
    pub fn project(&self, name: &str, dependencies: Value, settings: &str) -> PathBuf {
        let dir = self.dir.path().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        project(&dir, &json!({ "name": name, "dependencies": dependencies }));
        std::fs::write(dir.join("pnpm-workspace.yaml"), format!("{settings}storeDir: ../store\n")).unwrap();
        dir
    }

    pub fn app(&self, name: &str) -> PathBuf {
        self.project(name, json!({ "app": "1.0.0" }), ON)
    }

    pub fn command(&self, dir: &Path, arguments: &[&str]) -> Command {
        let mut command = command(&self.registry, dir, arguments);
        command.env_remove("npm_config_store_dir");
        command
    }

    #[track_caller]
    pub fn install(&self, dir: &Path, arguments: &[&str]) -> String {
        succeeded(&self.command(dir, arguments).output().unwrap())
    }

    pub fn store(&self) -> StoreDir {
        StoreDir::new(&self.dir.path().join("store"))
    }

    /// The directories of a package in the store.
    pub fn entries(&self, package: &str) -> Vec<PathBuf> {
        let (name, version) = package.rsplit_once('@').unwrap();
        let name = if name.starts_with('@') { name.to_owned() } else { format!("@/{name}") };
        let dir = self.store().links_dir().join(name).join(version);
        let mut entries: Vec<_> = std::fs::read_dir(dir)
            .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default();
        entries.sort();
        entries
    }

    pub fn entry(&self, package: &str) -> PathBuf {
        let entries = self.entries(package);
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].clone()
    }

    pub fn store_command(&self, dir: &Path, name: &str) -> String {
        let store = self.dir.path().join("store");
        let output = run(&self.registry, dir, "store", &[name, "--store-dir", store.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A package whose build leaves a mark, and fails where a file says so.
pub fn native() -> Package {
    // Slow enough for installs that begin together to meet.
    let script = "sleep 0.2; echo built >> built; echo native >> \"$INIT_CWD/../log\"; [ ! -e \"$INIT_CWD/fail\" ]";
    Package::new("native", "1.0.0").with("scripts", json!({ "postinstall": script })).file("index.js", "native")
}

/// As after another start of the machine.
pub fn age_notes(machine: &Machine, package: &str) {
    for entry in machine.entries(package) {
        let path = entry.join(".lockstep-complete.json");
        let mut note: Value = serde_json::from_str(&read(&path)).unwrap();
        note["boot"] = json!("another");
        std::fs::write(path, note.to_string()).unwrap();
    }
}
