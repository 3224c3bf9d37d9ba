//! How requests are sent: how many at once, how patiently, and whom to trust.

use super::proxy::Proxies;
use crate::rt;
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
    /// The first wait between two tries.
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
            network_concurrency: (3 * rt::parallelism()).clamp(16, 64),
            fetch_retries: 2,
            fetch_retry_factor: 10,
            fetch_retry_mintimeout: Duration::from_secs(10),
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
