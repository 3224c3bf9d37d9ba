//! All settings of an install, and how they are put together.
//!
//! The command line goes before the environment, that before pnpm-workspace.yaml, that before the project's .npmrc, that
//! before the user's, and that before the defaults.

use super::auth::{Auth, Credentials, nerf_dart, redact_url};
use super::build_policy::BuildPolicy;
use super::error::ConfigError;
use super::network::NetworkSettings;
use super::paths::{PNPM_STORE_VERSION, Paths};
use super::project::ProjectSettings;
use super::registries::{DEFAULT_REGISTRY, Registries, parse_registry};
use super::sources::{Found, Sources};
use super::tarball_limits::TarballLimits;
use super::values::invalid;
use super::workspace_file::WorkspaceFile;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use url::Url;

/// All settings of an install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where packages come from.
    pub registries: Registries,
    /// What proves that we may have them.
    pub auth: Auth,
    /// The directory that holds the store, without its version (see `StoreDir::new`).
    pub store_dir: PathBuf,
    /// The directory where pnpm would keep its own store with these settings, its version included. Nothing is read or
    /// written there: pnpm compares it with what a node_modules says of itself.
    pub pnpm_store_dir: PathBuf,
    /// How requests are sent.
    pub network: NetworkSettings,
    /// What a tarball may unpack to.
    pub tarballs: TarballLimits,
    /// What the project says of itself.
    pub project: ProjectSettings,
    /// Which dependencies may run build scripts.
    pub builds: BuildPolicy,
    /// What was passed over in the settings, and why; one sentence each, without secrets.
    pub warnings: Vec<String>,
}

/// What the command line says; each goes before every other source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--registry`: the default registry's URL.
    pub registry: Option<String>,
    /// `--store-dir`, relative to the project.
    pub store_dir: Option<String>,
    /// `--network-concurrency`
    pub network_concurrency: Option<usize>,
    /// `--fetch-retries`
    pub fetch_retries: Option<u32>,
    /// `--fetch-timeout`, in milliseconds.
    pub fetch_timeout_ms: Option<u64>,
    /// `--offline`
    pub offline: Option<bool>,
    /// `--prefer-offline`
    pub prefer_offline: Option<bool>,
    /// `--node-linker`: `isolated` or `hoisted`.
    pub node_linker: Option<String>,
    /// `--userconfig`: read instead of ~/.npmrc.
    pub userconfig: Option<String>,
}

impl Settings {
    /// The defaults, with one registry and one store: for tests and simulations, which have no files to read.
    pub fn for_registry(url: Url, store_dir: PathBuf) -> Self {
        Settings {
            registries: Registries::new(url),
            auth: Auth::default(),
            pnpm_store_dir: store_dir.join(PNPM_STORE_VERSION),
            store_dir,
            network: NetworkSettings::default(),
            tarballs: TarballLimits::default(),
            project: ProjectSettings::default(),
            builds: BuildPolicy::default(),
            warnings: Vec::new(),
        }
    }

    /// Reads the settings of the project in `project_dir`, the root of its workspace if it has one; `home` is the user's home directory, `env` gives environment
    /// variables.
    ///
    /// # Errors
    /// [`ConfigError`] when a file cannot be read, a value means nothing, or there is no place for the store.
    pub fn load(
        project_dir: &Path,
        home: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
        overrides: Overrides,
    ) -> Result<Self, ConfigError> {
        let mut sources = Sources { command_line: overrides.into_map(), env, files: Vec::new() };
        let paths = Paths { project_dir, home, env };
        let userconfig = sources.get("userconfig");
        let workspace_file = WorkspaceFile::read(project_dir)?;
        if let Some(file) = &workspace_file {
            sources.add_workspace_file(file);
        }
        let project_file = project_dir.join(".npmrc");
        sources.add_file(&project_file)?;
        let user_file = userconfig.map(|found| paths.absolute(&found.value)).or(home.map(|home| home.join(".npmrc")));
        // In the home directory they are one file, whose warnings are told once.
        if let Some(user_file) = user_file.filter(|user_file| *user_file != project_file) {
            sources.add_file(&user_file)?;
        }
        let workspace_dir = workspace_file.is_some().then(|| project_dir.to_owned());
        let builds = BuildPolicy::read(project_dir, workspace_file.as_ref());
        let project = ProjectSettings::load(&sources, workspace_file, workspace_dir)?;
        let mut warnings = unset_variables(&sources);
        let mut registries = registries(&sources)?;
        let mut auth = auth(&sources, &registries, &mut warnings);
        move_credentials(&mut registries, &mut auth);
        Ok(Settings {
            store_dir: paths.store_dir(&sources)?,
            pnpm_store_dir: paths.pnpm_store_dir(&sources),
            network: NetworkSettings::of(&sources, &paths)?,
            tarballs: TarballLimits::of(&sources)?,
            project,
            builds,
            registries,
            auth,
            warnings,
        })
    }
}

impl Overrides {
    fn into_map(self) -> BTreeMap<&'static str, String> {
        let values = [
            ("registry", self.registry),
            ("store-dir", self.store_dir),
            ("network-concurrency", self.network_concurrency.map(|number| number.to_string())),
            ("fetch-retries", self.fetch_retries.map(|number| number.to_string())),
            ("fetch-timeout", self.fetch_timeout_ms.map(|number| number.to_string())),
            ("offline", self.offline.map(|flag| flag.to_string())),
            ("prefer-offline", self.prefer_offline.map(|flag| flag.to_string())),
            ("node-linker", self.node_linker),
            ("userconfig", self.userconfig),
        ];
        values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

fn registries(sources: &Sources<'_>) -> Result<Registries, ConfigError> {
    let default = match sources.get("registry") {
        Some(found) => registry("registry", &found)?,
        None => Url::parse(DEFAULT_REGISTRY).expect("the default registry is a URL"),
    };
    let mut registries = Registries::new(default);
    for (key, found) in sources.merged_files() {
        if let Some(scope) = key.strip_suffix(":registry").filter(|scope| scope.starts_with('@')) {
            registries.set_scope(scope, registry(key, &found)?);
        }
    }
    Ok(registries)
}

fn registry(key: &str, found: &Found) -> Result<Url, ConfigError> {
    let expected = "an http or https URL";
    parse_registry(&found.value).ok_or_else(|| invalid(key, found, &redact_url(&found.value), expected))
}

/// Credentials in the files, by place; then those in the environment, for the places of the registries.
fn auth(sources: &Sources<'_>, registries: &Registries, warnings: &mut Vec<String>) -> Auth {
    const FIELDS: [&str; 4] = ["_authToken", "_auth", "username", "_password"];
    let files = sources.merged_files();
    let mut places: BTreeSet<String> = registries.iter().map(nerf_dart).collect();
    for (key, found) in &files {
        match key.rsplit_once(':') {
            Some((place, field)) if place.starts_with("//") && FIELDS.contains(&field) => {
                places.insert(place.to_owned());
            }
            None if FIELDS.contains(key) && *key != "username" => warnings.push(format!(
                "`{key}` in {} is ignored because it names no registry: write `//host/path/:{key}` instead",
                found.origin
            )),
            _ => {}
        }
    }
    let mut auth = Auth::default();
    for place in places {
        let field = |name: &str| sources.get(&format!("{place}:{name}")).map(|found| found.value);
        let password = || Credentials::from_encoded_password(&field("username")?, &field("_password")?);
        let credentials = field("_authToken")
            .map(Credentials::Token)
            .or_else(|| field("_auth").map(Credentials::Basic))
            .or_else(password);
        match credentials {
            Some(credentials) => auth.insert(&place, credentials),
            None if field("_password").is_some() => {
                warnings.push(format!("the password for {place} is ignored: it needs `username`, and must be base64"));
            }
            None => {}
        }
    }
    auth
}

/// Takes users and passwords out of the registries' URLs, so that no URL carries a secret from here on.
fn move_credentials(registries: &mut Registries, auth: &mut Auth) {
    for url in std::iter::once(&mut registries.default).chain(registries.scopes.values_mut()) {
        if let Some(credentials) = Credentials::of_url(url) {
            let cleared = url.set_username("").is_ok() && url.set_password(None).is_ok();
            assert!(cleared, "an http URL can do without a user");
            let place = nerf_dart(url);
            if !auth.contains(&place) {
                auth.insert(&place, credentials);
            }
        }
    }
}

fn unset_variables(sources: &Sources<'_>) -> Vec<String> {
    let warning = |origin: &str, (key, variable): &(String, String)| {
        format!("`{key}` in {origin} is ignored: the environment variable {variable} is not set")
    };
    sources
        .files
        .iter()
        .flat_map(|(origin, npmrc)| npmrc.unset_variables().iter().map(move |unset| warning(origin, unset)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt;
    use std::time::Duration;

    struct Machine {
        directory: tempfile::TempDir,
        variables: Vec<(&'static str, &'static str)>,
    }

    impl Machine {
        fn new(project: &str, user: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            for (name, text) in [("project", project), ("home", user)] {
                let parent = directory.path().join(name);
                rt::fs::create_dir_all(&parent).unwrap();
                rt::fs::write_new(&parent.join(".npmrc"), text.as_bytes(), false).unwrap();
            }
            Machine { directory, variables: Vec::new() }
        }

        fn workspace_file(&self, text: &str) {
            let path = self.directory.path().join("project/pnpm-workspace.yaml");
            rt::fs::write_new(&path, text.as_bytes(), false).unwrap();
        }

        fn load(&self, overrides: Overrides) -> Result<Settings, ConfigError> {
            let env = |name: &str| {
                self.variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
            };
            let directory = self.directory.path();
            Settings::load(&directory.join("project"), Some(&directory.join("home")), &env, overrides)
        }
    }

    #[test]
    fn defaults() {
        let settings = Machine::new("", "").load(Overrides::default()).unwrap();
        assert_eq!(settings.registries.default.as_str(), DEFAULT_REGISTRY);
        assert_eq!(settings.network, NetworkSettings::default());
        assert!(!settings.project.enable_global_virtual_store);
        assert!(settings.store_dir.ends_with("lockstep/store"));
        assert!(settings.pnpm_store_dir.ends_with("pnpm/store/v11"));
    }

    #[test]
    fn the_highest_priority_wins() {
        let user = "registry=https://user.test\nfetch-retries=1\nfetch-timeout=1500\nstrict-ssl=false\nstore-dir=~/s";
        let mut machine = Machine::new("registry=https://project.test\nfetch-retries=5\nca[]=a\\nb\nca[]=c", user);
        let settings = machine.load(Overrides::default()).unwrap();
        assert_eq!(settings.registries.default.as_str(), "https://project.test/");
        assert_eq!((settings.network.fetch_retries, settings.network.strict_ssl), (5, false));
        assert_eq!(settings.network.fetch_timeout, Duration::from_millis(1500));
        assert_eq!(settings.network.ca, ["a\nb", "c"]);
        assert_eq!(settings.store_dir, machine.directory.path().join("home/s"));

        machine.variables = vec![
            ("NPM_CONFIG_REGISTRY", "https://env.test"),
            ("npm_config_fetch_retries", "7"),
            ("pnpm_config_fetch_retries", "8"),
            ("npm_config_store_dir", "here"),
        ];
        let settings = machine.load(Overrides::default()).unwrap();
        assert_eq!(settings.registries.default.as_str(), "https://env.test/");
        assert_eq!(settings.network.fetch_retries, 8);
        assert_eq!(settings.store_dir, machine.directory.path().join("project/here"));
        assert_eq!(settings.pnpm_store_dir, machine.directory.path().join("project/here/v11"));

        let overrides =
            Overrides { registry: Some("https://flag.test".into()), offline: Some(true), ..Default::default() };
        let settings = machine.load(overrides).unwrap();
        assert_eq!(settings.registries.default.as_str(), "https://flag.test/");
        assert!(settings.network.offline);
    }

    #[test]
    fn secrets_find_their_place() {
        let mut machine = Machine::new(
            "registry=https://r.test/npm/\n@acme:registry=https://me:pass@acme.test\n//r.test/npm/:_authToken=${TOKEN}\n_auth=eA==",
            "//b.test/:username=me\n//b.test/:_password=cGFzcw==\n//r.test/npm/:_authToken=other\n//n.test/:_authToken=${NONE}",
        );
        machine.variables = vec![("TOKEN", "s3cret")];
        let settings = machine.load(Overrides::default()).unwrap();
        let header = |url: &str| {
            settings.auth.header_for(&Url::parse(url).unwrap()).map(|header| header.to_str().unwrap().to_owned())
        };
        assert_eq!(header("https://r.test/npm/react").as_deref(), Some("Bearer s3cret"));
        assert_eq!(header("https://b.test/x").as_deref(), Some("Basic bWU6cGFzcw=="));
        assert_eq!(header("https://acme.test/x").as_deref(), Some("Basic bWU6cGFzcw=="));
        assert_eq!(header("https://n.test/x"), None);
        assert_eq!(settings.registries.registry_for("@acme/x").as_str(), "https://acme.test/");
        assert_eq!(settings.warnings.len(), 2, "{:?}", settings.warnings);
        assert!(!format!("{settings:?}").contains("s3cret"));

        machine.variables.push(("npm_config_//r.test/npm/:_authToken", "fromenv"));
        let settings = machine.load(Overrides::default()).unwrap();
        let header = settings.auth.header_for(&Url::parse("https://r.test/npm/x").unwrap()).unwrap();
        assert_eq!(header.to_str().unwrap(), "Bearer fromenv");
    }

    #[test]
    fn proxies_come_from_settings_or_well_known_variables() {
        let mut machine = Machine::new("https-proxy=http://me:s3cret@p.test:1", "");
        machine.variables =
            vec![("HTTPS_PROXY", "http://q.test"), ("http_proxy", "q.test:2"), ("NO_PROXY", "a.test,b.test")];
        let settings = machine.load(Overrides::default()).unwrap();
        let proxies = &settings.network.proxies;
        assert_eq!(proxies.https.as_ref().map(|proxy| proxy.port), Some(1));
        assert_eq!(proxies.http.as_ref().map(|proxy| proxy.port), Some(2));
        assert_eq!(proxies.no_proxy, ["a.test", "b.test"]);
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn pnpm_workspace_yaml_is_read_and_goes_before_npmrc() {
        let machine = Machine::new("fetch-retries=5\nauto-install-peers=true\nregistry=https://npmrc.test", "");
        machine.workspace_file(
            "packages: [packages/*, '!packages/old']\nfetchRetries: 7\nautoInstallPeers: false\n\
             registries: {default: https://yaml.test, '@acme': https://acme.test}\n\
             catalog: {react: ^18.0.0}\ncatalogs: {old: {react: 17}}\noverrides: {a>b: '-', c: 1.0}\n\
             linkWorkspacePackages: deep\nenableGlobalVirtualStore: true\nhoistPattern: ['*', '!x']\nshamefullyHoist: true\n\
             supportedArchitectures: {os: [current, win32]}\npackageExtensions: {a@1: {dependencies: {b: '2'}}}\n\
             peerDependencyRules: {allowAny: ['@x/*'], ignoreMissing: [y]}\nmadeUp: 1\nalsoMadeUp: {x: 1}\nnothing:\n",
        );
        let settings = machine.load(Overrides::default()).unwrap();
        assert_eq!(settings.network.fetch_retries, 7);
        assert_eq!(settings.registries.default.as_str(), "https://yaml.test/");
        assert_eq!(settings.registries.registry_for("@acme/x").as_str(), "https://acme.test/");
        let project = settings.project;
        assert_eq!(project.packages, ["packages/*", "!packages/old"]);
        assert_eq!(project.catalogs["default"]["react"], "^18.0.0");
        assert_eq!(project.catalogs["old"]["react"], "17");
        assert_eq!(project.overrides["a>b"], "-");
        assert!(!project.auto_install_peers && project.link_workspace_packages);
        assert!(project.enable_global_virtual_store);
        assert!(project.hoist_pattern.matches("y") && !project.hoist_pattern.matches("x"));
        assert!(project.public_hoist_pattern.matches("anything"));
        assert_eq!(project.supported_architectures.os, ["current", "win32"]);
        assert_eq!(project.package_extensions["a@1"].dependencies["b"], "2");
        assert!(project.peer_dependency_rules.allow_any.matches("@x/y"));
        assert_eq!(project.unsupported, ["alsoMadeUp", "madeUp"]);
        assert!(project.workspace_dir.is_some());
    }

    #[test]
    fn a_setting_of_the_wrong_kind_is_an_error() {
        let machine = Machine::new("", "");
        machine.workspace_file("packages: packages/*\n");
        let error = machine.load(Overrides::default()).unwrap_err().to_string();
        assert!(error.contains("`packages`") && error.contains("a list of globs"), "{error}");
    }

    #[test]
    fn errors_name_the_place_and_the_key() {
        let error = Machine::new("", "network-concurrency=0").load(Overrides::default()).unwrap_err().to_string();
        assert!(error.contains("network-concurrency") && error.contains("home/.npmrc"), "{error}");
        let error = Machine::new("registry=ftp://me:s3cret@x", "").load(Overrides::default()).unwrap_err().to_string();
        assert!(error.contains("ftp://x") && !error.contains("s3cret"), "{error}");
    }
}
