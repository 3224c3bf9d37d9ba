//! Runs the commands that look at a project or at the store, and change no project.

use super::args::{ListArgs, PlaceArgs, StoreArgs, StoreCommand, WhyArgs, settings};
use super::{EXIT_FAILED, render};
use installer::config::Settings;
use installer::inspect::{InspectError, Installed, json, list, tree_text, why};
use installer::install::InstallError;
use installer::registry::is_whole_packument;
use installer::rt;
use installer::store::verify::{Examination, examine, repair};
use installer::store::{StoreDir, StoreError, prune};
use installer::virtual_store::shared;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why a command that looks cannot say anything.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
enum LookError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Settings(#[from] InstallError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Inspect(#[from] InspectError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
}

/// What a command prints, and how it ends.
struct Said {
    text: String,
    code: ExitCode,
}

impl Said {
    fn well(text: String) -> Self {
        Said { text, code: ExitCode::SUCCESS }
    }
}

pub fn run_list(args: &ListArgs) -> ExitCode {
    say((|| {
        let (dir, settings) = place(&args.place)?;
        let installed = Installed::read(&dir)?;
        let projects: Vec<_> = match args.recursive {
            true => installed.lockfile.importers.keys().map(|importer| installed.about(importer)).collect(),
            false => vec![installed],
        };
        let listed = |project: &Installed| list::list(project, &args.request());
        Ok(Said::well(if args.json {
            let listings =
                projects.iter().map(|project| json::listing(project, &listed(project), &settings.registries));
            pretty(&listings.collect())
        } else {
            let listings: Vec<_> =
                projects.iter().map(|project| tree_text::listing(project, &listed(project))).collect();
            listings.join("\n")
        }))
    })())
}

pub fn run_why(args: &WhyArgs) -> ExitCode {
    say((|| {
        let (dir, _) = place(&args.place)?;
        let installed = Installed::read(&dir)?;
        let dependents = why::why(&installed, &args.names);
        if dependents.is_empty() && !args.json {
            eprintln!("not installed: {}", args.names.join(", "));
        }
        Ok(Said::well(if args.json {
            pretty(&json::dependents(&installed, &dependents))
        } else {
            tree_text::dependents(&dependents)
        }))
    })())
}

pub fn run_store(args: &StoreArgs) -> ExitCode {
    say((|| {
        let (_, settings) = place(&args.place)?;
        let store = StoreDir::new(&settings.store_dir);
        match &args.command {
            StoreCommand::Path => Ok(Said::well(format!("{}\n", store.root().display()))),
            StoreCommand::Prune => {
                // First those links: the files that they are further names of count as used.
                let links = block_on(shared::prune::prune(&store))??;
                let pruned = block_on(prune(&store))??;
                let mut text = links.left_alone.map(|why| format!("{why}\n")).unwrap_or_default();
                if !links.packages.is_empty() {
                    let _ = writeln!(
                        text,
                        "No project has a link to {} any more",
                        counted(links.packages.len(), "package")
                    );
                }
                text.extend(pruned.packages.iter().map(|package| format!("- {package}\n")));
                let _ = writeln!(
                    text,
                    "Removed {}, {}, {}",
                    counted(pruned.packages.len(), "package"),
                    counted(pruned.files, "file"),
                    size(pruned.bytes)
                );
                Ok(Said::well(text))
            }
            StoreCommand::Status => verify(&store, true),
            StoreCommand::Verify { check } => verify(&store, *check),
        }
    })())
}

/// Says what is in the store and what is wrong with it; removes that unless it is only to look.
fn verify(store: &StoreDir, only_looks: bool) -> Result<Said, LookError> {
    let found = block_on(examine(store, is_whole_packument))??;
    let Examination { packages, files, bytes, damage, .. } = &found;
    let (packages, files) = (counted(*packages, "package"), counted(*files, "file"));
    let mut text = format!("{}\n{packages}, {files}, {}\n", store.root().display(), size(*bytes));
    for damage in damage {
        let _ = writeln!(text, "{damage}");
    }
    let problems = counted(damage.len(), "problem");
    let code = match (found.is_sound(), only_looks) {
        (true, _) => {
            text.push_str("Everything is as it was written\n");
            ExitCode::SUCCESS
        }
        (false, true) => {
            let _ = writeln!(text, "Found {problems}: `lockstep store verify` removes what is damaged");
            ExitCode::from(EXIT_FAILED)
        }
        (false, false) => {
            block_on(shared::prune::distrust(store, &found.altered))??;
            block_on(repair(store, found))??;
            let _ = writeln!(text, "Found {problems}, and removed what is damaged: it is downloaded again when needed");
            ExitCode::SUCCESS
        }
    };
    Ok(Said { text, code })
}

fn place(place: &PlaceArgs) -> Result<(PathBuf, Settings), InstallError> {
    settings(place.dir.as_deref(), place.overrides(), &|name| std::env::var(name).ok())
}

fn block_on<F: Future>(future: F) -> Result<F::Output, InstallError> {
    rt::block_on(future).map_err(InstallError::Runtime)
}

fn say(outcome: Result<Said, LookError>) -> ExitCode {
    match outcome {
        Ok(Said { text, code }) => {
            // A reader that went away has seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            code
        }
        Err(error) => {
            eprint!("{}", render(&error));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A size as people read it.
fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
