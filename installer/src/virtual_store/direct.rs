//! What a node_modules offers to its project right now, as its links say: for telling people what an install changed.
//!
//! The links are the one record that cannot disagree with the disk. Links that an installer did not make are passed over.

use super::Layout;
use super::shared::HASH_DIGITS;
use crate::package::PackageId;
use crate::rt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name under node_modules → package of the virtual store.
pub fn linked(layout: &Layout) -> BTreeMap<String, PackageId> {
    let package = |(name, target): (String, PathBuf)| Some((name, package_at(&target)?));
    links(&layout.modules_dir).into_iter().filter_map(package).collect()
}

/// Name under this node_modules → where its link leads.
pub fn links(modules_dir: &Path) -> BTreeMap<String, PathBuf> {
    let mut links = BTreeMap::new();
    let mut add = |name: String| {
        if let Ok(target) = rt::fs::read_link(&modules_dir.join(&name)) {
            links.insert(name, target);
        }
    };
    for name in rt::fs::read_dir(modules_dir).unwrap_or_default() {
        if name.starts_with('@') {
            let scoped = rt::fs::read_dir(&modules_dir.join(&name)).unwrap_or_default();
            scoped.into_iter().for_each(|base| add(format!("{name}/{base}")));
        } else {
            add(name);
        }
    }
    links
}

/// The package that a link's target names: `…/.pnpm/<snapshot>/node_modules/<name>`, see `dep_path_to_filename`, or
/// `…/links/<scope>/<name>/<version>/<hash>/node_modules/<name>`, see `shared`.
pub(super) fn package_at(target: &Path) -> Option<PackageId> {
    let target = target.to_str()?.replace('\\', "/");
    if let Some((_, in_links)) = target.rsplit_once("/links/@") {
        let (entry, name) = in_links.split_once("/node_modules/")?;
        let mut parts = entry.rsplit('/');
        let (hash, version) = (parts.next()?, parts.next()?);
        let is_entry = hash.len() == HASH_DIGITS && hash.chars().all(|digit| digit.is_ascii_hexdigit());
        return is_entry.then(|| PackageId::new(name, version));
    }
    let (_, in_virtual_store) = target.split_once(".pnpm/")?;
    let (directory, name) = in_virtual_store.split_once("/node_modules/")?;
    let reference = directory.strip_prefix(&name.replace('/', "+"))?.strip_prefix('@')?;
    // Peers and hashes follow; no version holds this character.
    let version = reference.split_once('_').map_or(reference, |(version, _)| version);
    Some(PackageId::new(name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_its_package() {
        let package = |target: &str| package_at(Path::new(target)).map(|package| package.to_string());
        assert_eq!(package(".pnpm/a@1.0.0/node_modules/a").as_deref(), Some("a@1.0.0"));
        let scoped = "../.pnpm/@s+a@1.0.0-rc.1_@t+peer@2.0.0/node_modules/@s/a";
        assert_eq!(package(scoped).as_deref(), Some("@s/a@1.0.0-rc.1"));
        let hashed = ".pnpm/JSONStream@1.3.5_8fa2b0c1/node_modules/JSONStream";
        assert_eq!(package(hashed).as_deref(), Some("JSONStream@1.3.5"));
        let hash = "0a".repeat(HASH_DIGITS / 2);
        let shared = |name: &str| format!("/s/v3/links/{name}/1.0.0/{hash}/node_modules/");
        assert_eq!(package(&(shared("@/a") + "a")).as_deref(), Some("a@1.0.0"));
        assert_eq!(package(&(shared("@s/a") + "@s/a")).as_deref(), Some("@s/a@1.0.0"));
        assert_eq!(package("/mine/links/@/a/1.0.0/abc/node_modules/a"), None);
        assert_eq!(package("../elsewhere"), None);
    }
}
