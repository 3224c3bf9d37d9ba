//! A registry that misbehaves, on real sockets, asked by the real binary: what happens once is got over, and costs one request more;
//! what stays is an error that names the URL and the cause. Nothing hangs.
#![cfg(unix)]

use crate::server::{Exchange, Server};
use crate::support::{Package, binary, failed, project, says, succeeded};
use serde_json::json;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The longest silence that the installs allow, in milliseconds.
const SILENCE_MS: u64 = 400;

/// A way to answer a request for this body.
type Fault = fn(&mut Exchange, &[u8]);

/// What a registry can do wrong, and the words of the error when it always does.
const FAULTS: [(&str, Fault, &[&str]); 13] = [
    ("closes at once", |_, _| {}, &["closed"]),
    ("breaks off in the headers", |exchange, _| exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Le"), &["failed 3 times"]),
    ("sends no HTTP", |exchange, _| exchange.raw(b"SSH-2.0-OpenSSH\r\n\r\n"), &["HTTP"]),
    ("breaks off in the body", |exchange, body| exchange.raw(&cut_short(body)), &["broke off"]),
    ("announces too much", |exchange, body| exchange.raw(&announced(body, body.len() + 1)), &["broke off"]),
    ("stalls before the headers", |_, _| stall(), &["no byte for"]),
    (
        "stalls in the body",
        |exchange, body| {
            exchange.raw(&cut_short(body));
            stall();
        },
        &["no byte for"],
    ),
    ("429", |exchange, _| exchange.status("429 Too Many Requests", &[("Retry-After", "0")]), &["429"]),
    ("500", |exchange, _| exchange.status("500 Internal Server Error", &[]), &["500"]),
    ("502", |exchange, _| exchange.status("502 Bad Gateway", &[]), &["502"]),
    ("503", |exchange, _| exchange.status("503 Service Unavailable", &[("Retry-After", "0")]), &["503"]),
    ("leads to where nobody is", |exchange, _| redirect(exchange, "http://127.0.0.1:1/x"), &["cannot connect"]),
    ("sends broken gzip", |exchange, body| gzip(exchange, &body[..body.len() / 2]), &[]),
];

fn announced(body: &[u8], bytes: usize) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n").as_bytes(), body].concat()
}

fn cut_short(body: &[u8]) -> Vec<u8> {
    announced(&body[..body.len() / 2], body.len())
}

fn stall() {
    std::thread::sleep(Duration::from_millis(3 * SILENCE_MS));
}

fn redirect(exchange: &mut Exchange, to: &str) {
    exchange.status("302 Found", &[("Location", to)]);
}

fn gzip(exchange: &mut Exchange, body: &[u8]) {
    exchange.ok_with(&[("Content-Encoding", "gzip")], body);
}

const PACKUMENT: &str = "/a";
const TARBALL: &str = "/a/-/a-1.0.0.tgz";

/// A registry with one package, which answers requests for `path` with the fault so many times, and rightly otherwise.
fn registry(path: &'static str, times: usize, fault: Fault) -> Server {
    let package = Package::new("a", "1.0.0").file("index.js", "module.exports = 1\n".repeat(100));
    let (tarball, asked) = (package.tarball(), AtomicUsize::new(0));
    Server::start(move |exchange| {
        let packument = package.packument(&exchange.own_url(), &tarball);
        let body = if exchange.request.path == TARBALL { &tarball } else { &packument };
        if exchange.request.path == path && asked.fetch_add(1, Ordering::SeqCst) < times {
            fault(exchange, body);
        } else {
            exchange.ok(body);
        }
    })
}

fn install(server: &Server, dir: &Path) -> Output {
    project(dir, &json!({ "dependencies": { "a": "1" } }));
    let mut command = binary(dir);
    command.args(["install", "--dir"]).arg(dir).arg("--registry").arg(server.url().as_str());
    let settings = [("retries", "2"), ("retry_mintimeout", "5"), ("retry_maxtimeout", "10"), ("timeout", "400")];
    command.envs(settings.map(|(name, value)| (format!("npm_config_fetch_{name}"), value)));
    command.env("npm_config_store_dir", dir.join("store")).output().unwrap()
}

/// How often this path was asked for.
fn asked(server: &Server, path: &str) -> usize {
    server.requests().iter().filter(|request| request.path == path).count()
}

/// A tarball comes as it is: what says of itself that it is compressed once more is taken for what it is, and is wrong then.
fn is_of_packuments_alone(fault: &str) -> bool {
    fault == "sends broken gzip"
}

/// Checks every fault on the packument and on the tarball, all at once: some take their time.
fn everywhere(check: impl Fn(&str, Fault, &[&str], &'static str) + Sync) {
    std::thread::scope(|scope| {
        for (what, fault, words) in FAULTS {
            for path in [PACKUMENT, TARBALL] {
                let check = &check;
                scope.spawn(move || check(what, fault, words, path));
            }
        }
    });
}

#[test]
fn what_goes_wrong_once_is_got_over() {
    everywhere(|what, fault, _, path| {
        let (server, dir) = (registry(path, 1, fault), tempfile::tempdir().unwrap());
        let said = succeeded(&install(&server, dir.path()));
        assert!(dir.path().join("node_modules/a/index.js").exists(), "{what} {path}");
        assert_eq!(asked(&server, path), 2, "{what} {path}: {said}");
        assert!(said.contains("WARN") && said.contains("attempt 1 of 3"), "{what} {path}: {said}");
    });
}

#[test]
fn what_stays_wrong_is_named() {
    everywhere(|what, fault, words, path| {
        let (server, dir) = (registry(path, usize::MAX, fault), tempfile::tempdir().unwrap());
        let said = failed(&install(&server, dir.path()));
        // A prefetch that was given up is tried once more by the install.
        let allowed: &[usize] = if path == PACKUMENT { &[3] } else { &[3, 6] };
        assert!(allowed.contains(&asked(&server, path)), "{what} {path}: {said}");
        says(&said, &[path, "help:"]);
        if path == PACKUMENT || !is_of_packuments_alone(what) {
            says(&said, words);
        }
        assert!(!dir.path().join("node_modules/a").exists(), "{what} {path}");
    });
}

#[test]
fn other_bytes_are_asked_for_again_and_never_taken() {
    // As many bytes as it should have, or fewer of them under a length that fits.
    let wrong: [Fault; 2] = [
        |exchange, body| exchange.ok(&body.iter().map(|byte| !byte).collect::<Vec<_>>()),
        |exchange, body| exchange.ok(&body[..body.len() / 2]),
    ];
    for fault in wrong {
        let (server, dir) = (registry(TARBALL, 1, fault), tempfile::tempdir().unwrap());
        succeeded(&install(&server, dir.path()));
        assert_eq!(asked(&server, TARBALL), 2);
        let (server, dir) = (registry(TARBALL, usize::MAX, fault), tempfile::tempdir().unwrap());
        says(&failed(&install(&server, dir.path())), &["a@1.0.0", TARBALL, "hash to sha512-"]);
        assert!(!dir.path().join("node_modules/a").exists());
    }
}

#[test]
fn a_slow_body_that_moves_arrives() {
    let slow: Fault = |exchange, body| {
        exchange.raw(announced(&[], body.len()).as_slice());
        for piece in body.chunks(body.len().div_ceil(10)) {
            std::thread::sleep(Duration::from_millis(SILENCE_MS / 4));
            exchange.raw(piece);
        }
    };
    for path in [PACKUMENT, TARBALL] {
        let (server, dir) = (registry(path, usize::MAX, slow), tempfile::tempdir().unwrap());
        succeeded(&install(&server, dir.path()));
        assert_eq!(asked(&server, path), 1, "it took more than twice the silence that is allowed");
    }
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let to_itself: Fault = |exchange, _| redirect(exchange, &exchange.request.path.clone());
    for path in [PACKUMENT, TARBALL] {
        let (server, dir) = (registry(path, 5, to_itself), tempfile::tempdir().unwrap());
        succeeded(&install(&server, dir.path()));
        let (server, dir) = (registry(path, usize::MAX, to_itself), tempfile::tempdir().unwrap());
        says(&failed(&install(&server, dir.path())), &[path, "redirects"]);
        assert_eq!(asked(&server, path), 11, "it is not tried again");
    }
}

#[test]
fn a_registry_that_nobody_is_at_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = registry(PACKUMENT, 0, |_, _| {});
    std::fs::write(dir.path().join(".npmrc"), "@s:registry=http://127.0.0.1:1/\n").unwrap();
    install(&server, dir.path());
    project(dir.path(), &json!({ "dependencies": { "@s/a": "1" } }));
    let mut command = binary(dir.path());
    command.args(["install", "--dir"]).arg(dir.path()).env("npm_config_fetch_retries", "1");
    let said = failed(&command.env("npm_config_fetch_retry_mintimeout", "5").output().unwrap());
    says(&said, &["http://127.0.0.1:1/@s", "cannot connect", "refused"]);
}
