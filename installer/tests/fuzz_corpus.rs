//! What `cargo fuzz` runs for as long as one likes, run for a few seconds: every seed and some thousand mutations, always the same.
//! And what each target asserts is shown to be noticed where it does not hold.
//!
//! An input that was found failing is kept among the seeds, under the name of what it found.
#![cfg(unix)]

#[path = "../fuzz/src/campaign.rs"]
mod campaign;
#[path = "../fuzz/src/lockfile.rs"]
mod lockfile;
#[path = "../fuzz/src/npmrc.rs"]
mod npmrc;
#[path = "../fuzz/src/packument.rs"]
mod packument;
#[path = "../fuzz/src/tarball.rs"]
mod tarball;

use campaign::first_failure;
use installer::config::TarballLimits;
use installer::lockfile::Lockfile;
use installer::tarball::extract::extract;

/// How many mutations each target is given.
const MUTATIONS: usize = 1_500;

/// How many tarballs are: each is unpacked and put in place, twice.
const TARBALL_MUTATIONS: usize = 500;

#[track_caller]
fn holds(target: &str, mutations: usize, check: impl Fn(&[u8])) {
    if let Some(failure) = first_failure(target, mutations, check) {
        panic!("see above; {target}, from {}: b\"{}\"", failure.seed, failure.input.escape_ascii());
    }
}

#[track_caller]
fn is_noticed(target: &str, check: impl Fn(&[u8])) {
    assert!(first_failure(target, MUTATIONS, check).is_some(), "nobody noticed");
}

#[test]
fn tarballs_stay_in_their_packages() {
    holds("tarball", TARBALL_MUTATIONS, tarball::check);
}

#[test]
fn lockfiles_read_as_they_were_written() {
    holds("lockfile", MUTATIONS, lockfile::check);
}

#[test]
fn packuments_come_to_one_lockfile_or_an_error() {
    holds("packument", MUTATIONS, packument::check);
}

#[test]
fn settings_keep_their_secrets() {
    holds("npmrc", MUTATIONS, npmrc::check);
}

/// A panic anywhere, and one that only a mutation comes to.
#[test]
fn a_panic_is_noticed() {
    is_noticed("lockfile", |input| assert!(!input.starts_with(b"lockfileVersion: '9.0'\n<")));
    is_noticed("npmrc", |input| assert!(input.is_empty() || input.contains(&b'=')));
    assert!(first_failure("npmrc", 0, |input| assert!(input.is_ascii() || input.len() > 100)).is_none());
}

#[test]
fn a_tarball_that_leads_out_is_noticed() {
    is_noticed("tarball", |input| {
        tarball::check_with(input, |bytes, store, limits| {
            let row = extract(bytes, store, limits)?;
            let beside = store.root().join("../../escaped");
            std::fs::write(beside, "").expect("a cage can be written to");
            Ok(row)
        });
    });
    is_noticed("tarball", |input| {
        tarball::check_with(input, |bytes, store, limits| {
            let mut row = extract(bytes, store, limits)?;
            if let Some((path, file)) = row.files.pop_first() {
                row.files.insert(format!("../{path}"), file);
            }
            Ok(row)
        });
    });
}

#[test]
fn a_tarball_without_limits_is_noticed() {
    is_noticed("tarball", |input| {
        tarball::check_with(input, |bytes, store, _| extract(bytes, store, TarballLimits::default()));
    });
}

#[test]
fn a_temporary_file_that_a_tarball_leaves_is_noticed() {
    is_noticed("tarball", |input| {
        tarball::check_with(input, |bytes, store, limits| {
            std::fs::write(store.tmp_dir().join("left"), "").expect("a store can be written to");
            extract(bytes, store, limits)
        });
    });
}

#[test]
fn a_lockfile_that_is_written_otherwise_is_noticed() {
    let check_with = |input: &[u8], write: lockfile::Write| lockfile::check_with(input, Lockfile::parse, write);
    is_noticed("lockfile", |input| {
        check_with(input, |lockfile| lockfile.to_yaml().replace("    optional: true\n", ""));
    });
    is_noticed("lockfile", |input| check_with(input, |lockfile| lockfile.to_yaml().replace('\'', "")));
}

#[test]
fn a_lockfile_that_is_read_otherwise_is_noticed() {
    is_noticed("lockfile", |input| {
        // It takes the quotes for part of the text.
        let read: lockfile::Read = |text, path| Lockfile::parse(&text.replace("''", "'"), path);
        lockfile::check_with(input, read, Lockfile::to_yaml);
    });
}

#[test]
fn a_lockfile_that_answers_something_else_is_noticed() {
    is_noticed("packument", |input| {
        packument::check_with(input, |document| {
            let mut lockfile = packument::resolved(document)?;
            lockfile.importers.values_mut().for_each(|importer| importer.dependencies.clear());
            Ok(lockfile)
        });
    });
}

#[test]
fn a_secret_that_is_shown_is_noticed() {
    is_noticed("npmrc", |input| {
        npmrc::check_with(input, |settings| {
            let registry = settings.registries.registry_for("a");
            let header = settings.auth.header_for(registry);
            String::from_utf8_lossy(header.as_ref().map_or(b"", |header| header.as_bytes())).into_owned()
        });
    });
}
