//! node_modules in pnpm's layout: one directory per snapshot under the root's node_modules/.pnpm, and links to
//! all of them from every project.
//!
//! [`CreateVirtualStore`] fills the directories; [`link`] decides and makes the links; [`bins`] writes the commands;
//! [`prune`] removes what is no longer wanted. Planning is pure and apart from doing.

pub mod bins;
pub mod boot_note;
mod create_virtual_store;
pub mod direct;
mod hoist;
mod import;
mod install_package_by_snapshot;
mod layout;
pub mod link;
pub mod modules_yaml;
pub mod prune;

pub use create_virtual_store::{CreateVirtualStore, CreateVirtualStoreError, InstalledPackages, SnapshotToInstall};
pub use import::{ImportError, Imported, Importer};
pub use install_package_by_snapshot::Coordination;
pub use layout::{Layout, dep_path_to_filename};
pub use link::LinkError;
