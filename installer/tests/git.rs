//! Git dependencies, end to end: a real repository that git is told to take for one of a host, and a proxy that answers for
//! the host with archives of its commits.

use crate::support::{LocalRegistry, Package, binary, failed, project, says, succeeded};
use crate::tls;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A repository called `owner/thing` at every host, and a project that wants it.
struct World {
    dir: TempDir,
    registry: LocalRegistry,
    /// The paths that hosts were asked for.
    asked: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = LocalRegistry::start();
        registry.publish(&[Package::new("leaf", "1.0.0")]);
        std::fs::create_dir_all(dir.path().join("project")).unwrap();
        git(dir.path(), &["init", "--quiet", "--initial-branch=main", "thing"]);
        let remotes = ["https://github.com/owner/thing.git", "https://gitlab.com/owner/thing.git"];
        let rules = remotes.map(|remote| format!("[url {:?}]\n\tinsteadOf = {remote}\n", dir.path().join("thing")));
        std::fs::write(dir.path().join("gitconfig"), rules.concat()).unwrap();

        let asked = Arc::<Mutex<Vec<String>>>::default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (port, authority) = runtime.block_on(serve(dir.path().join("thing"), asked.clone()));
        std::fs::write(dir.path().join("ca.pem"), authority).unwrap();
        let settings = format!("https-proxy=http://127.0.0.1:{port}\ncafile={}/ca.pem\n", dir.path().display());
        std::fs::write(dir.path().join("project/.npmrc"), settings).unwrap();
        let world = World { dir, registry, asked, _runtime: runtime };
        let manifest =
            json!({ "name": "thing", "version": "1.0.0", "files": ["index.js"], "dependencies": { "leaf": "1" } });
        world.commit(&manifest, &[("index.js", "1"), ("test/test.js", "no"), ("README.md", "read"), (".npmrc", "no")]);
        git(&world.repository(), &["tag", "-m", "the first", "v1.0.0"]);
        world
    }

    fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    fn repository(&self) -> PathBuf {
        self.dir.path().join("thing")
    }

    /// Makes these files the next commit, and says which it is.
    fn commit(&self, manifest: &Value, files: &[(&str, &str)]) -> String {
        let repository = self.repository();
        let manifest = manifest.to_string();
        for (path, text) in files.iter().chain(&[("package.json", manifest.as_str())]) {
            std::fs::create_dir_all(repository.join(path).parent().unwrap()).unwrap();
            std::fs::write(repository.join(path), text).unwrap();
        }
        git(&repository, &["add", "--all"]);
        git(&repository, &["commit", "--quiet", "-m", "next"]);
        git(&repository, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    fn install(&self, specifier: &str, arguments: &[&str]) -> Output {
        project(&self.project(), &json!({ "dependencies": { "thing": specifier } }));
        self.run("install", arguments)
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        let mut command = binary(self.dir.path());
        command.args([name, "--registry", &self.registry.url, "--dir"]).arg(self.project()).args(arguments);
        command.env("npm_config_store_dir", self.dir.path().join("store"));
        command.env("GIT_TRACE", self.dir.path().join("trace"));
        command.env("GIT_CONFIG_GLOBAL", self.dir.path().join("gitconfig")).output().unwrap()
    }

    /// How often git was asked for references.
    fn asked_git(&self) -> usize {
        let trace = std::fs::read_to_string(self.dir.path().join("trace")).unwrap_or_default();
        trace.lines().filter(|line| line.contains("git ls-remote")).count()
    }

    fn lockfile(&self) -> String {
        std::fs::read_to_string(self.project().join("pnpm-lock.yaml")).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.project().join("node_modules/thing")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "tag.gpgSign=false"]);
    let output = command.args(arguments).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A proxy that is every host at once: it answers with the archive of the commit in the path. Gives its port and the
/// certificate that it has to be trusted with.
async fn serve(repository: PathBuf, asked: Arc<Mutex<Vec<String>>>) -> (u16, String) {
    let (acceptor, pem) = tls::acceptor(&["codeload.github.com", "gitlab.com"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, acceptor.clone(), repository.clone(), asked.clone()));
        }
    });
    (port, pem)
}

async fn answer(mut stream: TcpStream, acceptor: TlsAcceptor, repository: PathBuf, asked: Arc<Mutex<Vec<String>>>) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    stream.write_all(b"HTTP/1.1 200 connected\r\n\r\n").await.unwrap();
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let length = stream.read(&mut request).await.unwrap();
    let head = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let commit = path.split(['/', '-', '.']).find(|part| part.len() == 40).unwrap().to_owned();
    asked.lock().unwrap().push(path);
    let archive = Command::new("git")
        .args(["archive", "--format=tar.gz", "--prefix=thing/", &commit])
        .current_dir(repository)
        .output()
        .unwrap();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", archive.stdout.len());
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(&archive.stdout).await;
    let _ = stream.shutdown().await;
}

#[test]
fn a_repository_is_installed_once_and_pinned() {
    let world = World::new();
    let first = git(&world.repository(), &["rev-parse", "HEAD"]).trim().to_owned();
    succeeded(&world.install("github:owner/thing", &[]));
    assert_eq!(world.files(), ["README.md", "index.js", "package.json"], "what npm would pack");
    assert!(world.project().join("node_modules/.pnpm/leaf@1.0.0").exists());
    let url = format!("https://codeload.github.com/owner/thing/tar.gz/{first}");
    let lockfile = world.lockfile();
    for line in [
        "        specifier: github:owner/thing\n".to_owned(),
        format!("        version: {url}\n"),
        format!("  thing@{url}:\n    resolution: {{gitHosted: true, integrity: sha512-"),
        format!(", tarball: {url}}}\n    version: 1.0.0\n"),
    ] {
        assert!(lockfile.contains(&line), "{line} is missing in\n{lockfile}");
    }
    assert_eq!(world.asked().len(), 1);

    // The branch goes on; whoever has the lockfile stays where it is, and needs neither git nor the host.
    let next = world.commit(&json!({ "name": "thing", "version": "1.1.0" }), &[("index.js", "2")]);
    std::fs::remove_dir_all(world.project().join("node_modules")).unwrap();
    succeeded(&world.install("github:owner/thing", &["--frozen-lockfile", "--offline"]));
    succeeded(&world.install("github:owner/thing", &["--no-frozen-lockfile", "--offline"]));
    assert_eq!((world.lockfile(), world.asked().len()), (lockfile, 0));
    succeeded(&world.run("update", &[]));
    assert!(world.lockfile().contains(&format!("version: https://codeload.github.com/owner/thing/tar.gz/{next}\n")));
    assert_eq!(world.asked().len(), 1);
}

#[test]
fn what_stands_behind_the_hash_is_found() {
    let world = World::new();
    let first = git(&world.repository(), &["rev-parse", "HEAD"]).trim().to_owned();
    let second = world.commit(&json!({ "name": "thing", "version": "2.0.0" }), &[]);
    for (specifier, commit) in [
        ("owner/thing#v1.0.0", &first),
        ("git+ssh://git@github.com/owner/thing.git#semver:^1", &first),
        (&format!("https://github.com/owner/thing#{first}"), &first),
        ("owner/thing#main", &second),
        (&format!("owner/thing#{}", &second[..8]), &second),
    ] {
        succeeded(&world.install(specifier, &[]));
        assert!(
            world.lockfile().contains(&format!("version: https://codeload.github.com/owner/thing/tar.gz/{commit}\n"))
        );
    }
    succeeded(&world.install("gitlab:owner/thing#v1.0.0", &[]));
    let url = format!("https://gitlab.com/owner/thing/-/archive/{first}/thing-{first}.tar.gz");
    assert!(world.lockfile().contains(&format!("version: {url}\n")));
    assert_eq!(world.asked().len(), 3, "each archive once");
}

#[test]
fn what_is_added_says_its_name_itself() {
    let world = World::new();
    project(&world.project(), &json!({}));
    let local = world.project().join("local");
    std::fs::create_dir_all(&local).unwrap();
    project(&local, &json!({ "name": "nearby", "version": "1.0.0" }));
    succeeded(&world.run("add", &["git@github.com:owner/thing.git#v1.0.0", "file:./local", "leaf"]));
    let manifest = std::fs::read_to_string(world.project().join("package.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let expected = json!({ "leaf": "^1.0.0", "nearby": "file:local", "thing": "github:owner/thing#v1.0.0" });
    assert_eq!(manifest["dependencies"], expected);
    assert_eq!((world.files().len(), world.asked().len(), world.asked_git()), (3, 1, 1));

    project(&local, &json!({ "name": "../nearby" }));
    says(&failed(&world.run("add", &["file:local"])), &["what is at file:local has no package.json that makes sense"]);
    let said = world.run("add", &["./local"]);
    assert_eq!(said.status.code(), Some(2));
    says(&String::from_utf8_lossy(&said.stderr), &["./local names no package", "OWNER/REPO, a URL or file:PATH"]);
}

#[test]
fn what_cannot_be_had_is_explained() {
    let world = World::new();
    let said = failed(&world.install("owner/thing#nothing", &[]));
    says(&said, &["https://github.com/owner/thing.git has no branch, tag or commit called nothing", "git ls-remote"]);
    let said = failed(&world.install("owner/thing#main", &["--offline"]));
    says(&said, &["--offline forbids asking"]);
    let said = failed(&world.install("owner/thing#path:/packages/x", &[]));
    says(&said, &["cannot install thing from owner/thing#path:/packages/x", "git repositories of GitHub"]);
    let mut command = binary(world.dir.path());
    command.args(["install", "--dir"]).arg(world.project()).env("PATH", world.dir.path());
    project(&world.project(), &json!({ "dependencies": { "thing": "owner/thing" } }));
    says(&failed(&command.output().unwrap()), &["cannot start git", "install git"]);
    assert_eq!(world.asked().len(), 0);

    let lockfile = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      thing:\n        specifier: owner/thing\n        \
                    version: git+https://h/thing.git#c\npackages:\n  thing@git+https://h/thing.git#c:\n    resolution: \
                    {commit: c, repo: https://h/thing.git, type: git}\nsnapshots:\n  thing@git+https://h/thing.git#c: {}\n";
    std::fs::write(world.project().join("pnpm-lock.yaml"), lockfile).unwrap();
    says(&failed(&world.install("owner/thing", &["--frozen-lockfile"])), &["which is a git repository to clone"]);
}

#[test]
fn what_a_script_has_to_make_first_is_taken_only_when_somebody_said_so() {
    let world = World::new();
    world.commit(&json!({ "name": "thing", "version": "3.0.0", "scripts": { "prepare": "tsc" } }), &[]);
    let said = failed(&world.install("owner/thing", &[]));
    says(&said, &["thing@3.0.0 comes from a git repository", "its prepare script", "allowBuilds"]);
    let settings = world.project().join("pnpm-workspace.yaml");
    std::fs::write(&settings, "allowBuilds:\n  thing: false\n").unwrap();
    succeeded(&world.install("owner/thing", &[]));
    assert_eq!(world.files(), ["README.md", "index.js", "package.json", "test"]);
    std::fs::remove_file(&settings).unwrap();
    std::fs::remove_dir_all(world.project().join("node_modules")).unwrap();
    says(&failed(&world.install("owner/thing", &["--frozen-lockfile"])), &["its prepare script"]);
}
