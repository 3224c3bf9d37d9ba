//! `name@version`, as scenarios write it.

use installer::package::PackageId;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

/// A package and its version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionedName(pub PackageId);

impl VersionedName {
    /// Whether it is written like this.
    pub fn is(&self, text: &str) -> bool {
        let version = text.strip_prefix(&*self.0.name).and_then(|rest| rest.strip_prefix('@'));
        version == Some(&*self.0.version)
    }
}

impl fmt::Display for VersionedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for VersionedName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VersionedName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.rfind('@') {
            Some(at) if at > 0 => Ok(VersionedName(PackageId::new(&text[..at], &text[at + 1..]))),
            _ => Err(de::Error::custom(format!("{text:?} is not of the form name@version"))),
        }
    }
}

impl JsonSchema for VersionedName {
    fn schema_name() -> Cow<'static, str> {
        "VersionedName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A package and its version.", "pattern": "^.+@[^@]+$" })
    }
}
