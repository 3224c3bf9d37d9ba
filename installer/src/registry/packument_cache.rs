//! Packuments on disk: what a registry need not send again (304), and what `offline` lives on.
//!
//! One file per packument below [`StoreDir::packuments_dir`]: a line of JSON, then the body. A file that does not match
//! its own line (half written, another URL) counts as missing. A file is as old as the last answer that vouched for it. The
//! cache is a hint: when the disk refuses, an install goes on without.

use crate::rt;
use crate::store::StoreDir;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Where packuments are kept. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct PackumentCache {
    store: StoreDir,
}

/// A packument as the registry sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CachedPackument {
    /// The entity tag that came with it.
    pub etag: Option<String>,
    /// How long it need not be asked for again, from when the registry vouched for it.
    pub fresh_for: Option<Duration>,
    /// The body, decoded.
    pub body: Bytes,
}

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fresh_s: Option<u64>,
    /// Size of the body in bytes.
    bytes: usize,
    /// CRC-32 of the body: tells a torn file from a whole one.
    crc: u32,
}

impl PackumentCache {
    pub fn new(store: StoreDir) -> Self {
        PackumentCache { store }
    }

    /// What is cached for this URL.
    pub async fn read(&self, url: &str) -> Option<CachedPackument> {
        let (path, url) = (self.path(url), url.to_owned());
        rt::blocking("read packument", move || parse(rt::fs::read(&path).ok()?.into(), &url)).await
    }

    /// Whether what is cached for this URL is younger than the registry said that it stays right.
    pub async fn is_fresh(&self, url: &str, packument: &CachedPackument) -> bool {
        let Some(fresh_for) = packument.fresh_for else { return false };
        let path = self.path(url);
        rt::blocking("look at packument", move || rt::fs::age(&path).is_ok_and(|age| age < fresh_for)).await
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

    /// Keeps a packument.
    ///
    /// # Errors
    /// When the disk refuses; what was cached before is still there then.
    pub async fn write(&self, url: &str, packument: CachedPackument) -> io::Result<()> {
        let (store, path, head) = (self.store.clone(), self.path(url), Head::new(url, &packument));
        rt::blocking("write packument", move || {
            let _owner = store.act_as_owner();
            let temporary = store.tmp_dir().join(rt::unique());
            let mut file = serde_json::to_vec(&head)?;
            file.push(b'\n');
            file.extend_from_slice(&packument.body);
            let written = with_parent(&temporary, |temporary| rt::fs::write_new(temporary, &file, false))
                .and_then(|()| with_parent(&path, |path| rt::fs::rename(&temporary, path)));
            if written.is_err() {
                let _ = rt::fs::remove_file(&temporary);
            }
            written
        })
        .await
    }

    /// URLs are longer than file names may be, and not all of their characters are allowed there: named by hash.
    fn path(&self, url: &str) -> PathBuf {
        let digest = hex::encode(Sha256::digest(url));
        let (shard, rest) = digest.split_at(2);
        self.store.packuments_dir().join(shard).join(&rest[..30])
    }
}

impl Head {
    fn new(url: &str, packument: &CachedPackument) -> Self {
        let CachedPackument { etag, fresh_for, body } = packument;
        let (etag, fresh_s) = (etag.clone(), fresh_for.map(|fresh_for| fresh_for.as_secs()));
        Head { url: url.to_owned(), etag, fresh_s, bytes: body.len(), crc: checksum(body) }
    }
}

fn parse(file: Bytes, url: &str) -> Option<CachedPackument> {
    let (head, body) = whole(file).filter(|(head, _)| head.url == url)?;
    Some(CachedPackument { etag: head.etag, fresh_for: head.fresh_s.map(Duration::from_secs), body })
}

/// The two parts of a file that matches its own first line.
fn whole(file: Bytes) -> Option<(Head, Bytes)> {
    let line = file.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&file[..line]).ok()?;
    let body = file.slice(line + 1..);
    (head.bytes == body.len() && head.crc == checksum(&body)).then_some((head, body))
}

/// Whether these are the bytes of a cached packument, whole and as they were written.
pub fn is_whole_packument(file: Vec<u8>) -> bool {
    whole(file.into()).is_some()
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Does it again with the parent directory created, when that was missing.
fn with_parent(path: &std::path::Path, write: impl Fn(&std::path::Path) -> io::Result<()>) -> io::Result<()> {
    match write(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            rt::fs::create_dir_all(path.parent().expect("a cached packument has a directory"))?;
            write(path)
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
        let cache = PackumentCache::new(StoreDir::new(directory.path()));
        let url = "https://r.test/react";
        assert_eq!(cache.read(url).await, None);
        for text in ["{}", "{\"name\":\"react\"}\n"] {
            let (etag, body) = (Some("\"1\"".into()), Bytes::from_static(text.as_bytes()));
            let packument = CachedPackument { etag, fresh_for: Some(Duration::from_secs(7)), body };
            cache.write(url, packument.clone()).await.unwrap();
            assert_eq!(cache.read(url).await, Some(packument));
        }
        assert_eq!(cache.read("https://other.test/react").await, None);

        let mut file = rt::fs::read(&cache.path(url)).unwrap();
        *file.last_mut().unwrap() = 0;
        assert_eq!(parse(file.clone().into(), url), None);
        file.pop();
        assert_eq!(parse(file.into(), url), None);
        assert!(rt::fs::read_dir(&cache.store.root().join("tmp")).unwrap().is_empty());
    }
}
