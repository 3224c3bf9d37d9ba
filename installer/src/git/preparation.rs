//! Whether a repository is a package as it is, or only once one of its scripts has run.

use serde_json::Value;

/// The script that has to run before the files of a repository are the package that they are meant to be. As pnpm decides:
/// `prepare` in any case, those that run at a release only where the package's entry is missing. `has` says which files
/// there are.
pub fn script_that_makes_it(manifest: &Value, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let is_there = |script: &str| manifest["scripts"][script].as_str().is_some_and(|text| !text.trim().is_empty());
    if is_there("prepare") {
        return Some("prepare");
    }
    let main = manifest["main"].as_str().unwrap_or("index.js").trim_start_matches("./");
    let entries = [main.to_owned(), format!("{main}.js"), format!("{main}/index.js")];
    if entries.iter().any(|entry| has(entry)) {
        return None;
    }
    ["prepublish", "prepack", "publish"].into_iter().find(|script| is_there(script))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_script_makes_is_not_there_before() {
        let script = |manifest: Value, files: &[&str]| script_that_makes_it(&manifest, |path| files.contains(&path));
        let (prepare, prepack) = (json!({ "prepare": "tsc" }), json!({ "prepack": "tsc" }));
        assert_eq!(script(json!({ "scripts": prepare }), &["index.js"]), Some("prepare"));
        assert_eq!(script(json!({ "scripts": { "prepare": "" } }), &[]), None);
        assert_eq!(script(json!({ "scripts": prepack }), &[]), Some("prepack"));
        assert_eq!(script(json!({ "scripts": prepack, "main": "./lib" }), &["lib/index.js"]), None);
        assert_eq!(script(json!({ "scripts": { "test": "x" } }), &[]), None);
    }
}
