//! Where a package's tarball is: the one rule that resolution and frozen installs share.

use super::TarballResolution;
use crate::package::PackageId;

/// Where the registry at `registry` keeps a package unless it says otherwise:
/// `<registry>/<name>/-/<name without scope>-<version>.tgz`.
pub fn canonical_tarball_url(registry: &str, package: &PackageId) -> String {
    let PackageId { name, version } = package;
    let base = name.rsplit('/').next().unwrap_or(name);
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
    fn a_scope_is_not_part_of_the_file_name() {
        let url = |name| canonical_tarball_url("http://registry.test/", &PackageId::new(name, "1.0.0"));
        assert_eq!(url("a"), "http://registry.test/a/-/a-1.0.0.tgz");
        assert_eq!(url("@s/a"), "http://registry.test/@s/a/-/a-1.0.0.tgz");
    }
}
