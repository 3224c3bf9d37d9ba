//! How requests are sent: how many at once, how patiently, and whom to trust.

use super::error::ConfigError;
use super::paths::Paths;
use super::proxy::Proxies;
use super::sources::{Found, Sources};
use super::values::{flag, number};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// Settings of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSettings {
    /// How many requests are in flight at once, at least one.
    pub network_concurrency: usize,
    /// How often a failed request is tried again.
    pub fetch_retries: u32,
    /// Each wait between two tries is this many times longer than the one before.
    pub fetch_retry_factor: u32,
    /// The first wait between two tries. Each wait is up to half longer, so that many programs do not come back at once.
    pub fetch_retry_mintimeout: Duration,
    /// The longest wait between two tries, also when the registry asks for a longer one.
    pub fetch_retry_maxtimeout: Duration,
    /// How long a request may go without a byte: a limit on silence, never on the whole download.
    pub fetch_timeout: Duration,
    /// A PEM file with certificates to trust besides the system's.
    pub cafile: Option<PathBuf>,
    /// Certificates to trust besides the system's, each as PEM text.
    pub ca: Vec<String>,
    /// NODE_EXTRA_CA_CERTS: as `cafile`.
    pub node_extra_ca_certs: Option<PathBuf>,
    /// Whether a server must prove its identity. Turn it off only for a registry in a test.
    pub strict_ssl: bool,
    /// What stands between us and the registries.
    pub proxies: Proxies,
    /// Whether nothing may be asked of the network at all.
    pub offline: bool,
    /// Whether a cached packument is used as it is, as long as it has what is asked for.
    pub prefer_offline: bool,
    /// The `User-Agent` header.
    pub user_agent: String,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        NetworkSettings {
            // What waits for an answer costs no processor, so their number has no say in it: most tarballs are shorter than the way
            // there and back.
            network_concurrency: 64,
            // pnpm waits 10 s and 60 s: what fails once costs little here, and 11 s of trouble are still outlived.
            fetch_retries: 3,
            fetch_retry_factor: 10,
            fetch_retry_mintimeout: Duration::from_millis(100),
            fetch_retry_maxtimeout: Duration::from_secs(60),
            fetch_timeout: Duration::from_secs(60),
            cafile: None,
            ca: Vec::new(),
            node_extra_ca_certs: None,
            strict_ssl: true,
            proxies: Proxies::default(),
            offline: false,
            prefer_offline: false,
            user_agent: format!(
                "lockstep/{} {} {}",
                env!("CARGO_PKG_VERSION"),
                std::env::consts::OS,
                std::env::consts::ARCH
            ),
        }
    }
}

impl NetworkSettings {
    /// What the sources say, and the defaults where they say nothing.
    pub(super) fn of(sources: &Sources<'_>, paths: &Paths<'_>) -> Result<Self, ConfigError> {
        let default = NetworkSettings::default();
        let milliseconds = |key: &str, default: Duration| -> Result<Duration, ConfigError> {
            Ok(number(sources, key, "a number of milliseconds")?.map_or(default, Duration::from_millis))
        };
        let fetch_timeout = number::<NonZeroU64>(sources, "fetch-timeout", "a number of milliseconds above 0")?;
        let path = |found: Found| (!found.value.is_empty()).then(|| paths.absolute(&found.value));
        let network_concurrency = number::<NonZeroUsize>(sources, "network-concurrency", "a number above 0")?;
        Ok(NetworkSettings {
            network_concurrency: network_concurrency.map_or(default.network_concurrency, Into::into),
            fetch_retries: number(sources, "fetch-retries", "a number")?.unwrap_or(default.fetch_retries),
            fetch_retry_factor: number(sources, "fetch-retry-factor", "a number")?
                .unwrap_or(default.fetch_retry_factor),
            fetch_retry_mintimeout: milliseconds("fetch-retry-mintimeout", default.fetch_retry_mintimeout)?,
            fetch_retry_maxtimeout: milliseconds("fetch-retry-maxtimeout", default.fetch_retry_maxtimeout)?,
            fetch_timeout: fetch_timeout.map_or(default.fetch_timeout, |timeout| Duration::from_millis(timeout.into())),
            cafile: sources.get("cafile").and_then(path),
            ca: sources.all("ca").iter().filter(|ca| !matches!(ca.as_str(), "" | "null")).map(|ca| pem(ca)).collect(),
            node_extra_ca_certs: (sources.env)("NODE_EXTRA_CA_CERTS")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            strict_ssl: flag(sources, "strict-ssl")?.unwrap_or(default.strict_ssl),
            proxies: Proxies::of(sources)?,
            offline: flag(sources, "offline")?.unwrap_or(default.offline),
            prefer_offline: flag(sources, "prefer-offline")?.unwrap_or(default.prefer_offline),
            user_agent: sources.get("user-agent").map_or(default.user_agent, |found| found.value),
        })
    }
}

/// A certificate in one line says `\n` where its lines end.
fn pem(ca: &str) -> String {
    ca.replace("\\n", "\n")
}
