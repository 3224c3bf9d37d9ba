//! Names that may become a directory under node_modules.
//!
//! They come from strangers: from packuments, lockfiles and package.json files that a registry or a pull request brings. A name
//! such as `../../x` would lead out of node_modules, `.bin` or `.pnpm` into what is the installer's own. So every name is
//! looked at once, before anything is put in place.

/// A name that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("{name:?} cannot be the name of a package, and {asked_by} asks for it")]
#[diagnostic(
    code(lockstep::package_name),
    help(
        "with such names packages write outside of their directories: if it comes from a package, report it, do not install it"
    )
)]
pub struct UnsafeName {
    /// The name, whatever it is.
    pub name: String,
    /// Where it stands, for people.
    pub asked_by: String,
}

/// Looks at a name: `name` or `@scope/name`.
///
/// # Errors
/// [`UnsafeName`].
pub fn check(name: &str, asked_by: impl FnOnce() -> String) -> Result<(), UnsafeName> {
    let is_safe = match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, base)| is_component(scope) && is_component(base)),
        None => is_component(name),
    };
    is_safe.then_some(()).ok_or_else(|| UnsafeName { name: name.to_owned(), asked_by: asked_by() })
}

/// Whether it is one directory's name, and none that npm or an installer keeps for itself.
fn is_component(text: &str) -> bool {
    let is_reserved = text.is_empty() || text.starts_with('.') || text == "node_modules";
    !is_reserved && !text.chars().any(|character| matches!(character, '/' | '\\' | ':') || character.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_node_modules() {
        for name in ["a", "@s/a", "JSONStream", "a.b", "_a", "a~b", "lodash.merge"] {
            assert_eq!(check(name, String::new), Ok(()), "{name}");
        }
        let refused = [
            "",
            ".",
            "..",
            "../a",
            "a/b",
            "@s",
            "@s/",
            "@/a",
            "@s/..",
            "@../a",
            "@s/a/b",
            ".bin",
            ".pnpm",
            "@s/.a",
            "/a",
            "a\\b",
            "C:a",
            "a\0",
            "a\nb",
            "node_modules",
            "@s/node_modules",
        ];
        for name in refused {
            assert!(check(name, String::new).is_err(), "{name:?}");
        }
    }
}
