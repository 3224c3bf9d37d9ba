//! A directory as a value that can be compared.

use std::collections::BTreeMap;
use std::path::Path;

/// Every entry below `dir`: its path → the target of a link, the bytes and mode of a file, or that it is a directory.
pub fn tree(dir: &Path) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    add(dir, "", &mut entries);
    entries
}

fn add(dir: &Path, prefix: &str, entries: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), format!("{prefix}{}", entry.file_name().to_string_lossy()));
        // It says when the tree was made.
        if name.ends_with(".lockstep-state.json") {
            continue;
        }
        let kind = entry.file_type().unwrap();
        let what = if kind.is_symlink() {
            format!("-> {}", std::fs::read_link(&path).unwrap().display())
        } else if kind.is_dir() {
            add(&path, &format!("{name}/"), entries);
            "a directory".to_owned()
        } else {
            let mode = std::fs::metadata(&path).unwrap().permissions();
            let bytes = std::fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            // Which store a tree is from is no difference.
            let is_modules = name.ends_with(".modules.yaml");
            let lines = text.split_inclusive('\n').filter(|line| !(is_modules && line.contains("\"storeDir\"")));
            format!("{mode:?} {}", lines.collect::<String>())
        };
        entries.insert(name, what);
    }
}

/// Asserts that two directories hold the same; says what differs, and not all that does not.
#[track_caller]
pub fn assert_same_tree(actual: &Path, expected: &Path) {
    let (actual, expected) = (tree(actual), tree(expected));
    let short = |entry: Option<&String>| entry.map(|entry| entry.chars().take(120).collect::<String>());
    let paths: std::collections::BTreeSet<&String> = actual.keys().chain(expected.keys()).collect();
    let differing = paths.into_iter().filter(|path| actual.get(*path) != expected.get(*path));
    let differences: Vec<_> = differing
        .map(|path| format!("{path}: {:?} != {:?}", short(actual.get(path)), short(expected.get(path))))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
