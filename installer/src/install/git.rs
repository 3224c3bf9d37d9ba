//! Git dependencies on their way into an install: which commit is meant, and whether its files are the package.

use super::InstallError;
use super::project::Project;
use super::session::Session;
use crate::config::Verdict;
use crate::git::{GitSpecifier, RemoteRefs, Wanted};
use crate::lockfile::package_key;
use crate::package::{BundledManifest, PackageId};
use crate::rt::{self, Process};
use crate::tarball::Coordinator;
use crate::virtual_store::InstalledPackages;
use std::io;

/// Why a git dependency cannot be had.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum GitError {
    /// There is no program to ask.
    #[error("cannot start git, which has to say which commit of {remote} is meant")]
    #[diagnostic(code(lockstep::git::missing), help("install git, or write a whole commit behind the `#`"))]
    NoGit {
        /// The repository's URL.
        remote: String,
        /// What the system said.
        source: io::Error,
    },
    /// The repository does not answer.
    #[error("git cannot read {remote}: {output}")]
    #[diagnostic(
        code(lockstep::git::remote),
        help("check the repository's name, and that you may read it: `git ls-remote {remote}` has to work")
    )]
    Remote {
        /// The repository's URL.
        remote: String,
        /// What git said.
        output: String,
    },
    /// The network may not be used.
    #[error("which commit of {remote} is meant is not in the lockfile, and --offline forbids asking")]
    #[diagnostic(code(lockstep::git::offline), help("run it once without --offline"))]
    Offline {
        /// The repository's URL.
        remote: String,
    },
    /// The repository has no such commit.
    #[error("{remote} has no {wanted}")]
    #[diagnostic(
        code(lockstep::git::no_commit),
        help(
            "`git ls-remote {remote}` lists its branches and tags; a commit that none of them leads to has to be written whole"
        )
    )]
    NoCommit {
        /// The repository's URL.
        remote: String,
        /// What was asked for.
        wanted: String,
    },
    /// What is in the repository is not yet the package.
    #[error(
        "{package} comes from a git repository and is only complete once its {script} script has run, which lockstep does not do"
    )]
    #[diagnostic(
        code(lockstep::git::not_prepared),
        help("depend on a published version, or on the tarball of one; `allowBuilds: {{ \"{}\": false }}` in pnpm-workspace.yaml takes the files as they are", package.name)
    )]
    NotPrepared {
        /// Which package.
        package: PackageId,
        /// The script.
        script: String,
    },
}

/// The URL of the archive that `git` means: that of the lockfile as long as package.json says the same, else of what the
/// repository has now.
pub(super) async fn archive_of<C: Coordinator>(
    project: &Project,
    session: &Session<C>,
    git: &GitSpecifier,
    specifier: &str,
) -> Result<String, GitError> {
    if let Some(url) = locked_archive(project, git, specifier) {
        return Ok(url);
    }
    if let Some(commit) = git.commit() {
        return Ok(git.archive(commit));
    }
    let remote = git.remote();
    if session.options.settings.network.offline {
        return Err(GitError::Offline { remote });
    }
    let refs = match session.remote_refs(&remote) {
        Some(refs) => refs,
        None => session.note_remote_refs(&remote, remote_refs(project, &remote).await?),
    };
    let wanted = || match &git.wanted {
        Wanted::Head => "default branch".to_owned(),
        Wanted::Named(name) => format!("branch, tag or commit called {name}"),
        Wanted::Range(range) => format!("tag with a version in {range}"),
    };
    let commit = refs.commit(&git.wanted).ok_or_else(|| GitError::NoCommit { remote, wanted: wanted() })?;
    Ok(git.archive(commit))
}

/// What the lockfile has for a dependency that is written so, if it is an archive of that repository and still wanted.
fn locked_archive(project: &Project, git: &GitSpecifier, specifier: &str) -> Option<String> {
    let lockfile = project.kept_lockfile()?;
    let all = lockfile.importers.values().flat_map(|importer| {
        importer
            .dependencies
            .values()
            .chain(importer.dev_dependencies.values())
            .chain(importer.optional_dependencies.values())
    });
    let written_so = all.filter(|dependency| dependency.specifier == specifier);
    let mut references = written_so.map(|dependency| package_key(&dependency.version));
    references.find_map(|reference| {
        // `name@` stands in front where the package is called otherwise than the dependency.
        let url = &reference[reference.find("https://")?..];
        let commit = url.split(['/', '-', '.']).find(|part| GitSpecifier::is_commit(part))?;
        let is_kept = lockfile.packages.keys().any(|key| key.ends_with(url));
        (is_kept && git.archive(commit) == url).then(|| url.to_owned())
    })
}

async fn remote_refs(project: &Project, remote: &str) -> Result<RemoteRefs, GitError> {
    // Whoever is asked for a password waits for an answer that nobody gives.
    let environment = [("GIT_TERMINAL_PROMPT", "0"), ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")];
    let process = Process {
        program: "git".to_owned(),
        arguments: ["ls-remote", "--", remote].map(str::to_owned).to_vec(),
        dir: project.workspace.root.clone(),
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    };
    let remote = remote.to_owned();
    let ended = rt::run_process(process).await.map_err(|source| GitError::NoGit { remote: remote.clone(), source })?;
    let output = String::from_utf8_lossy(&ended.output).trim().to_owned();
    if ended.code == Some(0) { Ok(RemoteRefs::parse(&output)) } else { Err(GitError::Remote { remote, output }) }
}

/// Whether a package is what its publisher means it to be; somebody may have decided that its files will do.
pub(super) fn check_prepared<C: Coordinator>(session: &Session<C>, manifest: &BundledManifest) -> Result<(), GitError> {
    let Some(script) = &manifest.made_by else { return Ok(()) };
    match session.options.settings.builds.verdict(&manifest.name, &manifest.version) {
        Verdict::Denied => Ok(()),
        Verdict::Runs | Verdict::Undecided => {
            let package = PackageId::new(&manifest.name, &manifest.version);
            Err(GitError::NotPrepared { package, script: script.clone() })
        }
    }
}

/// [`check_prepared`] of all packages.
pub(super) fn check_all_prepared<C: Coordinator>(
    session: &Session<C>,
    installed: &InstalledPackages,
) -> Result<(), InstallError> {
    installed.values().try_for_each(|row| Ok(check_prepared(session, &row.manifest)?))
}
