//! Starts programs from a process that is small, so that their peak memory is their own.
//!
//! What the system says of a program's peak memory includes what it was before it became that program: for a moment it was a
//! copy of whoever started it. `compare` holds a registry's answers in memory, hundreds of megabytes. So before it reads them it
//! starts itself once more as a launcher, which does nothing but start programs and say what they did and used.

use crate::program::{self, Ran};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};

/// What makes a program a launcher, as its only argument.
const ARGUMENT: &str = "--as-launcher";

/// See the module.
#[derive(Debug)]
pub struct Launcher(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    process: Child,
    jobs: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// A program to run.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    program: PathBuf,
    arguments: Vec<OsString>,
    dir: PathBuf,
    /// All of its environment.
    environment: Vec<(OsString, OsString)>,
    /// Whether to look at what it has open.
    watched: bool,
}

impl Launcher {
    /// Starts a program as a launcher: its `main` has to be [`main`].
    ///
    /// # Errors
    /// When the system cannot start it.
    pub fn start(program: &Path) -> io::Result<Launcher> {
        let mut process = Command::new(program).arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let jobs = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Ok(Launcher(Mutex::new(Inner { process, jobs, answers })))
    }

    /// As [`program::run`]. The command's environment must be cleared: what it names is all that the program gets.
    ///
    /// # Errors
    /// When the program cannot be started, or the launcher is gone.
    pub fn run(&self, command: &Command) -> io::Result<Ran> {
        self.launch(command, false)
    }

    /// As [`program::run_watched`], with the same condition.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_watched(&self, command: &Command) -> io::Result<Ran> {
        self.launch(command, true)
    }

    fn launch(&self, command: &Command, watched: bool) -> io::Result<Ran> {
        let environment = command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let job = Job {
            program: command.get_program().into(),
            arguments: command.get_args().map(ToOwned::to_owned).collect(),
            dir: command.get_current_dir().map(ToOwned::to_owned).unwrap_or_default(),
            environment: environment.collect(),
            watched,
        };
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_writer(&inner.jobs, &job)?;
        inner.jobs.write_all(b"\n")?;
        let mut line = String::new();
        inner.answers.read_line(&mut line)?;
        let answer: Result<Ran, String> = serde_json::from_str(&line)?;
        answer.map_err(io::Error::other)
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        let inner = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It ends by itself with its last job; whoever stops in the middle of one does not wait for it.
        let _ = inner.process.kill();
        let _ = inner.process.wait();
    }
}

/// The `main` of a program that is its own launcher: does what it is for, or what a launcher does where it was started as one.
pub fn main(run: impl FnOnce() -> io::Result<()>) -> ExitCode {
    let ended = serve_if_asked().and_then(|is_launcher| if is_launcher { Ok(()) } else { run() });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Is a launcher until there are no more jobs, if this process was started as one. Whether it was.
fn serve_if_asked() -> io::Result<bool> {
    if std::env::args_os().nth(1).is_none_or(|argument| argument != ARGUMENT) {
        return Ok(false);
    }
    let mut out = io::stdout();
    for line in io::stdin().lines() {
        let job: Job = serde_json::from_str(&line?)?;
        let mut command = Command::new(&job.program);
        command.args(&job.arguments).current_dir(&job.dir).env_clear().envs(job.environment);
        let run = if job.watched { program::run_watched } else { program::run };
        let answer = run(&mut command).map_err(|error| error.to_string());
        serde_json::to_writer(&out, &answer)?;
        out.write_all(b"\n")?;
        out.flush()?;
    }
    Ok(true)
}
