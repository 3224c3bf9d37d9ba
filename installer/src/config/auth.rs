//! Credentials: which secret belongs to which place, and never to any other.
//!
//! A secret is filed under a nerf dart, npm's name for a URL without scheme, file and query: `//host:port/path/`. The
//! longest one that is a prefix of a request's URL applies. Secrets are neither shown by Debug nor written anywhere.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use std::collections::BTreeMap;
use std::fmt;
use url::Url;

/// One place's credentials.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// `_authToken`: sent as `Authorization: Bearer …`.
    Token(String),
    /// `_auth`, or `username` and `_password`: base64 of `user:password`, sent as `Authorization: Basic …`.
    Basic(String),
}

impl Credentials {
    /// From a user's name and password, as plain text.
    pub fn basic(username: &str, password: &str) -> Self {
        Credentials::Basic(BASE64_STANDARD.encode(format!("{username}:{password}")))
    }

    /// From a user's name and a `_password` setting, which is base64; none when it is not.
    pub(super) fn from_encoded_password(username: &str, password: &str) -> Option<Self> {
        let password = BASE64_STANDARD.decode(password.trim()).ok()?;
        let mut plain = format!("{username}:").into_bytes();
        plain.extend_from_slice(&password);
        Some(Credentials::Basic(BASE64_STANDARD.encode(plain)))
    }

    /// The credentials in a URL's user part, as in `https://user:password@host/`.
    pub(crate) fn of_url(url: &Url) -> Option<Self> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        Some(Credentials::basic(&decode(url.username()), &decode(url.password().unwrap_or_default())))
    }

    /// The `Authorization` header, marked sensitive; none when the secret cannot stand in a header.
    pub fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Credentials::Token(token) => format!("Bearer {token}"),
            Credentials::Basic(encoded) => format!("Basic {encoded}"),
        };
        let mut header = HeaderValue::try_from(text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::Token(_) => "Token(hidden)",
            Credentials::Basic(_) => "Basic(hidden)",
        })
    }
}

/// All credentials, by the place that they belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Auth {
    places: BTreeMap<String, Credentials>,
}

impl Auth {
    /// Files credentials under a nerf dart: `//host[:port]/path/`.
    pub fn insert(&mut self, nerf_dart: &str, credentials: Credentials) {
        self.places.insert(normalised(nerf_dart), credentials);
    }

    /// Whether this very place has credentials.
    pub fn contains(&self, nerf_dart: &str) -> bool {
        self.places.contains_key(&normalised(nerf_dart))
    }

    /// The `Authorization` header for a request: that of the longest place that holds the URL, else the URL's own user
    /// part. Look it up anew for every redirect: a secret never follows one to another place.
    pub fn header_for(&self, url: &Url) -> Option<HeaderValue> {
        match self.credentials_for(url) {
            Some(credentials) => credentials.header(),
            None => Credentials::of_url(url)?.header(),
        }
    }

    fn credentials_for(&self, url: &Url) -> Option<&Credentials> {
        let host = url.host_str()?;
        let hosts = match (url.port(), url.port_or_known_default()) {
            (Some(port), _) => vec![format!("//{host}:{port}")],
            (None, Some(port)) => vec![format!("//{host}"), format!("//{host}:{port}")],
            (None, None) => vec![format!("//{host}")],
        };
        let mut path = url.path();
        while let Some(slash) = path.rfind('/') {
            for host in &hosts {
                if let Some(credentials) = self.places.get(&format!("{host}{}", &path[..=slash])) {
                    return Some(credentials);
                }
            }
            path = &path[..slash];
        }
        None
    }
}

/// The nerf dart of a URL: `//host[:port]/path/`.
pub(super) fn nerf_dart(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("//{host}{port}{path}/")
}

/// The nerf dart with a lower-case host and a last slash.
fn normalised(nerf_dart: &str) -> String {
    let rest = nerf_dart.trim_start_matches('/');
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    format!("//{}/{path}{slash}", host.to_ascii_lowercase())
}

/// A URL as it may be shown: without user, password, query and fragment. Whatever else it is comes back as it was written.
pub fn redact_url(url: &str) -> String {
    // As browsers do, who find a user before the host also where there are no slashes, or three.
    let parsed = if url.contains('@') { Url::parse(url).ok() } else { None };
    let parsed = parsed.filter(|parsed| !parsed.username().is_empty() || parsed.password().is_some());
    let url = parsed.as_ref().map_or(url, Url::as_str);
    if !url.contains("://") {
        return url.to_owned();
    }
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let shown = &url[..end];
    let authority = shown.find("://").map_or(0, |scheme| scheme + 3);
    let path = shown[authority..].find('/').map_or(shown.len(), |slash| authority + slash);
    match shown[authority..path].rfind('@') {
        Some(at) => format!("{}{}", &shown[..authority], &shown[authority + at + 1..]),
        None => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(auth: &Auth, url: &str) -> Option<String> {
        auth.header_for(&Url::parse(url).unwrap()).map(|header| header.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_longest_place_applies() {
        let mut auth = Auth::default();
        auth.insert("//Host.test", Credentials::Token("root".into()));
        auth.insert("//host.test/npm/private/", Credentials::Token("private".into()));
        auth.insert("//host.test:8443/", Credentials::basic("me", "pass"));
        assert_eq!(header(&auth, "https://host.test/npm/react").as_deref(), Some("Bearer root"));
        assert_eq!(header(&auth, "https://host.test/npm/private/x/-/x.tgz").as_deref(), Some("Bearer private"));
        assert_eq!(header(&auth, "https://host.test/npm/privateer/x").as_deref(), Some("Bearer root"));
        assert_eq!(header(&auth, "https://host.test:8443/x").as_deref(), Some("Basic bWU6cGFzcw=="));
        assert_eq!(header(&auth, "https://other.test/npm/private/x"), None);
        assert_eq!(header(&auth, "https://host.test:9999/x"), None);
        assert_eq!(header(&auth, "https://host.test.evil/x"), None);
    }

    #[test]
    fn the_default_port_may_be_written_out() {
        let mut auth = Auth::default();
        auth.insert("//host.test:443/", Credentials::Token("t".into()));
        assert_eq!(header(&auth, "https://host.test/x").as_deref(), Some("Bearer t"));
        assert_eq!(header(&auth, "http://host.test/x"), None);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let mut auth = Auth::default();
        auth.insert("//host.test/", Credentials::Token("s3cret".into()));
        assert!(
            !format!("{auth:?} {:?}", auth.header_for(&Url::parse("https://host.test/").unwrap())).contains("s3cret")
        );
        assert_eq!(redact_url("https://me:s3cret@host.test:1/a@b?token=s3cret"), "https://host.test:1/a@b");
        assert_eq!(redact_url("https://host.test/a#b"), "https://host.test/a");
        // Found by fuzzing.
        assert_eq!(redact_url("ws:me:s3cret@host.test/a"), "ws://host.test/a");
        assert_eq!(redact_url("http:///me:s3cret@host.test/a"), "http://host.test/a");
        assert_eq!(redact_url("npm:a@1.0.0"), "npm:a@1.0.0");
        assert_eq!(redact_url("not a url"), "not a url");
    }

    #[test]
    fn nerf_darts() {
        let dart = |url: &str| nerf_dart(&Url::parse(url).unwrap());
        assert_eq!(dart("https://host.test/npm/"), "//host.test/npm/");
        assert_eq!(dart("https://host.test:81/npm/x"), "//host.test:81/npm/");
        assert_eq!(dart("https://host.test"), "//host.test/");
    }
}
