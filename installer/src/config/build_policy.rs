//! Which dependencies may run build scripts: `allowBuilds`, and the older lists that say the same in other words.

use super::workspace_file::WorkspaceFile;
use crate::rt;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Who may build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildPolicy {
    /// `name` or `name@version || version` → whether its scripts run.
    rules: BTreeMap<String, bool>,
    /// `dangerouslyAllowAllBuilds`
    allows_all: bool,
}

/// What becomes of a package's build scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They run.
    Runs,
    /// They do not, as somebody decided.
    Denied,
    /// They do not, and nobody has decided: people should hear of it.
    Undecided,
}

impl BuildPolicy {
    /// What a project says: in the `pnpm` of its package.json, and in its pnpm-workspace.yaml, which counts where both say
    /// something; blocks. A package.json that cannot be read says nothing: whoever needs it for more complains.
    pub(super) fn read(project_dir: &Path, workspace: Option<&WorkspaceFile>) -> Self {
        let manifest = rt::fs::read(&project_dir.join("package.json")).unwrap_or_default();
        let manifest = manifest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&manifest);
        let manifest: Value = serde_json::from_slice(manifest).unwrap_or_default();
        let of_manifest = manifest["pnpm"].as_object().map(Self::of_settings).unwrap_or_default();
        of_manifest.and(workspace.map(|file| Self::of_settings(&file.settings)).unwrap_or_default())
    }

    /// Reads the settings that concern builds, by their names in pnpm-workspace.yaml and in package.json's `pnpm`. Values of
    /// another shape are passed over.
    pub fn of_settings(settings: &Map<String, Value>) -> Self {
        let mut rules = BTreeMap::new();
        for (list, allowed) in
            [("onlyBuiltDependencies", true), ("neverBuiltDependencies", false), ("ignoredBuiltDependencies", false)]
        {
            let names = settings.get(list).and_then(Value::as_array).into_iter().flatten();
            rules.extend(names.filter_map(|name| Some((name.as_str()?.to_owned(), allowed))));
        }
        let map = settings.get("allowBuilds").and_then(Value::as_object).into_iter().flatten();
        rules.extend(map.filter_map(|(name, allowed)| Some((name.clone(), allowed.as_bool()?))));
        let allows_all = settings.get("dangerouslyAllowAllBuilds").and_then(Value::as_bool) == Some(true);
        BuildPolicy { rules, allows_all }
    }

    /// This policy, with what another says besides; where both say something of a package, the other counts.
    pub fn and(mut self, other: BuildPolicy) -> Self {
        self.rules.extend(other.rules);
        self.allows_all |= other.allows_all;
        self
    }

    /// What becomes of a package's build scripts.
    pub fn verdict(&self, name: &str, version: &str) -> Verdict {
        let rules = self.rules.iter().filter(|(selector, _)| selects(selector, name, version));
        // A rule for some versions is closer than one for all.
        let closest = rules.max_by_key(|(selector, _)| *selector != name);
        match (closest, self.allows_all) {
            (Some((_, true)), _) | (None, true) => Verdict::Runs,
            (Some((_, false)), _) => Verdict::Denied,
            (None, false) => Verdict::Undecided,
        }
    }

    /// The rules as .modules.yaml has them.
    pub fn rules(&self) -> &BTreeMap<String, bool> {
        &self.rules
    }
}

fn selects(selector: &str, name: &str, version: &str) -> bool {
    let Some(rest) = selector.strip_prefix(name) else { return false };
    match rest.strip_prefix('@') {
        Some(versions) => versions.split("||").any(|selected| selected.trim() == version),
        None => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(settings: Value) -> BuildPolicy {
        BuildPolicy::of_settings(settings.as_object().unwrap())
    }

    #[test]
    fn every_way_to_say_it_is_understood() {
        let policy = policy(json!({
            "allowBuilds": { "esbuild": true, "@swc/core": false, "sharp@1.0.0 || 1.1.0": true, "odd": "yes" },
            "onlyBuiltDependencies": ["old"],
            "neverBuiltDependencies": ["never"],
            "ignoredBuiltDependencies": ["quiet"],
        }));
        for (name, version, verdict) in [
            ("esbuild", "0.1.0", Verdict::Runs),
            ("esbuild-wasm", "0.1.0", Verdict::Undecided),
            ("@swc/core", "1.0.0", Verdict::Denied),
            ("sharp", "1.1.0", Verdict::Runs),
            ("sharp", "2.0.0", Verdict::Undecided),
            ("old", "1.0.0", Verdict::Runs),
            ("never", "1.0.0", Verdict::Denied),
            ("quiet", "1.0.0", Verdict::Denied),
            ("odd", "1.0.0", Verdict::Undecided),
        ] {
            assert_eq!(policy.verdict(name, version), verdict, "{name}@{version}");
        }
    }

    #[test]
    fn both_files_are_read_and_the_workspace_s_counts() {
        let dir = tempfile::tempdir().unwrap();
        let pnpm = json!({ "onlyBuiltDependencies": ["a", "b"] });
        std::fs::write(dir.path().join("package.json"), json!({ "pnpm": pnpm }).to_string()).unwrap();
        std::fs::write(dir.path().join("pnpm-workspace.yaml"), "allowBuilds:\n  b: false\n  c: true\n").unwrap();
        let workspace = WorkspaceFile::read(dir.path()).unwrap();
        let policy = BuildPolicy::read(dir.path(), workspace.as_ref());
        let verdicts = ["a", "b", "c", "d"].map(|name| policy.verdict(name, "1.0.0"));
        assert_eq!(verdicts, [Verdict::Runs, Verdict::Denied, Verdict::Runs, Verdict::Undecided]);
        assert_eq!(BuildPolicy::read(&dir.path().join("nowhere"), None), BuildPolicy::default());
    }

    #[test]
    fn a_version_is_closer_than_a_name_and_a_rule_than_all() {
        let policy = policy(json!({
            "allowBuilds": { "a": true, "a@2.0.0": false, "b": false }, "dangerouslyAllowAllBuilds": true,
        }));
        assert_eq!(policy.verdict("a", "1.0.0"), Verdict::Runs);
        assert_eq!(policy.verdict("a", "2.0.0"), Verdict::Denied);
        assert_eq!(policy.verdict("b", "1.0.0"), Verdict::Denied);
        assert_eq!(policy.verdict("c", "1.0.0"), Verdict::Runs);
    }
}
