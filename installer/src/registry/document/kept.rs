//! What is kept of a packument, as it is read: field by field, none of them taken apart.

use crate::manifest::texts_of;
use deno_semver::Version;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// A document that is being read.
#[derive(Default)]
pub(super) struct Read {
    pub dist_tags: BTreeMap<String, String>,
    pub versions: Vec<(Version, Range<usize>)>,
    pub text: Vec<u8>,
}

impl<'de> Visitor<'de> for &mut Read {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a packument")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut has_versions = false;
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "versions" if std::mem::replace(&mut has_versions, true) => {
                    return Err(A::Error::duplicate_field("versions"));
                }
                "versions" => map.next_value_seed(OrAnything(Versions(self)))?,
                "dist-tags" => self.dist_tags = texts_of(&map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// A key, which is borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads the versions and what is said of each; none where the registry has something else in their place.
struct Versions<'r>(&'r mut Read);

impl<'de> Object<'de> for Versions<'_> {
    fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Read { versions, text, .. } = self.0;
        while let Some(Key(version)) = map.next_key()? {
            let start = text.len();
            map.next_value_seed(OrAnything(Manifest { text, fields: &VERSION }))?;
            match Version::parse_from_npm(&version) {
                Ok(version) => versions.push((version, start..text.len())),
                Err(_) => text.truncate(start),
            }
        }
        Ok(())
    }

    fn read_other(self) {}
}

/// How much of a field is kept.
enum Kept {
    Whole,
    /// Of an object these fields.
    Part(&'static [(&'static str, Kept)]),
    /// What leads to the tarball.
    Dist,
}

/// What is kept of a version: what a lockfile says of it, and what leads to others.
static VERSION: [(&str, Kept); 14] = [
    ("dependencies", Kept::Whole),
    ("optionalDependencies", Kept::Whole),
    ("peerDependencies", Kept::Whole),
    ("peerDependenciesMeta", Kept::Whole),
    ("bundledDependencies", Kept::Whole),
    ("bundleDependencies", Kept::Whole),
    ("bin", Kept::Whole),
    ("os", Kept::Whole),
    ("cpu", Kept::Whole),
    ("libc", Kept::Whole),
    ("engines", Kept::Whole),
    ("deprecated", Kept::Whole),
    ("dist", Kept::Dist),
    ("directories", Kept::Part(&[("bin", Kept::Whole)])),
];

/// Copies an object without the fields that are not kept; whatever else stands in its place becomes `null`.
struct Manifest<'t> {
    text: &'t mut Vec<u8>,
    fields: &'static [(&'static str, Kept)],
}

impl<'de> Object<'de> for Manifest<'_> {
    fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut object = ObjectText::new(self.text);
        while let Some(Key(key)) = map.next_key()? {
            let Some((_, kept)) = self.fields.iter().find(|(name, _)| *name == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let text = object.key(&key);
            match kept {
                Kept::Whole => text.extend_from_slice(map.next_value::<&RawValue>()?.get().as_bytes()),
                Kept::Part(fields) => map.next_value_seed(OrAnything(Manifest { text, fields }))?,
                Kept::Dist => map.next_value_seed(OrAnything(Dist(text)))?,
            }
        }
        object.end();
        Ok(())
    }

    fn read_other(self) {
        self.text.extend_from_slice(b"null");
    }
}

/// Copies what leads to a tarball. Its SHA-1 sum is kept only where there is no integrity, which whoever reads a version asks for
/// first: it would be an eighth of all that is kept.
struct Dist<'t>(&'t mut Vec<u8>);

impl<'de> Object<'de> for Dist<'_> {
    fn read<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        const FIELDS: [&str; 3] = ["tarball", "integrity", "shasum"];
        let mut values: [Option<&RawValue>; 3] = [None; 3];
        while let Some(Key(key)) = map.next_key()? {
            match FIELDS.iter().position(|name| *name == key) {
                Some(at) => values[at] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let [_, integrity, shasum] = &mut values;
        if integrity.is_some_and(|integrity| integrity.get().starts_with('"') && integrity.get() != "\"\"") {
            *shasum = None;
        }
        let mut object = ObjectText::new(self.0);
        for (name, value) in FIELDS.iter().zip(values) {
            if let Some(value) = value {
                object.key(name).extend_from_slice(value.get().as_bytes());
            }
        }
        object.end();
        Ok(())
    }

    fn read_other(self) {
        self.0.extend_from_slice(b"null");
    }
}

/// An object that is being written.
struct ObjectText<'t> {
    text: &'t mut Vec<u8>,
    /// What comes before the next key.
    separator: u8,
}

impl<'t> ObjectText<'t> {
    fn new(text: &'t mut Vec<u8>) -> Self {
        ObjectText { text, separator: b'{' }
    }

    /// Writes a key; its value goes to what comes back.
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.text.extend_from_slice(&[self.separator, b'"']);
        self.text.extend_from_slice(key.as_bytes());
        self.text.extend_from_slice(b"\":");
        self.separator = b',';
        self.text
    }

    fn end(self) {
        if self.separator == b'{' {
            self.text.push(b'{');
        }
        self.text.push(b'}');
    }
}

/// Something that is read from an object, and that is known what to make of where there is none.
trait Object<'de>: Sized {
    fn read<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error>;

    fn read_other(self);
}

struct OrAnything<T>(T);

impl<'de, T: Object<'de>> DeserializeSeed<'de> for OrAnything<T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Object<'de>> Visitor<'de> for OrAnything<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.read(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.0.read_other();
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.read_other();
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.0.read_other();
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.0.read_other();
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.0.read_other();
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.0.read_other();
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.0.read_other();
        Ok(())
    }
}
