//! Name servers that are slow, or never answer: an install waits for the one, and says of the other what it waited for.
//!
//! The real binary runs with another `getaddrinfo` (fixtures/slow_names.c), which needs a C compiler and a linker that preloads.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use crate::server::{Exchange, Server};
use crate::support::{Package, binary, failed, preload, project, says, succeeded};
use serde_json::{Map, json};
use std::process::Output;

/// How many packages the project asks for, each with a packument and a tarball.
const PACKAGES: usize = 40;

fn packages() -> Vec<Package> {
    (0..PACKAGES).map(|number| Package::new(format!("p{number:02}").leak(), "1.0.0")).collect()
}

/// A registry of these packages.
fn registry() -> Server {
    let packages: Vec<_> = packages().into_iter().map(|package| (package.tarball(), package)).collect();
    Server::start(move |exchange: &mut Exchange| {
        let (registry, path) = (exchange.own_url(), exchange.request.path.clone());
        let asked = packages.iter().find(|(_, package)| path.split('/').nth(1) == Some(package.name));
        match asked {
            Some((tarball, package)) if path == package.tarball_path() => exchange.ok(tarball),
            Some((tarball, package)) => exchange.ok(&package.packument(&registry, tarball)),
            None => exchange.status("404 Not Found", &[]),
        }
    })
}

/// Installs from the registry under this name, and gives what the system was asked, too.
fn install(host: &str, registry: &Server, fetch_timeout_ms: u32) -> (Output, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let dependencies: Map<_, _> = packages().iter().map(|package| (package.name.to_owned(), json!("1"))).collect();
    project(dir.path(), &json!({ "dependencies": dependencies }));
    let url = format!("http://{host}:{}/", registry.url().port().unwrap());
    let mut command = binary(dir.path());
    command.args(["install", "--dir"]).arg(dir.path()).args(["--registry", &url]);
    let settings = [("retries", "1"), ("retry_mintimeout", "5"), ("timeout", &fetch_timeout_ms.to_string())];
    command.envs(settings.map(|(name, value)| (format!("npm_config_fetch_{name}"), value.to_owned())));
    command.env("npm_config_store_dir", dir.path().join("store"));
    let lookups = dir.path().join("lookups");
    command.env("LD_PRELOAD", preload("slow_names", dir.path())).env("LOOKUPS", &lookups);
    let output = command.output().unwrap();
    let asked = std::fs::read_to_string(lookups).unwrap_or_default();
    (output, asked.lines().map(ToOwned::to_owned).collect())
}

#[test]
fn a_name_that_takes_its_time_is_asked_for_once() {
    let registry = registry();
    let (output, asked) = install("registry.slow.test", &registry, 60_000);
    succeeded(&output);
    assert!(registry.connections() > 1, "every connection needs the address");
    assert_eq!(asked, ["registry.slow.test"]);
}

#[test]
fn a_name_that_is_never_resolved_is_an_error_with_its_reason() {
    let (output, asked) = install("registry.never.test", &registry(), 400);
    let said = failed(&output);
    says(&said, &["http://registry.never.test:", "failed 2 times", "cannot connect"]);
    says(&said, &["the name registry.never.test was not resolved within 0.2 s", "help: check the network"]);
    // However often it is tried, no further thread hangs there.
    assert_eq!(asked, ["registry.never.test"]);
}
