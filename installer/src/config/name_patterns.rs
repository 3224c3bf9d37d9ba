//! Patterns of package names, as pnpm's settings and filters have them: `*` stands for any text, a slash too, and a `!` in
//! front takes away what an earlier pattern gave.

/// A list of patterns, in the order in which they count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamePatterns(Vec<String>);

impl NamePatterns {
    /// These patterns.
    pub fn new<T: Into<String>>(patterns: impl IntoIterator<Item = T>) -> Self {
        NamePatterns(patterns.into_iter().map(Into::into).collect())
    }

    /// The patterns as they are written.
    pub fn texts(&self) -> &[String] {
        &self.0
    }

    /// Whether a name is meant. Where every pattern takes away, all other names are; where there is none, no name is.
    pub fn matches(&self, name: &str) -> bool {
        let mut matched = !self.0.is_empty() && self.0.iter().all(|pattern| pattern.starts_with('!'));
        for pattern in &self.0 {
            match pattern.strip_prefix('!') {
                Some(pattern) if matches(pattern, name) => matched = false,
                None if matches(pattern, name) => matched = true,
                _ => {}
            }
        }
        matched
    }
}

/// Whether one pattern, without a `!`, means a name.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(matches("*", "@a/b") && matches("@a/*", "@a/b") && matches("*eslint*", "@x/eslint-config"));
        assert!(matches("a*b*c", "a-b-b-c") && matches("react", "react"));
        assert!(!matches("react", "react-dom") && !matches("a*a", "a") && !matches("@a/*", "@b/c"));
    }

    #[test]
    fn the_last_word_counts() {
        let matches = |patterns: &[&str], name: &str| NamePatterns::new(patterns.iter().copied()).matches(name);
        assert!(matches(&["*", "!ms"], "debug") && !matches(&["*", "!ms"], "ms"));
        assert!(matches(&["*", "!@x/*", "@x/y"], "@x/y"));
        assert!(matches(&["!ms"], "debug") && !matches(&["!ms"], "ms"));
        assert!(!matches(&[], "debug"));
    }
}
