//! The command line: arguments in, exit code out. Errors are rendered here and nowhere else.

mod args;
mod progress;

use args::{Args, Command, InstallArgs};
use clap::{CommandFactory, Parser};
use installer::install::{InstallError, InstallOptions, InstallPath, Summary, install};
use installer::rt::StopSignal;
use installer::{config, rt};
use miette::{GraphicalReportHandler, GraphicalTheme};
use progress::Progress;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// An install that could not be completed.
const EXIT_FAILED: u8 = 1;

/// What a shell reports for a program that Ctrl-C ended.
const EXIT_INTERRUPTED: u8 = 130;

/// What a shell reports for a program that SIGTERM ended.
const EXIT_TERMINATED: u8 = 143;

/// Runs the program.
pub fn run() -> ExitCode {
    match Args::parse().command {
        Command::Install(args) => run_install(&args),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "lockstep", &mut script);
            // A reader that went away has seen enough.
            let _ = std::io::stdout().write_all(&script);
            ExitCode::SUCCESS
        }
    }
}

fn run_install(args: &InstallArgs) -> ExitCode {
    let progress = Progress::new(args.reporter);
    let started = rt::Instant::now();
    let outcome = install_options(args).and_then(|options| install_blocking(options, &progress));
    progress.clear();
    match outcome {
        Ok(summary) => {
            progress.summarise(&summary, started.elapsed());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprint!("{}", render(&error));
            exit_code(&error)
        }
    }
}

fn exit_code(error: &InstallError) -> ExitCode {
    ExitCode::from(match error {
        InstallError::Interrupted(StopSignal::Interrupt) => EXIT_INTERRUPTED,
        InstallError::Interrupted(StopSignal::Terminate) => EXIT_TERMINATED,
        _ => EXIT_FAILED,
    })
}

fn install_blocking(options: InstallOptions, progress: &Progress) -> Result<Summary, InstallError> {
    rt::block_on(install(options, progress.reporter())).unwrap_or_else(|error| Err(InstallError::Runtime(error)))
}

fn install_options(args: &InstallArgs) -> Result<InstallOptions, InstallError> {
    let dir = std::path::absolute(args.dir.as_deref().unwrap_or(".".as_ref())).map_err(InstallError::Runtime)?;
    let environment = |name: &str| std::env::var(name).ok();
    let home = environment("HOME").or_else(|| environment("USERPROFILE")).map(PathBuf::from);
    let settings = config::Settings::load(&dir, home.as_deref(), &environment, args.overrides())?;
    let path = if args.no_lockfile {
        InstallPath::NoLockfile
    } else if args.frozen(&dir, &environment) {
        InstallPath::Frozen
    } else {
        InstallPath::Fresh
    };
    let mut options = InstallOptions::new(dir, settings);
    options.path = path;
    options.include = args.include();
    options.coordination = args.coordination.into();
    options.prefetch = !args.no_prefetch;
    options.commit_lag = std::time::Duration::from_millis(args.index_commit_lag);
    options.ignore_scripts = args.ignore_scripts;
    Ok(options)
}

/// An error as people read it: what failed, why, and what to do.
fn render(error: &dyn miette::Diagnostic) -> String {
    let theme = if progress::colours() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
    if handler.render_report(&mut text, error).is_err() {
        text = format!("{error}\n");
    }
    text
}
