//! Runs a program to its end in an environment of its own, and says what it used.

use crate::handles::{self, Handles};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a program may take before it is killed.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a program that has ended did and used. Times of its waited-for children are included.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ran {
    /// How it ended.
    #[serde(with = "raw_status")]
    pub status: ExitStatus,
    /// Its standard output and error, interleaved.
    pub output: String,
    /// From start to end.
    pub wall: Duration,
    /// In its own code.
    pub user: Duration,
    /// In the system's code.
    pub system: Duration,
    /// The most memory that it, or a child of it, held at once, in bytes.
    pub peak_bytes: u64,
    /// What it had open at once, at most; only of a program that was watched.
    pub handles: Option<Handles>,
}

/// An exit status as the number that the system has for it.
mod raw_status {
    use super::{ExitStatus, ExitStatusExt};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(status: &ExitStatus, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(status.into_raw())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ExitStatus, D::Error> {
        i32::deserialize(deserializer).map(ExitStatus::from_raw)
    }
}

impl Ran {
    /// The last lines of what it said, for people.
    pub fn last_words(&self) -> String {
        const LINES_MAX: usize = 20;
        let lines: Vec<&str> = self.output.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
    }

    /// Itself, if it succeeded.
    ///
    /// # Errors
    /// Its last words, if it did not.
    pub fn succeeded(self, what: &str) -> io::Result<Ran> {
        if self.status.success() {
            return Ok(self);
        }
        Err(io::Error::other(format!("{what} failed ({}):\n{}", self.status, self.last_words())))
    }
}

/// A command in `dir` that sees neither the user's settings nor a CI's: nothing of the environment but PATH is left, and
/// `home` is its home directory.
pub fn isolated(program: &Path, dir: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env_clear().env("HOME", home);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// Runs it to its end. After ten minutes it is killed.
///
/// # Errors
/// When it cannot be started.
pub fn run(command: &mut Command) -> io::Result<Ran> {
    run_and(command, None)
}

/// As [`run`], and looks all the time at what the program has open, which takes a part of a processor.
///
/// # Errors
/// When it cannot be started.
pub fn run_watched(command: &mut Command) -> io::Result<Ran> {
    run_and(command, Some(handles::of))
}

fn run_and(command: &mut Command, look: Option<fn(u32) -> Handles>) -> io::Result<Ran> {
    let output = tempfile::NamedTempFile::new()?;
    command.stdin(Stdio::null()).stdout(output.reopen_to_append()?).stderr(output.reopen_to_append()?);
    let started = Instant::now();
    let child = command.spawn().map_err(|error| {
        io::Error::new(error.kind(), format!("cannot start {}: {error}", command.get_program().to_string_lossy()))
    })?;
    let id = i32::try_from(child.id()).expect("the system's process numbers are of this type");
    let number = child.id();
    let (ended, watch) = mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let started = Instant::now();
        let mut handles = None;
        let pause = if look.is_some() { handles::PAUSE } else { PATIENCE };
        while watch.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
            handles = look.map(|look| look(number).max(handles.unwrap_or_default()));
            if started.elapsed() >= PATIENCE {
                // SAFETY: sends a signal to our own child, which is not waited for yet, so the number is still its.
                unsafe { libc::kill(id, libc::SIGKILL) };
                break;
            }
        }
        handles
    });
    let (status, usage) = wait(id)?;
    let wall = started.elapsed();
    drop(ended);
    let handles = watchdog.join().expect("the watchdog does not panic");
    Ok(Ran {
        status: ExitStatus::from_raw(status),
        output: String::from_utf8_lossy(&std::fs::read(output.path())?).into_owned(),
        wall,
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        peak_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        handles,
    })
}

/// The first program of this name on PATH.
pub fn find(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name.as_ref())).find(|candidate| candidate.is_file())
}

/// Waits for a child; std's own wait does not tell what the child used.
fn wait(id: i32) -> io::Result<(i32, libc::rusage)> {
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live values of the right types, and the child is ours and not waited for elsewhere.
        if unsafe { libc::wait4(id, &raw mut status, 0, &raw mut usage) } == id {
            return Ok((status, usage));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Processor time that this process has taken so far.
pub fn own_time() -> Duration {
    // SAFETY: rusage is plain numbers, for which zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live value of the right type.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

trait ReopenToAppend {
    fn reopen_to_append(&self) -> io::Result<File>;
}

impl ReopenToAppend for tempfile::NamedTempFile {
    fn reopen_to_append(&self) -> io::Result<File> {
        File::options().append(true).open(self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_and_uses_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = isolated(Path::new("/bin/sh"), dir.path(), dir.path());
        let ran = run(command.args(["-c", "echo out; echo err >&2; echo $HOME; exit 3"])).unwrap();
        assert_eq!(ran.status.code(), Some(3));
        assert_eq!(ran.output, format!("out\nerr\n{}\n", dir.path().display()));
        assert!(ran.peak_bytes > 100_000 && ran.wall > Duration::ZERO);
        assert!(ran.succeeded("sh").unwrap_err().to_string().contains("err"));
    }
}
