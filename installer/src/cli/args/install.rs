//! `lockstep install`.

use super::kinds::KindArgs;
use super::{Installs, ProjectArgs};
use clap::Args;
use installer::install::{InstallOptions, InstallPath};
use installer::lockfile;
use std::path::Path;

pub const EXAMPLES: &str = "\
Examples:
  lockstep install                     bring pnpm-lock.yaml and node_modules up to date
  lockstep install --frozen-lockfile   exactly what pnpm-lock.yaml says (the default in CI)
  lockstep install --prod --offline    no devDependencies, and only what is in the store

Settings are read from .npmrc and from npm_config_* variables, as npm and pnpm do.

Exit codes: 0 installed, 1 failed, 2 wrong arguments, 130 interrupted, 143 terminated";

const LOCKFILE: &str = "Lockfile";

/// Says what to do instead to people who write `lockstep install react`.
fn refuse_package(package: &str) -> Result<String, String> {
    Err(format!("`lockstep add {package}` adds it to package.json and installs it"))
}

#[derive(Debug, Args)]
pub struct InstallArgs {
    /// Refuses what people try first; see [`refuse_package`].
    #[arg(hide = true, value_name = "PACKAGE", value_parser = refuse_package)]
    packages: Vec<String>,

    /// Fail if pnpm-lock.yaml would change [default in CI, if the file is there]
    #[arg(long, overrides_with = "no_frozen_lockfile", help_heading = LOCKFILE)]
    frozen_lockfile: bool,
    /// Bring pnpm-lock.yaml up to date, also in CI
    #[arg(long, help_heading = LOCKFILE)]
    no_frozen_lockfile: bool,
    /// Neither read nor write pnpm-lock.yaml
    #[arg(long, conflicts_with_all = ["frozen_lockfile", "lockfile_only"], help_heading = LOCKFILE)]
    no_lockfile: bool,
    #[command(flatten)]
    kinds: KindArgs,

    #[command(flatten)]
    project: ProjectArgs,
}

impl InstallArgs {
    /// Whether the lockfile may not change: when told so, or in CI where there is one.
    fn frozen(&self, dir: &Path, environment: &dyn Fn(&str) -> Option<String>) -> bool {
        let in_ci = environment("CI").is_some_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
        let has_lockfile = || dir.join(lockfile::FILE_NAME).exists();
        self.frozen_lockfile || (!self.no_frozen_lockfile && in_ci && has_lockfile())
    }
}

impl Installs for InstallArgs {
    fn project(&self) -> &ProjectArgs {
        &self.project
    }

    fn apply(&self, options: &mut InstallOptions, environment: &dyn Fn(&str) -> Option<String>) {
        let root = options.settings.project.workspace_dir.as_ref().unwrap_or(&options.dir);
        options.path = if self.no_lockfile {
            InstallPath::NoLockfile
        } else if self.frozen(root, environment) {
            InstallPath::Frozen
        } else {
            InstallPath::Fresh
        };
        options.include = self.kinds.include();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Args, Command};
    use super::*;
    use clap::Parser;
    use installer::lockfile::IncludeKinds;

    fn parse(arguments: &[&str]) -> Box<InstallArgs> {
        let line = ["lockstep", "install"].iter().chain(arguments);
        match Args::try_parse_from(line).expect("these arguments are right").command {
            Command::Install(args) => args,
            _ => unreachable!("the line says install"),
        }
    }

    #[test]
    fn frozen_is_the_default_in_ci_where_there_is_a_lockfile() {
        let dir = tempfile::tempdir().unwrap();
        let ci = |name: &str| (name == "CI").then(|| "true".to_owned());
        let no_ci = |_: &str| None;
        assert!(!parse(&[]).frozen(dir.path(), &ci), "no lockfile yet");
        std::fs::write(dir.path().join(lockfile::FILE_NAME), "").unwrap();
        assert!(parse(&[]).frozen(dir.path(), &ci));
        assert!(!parse(&[]).frozen(dir.path(), &no_ci));
        assert!(!parse(&["--no-frozen-lockfile"]).frozen(dir.path(), &ci));
        assert!(parse(&["--frozen-lockfile"]).frozen(dir.path(), &no_ci));
        assert!(
            parse(&["--no-frozen-lockfile", "--frozen-lockfile"]).frozen(dir.path(), &no_ci),
            "the last one counts"
        );
        assert!(!parse(&["--frozen-lockfile", "--no-frozen-lockfile"]).frozen(dir.path(), &ci));
    }

    #[test]
    fn kinds_of_dependencies_are_left_out_as_in_pnpm() {
        let included = |arguments: &[&str]| {
            let IncludeKinds { prod, dev, optional } = parse(arguments).kinds.include();
            (prod, dev, optional)
        };
        assert_eq!(included(&[]), (true, true, true));
        assert_eq!(included(&["--prod"]), (true, false, true));
        assert_eq!(included(&["--dev"]), (false, true, true));
        assert_eq!(included(&["--no-optional"]), (true, true, false));
    }
}
