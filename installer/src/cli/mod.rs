//! The command line: arguments in, exit code out. Errors are rendered here and nowhere else.

mod args;
mod look;
mod progress;

use args::{Args, Command, Installs, install_options, unsupported};
use clap::{CommandFactory, Parser};
use installer::install::{InstallError, InstallOptions, Summary, install};
use installer::rt;
use installer::rt::StopSignal;
use miette::{GraphicalReportHandler, GraphicalTheme};
use progress::Progress;
use std::io::Write;
use std::process::ExitCode;

/// An install that could not be completed.
const EXIT_FAILED: u8 = 1;

/// What a shell reports for a program that Ctrl-C ended.
const EXIT_INTERRUPTED: u8 = 130;

/// What a shell reports for a program that SIGTERM ended.
const EXIT_TERMINATED: u8 = 143;

/// Runs the program.
pub fn run() -> ExitCode {
    match parse().command {
        Command::Install(args) => run_install(&*args),
        Command::Add(args) => run_install(&*args),
        Command::Remove(args) => run_install(&*args),
        Command::Update(args) => run_install(&*args),
        Command::List(args) => look::run_list(&args),
        Command::Why(args) => look::run_why(&args),
        Command::Store(args) => look::run_store(&args),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "lockstep", &mut script);
            // A reader that went away has seen enough.
            let _ = std::io::stdout().write_all(&script);
            ExitCode::SUCCESS
        }
    }
}

/// The arguments; ends the program where they are wrong, or ask for help.
fn parse() -> Args {
    Args::try_parse().unwrap_or_else(|error| {
        if let Some(note) = unsupported::note(&error) {
            eprintln!("note: {note}");
        }
        error.exit()
    })
}

fn run_install(command: &dyn Installs) -> ExitCode {
    let progress = Progress::new(command.project().reporter);
    let started = rt::Instant::now();
    rt::end_soon();
    let outcome = install_options(command).and_then(|options| install_blocking(options, &progress));
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
