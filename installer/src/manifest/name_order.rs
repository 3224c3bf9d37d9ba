//! The order of the names in package.json, which decides where the versions of several places are equally good.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// The names in each map of dependencies, as people wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NameOrder {
    dependencies: Names,
    dev_dependencies: Names,
    optional_dependencies: Names,
    peer_dependencies: Names,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names(Vec<String>);

impl NameOrder {
    /// Reads package.json. Where a map is something else, nothing is known of the order, and names are sorted.
    pub(super) fn parse(bytes: &[u8]) -> NameOrder {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// Name → its place among all, in the order in which pnpm goes through the maps: peers, if they count, then what is for
    /// development, for production, and optional. A name in several maps stands where it comes first.
    pub fn places(&self, with_peers: bool) -> BTreeMap<&str, usize> {
        let peers = with_peers.then_some(&self.peer_dependencies);
        let maps = [&self.dev_dependencies, &self.dependencies, &self.optional_dependencies];
        let names = peers.into_iter().chain(maps).flat_map(|Names(names)| names);
        let mut places = BTreeMap::new();
        for (place, name) in names.enumerate() {
            places.entry(name.as_str()).or_insert(place);
        }
        places
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IgnoredAny)) = map.next_entry()? {
            names.push(name);
        }
        Ok(Names(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_where_they_come_first() {
        let text = br#"{"dependencies":{"z":"1","b":"1"},"optionalDependencies":{"b":"1","o":"1"},
            "devDependencies":{"d":"1","a":"1"},"peerDependencies":{"p":"1","a":"1"}}"#;
        let order = NameOrder::parse(text);
        let in_order = |with_peers| {
            let mut places: Vec<_> = order.places(with_peers).into_iter().collect();
            places.sort_by_key(|(_, place)| *place);
            places.into_iter().map(|(name, _)| name).collect::<String>()
        };
        assert_eq!(in_order(true), "padzbo");
        assert_eq!(in_order(false), "dazbo");
        assert_eq!(NameOrder::parse(br#"{"dependencies":{"z":"1"},"devDependencies":[]}"#), NameOrder::default());
    }
}
