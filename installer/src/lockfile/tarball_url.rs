//! Where a package's tarball is: the one rule that resolution and frozen installs share.

use super::TarballResolution;
use crate::package::PackageId;

/// Where the registry at `registry` keeps a package unless it says otherwise:
/// `<registry>/<name>/-/<name without scope>-<version>.tgz`, the version without its build metadata. As in pnpm.
pub fn canonical_tarball_url(registry: &str, package: &PackageId) -> String {
    let PackageId { name, version } = package;
    let base = name.rsplit('/').next().unwrap_or(name);
    let version = version.split_once('+').map_or(version.as_str(), |(version, _)| version);
    format!("{}/{name}/-/{base}-{version}.tgz", registry.trim_end_matches('/'))
}

impl TarballResolution {
    /// The URL of the tarball, for the registry that serves this package.
    pub fn url(&self, registry: &str, package: &PackageId) -> String {
        self.tarball.clone().unwrap_or_else(|| canonical_tarball_url(registry, package))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_scope_nor_build_metadata_is_part_of_the_file_name() {
        let url = |name, version| canonical_tarball_url("http://r.test/npm/", &PackageId::new(name, version));
        assert_eq!(url("a", "1.0.0"), "http://r.test/npm/a/-/a-1.0.0.tgz");
        assert_eq!(url("@s/a", "1.0.0-rc.1+build.7"), "http://r.test/npm/@s/a/-/a-1.0.0-rc.1.tgz");
    }
}
