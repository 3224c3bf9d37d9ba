//! What a registry answered, kept in a directory: full packuments and tarballs, each a file, and which packages it does
//! not have.
//!
//! A recording grows: whatever is asked for and not there yet is fetched from [`Upstream`], if there is one, and kept. So
//! whoever installs a project once through a recording registry has recorded it. Files are whole or absent: each is
//! written under a temporary name and renamed.

mod abbreviated;
mod upstream;

pub use self::abbreviated::abbreviated;
pub use self::upstream::Upstream;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// One thing that can be asked of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Asked {
    /// The packument of this package.
    Packument(String),
    /// The tarball at this path below the registry, without the leading slash.
    Tarball(String),
}

impl Asked {
    /// What a request's path asks for; percent-encoded as the client sent it.
    pub fn from_path(path: &str) -> Asked {
        let path = percent_encoding::percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy().into_owned();
        if path.contains("/-/") { Asked::Tarball(path) } else { Asked::Packument(path) }
    }
}

/// See the module. Cheap to clone; what was read once is held in memory.
#[derive(Clone)]
pub struct Recording {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    upstream: Option<Upstream>,
    held: Mutex<HashMap<Asked, Option<Bytes>>>,
}

impl Recording {
    /// Opens a recording; it is empty where there is no such directory. `upstream` fills the gaps.
    pub fn open(dir: &Path, upstream: Option<Upstream>) -> Recording {
        Recording { shared: Arc::new(Shared { dir: dir.to_owned(), upstream, held: Mutex::default() }) }
    }

    /// The answer to what is asked: a full packument's JSON, or a tarball. `None` when the registry has no such thing.
    ///
    /// # Errors
    /// When it is not recorded and nobody can be asked, when the registry fails, or when the disk does.
    pub async fn answer(&self, asked: &Asked) -> io::Result<Option<Bytes>> {
        if let Some(held) = self.held().get(asked) {
            return Ok(held.clone());
        }
        let answer = match self.read(asked)? {
            Some(answer) => answer,
            None => self.fetch(asked).await?,
        };
        self.held().insert(asked.clone(), answer.clone());
        Ok(answer)
    }

    /// Records an answer; `None` when the registry has no such thing.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep(&self, asked: &Asked, answer: Option<&[u8]>) -> io::Result<()> {
        let (path, missing) = self.paths(asked);
        match (answer, asked) {
            (None, _) => write_whole(&missing, b""),
            (Some(tarball), Asked::Tarball(_)) => write_whole(&path, tarball),
            (Some(packument), Asked::Packument(_)) => write_whole(&path, &gzipped(packument, Compression::default())),
        }
    }

    fn read(&self, asked: &Asked) -> io::Result<Option<Option<Bytes>>> {
        let (path, missing) = self.paths(asked);
        match std::fs::read(&path) {
            Ok(file) => Ok(Some(Some(match asked {
                Asked::Tarball(_) => file.into(),
                Asked::Packument(_) => {
                    let mut plain = Vec::new();
                    GzDecoder::new(&*file).read_to_end(&mut plain)?;
                    plain.into()
                }
            }))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(missing.exists().then_some(None)),
            Err(error) => Err(error),
        }
    }

    async fn fetch(&self, asked: &Asked) -> io::Result<Option<Bytes>> {
        let Some(upstream) = &self.shared.upstream else {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("{asked:?} is not recorded")));
        };
        let answer = upstream.ask(asked).await?;
        self.keep(asked, answer.as_deref())?;
        Ok(answer)
    }

    /// Of the answer, and of the note that there is none.
    fn paths(&self, asked: &Asked) -> (PathBuf, PathBuf) {
        let (dir, name, ending) = match asked {
            Asked::Packument(name) => ("packuments", name, "json.gz"),
            Asked::Tarball(path) => ("tarballs", path, "tgz"),
        };
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let dir = self.shared.dir.join(dir);
        (dir.join(format!("{name}.{ending}")), dir.join(format!("{name}.missing")))
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<Asked, Option<Bytes>>> {
        self.shared.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As gzip.
pub(crate) fn gzipped(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes every byte")
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().expect("a recorded file has a directory");
    std::fs::create_dir_all(dir)?;
    let mut temporary = tempfile::NamedTempFile::new_in(dir)?;
    temporary.write_all(bytes)?;
    temporary.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_kept_is_answered_and_the_rest_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let (packument, tarball) = (Asked::from_path("/@s%2fa"), Asked::from_path("/@s/a/-/a-1.0.0.tgz"));
        let gone = Asked::from_path("/gone");
        assert_eq!(packument, Asked::Packument("@s/a".to_owned()));
        let recording = Recording::open(dir.path(), None);
        recording.keep(&packument, Some(b"{}")).unwrap();
        recording.keep(&tarball, Some(b"bytes")).unwrap();
        recording.keep(&gone, None).unwrap();
        for recording in [recording, Recording::open(dir.path(), None)] {
            assert_eq!(recording.answer(&packument).await.unwrap().as_deref(), Some(&b"{}"[..]));
            assert_eq!(recording.answer(&tarball).await.unwrap().as_deref(), Some(&b"bytes"[..]));
            assert_eq!(recording.answer(&gone).await.unwrap(), None);
            assert!(recording.answer(&Asked::from_path("/never")).await.is_err());
        }
    }
}
