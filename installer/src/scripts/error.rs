//! Why a script ends an install.

use miette::Diagnostic;
use std::io;
use std::path::PathBuf;

/// How many lines of a failed script's output an error repeats: the last ones say what went wrong.
const OUTPUT_LINES_MAX: usize = 40;

/// See each case.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ScriptError {
    /// A script ended with an error.
    #[error("the {event} script of {package} failed{}: {command}{}", ending(*code), tail(output))]
    #[diagnostic(
        code(lockstep::scripts::failed),
        help("it ran in {}; --ignore-scripts installs without running any script", dir.display())
    )]
    Failed {
        /// `name@version`, or the project's name.
        package: String,
        /// `postinstall`.
        event: String,
        /// What was run.
        command: String,
        /// Where.
        dir: PathBuf,
        /// Its exit code; none if a signal ended it.
        code: Option<i32>,
        /// What it said.
        output: String,
    },
    /// A script could not be started.
    #[error("the {event} script of {package} cannot be started")]
    #[diagnostic(code(lockstep::scripts::start), help("scripts run in a shell: check that `sh` is there"))]
    Start {
        /// `name@version`, or the project's name.
        package: String,
        /// `postinstall`.
        event: String,
        /// What the system said.
        source: io::Error,
    },
    /// A package's files cannot be made its own.
    #[error("cannot prepare {} for its build", dir.display())]
    #[diagnostic(
        code(lockstep::scripts::prepare),
        help("check the project's permissions and the free space on its disk")
    )]
    Prepare {
        /// The package's directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn ending(code: Option<i32>) -> String {
    code.map_or(" by a signal".to_owned(), |code| format!(" with exit code {code}"))
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.trim_end().lines().collect();
    let shown = &lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..];
    shown.iter().map(|line| format!("\n  {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_which_script_and_repeats_its_last_words() {
        let output: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let error = ScriptError::Failed {
            package: "native@1.0.0".to_owned(),
            event: "install".to_owned(),
            command: "make".to_owned(),
            dir: PathBuf::from("/p"),
            code: Some(2),
            output,
        };
        let text = error.to_string();
        assert!(
            text.starts_with("the install script of native@1.0.0 failed with exit code 2: make\n  line 60\n"),
            "{text}"
        );
        assert!(text.ends_with("line 99"), "{text}");
    }
}
