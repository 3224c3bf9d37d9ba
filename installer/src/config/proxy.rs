//! Proxies: which requests go through one, and what it is told.

use super::auth::{Credentials, redact_url};
use super::error::ConfigError;
use super::sources::Sources;
use super::values::invalid;
use url::Url;

/// The proxies of one install. By default there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For https URLs: `https-proxy`, `proxy`, or HTTPS_PROXY.
    pub https: Option<Proxy>,
    /// For http URLs: `http-proxy`, `proxy`, or HTTP_PROXY.
    pub http: Option<Proxy>,
    /// Hosts that are reached without one, each with all its subdomains; `*` is every host. `noproxy`, or NO_PROXY.
    pub no_proxy: Vec<String>,
}

/// One http proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// A name or an address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// What the proxy wants to be told first.
    pub credentials: Option<Credentials>,
}

impl Proxies {
    /// The settings first; the environment variables that every program knows only where they say nothing.
    pub(super) fn of(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let variable =
            |name: &'static str| sources.variable(name).or_else(|| sources.variable(&name.to_ascii_lowercase()));
        let proxy = |keys: [&str; 2], name: &'static str| -> Result<Option<Proxy>, ConfigError> {
            let set = keys.iter().find_map(|key| Some((*key, sources.get(key)?)));
            match set.or_else(|| Some((name, variable(name)?))) {
                None => Ok(None),
                Some((_, found)) if matches!(found.value.as_str(), "" | "null" | "false") => Ok(None),
                Some((key, found)) => Proxy::parse(&found.value)
                    .map(Some)
                    .ok_or_else(|| invalid(key, &found, &redact_url(&found.value), "the URL of an http proxy")),
            }
        };
        let no_proxy = sources.get("noproxy").or_else(|| sources.get("no-proxy")).or_else(|| variable("NO_PROXY"));
        let no_proxy = no_proxy.map(|found| found.value).unwrap_or_default();
        let entries = no_proxy.split([',', ' ']).filter(|entry| !entry.is_empty()).map(str::to_owned);
        Ok(Proxies {
            https: proxy(["https-proxy", "proxy"], "HTTPS_PROXY")?,
            http: proxy(["http-proxy", "proxy"], "HTTP_PROXY")?,
            no_proxy: entries.collect(),
        })
    }

    /// The proxy for a URL's scheme and host; none when it is reached directly.
    pub fn proxy_for(&self, scheme: &str, host: &str) -> Option<&Proxy> {
        let proxy = if scheme == "https" { self.https.as_ref() } else { self.http.as_ref() };
        proxy.filter(|_| !self.no_proxy.iter().any(|entry| covers(entry, host)))
    }
}

impl Proxy {
    /// A proxy as people write it: `http://user:password@host:port`, where all but the host may be missing. None when
    /// it is no http proxy.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
        let url = url.ok().filter(|url| url.scheme() == "http")?;
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Proxy { host, port: url.port_or_known_default()?, credentials: Credentials::of_url(&url) })
    }
}

/// Whether an entry of `noproxy` means this host: `acme.test` and `.acme.test` mean `acme.test` and `npm.acme.test`.
fn covers(entry: &str, host: &str) -> bool {
    let entry = entry.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    match host.strip_suffix(&entry) {
        _ if entry == "*" => true,
        Some(rest) => !entry.is_empty() && (rest.is_empty() || rest.ends_with('.')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_hosts_need_no_proxy() {
        let https = Proxy::parse("http://me:s3cret@proxy.test:3128");
        let no_proxy = vec![".acme.test".to_owned(), "localhost".to_owned()];
        let mut proxies = Proxies { https: https.clone(), http: None, no_proxy };
        assert!(!format!("{proxies:?}").contains("s3cret"));
        assert_eq!(proxies.proxy_for("https", "r.test"), https.as_ref());
        assert_eq!(proxies.proxy_for("https", "evilacme.test"), https.as_ref());
        for host in ["acme.test", "npm.Acme.test", "localhost"] {
            assert_eq!(proxies.proxy_for("https", host), None, "{host}");
        }
        assert_eq!(proxies.proxy_for("http", "r.test"), None);
        proxies.no_proxy = vec!["*".to_owned()];
        assert_eq!(proxies.proxy_for("https", "r.test"), None);
    }

    #[test]
    fn proxies_as_people_write_them() {
        let place = |text: &str| Proxy::parse(text).map(|proxy| (proxy.host, proxy.port));
        assert_eq!(place("proxy.test"), Some(("proxy.test".to_owned(), 80)));
        assert_eq!(place("proxy.test:8080"), Some(("proxy.test".to_owned(), 8080)));
        assert_eq!(place("http://[::1]:3128/"), Some(("::1".to_owned(), 3128)));
        assert_eq!(place("socks5://proxy.test"), None);
        assert_eq!(place("https://proxy.test"), None);
    }
}
