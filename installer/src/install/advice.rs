//! What an install tells people besides what it did: packages that are deprecated, patches that nothing uses, a project
//! that is meant for another package manager.

use super::project::Project;
use crate::lockfile::{DepPath, Importer, Lockfile, dep_path_of, package_key};
use crate::reporter::ProgressEvent;
use crate::workspace::ROOT;
use std::collections::BTreeSet;

/// The package managers whose projects are understood.
const UNDERSTOOD: [&str; 2] = ["pnpm", "lockstep"];

/// What to say once versions are chosen anew: of a lockfile that was there already, it was said before.
pub(super) fn after_resolution(project: &Project, lockfile: &Lockfile) -> Vec<ProgressEvent> {
    let unused = project.workspace.patches.unused(lockfile.snapshots.keys().map(String::as_str));
    let unused = unused.into_iter().map(|selector| ProgressEvent::Warning {
        code: "UNUSED_PATCH",
        message: format!("the patch for {selector} is not used: nothing depends on it"),
    });
    let deprecated = deprecations(lockfile).into_iter();
    deprecated.map(|message| ProgressEvent::Warning { code: "DEPRECATED", message }).chain(unused).collect()
}

/// What publishers say against the packages of a lockfile: in full for those that a project asks for, in one list for the
/// rest. As in pnpm.
fn deprecations(lockfile: &Lockfile) -> Vec<String> {
    let direct: BTreeSet<DepPath> = lockfile
        .importers
        .values()
        .flat_map(Importer::direct)
        .map(|(alias, direct)| package_key(&dep_path_of(alias, &direct.version)).to_owned())
        .collect();
    let (mut messages, mut below) = (Vec::new(), Vec::new());
    for (key, package) in &lockfile.packages {
        match &package.deprecated {
            Some(reason) if direct.contains(key) => messages.push(format!("deprecated {key}: {reason}")),
            Some(_) => below.push(key.as_str()),
            None => {}
        }
    }
    if !below.is_empty() {
        messages.push(format!("{} deprecated subdependencies found: {}", below.len(), below.join(", ")));
    }
    messages
}

/// What to say of a project that names another package manager.
pub(super) fn package_manager(project: &Project) -> Option<String> {
    let wanted = project.workspace.members.get(ROOT)?.manifest.package_manager.as_deref()?;
    let name = wanted.split('@').next().unwrap_or(wanted);
    let understood = UNDERSTOOD.contains(&name);
    (!understood).then(|| format!("this project is meant for {name}: `packageManager` in package.json is {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_direct_dependency_is_told_in_full_and_the_rest_in_one_list() {
        let text = "
lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      a: {specifier: '1', version: 1.0.0(b@1.0.0)}
packages:
  a@1.0.0: {deprecated: use z}
  b@1.0.0: {deprecated: no}
  c@1.0.0: {deprecated: why}
  d@1.0.0: {}
snapshots: {}
";
        let lockfile = Lockfile::parse(text, Path::new("pnpm-lock.yaml")).unwrap();
        let expected = ["deprecated a@1.0.0: use z", "2 deprecated subdependencies found: b@1.0.0, c@1.0.0"];
        assert_eq!(deprecations(&lockfile), expected);
        assert_eq!(deprecations(&Lockfile::default()), [""; 0]);
    }
}
