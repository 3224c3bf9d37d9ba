//! Changes of package.json's text: only what a change concerns is different afterwards. Indent, key order, line ends and
//! everything that an installer does not know stay as people wrote them.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use std::fmt;

/// A map of package.json that names dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencyMap {
    /// `dependencies`
    Production,
    /// `devDependencies`
    Development,
    /// `optionalDependencies`
    Optional,
    /// `peerDependencies`
    Peer,
}

impl DependencyMap {
    /// All of them.
    pub const ALL: [DependencyMap; 4] =
        [DependencyMap::Production, DependencyMap::Development, DependencyMap::Optional, DependencyMap::Peer];

    /// The field's name.
    pub fn field(self) -> &'static str {
        match self {
            DependencyMap::Production => "dependencies",
            DependencyMap::Development => "devDependencies",
            DependencyMap::Optional => "optionalDependencies",
            DependencyMap::Peer => "peerDependencies",
        }
    }
}

impl fmt::Display for DependencyMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field())
    }
}

/// One change of package.json.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestChange {
    /// This map asks for this under that name.
    Set {
        /// Which map.
        map: DependencyMap,
        /// Name under node_modules.
        name: String,
        /// Range, tag or alias.
        specifier: String,
    },
    /// This map does not have the name. A map that becomes empty goes too.
    Remove {
        /// Which map.
        map: DependencyMap,
        /// Name under node_modules.
        name: String,
    },
}

/// The text after these changes. None for a text that is no JSON object, or in which a map is none.
pub fn edited(text: &str, changes: &[ManifestChange]) -> Option<String> {
    let (mark, json) = text.strip_prefix('\u{feff}').map_or(("", text), |json| ("\u{feff}", json));
    let root = CstRootNode::parse(json, &STRICT).ok()?;
    let manifest = root.object_value()?;
    for change in changes {
        match change {
            ManifestChange::Set { map, name, specifier } => set(&manifest, *map, name, specifier)?,
            ManifestChange::Remove { map, name } => remove(&manifest, *map, name),
        }
    }
    Some(format!("{mark}{root}"))
}

/// package.json is JSON, and nothing that merely looks like it.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

fn set(manifest: &CstObject, map: DependencyMap, name: &str, specifier: &str) -> Option<()> {
    let dependencies = manifest.object_value_or_create(map.field())?;
    let value = CstInputValue::String(specifier.to_owned());
    match dependencies.get(name) {
        Some(there) => there.set_value(value),
        None => {
            let names = dependencies.properties().into_iter().map(|there| there.decoded_name().unwrap_or_default());
            // Where the names are sorted, the new one is sorted in.
            let place = names.take_while(|there| there.as_str() < name).count();
            dependencies.insert(place, name, value);
        }
    }
    Some(())
}

fn remove(manifest: &CstObject, map: DependencyMap, name: &str) {
    let Some(dependencies) = manifest.object_value(map.field()) else { return };
    if let Some(there) = dependencies.get(name) {
        there.remove();
        if dependencies.properties().is_empty()
            && let Some(field) = manifest.get(map.field())
        {
            field.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DependencyMap::{Development, Production};
    use super::*;

    fn put(map: DependencyMap, name: &str, specifier: &str) -> ManifestChange {
        ManifestChange::Set { map, name: name.to_owned(), specifier: specifier.to_owned() }
    }

    fn drop_it(map: DependencyMap, name: &str) -> ManifestChange {
        ManifestChange::Remove { map, name: name.to_owned() }
    }

    #[test]
    fn what_is_not_concerned_stays_as_it_was() {
        let text = "{\n\t\"version\": \"1.0.0\",\n\t\"dependencies\": {\n\t\t\"a\": \"1\",\n\t\t\"c\": \"1\"\n\t},\n\t\"files\": [ \"x\",\"y\" ]\n}\n";
        let changes = [put(Production, "b", "^2.0.0"), put(Production, "c", "^3"), put(Development, "@s/d", "*")];
        assert_eq!(
            edited(text, &changes).unwrap(),
            "{\n\t\"version\": \"1.0.0\",\n\t\"dependencies\": {\n\t\t\"a\": \"1\",\n\t\t\"b\": \"^2.0.0\",\n\t\t\"c\": \"^3\"\n\t},\n\t\"files\": [ \"x\",\"y\" ],\n\t\"devDependencies\": {\n\t\t\"@s/d\": \"*\"\n\t}\n}\n"
        );
        let back = [drop_it(Production, "b"), put(Production, "c", "1"), drop_it(Development, "@s/d")];
        assert_eq!(edited(&edited(text, &changes).unwrap(), &back).unwrap(), text);
    }

    #[test]
    fn unsorted_names_keep_their_order() {
        let text = "{\r\n    \"dependencies\": {\r\n        \"z\": \"1\",\r\n        \"a\": \"1\"\r\n    }\r\n}";
        let text = edited(text, &[put(Production, "b", "1")]).unwrap();
        assert!(
            text.contains("\r\n        \"b\": \"1\",\r\n        \"z\": \"1\",\r\n        \"a\": \"1\"\r\n    }"),
            "{text}"
        );
    }

    #[test]
    fn the_smallest_manifests_become_readable_ones() {
        for (before, after) in [
            ("{}", "{\n  \"dependencies\": {\n    \"a\": \"1\"\n  }\n}"),
            ("{}\n", "{\n  \"dependencies\": {\n    \"a\": \"1\"\n  }\n}\n"),
            ("{\n  \"dependencies\": {}\n}", "{\n  \"dependencies\": {\n    \"a\": \"1\"\n  }\n}"),
            ("\u{feff}{}", "\u{feff}{\n  \"dependencies\": {\n    \"a\": \"1\"\n  }\n}"),
        ] {
            assert_eq!(edited(before, &[put(Production, "a", "1")]).unwrap(), after);
        }
        let line = edited("{\"name\":\"x\",\"dependencies\":{\"a\":\"1\"}}", &[put(Production, "b", "2")]).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
    }

    #[test]
    fn what_is_no_manifest_is_left_alone() {
        for text in ["[]", "{", "{\"dependencies\":[]}", "{'name':'x'}"] {
            assert_eq!(edited(text, &[put(Production, "a", "1")]), None, "{text}");
        }
    }
}
