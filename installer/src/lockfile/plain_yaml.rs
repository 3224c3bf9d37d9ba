//! Reads the YAML that pnpm writes, and only that: all else is for the YAML library, which also says what is wrong with it.
//!
//! A lockfile is read by every install, and the library took a tenth of a warm one for that. What is read here are mappings
//! and sequences in block style, those in flow style on one line, and scalars: plain ones that can be nothing but text, `true`
//! and `false`, quoted ones on one line without escapes, and literals. Wherever YAML has more to say (comments, anchors, text
//! over several lines, a key twice, nothing where a value is due) this gives up. `installer/fuzz` asserts that what it reads
//! is what the library reads.

use super::yaml_scalar::{is_ambiguous, is_plain, is_printable};
use serde::Deserialize;
use serde::de::value::CowStrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::fmt;

/// The value of the whole text; none where something in it is not what pnpm writes, or not what a `T` is made of.
pub(super) fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Option<T> {
    if !text.bytes().all(is_ordinary) && !text.chars().all(|c| c == '\n' || is_printable(c)) {
        return None;
    }
    let mut reader = Reader { text, at: 0 };
    let value = T::deserialize(Value { reader: &mut reader, place: Place::Document }).ok()?;
    reader.skip_empty_lines();
    reader.rest().is_empty().then_some(value)
}

fn is_ordinary(byte: u8) -> bool {
    byte == b'\n' || (b' '..=b'~').contains(&byte)
}

/// Nothing longer stands before its colon without a question mark; YAML allows a few more.
const KEY_BYTES_MAX: usize = 1000;

/// What is nested deeper is no lockfile. Each level is a few frames on the stack.
const INDENT_MAX: usize = 32;

/// So many of the keys of a mapping that is not in order are compared with each other.
const UNORDERED_KEYS_MAX: usize = 64;

/// Something that is not read here.
#[derive(Debug)]
struct Unusual;

impl fmt::Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not as pnpm writes it")
    }
}

impl std::error::Error for Unusual {}

impl de::Error for Unusual {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Unusual
    }
}

/// The text, and how far it is read.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn first(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes over this, if it comes next.
    fn takes(&mut self, expected: &str) -> bool {
        let is_next = self.rest().starts_with(expected);
        self.at += if is_next { expected.len() } else { 0 };
        is_next
    }

    fn expect(&mut self, expected: &str) -> Result<(), Unusual> {
        if self.takes(expected) { Ok(()) } else { Err(Unusual) }
    }

    fn end_of_line(&mut self) -> Result<(), Unusual> {
        if self.takes("\n") || self.rest().is_empty() { Ok(()) } else { Err(Unusual) }
    }

    fn skip_empty_lines(&mut self) {
        while self.takes("\n") {}
    }

    /// How many spaces come next.
    fn spaces(&self) -> usize {
        self.rest().bytes().take_while(|byte| *byte == b' ').count()
    }

    /// How far the next line that is not empty is indented; none at the end.
    fn indent(&mut self) -> Option<usize> {
        self.skip_empty_lines();
        (!self.rest().is_empty()).then(|| self.spaces())
    }

    /// Whether the next line that is not empty is indented so far, and belongs to the collection that is; passes over the
    /// spaces then. One that is indented less ends the collection.
    fn takes_indent(&mut self, indent: usize) -> Result<bool, Unusual> {
        match self.indent() {
            Some(next) if next == indent => {
                self.at += indent;
                Ok(true)
            }
            Some(next) if next > indent => Err(Unusual),
            _ => Ok(false),
        }
    }

    /// Whether a collection in flow style goes on; passes over what stands before its next entry, or over its end.
    fn takes_separator(&mut self, [begin, end]: [&str; 2], is_first: bool) -> Result<bool, Unusual> {
        if is_first {
            self.expect(begin)?;
        }
        if self.takes(end) {
            return Ok(false);
        }
        if is_first { Ok(true) } else { self.expect(", ").map(|()| true) }
    }

    /// What comes before the first such byte, or before the end of the line.
    fn until(&mut self, is_end: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| byte == b'\n' || is_end(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// A key, and the colon after it.
    fn key(&mut self, in_flow: bool) -> Result<Cow<'t, str>, Unusual> {
        let key = match self.first() {
            Some(b'\'' | b'"') => self.quoted()?,
            _ if in_flow => Cow::Borrowed(text_in(self.until(|byte| b":,[]{}".contains(&byte)), true)?),
            _ => {
                let line = self.rest().split('\n').next().unwrap_or_default();
                let key = line.split_once(": ").map(|(key, _)| key).or_else(|| line.strip_suffix(':'));
                let key = text_in(key.ok_or(Unusual)?, false)?;
                self.at += key.len();
                Cow::Borrowed(key)
            }
        };
        self.expect(":")?;
        if key.len() <= KEY_BYTES_MAX { Ok(key) } else { Err(Unusual) }
    }

    fn quoted(&mut self) -> Result<Cow<'t, str>, Unusual> {
        if self.takes("\"") {
            let text = self.until(|byte| matches!(byte, b'"' | b'\\'));
            return self.expect("\"").map(|()| Cow::Borrowed(text));
        }
        self.expect("'")?;
        let start = self.at;
        self.until(|byte| byte == b'\'');
        let mut is_escaped = false;
        while self.takes("''") {
            is_escaped = true;
            self.until(|byte| byte == b'\'');
        }
        let text = &self.text[start..self.at];
        self.expect("'")?;
        Ok(if is_escaped { text.replace("''", "'").into() } else { text.into() })
    }

    /// What follows the bar of a literal, in an entry that is indented so far.
    fn literal(&mut self, entry_indent: usize) -> Result<String, Unusual> {
        let ends_with_its_text = self.takes("-");
        self.expect("\n")?;
        let indent = self.spaces();
        if indent <= entry_indent {
            return Err(Unusual);
        }
        let mut lines = String::new();
        while !self.rest().is_empty() {
            let spaces = self.spaces();
            if !self.rest()[spaces..].starts_with('\n') {
                if spaces < indent {
                    break;
                }
                self.at += indent;
                lines.push_str(self.until(|_| false));
            } else if spaces > 0 {
                return Err(Unusual);
            }
            self.expect("\n")?;
            lines.push('\n');
        }
        let length = lines.trim_end_matches('\n').len();
        lines.truncate(if ends_with_its_text { length } else { length + 1 });
        Ok(lines)
    }
}

/// A plain scalar, if it can be nothing but text.
fn text_in(plain: &str, in_flow: bool) -> Result<&str, Unusual> {
    if is_plain(plain, in_flow) && !is_ambiguous(plain) { Ok(plain) } else { Err(Unusual) }
}

/// Where a value stands.
#[derive(Clone, Copy)]
enum Place {
    /// It is the whole text.
    Document,
    /// After the colon of an entry that is indented so far.
    Entry(usize),
    /// After the dash of an item.
    Item,
    /// Between brackets, so deep.
    Flow(usize),
}

/// A value that comes next.
struct Value<'r, 't> {
    reader: &'r mut Reader<'t>,
    place: Place,
}

impl<'t> Deserializer<'t> for Value<'_, 't> {
    type Error = Unusual;

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Unusual> {
        let Value { reader, place } = self;
        match place {
            Place::Document => visitor.visit_map(Entries { reader, indent: 0, keys: Keys::default() }),
            Place::Entry(indent) if reader.takes("\n") => {
                let inner = reader.indent().filter(|inner| *inner > indent && *inner <= INDENT_MAX).ok_or(Unusual)?;
                if reader.rest()[inner..].starts_with("- ") {
                    visitor.visit_seq(Items { reader, indent: inner })
                } else {
                    visitor.visit_map(Entries { reader, indent: inner, keys: Keys::default() })
                }
            }
            Place::Entry(indent) if reader.takes(" |") => visitor.visit_string(reader.literal(indent)?),
            Place::Entry(_) => reader.expect(" ").and_then(|()| whole_line(reader, visitor)),
            Place::Item => whole_line(reader, visitor),
            Place::Flow(depth) => on_one_line(reader, depth, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Unusual> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'t>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// What fills the rest of a line.
fn whole_line<'t, V: Visitor<'t>>(reader: &mut Reader<'t>, visitor: V) -> Result<V::Value, Unusual> {
    let value = on_one_line(reader, 0, visitor)?;
    reader.end_of_line().map(|()| value)
}

/// A scalar, or a collection in flow style, inside so many others.
fn on_one_line<'t, V: Visitor<'t>>(reader: &mut Reader<'t>, depth: usize, visitor: V) -> Result<V::Value, Unusual> {
    match reader.first() {
        Some(b'{' | b'[') if depth >= INDENT_MAX => Err(Unusual),
        Some(b'{') => visitor.visit_map(FlowEntries { reader, depth: depth + 1, keys: Keys::default() }),
        Some(b'[') => visitor.visit_seq(FlowItems { reader, depth: depth + 1, is_first: true }),
        Some(b'\'' | b'"') => match reader.quoted()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        },
        _ => match reader.until(|byte| depth > 0 && b",[]{}".contains(&byte)) {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            plain => visitor.visit_borrowed_str(text_in(plain, depth > 0)?),
        },
    }
}

/// The keys of a mapping so far: none comes twice.
#[derive(Default)]
struct Keys<'t> {
    all: Vec<Cow<'t, str>>,
    is_unordered: bool,
}

impl<'t> Keys<'t> {
    /// Makes something of a key that is new.
    fn read<K: DeserializeSeed<'t>>(&mut self, key: Cow<'t, str>, seed: K) -> Result<K::Value, Unusual> {
        // As long as each comes after the one before, it comes after all.
        self.is_unordered |= self.all.last().is_some_and(|last| *last >= key);
        if self.is_unordered && (self.all.len() > UNORDERED_KEYS_MAX || self.all.contains(&key)) {
            return Err(Unusual);
        }
        self.all.push(key.clone());
        seed.deserialize(CowStrDeserializer::new(key))
    }
}

/// The entries of a mapping in block style.
struct Entries<'r, 't> {
    reader: &'r mut Reader<'t>,
    indent: usize,
    keys: Keys<'t>,
}

impl<'t> MapAccess<'t> for Entries<'_, 't> {
    type Error = Unusual;

    fn next_key_seed<K: DeserializeSeed<'t>>(&mut self, seed: K) -> Result<Option<K::Value>, Unusual> {
        if !self.reader.takes_indent(self.indent)? {
            return Ok(None);
        }
        let key = self.reader.key(false)?;
        self.keys.read(key, seed).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Unusual> {
        seed.deserialize(Value { reader: self.reader, place: Place::Entry(self.indent) })
    }
}

/// The items of a sequence in block style.
struct Items<'r, 't> {
    reader: &'r mut Reader<'t>,
    indent: usize,
}

impl<'t> SeqAccess<'t> for Items<'_, 't> {
    type Error = Unusual;

    fn next_element_seed<T: DeserializeSeed<'t>>(&mut self, seed: T) -> Result<Option<T::Value>, Unusual> {
        if !self.reader.takes_indent(self.indent)? {
            return Ok(None);
        }
        self.reader.expect("- ")?;
        seed.deserialize(Value { reader: self.reader, place: Place::Item }).map(Some)
    }
}

/// The entries of a mapping in flow style.
struct FlowEntries<'r, 't> {
    reader: &'r mut Reader<'t>,
    depth: usize,
    keys: Keys<'t>,
}

impl<'t> MapAccess<'t> for FlowEntries<'_, 't> {
    type Error = Unusual;

    fn next_key_seed<K: DeserializeSeed<'t>>(&mut self, seed: K) -> Result<Option<K::Value>, Unusual> {
        if !self.reader.takes_separator(["{", "}"], self.keys.all.is_empty())? {
            return Ok(None);
        }
        let key = self.reader.key(true)?;
        self.reader.expect(" ")?;
        self.keys.read(key, seed).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'t>>(&mut self, seed: V) -> Result<V::Value, Unusual> {
        seed.deserialize(Value { reader: self.reader, place: Place::Flow(self.depth) })
    }
}

/// The items of a sequence in flow style.
struct FlowItems<'r, 't> {
    reader: &'r mut Reader<'t>,
    depth: usize,
    is_first: bool,
}

impl<'t> SeqAccess<'t> for FlowItems<'_, 't> {
    type Error = Unusual;

    fn next_element_seed<T: DeserializeSeed<'t>>(&mut self, seed: T) -> Result<Option<T::Value>, Unusual> {
        if !self.reader.takes_separator(["[", "]"], std::mem::replace(&mut self.is_first, false))? {
            return Ok(None);
        }
        seed.deserialize(Value { reader: self.reader, place: Place::Flow(self.depth) }).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Lockfile;
    use super::super::read::from_yaml;
    use std::path::Path;

    fn read(text: &str) -> Option<Lockfile> {
        super::read(text)
    }

    #[test]
    fn what_pnpm_writes_is_read_as_the_library_reads_it() {
        let shapes = "lockfileVersion: '9.0'

settings:
  autoInstallPeers: true

importers:

  .:
    dependencies:
      '@a/b':
        specifier: npm:it's@^1.0.0 || >=2
        version: it's@1.0.0(@a/c@1.0.0)

packages:

  '@a/b@1.0.0':
    resolution: {integrity: sha512-AA==, tarball: https://h/a.tgz}
    engines: {node: '>=18', npm: 'it''s, {1}'}
    cpu: [x64, '!arm64']
    os: []
    deprecated: |-
      first: line

        - second
    hasBin: true
    peerDependenciesMeta:
      c: {optional: true}
      d:
        optional: false
    bundledDependencies:
      - e
      - '@f/g'
  h@1.0.0:
    resolution: {integrity: \"sha512-BB==\"}
    deprecated: |
      naïve — 🦀

snapshots:

  '@a/b@1.0.0': {}
";
        let fixture = include_str!("../../tests/fixtures/pnpm/pnpm-lock.yaml");
        for text in [shapes, fixture, &Lockfile::parse(fixture, Path::new("pnpm-lock.yaml")).unwrap().to_yaml()] {
            assert_eq!(read(text), Some(from_yaml(text).unwrap()), "{text}");
        }
        let read = read(shapes).unwrap();
        assert_eq!(read.packages["@a/b@1.0.0"].deprecated.as_deref(), Some("first: line\n\n  - second"));
        assert_eq!(read.packages["@a/b@1.0.0"].engines["npm"], "it's, {1}");
        assert_eq!(read.packages["h@1.0.0"].deprecated.as_deref(), Some("naïve — 🦀\n"));
    }

    #[test]
    fn whatever_else_yaml_knows_is_left_to_the_library() {
        for text in [
            "lockfileVersion: 9.0\n",
            "lockfileVersion: a # b\n",
            "# a\nlockfileVersion: a\n",
            "---\nlockfileVersion: a\n",
            "lockfileVersion: &a b\n",
            "lockfileVersion: !!str a\n",
            "lockfileVersion: >-\n  a\n",
            "lockfileVersion: |2-\n   a\n",
            "lockfileVersion: |-\n\n  a\n",
            "lockfileVersion: |-\n  a",
            "lockfileVersion: \"a\\n\"\n",
            "lockfileVersion: 'a\n",
            "lockfileVersion: a\n  b\n",
            "lockfileVersion:  a\n",
            "lockfileVersion: a\t\n",
            "lockfileVersion:\n",
            "lockfileVersion: a\r\n",
            "lockfileVersion: a\nlockfileVersion: a\n",
            "? lockfileVersion\n: a\n",
            "{lockfileVersion: a}\n",
            "overrides: {a: b, a: b}\n",
            "overrides: {a: b, }\n",
            "overrides: {a: b\n}\n",
            "overrides: {a:b}\n",
            "overrides:\n  b: c\n  a: c\n  b: c\n",
            "overrides:\n  a: b\n c: d\n",
            "overrides:\n    a: b\n  c: d\n",
            "overrides:\n  a: null\n",
            "overrides: []\n",
            "ignoredOptionalDependencies:\n- a\n",
            "ignoredOptionalDependencies:\n  - a: b\n",
            "settings:\n  autoInstallPeers: 'true'\n",
            &format!("time:\n{}", (0..40).map(|depth| format!("{}a:\n", " ".repeat(depth + 1))).collect::<String>()),
            &format!("overrides: {}\n", "{a: ".repeat(40)),
            &format!("overrides:\n  {}: b\n", "a".repeat(1001)),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
