//! Recorded answers made ready to be sent: rewritten, abbreviated, compressed and tagged once, then held in memory.

use crate::recording::{Asked, Recording, abbreviated, gzipped};
use bytes::Bytes;
use flate2::Compression;
use http::HeaderValue;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// In which form something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Document {
    Tarball,
    Abbreviated,
    Full,
}

impl Document {
    pub fn content_type(self) -> &'static str {
        match self {
            Document::Tarball => "application/octet-stream",
            Document::Abbreviated => super::ABBREVIATED,
            Document::Full => "application/json",
        }
    }
}

/// An answer as it goes over the line.
pub(super) struct Ready {
    pub etag: HeaderValue,
    pub plain: Bytes,
    /// Packuments alone are compressed: tarballs are already.
    pub gzip: Option<Bytes>,
}

pub(super) struct Documents {
    recording: Recording,
    /// Where tarballs are to be fetched from.
    base: String,
    ready: Mutex<HashMap<(Asked, Document), Arc<Ready>>>,
}

impl Documents {
    pub fn new(recording: Recording, base: String) -> Documents {
        Documents { recording, base, ready: Mutex::default() }
    }

    /// The answer; `None` when the registry has no such thing.
    pub async fn get(&self, asked: &Asked, document: Document) -> io::Result<Option<Arc<Ready>>> {
        let key = (asked.clone(), document);
        if let Some(ready) = self.ready().get(&key) {
            return Ok(Some(ready.clone()));
        }
        let Some(bytes) = self.recording.answer(asked).await? else { return Ok(None) };
        let base = self.base.clone();
        let prepare = move || match document {
            Document::Tarball => Ok(Ready { etag: etag_of(&bytes), plain: bytes, gzip: None }),
            _ => packument(&bytes, document, &base),
        };
        let ready = Arc::new(tokio::task::spawn_blocking(prepare).await.map_err(io::Error::other)??);
        self.ready().insert(key, ready.clone());
        Ok(Some(ready))
    }

    fn ready(&self) -> std::sync::MutexGuard<'_, HashMap<(Asked, Document), Arc<Ready>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn packument(recorded: &[u8], document: Document, base: &str) -> io::Result<Ready> {
    let mut packument: Value = serde_json::from_slice(recorded)?;
    lead_tarballs_to(&mut packument, base);
    if document == Document::Abbreviated {
        packument = abbreviated(&packument);
    }
    let plain = serde_json::to_vec(&packument)?;
    let gzip = gzipped(&plain, Compression::fast());
    Ok(Ready { etag: etag_of(&plain), plain: plain.into(), gzip: Some(gzip.into()) })
}

/// Puts `base` before the canonical path of every tarball; one that is not at its registry's canonical place is left alone.
fn lead_tarballs_to(packument: &mut Value, base: &str) {
    let canonical = format!("/{}/-/", packument["name"].as_str().unwrap_or_default());
    let Some(versions) = packument["versions"].as_object_mut() else { return };
    for manifest in versions.values_mut() {
        let Some(tarball) = manifest.get_mut("dist").and_then(|dist| dist.get_mut("tarball")) else { continue };
        let path = tarball.as_str().and_then(|url| Some(url[url.find(&canonical)? + 1..].to_owned()));
        if let Some(path) = path {
            *tarball = format!("{base}{path}").into();
        }
    }
}

fn etag_of(bytes: &[u8]) -> HeaderValue {
    let digest = hex::encode(&Sha256::digest(bytes)[..16]);
    HeaderValue::from_str(&format!("\"{digest}\"")).expect("hexadecimal digits can stand in a header")
}
