//! Whether every name in a lockfile may be one under node_modules.

use super::{Lockfile, name_and_version};
use crate::package_name::{self, UnsafeName};
use crate::workspace::shown;

impl Lockfile {
    /// Looks at all names: of packages, and those under which somebody asks for one.
    ///
    /// # Errors
    /// [`UnsafeName`], of the first that is none.
    pub fn check_names(&self) -> Result<(), UnsafeName> {
        for (id, importer) in &self.importers {
            for (alias, _) in importer.direct() {
                package_name::check(alias, || shown(id))?;
            }
        }
        for (dep_path, snapshot) in &self.snapshots {
            let name = name_and_version(dep_path).map_or(dep_path.as_str(), |(name, _)| name);
            package_name::check(name, || "pnpm-lock.yaml".to_owned())?;
            for alias in snapshot.dependencies.keys().chain(snapshot.optional_dependencies.keys()) {
                package_name::check(alias, || dep_path.clone())?;
            }
        }
        Ok(())
    }
}
