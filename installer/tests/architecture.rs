//! The documents say what is true: ARCHITECTURE.md's table of interleaving points is the one in the code, nothing outside of
//! `installer::rt` reaches past the seam, what docs/reliability.md says to hold a promise exists, and the compiler that Cargo.toml asks
//! for is the one that CI builds with.

use installer::rt::Point;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- points:begin";
const END: &str = "<!-- points:end -->";

fn table() -> String {
    let rows = Point::ALL.iter().map(|point| format!("| `{}` | {} |\n", point.label(), point.meaning()));
    format!("| point | what lies on either side |\n|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn the_table_of_interleaving_points_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let begin = text.find(BEGIN).and_then(|at| text[at..].find('\n').map(|end| at + end + 1)).unwrap();
    let end = text.find(END).unwrap();
    assert_eq!(text[begin..end].trim(), table().trim(), "put this between the markers in ARCHITECTURE.md");
}

#[test]
fn labels_name_one_point_each() {
    for point in Point::ALL {
        assert_eq!(Point::from_label(point.label()), Some(*point));
    }
}

/// The packages whose tests hold promises.
const TESTED: [&str; 3] = ["installer", "sim", "benches"];

/// What a page names in backquotes and does not exist: `file::test` in the tests of a package, or a scenario.
fn missing_tests(page: &str, root: &Path) -> Vec<String> {
    let exists = |name: &str| match name.split_once("::") {
        Some((file, test)) => TESTED.iter().any(|package| {
            let path = root.join(package).join("tests").join(file).with_extension("rs");
            std::fs::read_to_string(path).is_ok_and(|source| source.contains(&format!("fn {test}()")))
        }),
        None => root.join(name).is_file(),
    };
    let quoted = page.split('`').skip(1).step_by(2);
    let named = quoted.filter(|name| name.contains("::") || name.starts_with("scenarios/"));
    named.filter(|name| !name.contains(' ') && *name != "file::name" && !exists(name)).map(ToOwned::to_owned).collect()
}

#[test]
fn what_is_said_to_hold_a_promise_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    assert!(page.matches("::").count() > 30, "the promises are where this test looks");
    assert_eq!(missing_tests(&page, root), [""; 0]);
    let wrong = "`killed::no_such_test`, `no_file::x` and `scenarios/none.json`";
    assert_eq!(missing_tests(wrong, root), ["killed::no_such_test", "no_file::x", "scenarios/none.json"]);
}

/// The files beside a `main.rs` that it does not name: nobody would run them.
fn unnamed(tests: &Path) -> Vec<String> {
    let main = std::fs::read_to_string(tests.join("main.rs")).unwrap();
    let entries = std::fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path());
    let modules = entries.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let names = modules.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| name != "main" && !main.lines().any(|line| line == format!("mod {name};"))).collect()
}

#[test]
fn every_file_of_tests_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for package in TESTED {
        assert_eq!(unnamed(&root.join(package).join("tests")), [""; 0], "name them in {package}/tests/main.rs");
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("main.rs"), "mod named;\n").unwrap();
    std::fs::write(dir.path().join("named.rs"), "").unwrap();
    std::fs::write(dir.path().join("forgotten.rs"), "").unwrap();
    assert_eq!(unnamed(dir.path()), ["forgotten"]);
}

/// What only `installer::rt` may use: clocks, chance, tasks, threads, the disk, the network, and knowing the simulator.
const BEHIND_THE_SEAM: [&str; 13] = [
    "std::fs",
    "std::net",
    "thread::spawn",
    "thread::sleep",
    "std::time::Instant",
    "SystemTime",
    "tokio::spawn",
    "tokio::task",
    "tokio::time",
    "tokio::net",
    "tokio::fs",
    "rand::",
    "madsim",
];

/// The lines of a source file that reach past the seam; its unit tests may.
fn reaches_past_the_seam(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or(source);
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    let reaching = lines.filter(|(_, line)| BEHIND_THE_SEAM.iter().any(|word| line.contains(word)));
    reaching.map(|(index, line)| format!("{}: {}", index + 1, line.trim())).collect()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn only_rt_touches_the_outside_world() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 50, "the sources are where this test looks");
    for path in files.iter().filter(|path| !path.starts_with(src.join("rt"))) {
        let lines = reaches_past_the_seam(&std::fs::read_to_string(path).unwrap());
        assert_eq!(lines, [""; 0], "{}: go through installer::rt", path.display());
    }
}

#[test]
fn reaching_past_the_seam_is_noticed() {
    let source =
        "//! std::fs is not used.\nfn f() {\n    let _ = std::fs::read(\"x\");\n}\n#[cfg(test)]\nuse std::fs;\n";
    assert_eq!(reaches_past_the_seam(source), ["3: let _ = std::fs::read(\"x\");"]);
}

/// Where a toolchain is named, and the words before its version.
const TOOLCHAINS: [(&str, &str); 5] = [
    (".github/workflows/ci.yml", "dtolnay/rust-toolchain@"),
    (".github/workflows/nightly.yml", "dtolnay/rust-toolchain@"),
    ("README.md", "dtolnay/rust-toolchain@"),
    ("deploy/Dockerfile", "FROM rust:"),
    ("Cargo.toml", "rust-version = \""),
];

/// The versions that a text names after these words, without a patch's number.
fn versions_after<'t>(text: &'t str, words: &str) -> Vec<&'t str> {
    let is_of_a_version = |character: char| character.is_ascii_digit() || character == '.';
    let rests = text.split(words).skip(1);
    let versions = rests.map(|rest| &rest[..rest.find(|character| !is_of_a_version(character)).unwrap_or(rest.len())]);
    versions
        .filter(|version| !version.is_empty())
        .map(|version| version.strip_suffix(".0").unwrap_or(version))
        .collect()
}

/// Were CI to build with a newer compiler, nobody would notice that the stated one is no longer enough.
#[test]
fn ci_builds_with_the_oldest_compiler_that_will_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (file, words) in TOOLCHAINS {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let versions = versions_after(&text, words);
        assert!(!versions.is_empty(), "{file} names a toolchain where this test looks");
        assert!(versions.iter().all(|version| *version == env!("CARGO_PKG_RUST_VERSION")), "{file}: {versions:?}");
    }
    assert_eq!(versions_after("uses: dtolnay/rust-toolchain@1.96.0\n", "dtolnay/rust-toolchain@"), ["1.96"]);
}
