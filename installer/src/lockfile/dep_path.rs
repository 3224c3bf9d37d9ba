//! Dep paths and references: how the parts of a lockfile name each other.

/// Names a snapshot: `name@version`, then each resolved peer in parentheses.
pub type DepPath = String;

/// The dep path that a reference under `alias` means: `18.3.1(x@1.0.0)` is a version of the package `alias`, and so is a
/// URL; a reference that has a name of its own (`react@18.3.1`, `a@file:a.tgz`) is a dep path already.
pub fn dep_path_of(alias: &str, reference: &str) -> DepPath {
    // A name stands before an @ that comes before the peers, and before any colon of a URL or a path.
    let sign = reference.bytes().skip(1).find(|byte| matches!(byte, b'@' | b':' | b'('));
    let names_itself = sign == Some(b'@') && !reference.starts_with([':', '(']);
    if names_itself { reference.to_owned() } else { [alias, "@", reference].concat() }
}

/// The reference under `alias` to a dep path: the inverse of [`dep_path_of`].
pub fn reference_to(alias: &str, dep_path: &str) -> String {
    match dep_path.strip_prefix(alias).and_then(|rest| rest.strip_prefix('@')) {
        Some(reference) => reference.to_owned(),
        None => dep_path.to_owned(),
    }
}

/// `name@version` of a dep path: the key of [`Lockfile::packages`](super::Lockfile::packages).
pub fn package_key(dep_path: &str) -> &str {
    dep_path.split('(').next().unwrap_or(dep_path)
}

/// The name and the version in a dep path or package key.
pub fn name_and_version(dep_path: &str) -> Option<(&str, &str)> {
    let key = package_key(dep_path);
    let at = key.get(1..)?.find('@')? + 1;
    Some((&key[..at], &key[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_dep_paths_are_inverse() {
        for (alias, dep_path, reference) in [
            ("react-dom", "react-dom@18.3.1(react@18.3.1)", "18.3.1(react@18.3.1)"),
            ("react17", "react@17.0.2", "react@17.0.2"),
            ("@a/b", "@a/b@1.0.0", "1.0.0"),
            ("a", "a@https://h/@s/a.tgz(p@1.0.0)", "https://h/@s/a.tgz(p@1.0.0)"),
            ("b", "a@https://h/@s/a.tgz", "a@https://h/@s/a.tgz"),
            ("b", "@s/a@file:a.tgz", "@s/a@file:a.tgz"),
            ("a", "a@file:dir", "file:dir"),
            ("b", "@a/b@1.0.0(@a/c@1.0.0)", "@a/b@1.0.0(@a/c@1.0.0)"),
            ("react", "react-dom@18.3.1(react@18.3.1)", "react-dom@18.3.1(react@18.3.1)"),
        ] {
            assert_eq!(reference_to(alias, dep_path), reference);
            assert_eq!(dep_path_of(alias, reference), dep_path);
        }
    }

    #[test]
    fn a_key_splits_at_the_version() {
        assert_eq!(name_and_version("@a/b@1.0.0(c@2.0.0)"), Some(("@a/b", "1.0.0")));
        assert_eq!(name_and_version("nothing"), None);
    }
}
