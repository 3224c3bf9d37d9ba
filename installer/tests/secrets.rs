//! Tokens and passwords reach the registry that they are for, and nothing else: no line of output, no file that an install leaves.

use crate::server::{Exchange, Server};
use crate::support::{Package, binary, project};
use base64::Engine as _;
use serde_json::json;
use std::path::Path;
use std::process::Output;

/// What must never be seen. The last two are a user and a password in a URL.
const SECRETS: [&str; 4] = ["npm_t0kenFromTheFile", "npm_t0kenFromTheEnvironment", "us3rInTheUrl", "passw0rdInTheUrl"];

/// How a registry answers once it has been asked for a tarball.
type Answer = fn(&mut Exchange, &[u8]);

/// Ways for a tarball to come or not to come, and whether the install succeeds then.
const ANSWERS: [(&str, Answer, bool); 8] = [
    ("whole", |exchange, tarball| exchange.ok(tarball), true),
    ("missing", |exchange, _| exchange.status("404 Not Found", &[]), false),
    ("refused", |exchange, _| exchange.status("401 Unauthorized", &[]), false),
    ("forbidden", |exchange, _| exchange.status("403 Forbidden", &[]), false),
    ("broken", |exchange, _| exchange.status("500 Internal Server Error", &[]), false),
    ("wrong", |exchange, _| exchange.ok(b"other bytes"), false),
    ("cut short", |exchange, _| exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"), false),
    ("elsewhere", |exchange, _| exchange.status("302 Found", &[("Location", "http://127.0.0.1:1/x.tgz?t=1")]), false),
];

/// A registry that serves one package to whoever says who he is.
fn registry(answer: Answer) -> Server {
    let package = Package::new("a", "1.0.0");
    let tarball = package.tarball();
    Server::start(move |exchange| {
        if exchange.request.path.ends_with(".tgz") {
            return answer(exchange, &tarball);
        }
        exchange.ok(&package.packument(&exchange.own_url(), &tarball));
    })
}

/// Where a secret is put.
#[derive(Debug, Clone, Copy)]
enum Place {
    File,
    Environment,
    Url,
}

fn install(server: &Server, dir: &Path, place: Place, reporter: &str) -> Output {
    let url = server.url();
    let nerf_dart = format!("//{}/", url.authority());
    let mut command = binary(dir);
    let mut npmrc = format!("registry={url}\nfetch-retries=1\nfetch-retry-mintimeout=1\n");
    match place {
        Place::File => npmrc += &format!("{nerf_dart}:_authToken={}\n", SECRETS[0]),
        Place::Environment => {
            npmrc += &format!("{nerf_dart}:_authToken=${{PLANTED_TOKEN}}\n");
            command.env("PLANTED_TOKEN", SECRETS[1]);
        }
        Place::Url => npmrc = npmrc.replace("http://", &format!("http://{}:{}@", SECRETS[2], SECRETS[3])),
    }
    std::fs::write(dir.join(".npmrc"), npmrc).unwrap();
    command.args(["install", "--reporter", reporter, "--dir"]).arg(dir).arg("--store-dir").arg(dir.join("store"));
    command.output().unwrap()
}

/// Every file below `dir` but the one that the secret was put into, with its name.
fn files(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
        let name = path.display().to_string();
        if kind.is_dir() {
            files(&path, found);
        } else if kind.is_symlink() {
            found.push((name, std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()));
        } else if path.file_name().unwrap() != ".npmrc" {
            found.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

/// Where one of the secrets can be read, in whatever way it may be written.
fn leaks(text: &[u8]) -> Option<&'static str> {
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let both = format!("{}:{}", SECRETS[2], SECRETS[3]);
    SECRETS.into_iter().find(|secret| {
        let forms = [(*secret).to_owned(), base64(secret), base64(&both)];
        forms.iter().any(|form| text.windows(form.len()).any(|window| window == form.as_bytes()))
    })
}

#[test]
fn no_secret_is_ever_shown_or_kept() {
    for (what, answer, succeeds) in ANSWERS {
        for place in [Place::File, Place::Environment, Place::Url] {
            for reporter in ["append-only", "ndjson", "silent"] {
                let (server, dir) = (registry(answer), tempfile::tempdir().unwrap());
                project(dir.path(), &json!({ "dependencies": { "a": "1" } }));
                let output = install(&server, dir.path(), place, reporter);
                let case = format!("{what}, {place:?}, {reporter}");
                let said = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.success(), succeeds, "{case}: {said}");
                // The registry heard it: there is something to be seen.
                let heard: Vec<_> =
                    server.requests().iter().filter_map(|request| request.header("authorization")).collect();
                assert_eq!(heard.len(), server.requests().len(), "{case}");
                assert!(heard.iter().all(|heard| leaks(heard.as_bytes()).is_some()), "{case}: {heard:?}");
                assert_eq!((leaks(&output.stdout), leaks(&output.stderr)), (None, None), "{case}: {said}");
                let mut left = Vec::new();
                files(dir.path(), &mut left);
                let leaking = left.iter().find(|(_, bytes)| leaks(bytes).is_some());
                assert!(leaking.is_none(), "{case}: {}", leaking.unwrap().0);
            }
        }
    }
}

#[test]
fn a_secret_in_a_tarball_url_is_not_shown() {
    let server = registry(|exchange, _| exchange.status("500 Internal Server Error", &[]));
    let dir = tempfile::tempdir().unwrap();
    let url = server.url().to_string().replace("http://", &format!("http://{}:{}@", SECRETS[2], SECRETS[3]));
    project(dir.path(), &json!({ "dependencies": { "a": format!("{url}a.tgz?token={}", SECRETS[0]) } }));
    let output = install(&server, dir.path(), Place::File, "append-only");
    assert!(!output.status.success());
    assert_eq!(leaks(&output.stderr), None, "{}", String::from_utf8_lossy(&output.stderr));
}
