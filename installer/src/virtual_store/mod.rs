//! node_modules in pnpm's layout: one directory per snapshot under the root's node_modules/.pnpm, or in the store for all
//! projects ([`shared`]), and links to all of them from every project. Or, where [`hoisted`] says so, real directories in the
//! projects' node_modules.
//!
//! [`CreateVirtualStore`] fills the directories that [`Places`] hands out; [`link`] decides and makes the links; [`bins`]
//! writes the commands; [`prune`] removes what is no longer wanted. Planning is pure and apart from doing.

pub mod bins;
pub mod boot_note;
pub mod carried;
mod create_virtual_store;
pub mod direct;
mod hoist;
pub mod hoisted;
mod import;
mod install_package_by_snapshot;
mod layout;
pub mod link;
pub mod modules_yaml;
mod places;
pub mod prune;
pub mod shared;

pub use create_virtual_store::{CreateVirtualStore, CreateVirtualStoreError, InstalledPackages, SnapshotToInstall};
pub use import::{ImportError, Imported, Importer, has_files};
pub use install_package_by_snapshot::Coordination;
pub use layout::{Layout, Shared, dep_path_to_filename};
pub use link::LinkError;
pub use places::{HoistedPlaces, Places, Slot};
