//! Building a package that all projects share: by one install at a time, in a directory that nobody's build has touched.
//!
//! Whoever builds has locked the package among all installs on the store. What it finds there is complete by then, or as it was
//! unpacked, or what a build left that was killed or failed: that is made anew first. So a build that does not end well costs
//! the next one that needs it a build, and nobody ever takes it for done.

use super::Content;
use super::entry::make;
use crate::lockfile::DepPath;
use crate::rt::{self, LockFile};
use crate::store::StoreDir;
use crate::virtual_store::{ImportError, Importer, Layout, Shared};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait before looking again whether another install has built a package.
const PAUSE: Duration = Duration::from_millis(20);

/// The right to build packages of the store; dropped, it goes to whoever waits.
#[derive(Debug, Clone)]
pub struct Claim {
    /// None where files cannot be locked.
    file: Option<Arc<LockFile>>,
    /// Names this install among all that build.
    pub builder: String,
}

impl Claim {
    /// Claims nothing yet. Blocks.
    pub fn new(store: &StoreDir) -> Self {
        let _owner = store.act_as_owner();
        Claim { file: LockFile::open(&store.root().join("links.builds")).ok().map(Arc::new), builder: rt::unique() }
    }

    /// Waits until no other install builds one of these; calls `tell` once, if there is something to wait for. All installs
    /// ask in one order, that of the directories, so none waits for one that waits for it.
    pub async fn lock(&self, layout: &Layout, dep_paths: &BTreeSet<DepPath>, tell: impl Fn()) {
        let Some(file) = &self.file else { return };
        let Some(Shared { links_dir, entries }) = &layout.shared else { return };
        let below = |dep_path: &DepPath| Some(entries.get(dep_path)?.dir.strip_prefix(links_dir).ok()?.to_owned());
        let dirs: BTreeSet<PathBuf> = dep_paths.iter().filter_map(below).collect();
        let mut told = false;
        for dir in dirs {
            let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
            let place = u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
            loop {
                let file = file.clone();
                match rt::blocking("lock a build", move || file.try_lock(place)).await {
                    Ok(true) => break,
                    Ok(false) if !std::mem::replace(&mut told, true) => tell(),
                    Ok(false) => {}
                    Err(_) => return,
                }
                rt::sleep(PAUSE).await;
            }
        }
    }

    /// Prepares one of them, now that it is locked; says whether it is to be built. `runs` says whether its scripts are about
    /// to run. Blocks.
    ///
    /// # Errors
    /// When the disk refuses, or a file is missing in the store.
    pub fn prepare(
        &self,
        dep_path: &str,
        layout: &Layout,
        importer: &Importer,
        content: Content<'_>,
        runs: bool,
    ) -> Result<bool, ImportError> {
        let entry = layout.entry(dep_path).expect("the caller knows that it is shared");
        if entry.was_complete() {
            return Ok(false);
        }
        if entry.is_being_built() {
            make(dep_path, layout, importer, content, true)?;
        }
        if runs {
            let _owner = content.store.act_as_owner();
            let io = |source: io::Error| ImportError::Io { path: entry.dir.clone(), source };
            entry.begin_build(&self.builder).map_err(io)?;
        }
        Ok(true)
    }
}
