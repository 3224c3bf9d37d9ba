//! Flags that people know from pnpm and that lockstep does not have: named as such, not just as unknown.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Long flags of pnpm's `install`, `add`, `remove`, `update`, `list`, `why` and `store`.
const FLAGS: [&str; 48] = [
    "--aggregate-output",
    "--allow-build",
    "--auto-dedupe",
    "--changed-files-ignore-pattern",
    "--color",
    "--config",
    "--cpu",
    "--dry-run",
    "--env-file",
    "--exclude-peers",
    "--fetch-timeout",
    "--filter-prod",
    "--find-by",
    "--fix-lockfile",
    "--frozen-store",
    "--global",
    "--http-proxy",
    "--https-proxy",
    "--ignore-pnpmfile",
    "--ignore-workspace",
    "--ignore-workspace-root-check",
    "--include-github-actions",
    "--interactive",
    "--libc",
    "--lockfile-dir",
    "--loglevel",
    "--long",
    "--merge-git-branch-lockfiles",
    "--no-save",
    "--only-projects",
    "--os",
    "--parallel",
    "--parseable",
    "--patches",
    "--prefer-frozen-lockfile",
    "--recursive",
    "--resolution-only",
    "--save-build",
    "--save-catalog",
    "--save-catalog-name",
    "--save-prefix",
    "--save-types",
    "--shamefully-hoist",
    "--trust-lockfile",
    "--update-checksums",
    "--user-agent",
    "--workspace",
    "--workspace-root",
];

/// What to add to an error about wrong arguments, if the argument is right for pnpm.
pub fn note(error: &Error) -> Option<String> {
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let flag = argument.split('=').next().unwrap_or(argument);
    let known = error.kind() == ErrorKind::UnknownArgument && FLAGS.binary_search(&flag).is_ok();
    known.then(|| format!("`{flag}` is a flag of pnpm that lockstep does not support"))
}

#[cfg(test)]
mod tests {
    use super::super::Args;
    use super::*;
    use clap::Parser;

    #[test]
    fn flags_of_pnpm_are_named_as_such() {
        assert!(FLAGS.is_sorted());
        let note_of = |arguments: &[&str]| note(&Args::try_parse_from(arguments).unwrap_err());
        let note = note_of(&["lockstep", "install", "--shamefully-hoist"]).unwrap();
        assert!(note.contains("`--shamefully-hoist` is a flag of pnpm"), "{note}");
        assert!(note_of(&["lockstep", "add", "x", "--global"]).is_some());
        assert_eq!(note_of(&["lockstep", "install", "--frozn-lockfile"]), None);
        assert_eq!(note_of(&["lockstep", "install", "--reporter", "x"]), None);
    }

    #[test]
    fn what_is_supported_is_not_in_the_list() {
        use clap::CommandFactory;
        let command = Args::command();
        let flags = command.get_subcommands().filter(|command| command.get_name() == "install");
        let flags = flags.flat_map(|command| command.get_arguments()).filter_map(|argument| argument.get_long());
        let both: Vec<_> =
            flags.map(|flag| format!("--{flag}")).filter(|flag| FLAGS.contains(&flag.as_str())).collect();
        assert_eq!(both, [""; 0]);
    }
}
