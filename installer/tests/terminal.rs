//! What people see on a terminal, drawn by the real program on a real pty of 80 and of 200 columns: what is redrawn stays on its line,
//! nothing of it is left at the end, and colours are there where they are wanted.
#![cfg(unix)]

use crate::server::{Exchange, Server};
use crate::support::{Package, binary, project};
use nix::pty::{OpenptyResult, Winsize, openpty};
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// So long a name that a line of 80 columns cannot hold it and a gauge.
const LONG: &str = "@a-scope-with-a-long-name/and-a-package-with-a-name-that-is-not-short";

/// What a terminal received, and what it showed after each piece.
struct Seen {
    bytes: Vec<u8>,
    screens: Vec<Vec<String>>,
}

impl Seen {
    fn last(&self) -> String {
        self.screens.last().unwrap().join("\n")
    }

    /// Every line of every screen that has this word.
    fn lines_with(&self, word: &str) -> Vec<&String> {
        self.screens.iter().flatten().filter(|line| line.contains(word)).collect()
    }

    fn has(&self, escape: &str) -> bool {
        self.bytes.windows(escape.len()).any(|window| window == escape.as_bytes())
    }
}

/// A registry with `app`, which needs a large package of a long name. It takes its time for both.
fn registry() -> Server {
    // Bytes that do not compress: from 5 MiB on a tarball has a gauge.
    let mut bytes = vec![0; 6_000_000];
    rand_chacha::ChaCha8Rng::seed_from_u64(0).fill_bytes(&mut bytes);
    let large = Package::new(LONG, "1.0.0").file("large", bytes);
    let app = Package::new("app", "1.0.0").with("dependencies", json!({ LONG: "1.0.0" }));
    let mut answers: BTreeMap<String, (Package, Vec<u8>)> = BTreeMap::new();
    for package in [large, app] {
        let tarball = package.tarball();
        answers.insert(package.name.replace('/', "%2F"), (package.clone(), tarball.clone()));
        answers.insert(package.name.replace('/', "%2f"), (package.clone(), tarball.clone()));
        answers.insert(package.tarball_path(), (package, tarball));
    }
    Server::start(move |exchange| {
        let path = exchange.request.path.clone();
        let (package, tarball) =
            answers.get(&path).or_else(|| answers.get(&path[1..])).expect("it is asked for what is there");
        if path.ends_with(".tgz") {
            return slowly(exchange, tarball);
        }
        std::thread::sleep(Duration::from_millis(150));
        exchange.ok(&package.packument(&exchange.own_url(), tarball));
    })
}

fn slowly(exchange: &mut Exchange, body: &[u8]) {
    exchange.raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
    for piece in body.chunks(body.len().div_ceil(10)) {
        std::thread::sleep(Duration::from_millis(30));
        exchange.raw(piece);
    }
}

/// Installs on a terminal of so many columns.
fn install(server: &Server, dir: &Path, columns: u16, environment: &[(&str, &str)]) -> Seen {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(&size, None).unwrap();
    project(dir, &json!({ "dependencies": { "app": "1.0.0" } }));
    let mut command = binary(dir);
    command.args(["install", "--dir"]).arg(dir).arg("--registry").arg(server.url().as_str());
    command
        .env("TERM", "xterm-256color")
        .env("npm_config_store_dir", dir.join("store"))
        .envs(environment.iter().copied());
    let own = |slave: &std::os::fd::OwnedFd| Stdio::from(slave.try_clone().unwrap());
    let mut child = command.stdin(own(&slave)).stdout(own(&slave)).stderr(own(&slave)).spawn().unwrap();
    drop((slave, command));
    let (mut terminal, mut screen) = (File::from(master), vt100::Parser::new(24, columns, 0));
    let mut seen = Seen { bytes: Vec::new(), screens: Vec::new() };
    let mut piece = [0; 4096];
    // The other end closes when the program ends: an error on Linux, an end on other systems.
    while let Ok(length @ 1..) = terminal.read(&mut piece) {
        seen.bytes.extend_from_slice(&piece[..length]);
        screen.process(&piece[..length]);
        seen.screens.push(screen.screen().rows(0, columns).collect());
    }
    assert!(child.wait().unwrap().success(), "{}", seen.last());
    seen
}

#[test]
fn what_is_redrawn_stays_on_its_line_and_goes_at_the_end() {
    for columns in [80, 200] {
        let (server, dir) = (registry(), tempfile::tempdir().unwrap());
        let seen = install(&server, dir.path(), columns, &[]);
        assert!(!seen.lines_with("Resolving dependencies").is_empty(), "a slow registry is told");
        let gauges = seen.lines_with("Downloading @a-scope");
        // A screen may be looked at while a line is being drawn: then it is the beginning of a whole one.
        let is_cut = |line: &str| gauges.iter().any(|whole| whole.len() > line.len() && whole.starts_with(line));
        let is_gauge = |line: &str| line.contains('[') && line.contains("MiB");
        assert!(gauges.iter().any(|line| is_gauge(line)), "{gauges:?}");
        assert!(gauges.iter().all(|line| is_gauge(line) || is_cut(line)), "{gauges:?}");
        assert!(gauges.iter().any(|line| line.contains("=>")), "it moves: {gauges:?}");
        // What wraps has its tail on a line of its own.
        let is_whole = |line: &&String| line.trim_start().starts_with("Downloading");
        assert!(seen.lines_with("MiB").iter().all(is_whole), "{columns}: {:?}", seen.lines_with("MiB"));
        let last = seen.last();
        assert!(!last.contains("Downloading") && !last.contains("Progress") && !last.contains("Resolving"), "{last}");
        assert!(last.contains("app 1.0.0") && last.contains("2 packages"), "{last}");
    }
}

#[test]
fn colours_are_there_unless_they_are_not_wanted() {
    let (server, dir) = (registry(), tempfile::tempdir().unwrap());
    let seen = install(&server, dir.path(), 80, &[]);
    assert!(seen.has("\x1b[32m"), "{:?}", String::from_utf8_lossy(&seen.bytes));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let dir = tempfile::tempdir().unwrap();
        let seen = install(&server, dir.path(), 80, &[(name, value)]);
        assert!(!seen.has("\x1b[3") && !seen.has("\x1b[1m"), "{name}: {:?}", String::from_utf8_lossy(&seen.bytes));
    }
}

#[test]
fn in_ci_a_terminal_gets_lines() {
    let (server, dir) = (registry(), tempfile::tempdir().unwrap());
    let seen = install(&server, dir.path(), 80, &[("CI", "true"), ("NO_COLOR", "1")]);
    assert!(!seen.has("\x1b["), "{:?}", String::from_utf8_lossy(&seen.bytes));
    assert!(seen.last().contains("Installing packages") && seen.last().contains("2 packages"), "{}", seen.last());
}
