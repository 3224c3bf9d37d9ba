//! A scenario: what is installed, from where, over which network, and what must hold. Written as JSON in `scenarios/`.
//!
//! Unknown fields are errors that name the field. Times are virtual milliseconds, sizes are bytes.

mod faults;
mod package_name;

pub use self::faults::{Crash, DiskFaults, IndexFaults};
pub use package_name::VersionedName;

use crate::coverage::Reach;
use installer::tarball::mem_cache::LOST_LEADERS_MAX;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A scenario, as its file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without its extension.
    #[serde(skip_deserializing, default)]
    pub name: String,
    /// Where editors find what each field means: `./schema.json`.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// What it is for, in a sentence or two.
    pub description: String,
    /// `name@version` → what the registry has.
    pub packages: BTreeMap<VersionedName, Package>,
    /// What package.json asks for: name → range.
    pub dependencies: BTreeMap<String, String>,
    /// The other projects of a workspace: directory in the project → what its package.json asks for, as in `dependencies`. A
    /// project is called like its directory; `workspace:*` is the range that leads to one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, BTreeMap<String, String>>,
    /// What is in the store before.
    #[serde(default)]
    pub store: Store,
    /// How versions are found.
    #[serde(default)]
    pub install: Install,
    /// Whether tarballs are prefetched while resolution goes on.
    #[serde(default = "yes")]
    pub prefetch: bool,
    /// How long each batch of index rows is held back, in milliseconds.
    #[serde(default)]
    pub commit_lag_ms: u64,
    /// How many requests may be in flight.
    #[serde(default = "default_concurrency")]
    pub network_concurrency: usize,
    /// How often a failed request is tried again.
    #[serde(default = "default_retries")]
    pub fetch_retries: u32,
    /// The network.
    #[serde(default)]
    pub network: Network,
    /// What goes wrong with a download's task: `name@version` → where.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leaders: BTreeMap<VersionedName, LeaderFault>,
    /// Prefetches whose task is polled no more once it has asked for its tarball.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unpolled_prefetches: BTreeSet<VersionedName>,
    /// What goes wrong with the store's index.
    #[serde(default, skip_serializing_if = "is_default")]
    pub index: IndexFaults,
    /// What goes wrong with the disk.
    #[serde(default, skip_serializing_if = "is_default")]
    pub disk: DiskFaults,
    /// How many more installs of the same begin at the same moment on the same store, each in a project of its own. Seven at the most.
    #[serde(default, skip_serializing_if = "is_default")]
    pub beside: u8,
    /// Whether the installs beside it are in the same project as it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub one_project: bool,
    /// Whether packages are put in place once for all projects, in the store.
    #[serde(default, skip_serializing_if = "is_default")]
    pub global_virtual_store: bool,
    /// Whether node_modules consists of real directories (`nodeLinker: hoisted`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub hoisted: bool,
    /// How the install ends before its time, once. A second one goes on from what is left: that one is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<Crash>,
    /// What the install comes to.
    #[serde(default)]
    pub expect: Expectation,
    /// States that some run must reach, or the exploration proves nothing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reach: BTreeSet<Reach>,
    /// How many runs `cargo sim` gives it.
    #[serde(default = "default_runs")]
    pub runs: u64,
    /// Oracles that do not apply: id → reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub without_oracles: BTreeMap<String, String>,
}

/// How many installs there may be beside the one that is judged first.
const BESIDE_MAX: u8 = 7;

/// One version of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Package {
    /// The size of its one file besides package.json; it does not compress.
    pub size_bytes: usize,
    /// Name → range.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dependencies: BTreeMap<String, String>,
    /// Name → range.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub optional_dependencies: BTreeMap<String, String>,
    /// Name → range.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub peer_dependencies: BTreeMap<String, String>,
    /// The path that its tarball is at, such as `/downloads/a.tgz`, where that is not the registry's usual one. What is
    /// there is the tarball of the first package that names it, whatever integrity the others promise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tarball: Option<String>,
    /// Another package: this one is promised with that one's integrity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity_of: Option<VersionedName>,
    /// What the bytes of that file are drawn from, where not from its name: packages with the same word and the same size have
    /// the same file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Operating systems it runs on; empty means any.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub os: BTreeSet<String>,
}

/// What is in the store before the install.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// Nothing.
    #[default]
    Cold,
    /// Every package of the scenario's own install.
    Warm,
    /// These packages, and what they depend on.
    WarmFor(BTreeMap<String, String>),
}

/// How versions are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Install {
    /// By resolving; there is no lockfile before.
    #[default]
    Fresh,
    /// From a lockfile that an earlier install wrote.
    Frozen,
    /// Package by package, with no lockfile.
    NoLockfile,
}

/// The network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The registry takes from the first to the second to answer, in milliseconds, as the schedule says.
    pub latency_ms: (u64, u64),
    /// How many bytes of tarballs the registry's line carries in a millisecond, all of them together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_ms: Option<u64>,
    /// Tarballs that are not served plainly: `name@version` → how.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tarballs: BTreeMap<VersionedName, Serving>,
}

/// How one tarball is served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Serving {
    /// What the first requests get; those after them are served plainly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<Fault>,
    /// What every request gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always: Option<Fault>,
    /// Before the headers, in milliseconds.
    pub delay_ms: u64,
    /// Between pieces of 1,024 bytes, in milliseconds.
    pub piece_delay_ms: u64,
}

/// What a request gets instead of the tarball.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// This status and no body.
    Status(u16),
    /// So many bytes, then the connection ends.
    CutAfter(usize),
    /// So many bytes, then nothing for ever.
    StallAfter(usize),
    /// So many bytes, and a length that says that these are all.
    Truncated(usize),
    /// Every byte wrong.
    Corrupt,
    /// This status, no body, and the advice to come back after so many seconds.
    RetryAfter(u16, u64),
    /// So many redirects, and then the tarball.
    Redirects(u32),
}

/// What happens to the task that downloads a package, once or each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaderFault {
    /// It is cancelled when it comes to this interleaving point.
    CancelledAt(String),
    /// It panics when it comes to this interleaving point.
    PanicsAt(String),
    /// It stays at this interleaving point for so many milliseconds.
    StalledAt(String, u64),
    /// It panics when it comes to this interleaving point, and so does every task that downloads the package after it.
    AlwaysPanicsAt(String),
}

impl LeaderFault {
    /// The interleaving point.
    pub fn point(&self) -> &str {
        match self {
            LeaderFault::CancelledAt(point)
            | LeaderFault::PanicsAt(point)
            | LeaderFault::StalledAt(point, _)
            | LeaderFault::AlwaysPanicsAt(point) => point,
        }
    }

    /// How many leaders more than without it there may be. A prefetch gives up after the first that went away.
    pub fn leaders_more(&self) -> usize {
        match self {
            LeaderFault::CancelledAt(_) | LeaderFault::PanicsAt(_) => 1,
            LeaderFault::StalledAt(..) => 0,
            LeaderFault::AlwaysPanicsAt(_) => LOST_LEADERS_MAX as usize,
        }
    }
}

/// What the install comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It succeeds.
    #[default]
    Success,
    /// It fails, and the error says each of these.
    Failure(Vec<String>),
    /// It succeeds, or fails and says each of these: which of the two is up to the schedule.
    SuccessOrFailure(Vec<String>),
}

impl Default for Network {
    fn default() -> Self {
        Network { latency_ms: (1, 10), bytes_per_ms: None, tarballs: BTreeMap::new() }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn yes() -> bool {
    true
}

fn default_concurrency() -> usize {
    8
}

fn default_retries() -> u32 {
    2
}

fn default_runs() -> u64 {
    3000
}

/// A scenario that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not JSON, or not a scenario.
    #[error("{}: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It contradicts itself.
    #[error("{name}: {message}")]
    Inconsistent {
        /// The scenario.
        name: String,
        /// What is wrong.
        message: String,
    },
}

impl Scenario {
    /// Reads a scenario's file.
    ///
    /// # Errors
    /// [`ScenarioError`], naming the field that is wrong.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Unreadable { path: path.to_owned(), source })?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Self::parse(&text, name).map_err(|error| match error {
            ParseError::Json(source) => ScenarioError::Malformed { path: path.to_owned(), source },
            ParseError::Inconsistent(error) => error,
        })
    }

    /// Reads a scenario that another file holds, as a replay file does.
    ///
    /// # Errors
    /// [`ScenarioError`], naming the field that is wrong.
    pub fn from_value(value: Value, path: &Path) -> Result<Self, ScenarioError> {
        let name = value["name"].as_str().unwrap_or_default().to_owned();
        let mut fields = value;
        if let Some(fields) = fields.as_object_mut() {
            fields.remove("name");
        }
        Self::parse(&fields.to_string(), name).map_err(|error| match error {
            ParseError::Json(source) => ScenarioError::Malformed { path: path.to_owned(), source },
            ParseError::Inconsistent(error) => error,
        })
    }

    /// How many installs there are.
    pub fn installs(&self) -> usize {
        1 + usize::from(self.beside)
    }

    /// How many installs may download one tarball: they agree through locks, where there are locks.
    pub fn downloaders(&self) -> usize {
        if self.disk.no_locks { self.installs() } else { 1 }
    }

    /// Which project an install is in.
    pub fn project_of(&self, install: usize) -> usize {
        if self.one_project { 0 } else { install }
    }

    /// The JSON Schema of scenario files.
    pub fn schema() -> Value {
        schemars::schema_for!(Scenario).to_value()
    }

    /// As files have it, with its name.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a scenario is plain data")
    }

    fn is_published(&self, name: &str) -> bool {
        self.packages.keys().any(|package| package.0.name == name)
    }

    fn parse(text: &str, name: String) -> Result<Self, ParseError> {
        let mut scenario: Scenario = serde_json::from_str(text).map_err(ParseError::Json)?;
        scenario.name = name;
        scenario.check().map_err(ParseError::Inconsistent)?;
        Ok(scenario)
    }

    /// Whether its parts fit together: every package that is named exists, every oracle and point too.
    fn check(&self) -> Result<(), ScenarioError> {
        let inconsistent = |message| Err(ScenarioError::Inconsistent { name: self.name.clone(), message });
        let others = self.packages.values().filter_map(|package| package.integrity_of.as_ref());
        let named = self.network.tarballs.keys().chain(self.leaders.keys()).chain(&self.unpolled_prefetches);
        for named in named.chain(others) {
            if !self.packages.contains_key(named) {
                return inconsistent(format!("{named} is not among the packages"));
            }
        }
        if self.beside > BESIDE_MAX {
            return inconsistent(format!("at most {BESIDE_MAX} installs can be beside it"));
        }
        if self.one_project && self.beside == 0 {
            return inconsistent("one project is for installs beside each other, and there are none".to_owned());
        }
        if self.beside > 0 && self.crash.is_some_and(|crash| crash != Crash::Kill) {
            return inconsistent("an install with others beside it can only be killed".to_owned());
        }
        if let Some(dir) = self.members.keys().find(|dir| dir.contains(['/', '.']) || self.is_published(dir)) {
            return inconsistent(format!("{dir} is a path or a package, and no directory of a workspace's project"));
        }
        for fault in self.leaders.values() {
            let point = fault.point();
            if installer::rt::Point::from_label(point).is_none() {
                return inconsistent(format!("there is no interleaving point {point}; `cargo sim points` lists them"));
            }
        }
        for oracle in self.without_oracles.keys() {
            if !crate::oracles::all().iter().any(|known| known.id() == oracle) {
                return inconsistent(format!("there is no oracle {oracle}; `cargo sim oracles` lists them"));
            }
        }
        Ok(())
    }
}

enum ParseError {
    Json(serde_json::Error),
    Inconsistent(ScenarioError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Scenario, String> {
        Scenario::parse(text, "test".to_owned()).map_err(|error| match error {
            ParseError::Json(error) => error.to_string(),
            ParseError::Inconsistent(error) => error.to_string(),
        })
    }

    #[test]
    fn an_unknown_field_is_named_with_its_line() {
        let error = parse("{\n\"description\": \"\",\n\"packges\": {}\n}").unwrap_err();
        assert!(error.contains("unknown field `packges`") && error.contains("line 3"), "{error}");
    }

    #[test]
    fn what_does_not_exist_cannot_go_wrong() {
        let base = r#""description": "", "dependencies": {}, "packages": {"a@1.0.0": {}}"#;
        let error = parse(&format!(r#"{{{base}, "network": {{"tarballs": {{"b@1.0.0": {{}}}}}}}}"#)).unwrap_err();
        assert!(error.contains("b@1.0.0 is not among the packages"), "{error}");
        let error = parse(&format!(r#"{{{base}, "leaders": {{"a@1.0.0": {{"panics_at": "x"}}}}}}"#)).unwrap_err();
        assert!(error.contains("no interleaving point x"), "{error}");
        let error = parse(&format!(r#"{{{base}, "without_oracles": {{"O99": ""}}}}"#)).unwrap_err();
        assert!(error.contains("no oracle O99"), "{error}");
    }

    #[test]
    fn a_project_of_a_workspace_is_a_directory_and_no_package() {
        let base = r#""description": "", "dependencies": {}, "packages": {"a@1.0.0": {}}"#;
        for dir in ["a", "packages/b", ".."] {
            let error = parse(&format!(r#"{{{base}, "members": {{"{dir}": {{}}}}}}"#)).unwrap_err();
            assert!(error.contains(&format!("{dir} is a path or a package")), "{error}");
        }
        parse(&format!(r#"{{{base}, "members": {{"b": {{"a": "1"}}}}}}"#)).unwrap();
    }

    #[test]
    fn a_package_has_a_name_and_a_version() {
        let error = parse(r#"{"description": "", "dependencies": {}, "packages": {"a": {}}}"#).unwrap_err();
        assert!(error.contains("name@version"), "{error}");
    }
}
