//! One package's scripts: what there is to run, and running it.

use super::{Environment, ScriptError};
use crate::reporter::{ProgressEvent, Reporter};
use crate::rt;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The scripts of a dependency, in order.
pub const BUILD: [&str; 3] = ["preinstall", "install", "postinstall"];

/// The root project's own before anything is installed.
pub const BEFORE_ALL: [&str; 1] = ["pnpm:devPreinstall"];

/// A project's own, in order. The first of them runs before anything is installed where the project is alone.
pub const PROJECT: [&str; 6] = ["preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"];

/// A package with scripts.
#[derive(Debug, Clone)]
pub struct Package {
    /// `name@version`, for people.
    pub label: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it is.
    pub dir: PathBuf,
    /// `scripts` of its package.json.
    scripts: Value,
    /// Whether node-gyp builds it although no script says so.
    runs_gyp: bool,
}

impl Package {
    /// Reads a package's scripts; blocks. What cannot be read has none.
    pub fn read(dir: &Path) -> Self {
        let bytes = rt::fs::read(&dir.join("package.json")).unwrap_or_default();
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let manifest: Value = serde_json::from_slice(text).unwrap_or_default();
        let field = |name: &str| manifest[name].as_str().unwrap_or_default().to_owned();
        let (name, version) = (field("name"), field("version"));
        let label = match (name.as_str(), version.as_str()) {
            ("", _) => dir.display().to_string(),
            (name, "") => name.to_owned(),
            (name, version) => format!("{name}@{version}"),
        };
        let has_script = |event: &str| manifest["scripts"][event].as_str().is_some_and(|command| !command.is_empty());
        let runs_gyp = !has_script("install")
            && !has_script("preinstall")
            && manifest["gypfile"] != false
            && rt::fs::exists(&dir.join("binding.gyp"));
        Package { label, name, version, dir: dir.to_owned(), scripts: manifest["scripts"].clone(), runs_gyp }
    }

    /// Whether there is anything to run for these events.
    pub fn has_any(&self, events: &[&'static str]) -> bool {
        let has = |event: &&str| self.scripts[*event].as_str().is_some_and(|command| !command.trim().is_empty());
        events.iter().any(has) || (events.contains(&"install") && self.runs_gyp)
    }

    /// What to run for these events: event and command. Empty scripts are none.
    pub fn commands(&self, events: &[&'static str], environment: &Environment) -> Vec<(&'static str, String)> {
        let command = |event: &&'static str| {
            let written = self.scripts[*event].as_str().filter(|command| !command.trim().is_empty());
            let implied = (*event == "install" && self.runs_gyp).then(|| environment.gyp_command());
            Some((*event, written.or(implied)?.to_owned()))
        };
        events.iter().filter_map(command).collect()
    }

    /// Runs these scripts, one after the other.
    ///
    /// # Errors
    /// The first script that fails; those after it do not run.
    pub async fn run(
        &self,
        events: &[&'static str],
        environment: &Environment,
        reporter: &dyn Reporter,
    ) -> Result<(), ScriptError> {
        for (event, command) in self.commands(events, environment) {
            self.run_one(event, command, environment, reporter).await?;
        }
        Ok(())
    }

    async fn run_one(
        &self,
        event: &'static str,
        command: String,
        environment: &Environment,
        reporter: &dyn Reporter,
    ) -> Result<(), ScriptError> {
        let package = self.label.clone();
        reporter.report(&ProgressEvent::ScriptStarted { package: package.clone(), script: event });
        let (program, flag) = if cfg!(windows) { ("cmd", "/d /s /c") } else { ("sh", "-c") };
        let process = rt::Process {
            program: program.to_owned(),
            arguments: flag.split(' ').map(str::to_owned).chain([command.clone()]).collect(),
            dir: self.dir.clone(),
            environment: environment.variables(self, event, &command),
        };
        let ended = rt::run_process(process).await;
        let failed = ended.as_ref().map_or(true, |ended| ended.code != Some(0));
        let output = ended.as_ref().map(|ended| String::from_utf8_lossy(&ended.output).into_owned());
        let output = output.unwrap_or_default();
        reporter.report(&ProgressEvent::ScriptEnded {
            package: package.clone(),
            script: event,
            command: command.clone(),
            // An error repeats it.
            output: if failed { String::new() } else { output.clone() },
            failed,
        });
        let event = event.to_owned();
        match ended {
            Ok(_) if !failed => Ok(()),
            Ok(ended) => {
                Err(ScriptError::Failed { package, event, command, dir: self.dir.clone(), code: ended.code, output })
            }
            Err(source) => Err(ScriptError::Start { package, event, source }),
        }
    }
}
