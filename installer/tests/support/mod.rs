//! A registry on a local socket that counts requests, and the real binary run against it.

#[cfg(unix)]
pub mod machine;

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use installer::store::StoreDir;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// What the registry answers under one path.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
    /// Whether the request is taken and never answered.
    pub stalls: bool,
}

/// A running registry; it ends with the value.
pub struct LocalRegistry {
    pub url: String,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    requests: Arc<Mutex<BTreeMap<String, usize>>>,
    _runtime: tokio::runtime::Runtime,
}

/// A package to publish: its dependencies and its files.
#[derive(Default, Clone)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub manifest: Vec<(&'static str, Value)>,
    pub files: Vec<(&'static str, Vec<u8>)>,
}

impl LocalRegistry {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let answers: Arc<Mutex<BTreeMap<String, Answer>>> = Arc::default();
        let requests: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let (served, counted) = (answers.clone(), requests.clone());
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (served, counted) = (served.clone(), counted.clone());
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let path = request.uri().path().replace("%2f", "/").replace("%2F", "/");
                    *counted.lock().unwrap().entry(path.clone()).or_default() += 1;
                    let missing = Answer { status: 404, body: Bytes::from_static(b"{}"), stalls: false };
                    let answer = served.lock().unwrap().get(&path).cloned().unwrap_or(missing);
                    async move {
                        if answer.stalls {
                            std::future::pending::<()>().await;
                        }
                        let response = http::Response::builder().status(answer.status);
                        Ok::<_, Infallible>(response.body(Full::new(answer.body)).unwrap())
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        LocalRegistry { url, answers, requests, _runtime: runtime }
    }

    /// Serves `body` under `path`.
    pub fn answer(&self, path: &str, status: u16, body: impl Into<Bytes>) {
        let answer = Answer { status, body: body.into(), stalls: false };
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Takes requests for `path` and never answers them.
    pub fn stall(&self, path: &str) {
        let answer = Answer { status: 200, body: Bytes::new(), stalls: true };
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Publishes packages, all versions of a name together.
    pub fn publish(&self, packages: &[Package]) {
        let mut packuments: BTreeMap<&str, (Value, &str)> = BTreeMap::new();
        for package in packages {
            let tarball = package.tarball();
            let path = package.tarball_path();
            let version = package.published(&self.url, &tarball);
            let packument = packuments.entry(package.name).or_insert((json!({}), package.version));
            packument.0[package.version] = version;
            packument.1 = package.version;
            self.answer(&path, 200, tarball);
        }
        for (name, (versions, latest)) in packuments {
            let packument = json!({ "name": name, "dist-tags": { "latest": latest }, "versions": versions });
            self.answer(&format!("/{name}"), 200, packument.to_string());
        }
    }

    /// How often each tarball was asked for.
    pub fn tarball_requests(&self) -> BTreeMap<String, usize> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(path, _)| path.ends_with(".tgz")).map(|(path, n)| (path.clone(), *n)).collect()
    }

    /// How often this path was asked for.
    pub fn requests_for(&self, path: &str) -> usize {
        self.requests.lock().unwrap().get(path).copied().unwrap_or_default()
    }

    /// How often anything was asked for.
    pub fn requests(&self) -> usize {
        self.requests.lock().unwrap().values().sum()
    }

    /// Forgets what was asked for.
    pub fn forget_requests(&self) {
        self.requests.lock().unwrap().clear();
    }
}

impl Package {
    pub fn new(name: &'static str, version: &'static str) -> Self {
        Package { name, version, ..Package::default() }
    }

    /// Adds a field to its package.json.
    pub fn with(mut self, field: &'static str, value: Value) -> Self {
        self.manifest.push((field, value));
        self
    }

    /// Adds a file.
    pub fn file(mut self, path: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.push((path, bytes.into()));
        self
    }

    fn manifest(&self) -> Value {
        let mut manifest = json!({ "name": self.name, "version": self.version });
        for (field, value) in &self.manifest {
            manifest[*field] = value.clone();
        }
        manifest
    }

    /// What a packument says of this version, with this tarball.
    fn published(&self, registry: &str, tarball: &[u8]) -> Value {
        let mut version = self.manifest();
        let url = format!("{registry}{}", &self.tarball_path()[1..]);
        version["dist"] = json!({ "tarball": url, "integrity": integrity(tarball) });
        version
    }

    /// The packument of a package that has this version alone, with this tarball.
    pub fn packument(&self, registry: &str, tarball: &[u8]) -> Vec<u8> {
        let versions = json!({ self.version: self.published(registry, tarball) });
        let packument = json!({ "name": self.name, "dist-tags": { "latest": self.version }, "versions": versions });
        packument.to_string().into_bytes()
    }

    /// Where its tarball is, below the registry.
    pub fn tarball_path(&self) -> String {
        let basename = self.name.rsplit('/').next().unwrap();
        format!("/{}/-/{basename}-{}.tgz", self.name, self.version)
    }

    /// Its tarball.
    pub fn tarball(&self) -> Vec<u8> {
        let manifest = self.manifest().to_string().into_bytes();
        let files = self.files.iter().map(|(path, bytes)| (*path, bytes.clone()));
        tarball([("package.json", manifest)].into_iter().chain(files))
    }
}

/// A tarball's integrity, as packuments and lockfiles have it.
pub fn integrity(tarball: &[u8]) -> String {
    format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(Sha512::digest(tarball)))
}

/// A gzipped tar of these files, below `package/`.
pub fn tarball<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        // Written by hand: the builder refuses the hostile paths that some tests need.
        let name = format!("package/{path}");
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, bytes.as_slice()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Writes a package.json.
pub fn project(dir: &Path, manifest: &Value) {
    std::fs::write(dir.join("package.json"), manifest.to_string()).unwrap();
}

/// Runs the real binary in `dir` against `registry`, with the store beside it and short retries.
pub fn lockstep(registry: &LocalRegistry, dir: &Path, arguments: &[&str]) -> Output {
    command(registry, dir, arguments).output().unwrap()
}

/// Runs another command than `install`, as [`lockstep`] does.
pub fn run(registry: &LocalRegistry, dir: &Path, name: &str, arguments: &[&str]) -> Output {
    named_command(registry, dir, name, arguments).output().unwrap()
}

/// What [`lockstep`] runs.
pub fn command(registry: &LocalRegistry, dir: &Path, arguments: &[&str]) -> Command {
    named_command(registry, dir, "install", arguments)
}

/// The real binary, without what the environment of whoever runs the tests would tell it, and with `dir` as home directory.
pub fn binary(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if matches!(&*text, "CI" | "NO_COLOR") || text.to_ascii_lowercase().starts_with("npm_config") {
            command.env_remove(&name);
        }
    }
    command.env("HOME", dir);
    command
}

/// A path in the store that is beside the project in `dir`.
pub fn in_store(dir: &Path, path: &str) -> PathBuf {
    StoreDir::new(&dir.join("store")).root().join(path)
}

/// What [`run`] runs.
pub fn named_command(registry: &LocalRegistry, dir: &Path, name: &str, arguments: &[&str]) -> Command {
    let mut command = binary(dir);
    command.arg(name).arg("--dir").arg(dir).arg("--registry").arg(&registry.url).args(arguments);
    let settings = [("fetch_retries", "2"), ("fetch_retry_mintimeout", "10"), ("fetch_retry_maxtimeout", "20")];
    for (name, value) in settings {
        command.env(format!("npm_config_{name}"), value);
    }
    command.env("npm_config_store_dir", dir.join("store"));
    command
}

/// What the binary said, asserting that it succeeded.
#[track_caller]
pub fn succeeded(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "exit {:?}\n{text}", output.status.code());
    text
}

/// What the binary said, asserting that it failed with exit code 1.
#[track_caller]
pub fn failed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

/// Asserts that all of these words are in what the binary said.
#[track_caller]
pub fn says(text: &str, words: &[&str]) {
    // miette wraps long lines.
    let flat = text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(flat.contains(word), "{word:?} is missing in:\n{text}");
    }
}

/// What is in a directory, sorted; nothing where there is none.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What .modules.yaml says.
pub fn modules(dir: &Path) -> Value {
    serde_json::from_str(&read(dir.join("node_modules/.modules.yaml"))).unwrap()
}

/// A file's text.
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Compiles what takes the place of some of the C library's functions, for `LD_PRELOAD`.
#[cfg(target_os = "linux")]
pub fn preload(fixture: &str, dir: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{fixture}.c"));
    let library = dir.join(format!("{fixture}.so"));
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(compile.status().expect("there is a C compiler").success());
    library
}
