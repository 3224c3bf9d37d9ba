//! Packuments on disk: what a registry need not send again (304), and what `offline` lives on.
//!
//! One file per packument below [`StoreDir::packuments_dir`]: a line of JSON, then the two parts of a [`Document`]. A file that
//! does not match its own line (half written, another URL) counts as missing. A file is as old as the last answer that vouched
//! for it. The cache is a hint: when the disk refuses, an install goes on without.

use super::document::Document;
use crate::rt;
use crate::store::StoreDir;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where packuments are kept. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct PackumentCache {
    store: StoreDir,
    /// Whether nothing was there when somebody looked for the first time: then nobody looks again.
    was_empty: Arc<OnceLock<bool>>,
}

/// A packument that the registry sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CachedPackument {
    /// The entity tag that came with it.
    pub etag: Option<String>,
    /// How long it need not be asked for again, from when the registry vouched for it.
    pub fresh_for: Option<Duration>,
    /// What is needed of it.
    pub document: Document,
}

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fresh_s: Option<u64>,
    /// Size of the document's index, the first of its parts, in bytes.
    index_bytes: usize,
    /// Size of both parts in bytes.
    bytes: usize,
    /// CRC-32 of both: tells a torn file from a whole one.
    crc: u32,
}

impl PackumentCache {
    pub fn new(store: StoreDir) -> Self {
        PackumentCache { store, was_empty: Arc::default() }
    }

    /// What is cached for this URL, and whether it is younger than the registry said that it stays right.
    pub async fn read(&self, url: &str) -> Option<(CachedPackument, bool)> {
        if *self.was_empty.get_or_init(|| !rt::fs::exists(&self.store.packuments_dir())) {
            return None;
        }
        let (path, url) = (self.path(url), url.to_owned());
        let read = move || {
            let packument = parse(rt::fs::read(&path).ok()?.into(), &url)?;
            let is_younger = |fresh_for| rt::fs::age(&path).is_ok_and(|age| age < fresh_for);
            let is_fresh = packument.fresh_for.is_some_and(is_younger);
            Some((packument, is_fresh))
        };
        rt::blocking("read packument", read).await
    }

    /// The registry vouches for what is cached for this URL once more.
    pub async fn renew(&self, url: &str) {
        let (store, path) = (self.store.clone(), self.path(url));
        let renew = move || {
            let _owner = store.act_as_owner();
            rt::fs::touch(&path)
        };
        // A hint: what is not renewed is asked for again.
        let _ = rt::blocking("renew packument", renew).await;
    }

    /// Keeps a packument; blocks. A new one is written under its own name at once: half of it is no packument to anybody.
    ///
    /// # Errors
    /// When the disk refuses; what was cached before is still there then.
    pub fn write(&self, url: &str, packument: &CachedPackument) -> io::Result<()> {
        let _owner = self.store.act_as_owner();
        let (path, file) = (self.path(url), file(url, packument));
        match write_new(&path, &file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                rt::write_whole(&path, &file, &self.store.tmp_dir())
            }
            written => written,
        }
    }

    /// URLs are longer than file names may be, and not all of their characters are allowed there: named by hash.
    fn path(&self, url: &str) -> PathBuf {
        let digest = hex::encode(Sha256::digest(url));
        let (shard, rest) = digest.split_at(2);
        self.store.packuments_dir().join(shard).join(&rest[..30])
    }
}

/// The bytes that a packument is kept as.
fn file(url: &str, packument: &CachedPackument) -> Vec<u8> {
    let (index, text) = packument.document.to_parts();
    let head = Head {
        url: url.to_owned(),
        etag: packument.etag.clone(),
        fresh_s: packument.fresh_for.map(|fresh_for| fresh_for.as_secs()),
        index_bytes: index.len(),
        bytes: index.len() + text.len(),
        crc: checksum(&[&index, text]),
    };
    let head = serde_json::to_vec(&head).expect("a head is plain data");
    [&*head, b"\n", &index, text].concat()
}

fn parse(file: Bytes, url: &str) -> Option<CachedPackument> {
    let (head, parts) = whole(file).filter(|(head, _)| head.url == url)?;
    let index = parts.get(..head.index_bytes)?;
    let document = Document::from_parts(index, parts.slice(head.index_bytes..))?;
    Some(CachedPackument { etag: head.etag, fresh_for: head.fresh_s.map(Duration::from_secs), document })
}

/// The first line of a file that matches it, and the rest.
fn whole(file: Bytes) -> Option<(Head, Bytes)> {
    let line = file.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&file[..line]).ok()?;
    let parts = file.slice(line + 1..);
    (head.bytes == parts.len() && head.crc == checksum(&[&parts])).then_some((head, parts))
}

/// Whether these are the bytes of a cached packument, whole and as they were written.
pub fn is_whole_packument(file: Vec<u8>) -> bool {
    whole(file.into()).is_some()
}

/// Of all of these bytes, one after the other.
fn checksum(parts: &[&[u8]]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    parts.iter().for_each(|part| checksum.update(part));
    checksum.finalize()
}

/// Writes a new file, and makes its directory where that is missing.
fn write_new(path: &Path, file: &[u8]) -> io::Result<()> {
    match rt::fs::write_new(path, file, false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            rt::fs::create_dir_all(path.parent().expect("a cached packument has a directory"))?;
            rt::fs::write_new(path, file, false)
        }
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_and_what_is_torn_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let new = || PackumentCache::new(StoreDir::new(directory.path()));
        let (empty, url) = (new(), "https://r.test/react");
        assert_eq!(empty.read(url).await, None);
        let cache = new();
        let with_a_version = r#"{"versions":{"1.0.0":{"os":"\n"}}}"#;
        for text in [with_a_version, "{}", with_a_version] {
            let (etag, document) = (Some("\"1\"".into()), Document::parse(text.as_bytes()).unwrap());
            let packument = CachedPackument { etag, fresh_for: Some(Duration::from_secs(7)), document };
            cache.write(url, &packument).unwrap();
            assert_eq!(cache.read(url).await, Some((packument, true)));
        }
        assert_eq!(empty.read(url).await, None, "nobody looks again");
        assert_eq!(cache.read("https://other.test/react").await, None);

        let mut file = rt::fs::read(&cache.path(url)).unwrap();
        *file.last_mut().unwrap() = 0;
        assert_eq!(parse(file.clone().into(), url), None);
        file.pop();
        assert_eq!(parse(file.into(), url), None);
        assert!(rt::fs::read_dir(&cache.store.tmp_dir()).unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_another_install_has_only_begun_to_write_is_no_packument_and_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, url) = (PackumentCache::new(StoreDir::new(dir.path())), "https://r.test/react");
        let document = Document::parse(b"{}").unwrap();
        let packument = CachedPackument { etag: None, fresh_for: None, document };
        cache.write(url, &packument).unwrap();
        let whole = rt::fs::read(&cache.path(url)).unwrap();
        for begun in [&whole[..0], &whole[..1], &whole[..whole.len() - 1]] {
            rt::fs::remove_file(&cache.path(url)).unwrap();
            rt::fs::write_new(&cache.path(url), begun, false).unwrap();
            assert_eq!(cache.read(url).await, None);
            cache.write(url, &packument).unwrap();
            assert_eq!(cache.read(url).await, Some((packument.clone(), false)));
        }
    }
}
