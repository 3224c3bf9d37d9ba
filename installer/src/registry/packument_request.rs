//! What a registry is asked for a packument, and how long its answer stays right.

use super::error::FetchErrorKind;
use http::{HeaderMap, HeaderName, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;
use url::Url;

/// How much of a packument is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// What an install needs of most packages, where the registry knows how to leave the rest out.
    Abbreviated,
    /// Everything: C libraries and dates of publication are in no abbreviated document.
    Full,
}

impl Detail {
    pub(super) fn accept(self) -> &'static str {
        match self {
            Detail::Abbreviated => "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*",
            Detail::Full => "application/json",
        }
    }

    /// The name under which the answer to this URL is cached.
    pub(super) fn cache_key(self, url: &Url) -> String {
        match self {
            Detail::Abbreviated => url.to_string(),
            Detail::Full => format!("{url}#full"),
        }
    }
}

/// What encodeURIComponent leaves alone.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'!').remove(b'~');

/// `<registry>/<name>`; the slash of a scope is encoded, as npm and pnpm do.
pub(super) fn packument_url(registry: &Url, name: &str) -> Result<Url, FetchErrorKind> {
    let (at, rest) = name.strip_prefix('@').map_or(("", name), |rest| ("@", rest));
    if matches!(rest, "" | "." | "..") {
        return Err(FetchErrorKind::InvalidUrl { reason: format!("`{name}` is not a package's name") });
    }
    let mut url = registry.clone();
    url.set_path(&format!("{}{at}{}", registry.path(), utf8_percent_encode(rest, NAME)));
    Ok(url)
}

/// How long an answer stays right (RFC 9111, section 4.2): a while that is short enough for a version that was just published to
/// be found.
pub(super) fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    const FRESH_MAX: Duration = Duration::from_secs(300);
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::to_ascii_lowercase);
    let control = text(header::CACHE_CONTROL)?;
    let directives = || control.split(',').map(str::trim);
    if directives().any(|directive| matches!(directive, "no-cache" | "no-store")) {
        return None;
    }
    let max_age: u64 =
        directives().find_map(|directive| directive.strip_prefix("max-age=")?.trim_matches('"').parse().ok())?;
    let age: u64 = text(header::AGE).and_then(|age| age.trim().parse().ok()).unwrap_or(0);
    let fresh = Duration::from_secs(max_age.saturating_sub(age)).min(FRESH_MAX);
    (!fresh.is_zero()).then_some(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn packument_urls() {
        let registry = Url::parse("https://r.test/npm/").unwrap();
        let url = |name: &str| packument_url(&registry, name).map(|url| url.to_string());
        assert_eq!(url("react").unwrap(), "https://r.test/npm/react");
        assert_eq!(url("@babel/core").unwrap(), "https://r.test/npm/@babel%2Fcore");
        assert_eq!(url("a?b/../c").unwrap(), "https://r.test/npm/a%3Fb%2F..%2Fc");
        assert!(url("..").is_err() && url("").is_err());
    }

    #[test]
    fn an_answer_stays_right_as_long_as_it_says_and_not_for_long() {
        let fresh = |control: &str, age: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_str(control).unwrap());
            headers.insert(header::AGE, HeaderValue::from_str(age).unwrap());
            fresh_for(&headers).map(|fresh| fresh.as_secs())
        };
        assert_eq!(fresh("public, max-age=300", "0"), Some(300));
        assert_eq!(fresh("Max-Age=60", "20"), Some(40));
        assert_eq!(fresh("max-age=60", "60"), None);
        assert_eq!(fresh("max-age=31536000, immutable", ""), Some(300));
        assert_eq!(fresh("no-cache, max-age=60", "0"), None);
        assert_eq!(fresh("private", "0"), None);
        assert_eq!(fresh_for(&HeaderMap::new()), None);
    }
}
