//! The .npmrc file: npm's dialect of ini.
//!
//! `key = value` lines, `;` and `#` comments, quotes, `key[] = item` lists, and `${VARIABLE}` or `${VARIABLE-default}`
//! in keys and values, as the `ini` and `@pnpm/config.env-replace` packages read them. Sections are skipped: npm gives
//! them no meaning.

use std::collections::BTreeMap;

/// A parsed .npmrc file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Npmrc {
    entries: BTreeMap<String, Vec<String>>,
    unset_variables: Vec<(String, String)>,
}

impl Npmrc {
    /// Reads a file's text; `env` gives the environment variables that `${…}` names.
    ///
    /// An entry that names an unset variable without a default is left out, and listed in
    /// [`unset_variables`](Self::unset_variables): sending the text `${NPM_TOKEN}` to a registry helps nobody.
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut npmrc = Npmrc::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            if line.starts_with('[') && line.ends_with(']') {
                break;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, "true"));
            npmrc.set(&unquote(key), &unquote(value), env);
        }
        npmrc
    }

    /// Settings that another file has: name → values, none of them empty of meaning.
    pub(super) fn from_entries(mut entries: BTreeMap<String, Vec<String>>) -> Self {
        entries.retain(|_, values| !values.is_empty());
        Npmrc { entries, unset_variables: Vec::new() }
    }

    /// The setting's value; the last one of a list.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).and_then(|values| values.last()).map(String::as_str)
    }

    /// All values of a setting, in the order of the file; none when it is not set.
    pub fn all(&self, key: &str) -> &[String] {
        self.entries.get(key).map_or(&[], Vec::as_slice)
    }

    /// Every setting and its last value, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|(key, values)| Some((key.as_str(), values.last()?.as_str())))
    }

    /// The settings that were left out, each with the environment variable that is not set.
    pub fn unset_variables(&self) -> &[(String, String)] {
        &self.unset_variables
    }

    fn set(&mut self, key: &str, value: &str, env: &dyn Fn(&str) -> Option<String>) {
        let expanded = expand(key, env).and_then(|key| Ok((key, expand(value, env)?)));
        match expanded {
            Err(variable) => self.unset_variables.push((key.to_owned(), variable)),
            Ok((key, value)) => match key.strip_suffix("[]") {
                Some(list) => self.entries.entry(list.to_owned()).or_default().push(value),
                None => drop(self.entries.insert(key, vec![value])),
            },
        }
    }
}

impl std::fmt::Debug for Npmrc {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Npmrc").field("keys", &self.entries.keys()).finish_non_exhaustive()
    }
}

/// The text without its quotes, escapes and trailing comment.
fn unquote(text: &str) -> String {
    let text = text.trim();
    if text.len() >= 2 && text.starts_with('"') && text.ends_with('"') {
        return serde_json::from_str(text).unwrap_or_else(|_| text[1..text.len() - 1].to_owned());
    }
    if text.len() >= 2 && text.starts_with('\'') && text.ends_with('\'') {
        return text[1..text.len() - 1].to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ';' | '#' => break,
            '\\' => match characters.next() {
                Some(escaped @ (';' | '#' | '\\')) => plain.push(escaped),
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain.truncate(plain.trim_end().len());
    plain
}

/// The text with every `${…}` replaced; the name of the first variable that is not set and has no default otherwise.
fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let (before, reference) = (&rest[..start], &rest[start..=start + length]);
        rest = &rest[start + length + 1..];
        if let Some(before) = before.strip_suffix('\\') {
            expanded.push_str(before);
            expanded.push_str(reference);
            continue;
        }
        expanded.push_str(before);
        let (name, default) = variable(&reference[2..reference.len() - 1]);
        match env(name).filter(|value| !value.is_empty() || default.is_none()) {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(default.ok_or_else(|| name.to_owned())?),
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// What stands between the braces: a name, and what to use when it is not set (`-default`, `:-default`, or `?` for
/// nothing).
fn variable(inside: &str) -> (&str, Option<&str>) {
    if let Some((name, default)) = inside.split_once(":-").or_else(|| inside.split_once('-')) {
        return (name, Some(default));
    }
    match inside.strip_suffix('?') {
        Some(name) => (name, Some("")),
        None => (inside, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        (name == "TOKEN").then(|| "s3cret".to_owned())
    }

    #[test]
    fn values_comments_quotes_and_lists() {
        let npmrc = Npmrc::parse(
            "; a comment\n# another\nregistry = https://r.test/ ; trailing\nempty=\nflag\n\"quoted\"=\"a\\nb # kept\"\n\
             single='x;y'\nca[]=one\nca[]=two\nescaped=a\\;b\\#c\ntoken=abc==\n[section]\nregistry=no",
            &env,
        );
        assert_eq!(npmrc.get("registry"), Some("https://r.test/"));
        assert_eq!(npmrc.get("empty"), Some(""));
        assert_eq!(npmrc.get("flag"), Some("true"));
        assert_eq!(npmrc.get("quoted"), Some("a\nb # kept"));
        assert_eq!(npmrc.get("single"), Some("x;y"));
        assert_eq!(npmrc.all("ca"), ["one", "two"]);
        assert_eq!(npmrc.get("escaped"), Some("a;b#c"));
        assert_eq!(npmrc.get("token"), Some("abc=="));
    }

    #[test]
    fn variables() {
        let npmrc = Npmrc::parse(
            "//r.test/:_authToken=${TOKEN}\na=${NONE-fallback}\nb=${NONE:-x}${TOKEN}\nc=${NONE?}\nd=\\${TOKEN}\ne=${NONE}\nf=${open",
            &env,
        );
        assert_eq!(npmrc.get("//r.test/:_authToken"), Some("s3cret"));
        assert_eq!(npmrc.get("a"), Some("fallback"));
        assert_eq!(npmrc.get("b"), Some("xs3cret"));
        assert_eq!(npmrc.get("c"), Some(""));
        assert_eq!(npmrc.get("d"), Some("${TOKEN}"));
        assert_eq!(npmrc.get("e"), None);
        assert_eq!(npmrc.get("f"), Some("${open"));
        assert_eq!(npmrc.unset_variables(), [("e".to_owned(), "NONE".to_owned())]);
    }

    #[test]
    fn debug_shows_no_values() {
        let npmrc = Npmrc::parse("//r.test/:_authToken=s3cret", &env);
        assert!(!format!("{npmrc:?}").contains("s3cret"));
    }
}
