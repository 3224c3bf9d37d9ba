//! Where a setting comes from: the first source that names it wins.

use super::error::ConfigError;
use super::npmrc::Npmrc;
use super::workspace_file::{WorkspaceFile, kebab_case};
use crate::rt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// One environment variable's value.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A value, and where it was found.
#[derive(Clone)]
pub(super) struct Found {
    pub value: String,
    pub origin: String,
}

/// The command line, the environment, and the files in falling priority.
pub(super) struct Sources<'a> {
    pub command_line: BTreeMap<&'static str, String>,
    pub env: Env<'a>,
    /// Each with its path, as shown to people.
    pub files: Vec<(String, Npmrc)>,
}

impl Sources<'_> {
    /// Adds a file below those read before; a missing one has no settings.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let bytes = match rt::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(());
            }
            Err(source) => return Err(ConfigError::Unreadable { file: path.to_owned(), source }),
        };
        let npmrc = Npmrc::parse(&String::from_utf8_lossy(&bytes), self.env);
        self.files.push((path.display().to_string(), npmrc));
        Ok(())
    }

    /// Adds the simple settings of a pnpm-workspace.yaml below those read before, under their names in .npmrc.
    pub fn add_workspace_file(&mut self, file: &WorkspaceFile) {
        let mut entries = BTreeMap::new();
        for (name, value) in &file.settings {
            match value {
                Value::Object(registries) if name == "registries" => {
                    for (scope, url) in registries {
                        let name = if scope == "default" { "registry".to_owned() } else { format!("{scope}:registry") };
                        entries.insert(name, simple(url).into_iter().collect());
                    }
                }
                Value::Array(items) => {
                    drop(entries.insert(kebab_case(name), items.iter().filter_map(simple).collect()))
                }
                value => drop(entries.insert(kebab_case(name), simple(value).into_iter().collect())),
            }
        }
        self.files.push((file.origin.clone(), Npmrc::from_entries(entries)));
    }

    /// The value of a setting, from the source of the highest priority that has it.
    pub fn get(&self, key: &str) -> Option<Found> {
        if let Some(value) = self.command_line.get(key) {
            return Some(Found { value: value.clone(), origin: "the command line".to_owned() });
        }
        self.environment(key).or_else(|| {
            self.files.iter().find_map(|(origin, npmrc)| {
                npmrc.get(key).map(|value| Found { value: value.to_owned(), origin: origin.clone() })
            })
        })
    }

    /// An environment variable that is not a setting of npm's, unless it is empty.
    pub fn variable(&self, name: &str) -> Option<Found> {
        let value = (self.env)(name).filter(|value| !value.is_empty())?;
        Some(Found { value, origin: format!("the environment variable {name}") })
    }

    /// All values of a list, from the source of the highest priority that has any.
    pub fn all(&self, key: &str) -> Vec<String> {
        if let Some(found) = self.environment(key) {
            return vec![found.value];
        }
        self.files.iter().map(|(_, npmrc)| npmrc.all(key)).find(|all| !all.is_empty()).unwrap_or_default().to_vec()
    }

    /// Every setting of every file with its value, that of the highest priority only.
    pub fn merged_files(&self) -> BTreeMap<&str, Found> {
        let mut merged = BTreeMap::new();
        for (origin, npmrc) in &self.files {
            for (key, value) in npmrc.iter() {
                merged.entry(key).or_insert_with(|| Found { value: value.to_owned(), origin: origin.clone() });
            }
        }
        merged
    }

    /// `npm_config_fetch_retries`, `NPM_CONFIG_FETCH_RETRIES`, and the same for pnpm, which goes first. Empty values
    /// count as unset, as in npm.
    fn environment(&self, key: &str) -> Option<Found> {
        let underscored = key.replace('-', "_");
        let upper = underscored.to_ascii_uppercase();
        let names = [
            format!("pnpm_config_{underscored}"),
            format!("PNPM_CONFIG_{upper}"),
            format!("npm_config_{underscored}"),
            format!("NPM_CONFIG_{upper}"),
            format!("NPM_CONFIG_{key}"),
            format!("npm_config_{key}"),
        ];
        names.iter().find_map(|name| self.variable(name))
    }
}

/// A value of YAML as .npmrc would have it; `None` for nothing, and for what has parts.
fn simple(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
