//! `cargo sim coordinators`.

use super::args::{CALLERS, Cli, CoordinatorsArgs};
use super::explore::spinner;
use super::{EXIT_FAILED, InputError};
use crate::coordinators::{CONTENDERS, markdown, table};
use crate::exhaust::Enumeration;
use std::process::ExitCode;

pub(super) fn coordinators(cli: &Cli, args: &CoordinatorsArgs) -> Result<ExitCode, InputError> {
    let wanted: Vec<_> =
        CONTENDERS.iter().filter(|one| args.name.as_deref().is_none_or(|name| one.name == name)).collect();
    if let (Some(name), []) = (&args.name, wanted.as_slice()) {
        let names = CONTENDERS.map(|one| one.name).join(", ");
        return Err(InputError::NoSuchContender { name: name.clone(), names });
    }
    let spinner = spinner("every schedule of each, with each fault");
    let all: Vec<_> = wanted.into_iter().map(|one| one.guarantees(usize::from(CALLERS), cli.jobs())).collect();
    spinner.finish_and_clear();
    if let Some(page) = &args.check {
        let text =
            std::fs::read_to_string(page).map_err(|source| InputError::Unreadable { path: page.clone(), source })?;
        let current = text.contains(&markdown(&all));
        println!("{} {} the table of this run", page.display(), if current { "has" } else { "does not have" });
        return Ok(if current { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) });
    }
    print!("{}", if args.markdown { markdown(&all) } else { table(&all) });
    if args.name.is_some() {
        let broken = all.iter().flat_map(|one| &one.enumerations).filter_map(Enumeration::explanation);
        broken.for_each(|text| print!("\n{text}"));
    }
    Ok(ExitCode::SUCCESS)
}
