//! What a row of the index holds, and how.

use super::PackageFiles;
use crate::package::BundledManifest;
use serde::{Deserialize, Serialize};

/// What the index knows of a tarball.
///
/// In the database it is binary (postcard): most of an index are the names of files, and every install with a warm store
/// reads all of them. The fields and their order are the format; [`StoreDir::VERSION`](super::StoreDir::VERSION) changes with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRow {
    /// What its package.json says.
    pub manifest: BundledManifest,
    /// Its files, all of them in the store.
    pub files: PackageFiles,
    /// What the tarball hashes to, where that was not known before it was here.
    pub integrity: Option<String>,
}

impl PackageRow {
    /// What the database holds; none where it makes no sense.
    pub fn parse(data: &[u8]) -> Option<PackageRow> {
        match postcard::take_from_bytes(data) {
            Ok((row, [])) => Some(row),
            _ => None,
        }
    }

    /// What the database is to hold.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("a row is plain data")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoredFile, digest};

    #[test]
    fn a_row_is_read_as_it_was_written_and_whole_only() {
        let file = |text: &str| StoredFile { digest: digest(text.as_bytes()), executable: text == "x", size: 300 };
        let manifest = BundledManifest {
            name: "a".to_owned(),
            version: "1.0.0".to_owned(),
            bin: [("a".to_owned(), "bin/a".to_owned())].into(),
            has_build_script: true,
            made_by: Some("prepare".to_owned()),
        };
        let files = [("bin/a", "x"), ("package.json", "{}")].map(|(path, text)| (path.to_owned(), file(text)));
        let row = PackageRow { manifest, files: files.into(), integrity: Some("sha512-x".to_owned()) };
        let bytes = row.to_bytes();
        assert_eq!(PackageRow::parse(&bytes), Some(row));
        assert_eq!(PackageRow::parse(&bytes[..bytes.len() - 1]), None);
        assert_eq!(PackageRow::parse(&[bytes.as_slice(), b"x"].concat()), None);
        assert_eq!(PackageRow::parse(b"{}"), None);
    }
}
