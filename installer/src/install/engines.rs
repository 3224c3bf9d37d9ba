//! `engineStrict`: every package has to run on the Node.js that is here, or that `nodeVersion` names.

use super::InstallError;
use super::project::Project;
use crate::lockfile::{DepPath, Lockfile, package_key};
use crate::range;
use crate::rt::{self, Process};
use crate::workspace::shown;
use deno_semver::Version;
use std::collections::{BTreeMap, BTreeSet};

/// What stands in the way of `engineStrict`.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum EngineError {
    /// Something needs another Node.js.
    #[error("Node.js {node} is not what {} {}", Wanted(.packages), if packages.len() == 1 { "asks for" } else { "ask for" })]
    #[diagnostic(
        code(lockstep::engine),
        help(
            "use a Node.js that all of them accept, choose other versions, or take `engineStrict` out of the settings"
        )
    )]
    Unsupported {
        /// The version that is here.
        node: String,
        /// Package, or package.json, and the range that it asks for.
        packages: Vec<(String, String)>,
    },
    /// Nobody can say which Node.js it is.
    #[error("`engineStrict` is set, and there is no Node.js: {reason}")]
    #[diagnostic(code(lockstep::engine), help("install Node.js, or say with `nodeVersion` which one is meant"))]
    NoNode {
        /// Why it is not known.
        reason: String,
    },
}

/// What is asked for, as a list for people.
struct Wanted<'a>(&'a [(String, String)]);

impl std::fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN_MAX: usize = 5;
        let shown = self.0.iter().take(SHOWN_MAX).map(|(package, range)| format!("{package} ({range})"));
        f.write_str(&shown.collect::<Vec<_>>().join(", "))?;
        match self.0.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Looks at what is to be installed, where `engineStrict` is set.
///
/// # Errors
/// [`EngineError`].
pub(super) async fn check(
    project: &Project,
    lockfile: &Lockfile,
    snapshots: &BTreeSet<DepPath>,
) -> Result<(), InstallError> {
    let settings = &project.workspace.settings;
    if !settings.engine_strict {
        return Ok(());
    }
    let text = match &settings.node_version {
        Some(version) => version.clone(),
        None => node_version(project).await.map_err(|reason| EngineError::NoNode { reason })?,
    };
    let node = Version::parse_from_npm(text.trim().trim_start_matches('v'))
        .map_err(|_| EngineError::NoNode { reason: format!("`{}` is no version", text.trim()) })?;
    let members = project.workspace.members.iter().map(|(id, member)| (shown(id), &member.manifest.engines));
    let keys: BTreeSet<&str> = snapshots.iter().map(|dep_path| package_key(dep_path)).collect();
    let packages = keys.into_iter().filter_map(|key| Some((key.to_owned(), &lockfile.packages.get(key)?.engines)));
    let refusing = members.chain(packages).filter_map(|(name, engines)| Some((name, refused(&node, engines)?)));
    let packages: Vec<_> = refusing.collect();
    if packages.is_empty() { Ok(()) } else { Err(EngineError::Unsupported { node: node.to_string(), packages }.into()) }
}

/// The range that this Node.js is not in. What makes no sense refuses nobody.
fn refused(node: &Version, engines: &BTreeMap<String, String>) -> Option<String> {
    let range = engines.get("node")?;
    let is_refused = range::parse(range).is_some_and(|wanted| !wanted.matches(node));
    is_refused.then(|| range.clone())
}

/// What `node --version` says; why it does not, where there is no Node.js.
pub(super) async fn node_version(project: &Project) -> Result<String, String> {
    let process = Process {
        program: "node".to_owned(),
        arguments: vec!["--version".to_owned()],
        dir: project.workspace.root.clone(),
        environment: BTreeMap::new(),
    };
    match rt::run_process(process).await {
        Ok(ended) if ended.code == Some(0) => Ok(String::from_utf8_lossy(&ended.output).into_owned()),
        Ok(ended) => Err(format!("`node --version` ended with {:?}", ended.code)),
        Err(error) => Err(error.to_string()),
    }
}
