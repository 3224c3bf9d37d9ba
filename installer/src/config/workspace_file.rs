//! pnpm-workspace.yaml: where a workspace begins, and the file where pnpm keeps the settings of a project.

use super::error::ConfigError;
use crate::rt;
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};

/// What the file is called, at the root of a workspace.
pub const WORKSPACE_FILE: &str = "pnpm-workspace.yaml";

/// A pnpm-workspace.yaml: its settings by their names in the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WorkspaceFile {
    /// Where it is, as shown to people.
    pub origin: String,
    pub settings: Map<String, Value>,
}

/// The nearest directory, from `dir` upwards, that has a pnpm-workspace.yaml; blocks.
pub fn workspace_root(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().find(|ancestor| rt::fs::exists(&ancestor.join(WORKSPACE_FILE))).map(Path::to_owned)
}

impl WorkspaceFile {
    /// Reads the file in `dir`, `None` when there is none; blocks. An empty file has no settings.
    ///
    /// # Errors
    /// When it cannot be read, or is no YAML map.
    pub fn read(dir: &Path) -> Result<Option<Self>, ConfigError> {
        let path = dir.join(WORKSPACE_FILE);
        let bytes = match rt::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(source) => return Err(ConfigError::Unreadable { file: path, source }),
        };
        let text = String::from_utf8_lossy(&bytes);
        let options = serde_saphyr::options! { budget: None, with_snippet: false, strict_booleans: true };
        let parsed: Result<Option<Map<String, Value>>, _> = serde_saphyr::from_str_with_options(&text, options);
        let settings = parsed.map_err(|error| {
            let location = error.location();
            ConfigError::Syntax {
                file: path.clone(),
                line: location.map_or(1, |location| location.line()),
                column: location.map_or(1, |location| location.column()),
                message: error.without_snippet().to_string(),
            }
        })?;
        Ok(Some(WorkspaceFile { origin: path.display().to_string(), settings: settings.unwrap_or_default() }))
    }
}

/// A setting's name as .npmrc has it: `publicHoistPattern` is `public-hoist-pattern`.
pub(super) fn kebab_case(name: &str) -> String {
    let mut kebab = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(character.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_above_is_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("packages/a");
        std::fs::create_dir_all(&inner).unwrap();
        assert_eq!(workspace_root(&inner), None);
        std::fs::write(dir.path().join(WORKSPACE_FILE), "").unwrap();
        assert_eq!(workspace_root(&inner).as_deref(), Some(dir.path()));
        assert!(WorkspaceFile::read(dir.path()).unwrap().unwrap().settings.is_empty(), "an empty file is fine");
        assert!(WorkspaceFile::read(&inner).unwrap().is_none());
    }

    #[test]
    fn a_syntax_error_names_its_place() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(WORKSPACE_FILE), "packages:\n  - a\n b: [\n").unwrap();
        let error = WorkspaceFile::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("pnpm-workspace.yaml") && error.contains("line "), "{error}");
    }

    #[test]
    fn names_in_the_manner_of_npmrc() {
        assert_eq!(kebab_case("publicHoistPattern"), "public-hoist-pattern");
        assert_eq!(kebab_case("registry"), "registry");
    }
}
