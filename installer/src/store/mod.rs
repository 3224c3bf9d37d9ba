//! The content-addressed store: files by the BLAKE3 hash of their bytes, and an index that says which tarball consists of which files.
//!
//! A file is written once; whoever writes the same bytes again finds them there, whole if they have their size. A tarball's row is
//! queued only after all its files are whole, so a committed row means complete files.

pub mod cafs;
mod cas_writer;
mod download_locks;
mod index;
mod index_writer;
mod prefetch_cas_paths;
mod prune;
mod row;
pub mod verify;

pub use cafs::{Digest, PackageFiles, StoreDir, StoredFile, digest};
pub use cas_writer::CasWriter;
pub use download_locks::{DownloadLock, DownloadLocks, LOCK_FILES};
pub use index::{IndexError, RowKey, StoreIndex};
pub use index_writer::{BUSY_PAUSES, QueuedRow, StoreIndexWriter, WriterHandle, WriterSettings, WriterStopped};
pub use prefetch_cas_paths::prefetch_cas_paths;
pub use prune::{Pruned, prune};
pub use row::PackageRow;
pub use verify::StoreError;
