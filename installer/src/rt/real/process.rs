//! Other programs. Each runs in a process group of its own, so that it and all that it has started can be ended together.

use crate::rt::{Process, ProcessEnded};
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long a program may take to end after it was asked to.
const ENDS_WITHIN: Duration = Duration::from_millis(250);

/// Runs a program to its end. Dropping the future ends the program, and all that it has started.
///
/// # Errors
/// When it cannot be started.
pub async fn run(process: Process) -> io::Result<ProcessEnded> {
    let (mut reader, writer) = io::pipe()?;
    let mut command = Command::new(&process.program);
    command.args(&process.arguments).current_dir(&process.dir).envs(&process.environment);
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn()?;
    // It holds the pipe's other end, whose closing tells of the program's end.
    drop(command);
    let mut running = Running(Some(child.id()));
    let ended = super::blocking("run a program", move || {
        let mut output = Vec::new();
        let read = reader.read_to_end(&mut output);
        let status = child.wait()?;
        read.map(|_| ProcessEnded { code: status.code(), output })
    })
    .await;
    running.0 = None;
    ended
}

/// A program that is ended when nobody waits for it any more.
struct Running(Option<u32>);

impl Drop for Running {
    fn drop(&mut self) {
        let Some(group) = self.0 else { return };
        end(group, Signal::Terminate);
        std::thread::spawn(move || {
            std::thread::sleep(ENDS_WITHIN);
            end(group, Signal::Kill);
        });
    }
}

enum Signal {
    Terminate,
    Kill,
}

#[cfg(unix)]
fn end(group: u32, signal: Signal) {
    use nix::sys::signal::{Signal as UnixSignal, killpg};
    let signal = match signal {
        Signal::Terminate => UnixSignal::SIGTERM,
        Signal::Kill => UnixSignal::SIGKILL,
    };
    if let Ok(group) = i32::try_from(group) {
        // It may have ended by itself.
        let _ = killpg(nix::unistd::Pid::from_raw(group), signal);
    }
}

#[cfg(not(unix))]
fn end(process: u32, _signal: Signal) {
    // Windows has no groups to signal; taskkill ends a tree of processes. A hint: it may have ended by itself.
    let _ = Command::new("taskkill").args(["/F", "/T", "/PID", &process.to_string()]).status();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    fn shell(dir: &Path, script: &str) -> Process {
        Process {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            dir: dir.to_owned(),
            environment: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        }
    }

    #[test]
    fn what_it_says_is_in_order_and_its_code_is_known() {
        let dir = PathBuf::from("/");
        let ended = super::super::block_on(run(shell(&dir, "echo $GREETING; pwd >&2; echo more; exit 3"))).unwrap();
        let ended = ended.unwrap();
        assert_eq!((ended.code, ended.output.as_slice()), (Some(3), b"hello\n/\nmore\n".as_slice()));
        let missing = Process { program: "no-such-program".to_owned(), ..shell(&dir, "") };
        assert!(super::super::block_on(run(missing)).unwrap().is_err());
    }

    #[test]
    fn whoever_goes_away_ends_it_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let started = Instant::now();
        super::super::block_on(async {
            let script = "(trap '' TERM; while :; do date > alive; sleep 0.02; done) & echo started > started; wait";
            let program = run(shell(dir.path(), script));
            let file = dir.path().join("alive");
            let appears = async {
                while !file.exists() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! { biased; () = appears => {}, _ = program => panic!("it ran to its end") }
            tokio::time::sleep(2 * ENDS_WITHIN).await;
            std::fs::remove_file(&file).unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(!file.exists(), "it still runs");
        })
        .unwrap();
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
