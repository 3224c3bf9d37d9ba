//! What stands to the right of a dependency's name: a range, a tag, or an alias of another package.

/// The package that a dependency means, and the range or tag of it: `("x", "npm:@a/b@^1")` is `("@a/b", "^1")`.
/// `None` for what is not from a registry (git, URLs, `file:`, `link:`, `workspace:`, `catalog:`).
pub(crate) fn target_of<'a>(alias: &'a str, specifier: &'a str) -> Option<(&'a str, &'a str)> {
    let Some(target) = specifier.strip_prefix("npm:") else {
        let foreign = specifier.contains(':') || (specifier.contains('/') && !specifier.starts_with('@'));
        return (!foreign).then_some((alias, specifier));
    };
    match target.rfind('@') {
        Some(at) if at > 0 => Some((&target[..at], &target[at + 1..])),
        _ => Some((target, "*")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_foreign_specifiers() {
        assert_eq!(target_of("a", "^1"), Some(("a", "^1")));
        assert_eq!(target_of("a", ""), Some(("a", "")));
        assert_eq!(target_of("x", "npm:@a/b@^1"), Some(("@a/b", "^1")));
        assert_eq!(target_of("x", "npm:@a/b"), Some(("@a/b", "*")));
        assert_eq!(target_of("x", "npm:b"), Some(("b", "*")));
        for foreign in ["git+ssh://h/r.git", "file:../x", "workspace:*", "owner/repo", "https://h/x.tgz", "github:o/r"]
        {
            assert_eq!(target_of("a", foreign), None, "{foreign}");
        }
    }
}
