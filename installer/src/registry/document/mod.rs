//! What an installer needs of a packument: its versions, and of each the fields that decide an install.
//!
//! A packument holds everything that was ever published, and more of each version than anybody asks: signatures, development
//! dependencies, in full also texts for people. That is read once, when it arrives; kept, in memory and on disk, is the part that
//! can be asked for, as JSON, so that whoever edits manifests still can, and where each version begins in it.
//! A registry holds twenty years of packuments, so a field may have any shape: each is kept as it stands.

mod kept;

use self::kept::Read;
use bytes::Bytes;
use deno_semver::{Version, VersionPreOrBuild};
use serde::Serialize;
use serde::de::Deserializer;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// See the module. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    index: Arc<Index>,
    text: Bytes,
}

/// What is known of a packument without a look at its manifests.
#[derive(Debug, PartialEq, Eq)]
struct Index {
    dist_tags: BTreeMap<String, Version>,
    /// Lowest first; where the manifest of each is.
    versions: Vec<(Version, Range<usize>)>,
}

/// An index on the disk. Its fields and their order are the format; [`StoreDir::VERSION`](crate::store::StoreDir::VERSION)
/// changes with them.
#[derive(Serialize, serde::Deserialize)]
struct StoredIndex<'a> {
    /// Tag → version.
    dist_tags: BTreeMap<String, String>,
    /// Lowest first.
    #[serde(borrow)]
    versions: Vec<StoredVersion<'a>>,
}

/// A version, in the parts that it would have to be taken apart into each time, and where its manifest is.
#[derive(Serialize, serde::Deserialize)]
struct StoredVersion<'a> {
    numbers: [u64; 3],
    #[serde(borrow)]
    pre: Vec<&'a str>,
    build: Vec<&'a str>,
    start: usize,
    bytes: usize,
}

impl<'a> StoredVersion<'a> {
    fn new((version, manifest): &'a (Version, Range<usize>)) -> Self {
        let texts = |texts: &'a [VersionPreOrBuild]| texts.iter().map(|text| &**text).collect();
        StoredVersion {
            numbers: [version.major, version.minor, version.patch],
            pre: texts(&version.pre),
            build: texts(&version.build),
            start: manifest.start,
            bytes: manifest.len(),
        }
    }

    fn into_listed(self) -> (Version, Range<usize>) {
        let [major, minor, patch] = self.numbers;
        let texts = |texts: &[&str]| texts.iter().map(|text| VersionPreOrBuild::from_str(text)).collect();
        let version = Version { major, minor, patch, pre: texts(&self.pre), build: texts(&self.build) };
        (version, self.start..self.start.saturating_add(self.bytes))
    }
}

impl Document {
    /// Reads a packument as a registry sends it.
    ///
    /// # Errors
    /// When it is no JSON, or no object.
    pub fn parse(json: &[u8]) -> Result<Document, serde_json::Error> {
        // One look whether all of it is UTF-8 is quicker than one at each text. What nobody asks for need not be.
        match std::str::from_utf8(json) {
            Ok(text) => Document::read(serde_json::Deserializer::from_str(text), json.len()),
            Err(_) => Document::read(serde_json::Deserializer::from_slice(json), json.len()),
        }
    }

    fn read<'de>(
        mut deserializer: serde_json::Deserializer<impl serde_json::de::Read<'de>>,
        bytes: usize,
    ) -> Result<Document, serde_json::Error> {
        // As much room as all of it would take: to give the rest back is less work than to grow.
        let mut read = Read { text: Vec::with_capacity(bytes), ..Read::default() };
        deserializer.deserialize_map(&mut read)?;
        deserializer.end()?;
        let Read { dist_tags, mut versions, mut text } = read;
        text.shrink_to_fit();
        versions.sort_by(|(a, _), (b, _)| a.cmp(b));
        // Of what is one and the same, the last one counts.
        versions.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                std::mem::swap(next, kept);
            }
            is_same
        });
        Ok(Document { index: Arc::new(Index { dist_tags: versions_of(dist_tags), versions }), text: text.into() })
    }

    /// The tags whose versions are such.
    pub fn dist_tags(&self) -> &BTreeMap<String, Version> {
        &self.index.dist_tags
    }

    /// The versions that are such, lowest first, and where in [`text`](Self::text) the manifest of each is.
    pub fn versions(&self) -> &[(Version, Range<usize>)] {
        &self.index.versions
    }

    /// One of them.
    pub fn version(&self, version: &Version) -> Option<&(Version, Range<usize>)> {
        let at = self.index.versions.binary_search_by(|(listed, _)| listed.cmp(version)).ok()?;
        Some(&self.index.versions[at])
    }

    /// All manifests, as JSON.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// For the disk: what [`from_parts`](Self::from_parts) takes.
    pub(super) fn to_parts(&self) -> (Vec<u8>, &[u8]) {
        let dist_tags = self.index.dist_tags.iter().map(|(tag, version)| (tag.clone(), version.to_string())).collect();
        let versions = self.index.versions.iter().map(StoredVersion::new).collect();
        let index = StoredIndex { dist_tags, versions };
        (postcard::to_allocvec(&index).expect("an index is plain data"), &self.text)
    }

    /// What was kept; none where it makes no sense.
    pub(super) fn from_parts(index: &[u8], text: Bytes) -> Option<Document> {
        let StoredIndex { dist_tags, versions } = postcard::from_bytes(index).ok()?;
        let versions: Vec<_> = versions.into_iter().map(StoredVersion::into_listed).collect();
        let are_there = versions.iter().all(|(_, manifest)| text.get(manifest.clone()).is_some());
        let makes_sense = are_there && versions.is_sorted_by(|(a, _), (b, _)| a < b);
        makes_sense.then(|| Document { index: Arc::new(Index { dist_tags: versions_of(dist_tags), versions }), text })
    }
}

/// Those that are versions.
fn versions_of(dist_tags: BTreeMap<String, String>) -> BTreeMap<String, Version> {
    let version = |(tag, text): (String, String)| Some((tag, Version::parse_from_npm(&text).ok()?));
    dist_tags.into_iter().filter_map(version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Vec<(String, String)> {
        let document = Document::parse(json.as_bytes()).unwrap();
        let text = |range: &Range<usize>| String::from_utf8(document.text()[range.clone()].to_vec()).unwrap();
        document.versions().iter().map(|(version, range)| (version.to_string(), text(range))).collect()
    }

    #[test]
    fn what_an_install_needs_is_kept_as_it_stands() {
        let json = r#"{ "readme": "x", "dist-tags": { "latest": "1.0.0", "odd": 7 }, "versions": {
            "1.0.0": { "name": "x", "dist": { "tarball": "t", "signatures": [{}], "shasum": "00" }, "devDependencies": {},
                       "dependencies": { "a" : "^1" }, "bin": ["x"], "scripts": { "dependencies": "" },
                       "directories": { "lib": "l" } },
            "1.1.0": { "dist": "gone", "os": null, "\u006fs": "é\n" }, "2.0.0": null, "\u0033.0.0-a.1+b": { },
            "no version": {}, "0.1.0": {"os": "x"} } }"#;
        let kept = |version: &str, text: &str| (version.to_owned(), text.to_owned());
        let first =
            r#"{"dist":{"tarball":"t","shasum":"00"},"dependencies":{ "a" : "^1" },"bin":["x"],"directories":{}}"#;
        let second = r#"{"dist":null,"os":null,"os":"é\n"}"#;
        let others = [kept("1.0.0", first), kept("1.1.0", second), kept("2.0.0", "null"), kept("3.0.0-a.1+b", "{}")];
        assert_eq!(read(json), [&[kept("0.1.0", r#"{"os":"x"}"#)][..], &others].concat());
        let document = Document::parse(json.as_bytes()).unwrap();
        let tags: Vec<_> = document.dist_tags().iter().map(|(tag, version)| format!("{tag} {version}")).collect();
        assert_eq!(tags, ["latest 1.0.0"]);
        let twice = r#"{"versions":{"1.0.0":{"os":"a"},"0.1.0":{},"1.0.0":{"os":"b"}}}"#;
        assert_eq!(read(twice), [kept("0.1.0", "{}"), kept("1.0.0", r#"{"os":"b"}"#)], "the last counts");
    }

    #[test]
    fn a_sha_1_sum_is_kept_where_it_is_needed() {
        let kept = |dist: &str| {
            let json = format!(r#"{{"versions":{{"1.0.0":{{"dist":{dist}}}}}}}"#);
            read(&json)[0].1.clone()
        };
        assert_eq!(
            kept(r#"{"shasum":"00","integrity":"sha512-x","tarball":"t"}"#),
            r#"{"dist":{"tarball":"t","integrity":"sha512-x"}}"#
        );
        for none in [r#""""#, "null", "7"] {
            let dist = format!(r#"{{"integrity":{none},"shasum":"00"}}"#);
            assert_eq!(kept(&dist), format!(r#"{{"dist":{dist}}}"#));
        }
        assert_eq!(kept("{}"), r#"{"dist":{}}"#);
        assert_eq!(kept("[{}]"), r#"{"dist":null}"#);
    }

    #[test]
    fn only_what_is_kept_must_be_text() {
        let packument = |version: &[u8]| [&br#"{"versions":{"1.0.0":{"#[..], version, b"}}}"].concat();
        let document = Document::parse(&packument(b"\"author\":\"\xff\",\"os\":\"x\"")).unwrap();
        assert_eq!(document.text(), br#"{"os":"x"}"#);
        assert!(Document::parse(&packument(b"\"os\":\"\xff\"")).is_err());
    }

    #[test]
    fn what_is_no_packument_has_no_versions_or_is_an_error() {
        for json in ["{}", r#"{"versions":[{}]}"#, r#"{"versions":7,"dist-tags":[]}"#] {
            assert_eq!(read(json), []);
        }
        for json in ["", "[]", "7", "{", r#"{"versions":{"1.0.0":{}}"#, "{}x", r#"{"versions":{},"versions":{}}"#] {
            assert!(Document::parse(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn parts_are_put_together_again_and_no_others() {
        let json = br#"{"dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"os":"linux"},"2.0.0-a.1+b":{}}}"#;
        let document = Document::parse(json).unwrap();
        let (index, text) = document.to_parts();
        let text = Bytes::copy_from_slice(text);
        assert_eq!(Document::from_parts(&index, text.clone()), Some(document));
        assert_eq!(Document::from_parts(&index, text.slice(1..)), None, "the last is cut short");
        assert_eq!(Document::from_parts(&index[1..], text), None);
    }
}
