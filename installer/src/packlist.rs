//! Which files of a repository or a directory make a package: what `npm publish` would pack.
//!
//! `files` of package.json names what is in; without it, .npmignore or else .gitignore of each directory names what is not. Some
//! files always come, some never do.

use globset::{Glob, GlobSet, GlobSetBuilder};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// In the order in which a directory's are looked for: the first that is there counts.
const IGNORE_FILES: [&str; 2] = [".npmignore", ".gitignore"];

/// Never packed, wherever it is.
static NEVER: LazyLock<GlobSet> = LazyLock::new(|| {
    globs(&[
        "**/{.git,CVS,.svn,.hg,node_modules}/**",
        "**/{.npmignore,.gitignore,.gitattributes,.gitmodules,.npmrc,.DS_Store,.lock-wscript,npm-debug.log,config.gypi}",
        "**/{.wafpickle-*,._*,*.orig,.*.swp}",
        "{package-lock.json,pnpm-lock.yaml,yarn.lock,bun.lock,bun.lockb}",
    ])
});

/// Always packed, at the top.
static ALWAYS: LazyLock<GlobSet> = LazyLock::new(|| {
    globs(&["package.json", "{readme,copying,license,licence}", "{readme,copying,license,licence}.*"])
});

/// Whether a file says what is left out of its directory.
pub fn is_ignore_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| IGNORE_FILES.contains(&name))
}

/// The files among `paths` that are packed, given package.json and the ignore files, by their paths.
pub fn packed(
    paths: &BTreeSet<String>,
    manifest: &Value,
    ignore_files: &BTreeMap<String, Vec<u8>>,
) -> BTreeSet<String> {
    let named = named_by_manifest(manifest);
    let included = manifest["files"].as_array().map(|files| {
        let lines = files.iter().filter_map(Value::as_str).map(|line| match line.strip_prefix('!') {
            Some(line) => format!("!/{}", from_top(line)),
            None => format!("/{}", from_top(line)),
        });
        matcher(lines)
    });
    // Where `files` says what is in, the ignore file beside it says nothing.
    let ignored = ignore_files_of(ignore_files, included.is_none());
    let is_packed = |path: &&String| {
        if NEVER.is_match(path.as_str()) {
            return false;
        }
        if ALWAYS.is_match(path.to_lowercase()) || named.contains(path.as_str()) {
            return true;
        }
        let is_in = included.as_ref().is_none_or(|files| files.matched_path_or_any_parents(path, false).is_ignore());
        is_in && !is_ignored(path, &ignored)
    };
    paths.iter().filter(is_packed).cloned().collect()
}

/// The files that package.json names as entry and as commands.
fn named_by_manifest(manifest: &Value) -> BTreeSet<String> {
    let commands = manifest["bin"].as_object().into_iter().flat_map(|bin| bin.values());
    let named = [&manifest["main"], &manifest["bin"]].into_iter().chain(commands).filter_map(Value::as_str);
    named.map(from_top).collect()
}

/// Directory (with a slash behind it; empty for the top) → what is ignored below it.
fn ignore_files_of(files: &BTreeMap<String, Vec<u8>>, with_top: bool) -> BTreeMap<String, Gitignore> {
    let mut ignored = BTreeMap::new();
    for name in IGNORE_FILES {
        for (path, text) in files {
            let Some(dir) = path.strip_suffix(name).filter(|dir| dir.is_empty() || dir.ends_with('/')) else {
                continue;
            };
            if with_top || !dir.is_empty() {
                let text = String::from_utf8_lossy(text);
                ignored.entry(dir.to_owned()).or_insert_with(|| matcher(text.lines().map(str::to_owned)));
            }
        }
    }
    ignored
}

/// The directory nearest to the file that has something to say about it decides.
fn is_ignored(path: &str, ignored: &BTreeMap<String, Gitignore>) -> bool {
    let dirs = path.match_indices('/').map(|(at, _)| &path[..=at]).rev().chain([""]);
    let mut said = dirs.filter_map(|dir| {
        let says = ignored.get(dir)?.matched_path_or_any_parents(&path[dir.len()..], false);
        (!says.is_none()).then(|| says.is_ignore())
    });
    said.next().unwrap_or(false)
}

/// Lines that make no sense are passed over, as git does.
fn matcher(lines: impl Iterator<Item = String>) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    for line in lines {
        let _ = builder.add_line(None, &line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// `./lib/` as `lib`.
fn from_top(path: &str) -> String {
    path.split('/').filter(|component| !matches!(*component, "" | ".")).collect::<Vec<_>>().join("/")
}

fn globs(globs: &[&str]) -> GlobSet {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(Glob::new(glob).expect("a fixed glob"));
    }
    builder.build().expect("fixed globs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(manifest: &Value, ignore_files: &[(&str, &str)], paths: &[&str]) -> Vec<String> {
        let paths = paths.iter().chain(&["package.json"]).map(|path| (*path).to_owned()).collect();
        let files = ignore_files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        packed(&paths, manifest, &files).into_iter().filter(|path| path != "package.json").collect()
    }

    #[test]
    fn files_says_what_is_in() {
        let manifest =
            json!({ "files": ["lib/", "./types/*.d.ts", "!lib/test"], "main": "./index.js", "bin": "cli.js" });
        let paths = [
            "lib/a.js",
            "lib/deep/b.js",
            "lib/test/c.js",
            "types/a.d.ts",
            "types/a.ts",
            "index.js",
            "cli.js",
            "src/a.ts",
            "README.md",
            "Licence",
            "lib/node_modules/x/y.js",
            "lib/.npmrc",
        ];
        let expected = ["Licence", "README.md", "cli.js", "index.js", "lib/a.js", "lib/deep/b.js", "types/a.d.ts"];
        assert_eq!(list(&manifest, &[(".gitignore", "lib")], &paths), expected);
        assert_eq!(list(&json!({ "files": [] }), &[], &["a.js"]), Vec::<String>::new());
    }

    #[test]
    fn ignore_files_say_what_is_out() {
        let paths =
            ["a.js", "a.tmp", "test/a.js", "lib/a.tmp", "lib/keep.tmp", ".npmignore", "yarn.lock", "lib/yarn.lock"];
        let expected = ["a.js", "lib/keep.tmp", "lib/yarn.lock"];
        let ignore = [(".npmignore", "*.tmp\ntest\n"), (".gitignore", "a.js"), ("lib/.gitignore", "!keep.tmp")];
        assert_eq!(list(&json!({}), &ignore, &paths), expected);
        assert_eq!(list(&json!({}), &[(".gitignore", "/a.*")], &["a.js", "b.js", "lib/a.js"]), ["b.js", "lib/a.js"]);
        assert_eq!(list(&json!({}), &[], &["src/a.ts", ".git/config"]), ["src/a.ts"]);
    }
}
