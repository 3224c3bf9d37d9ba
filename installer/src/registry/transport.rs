//! One GET: its headers, its redirects, and its body, frame by frame.
//!
//! Every await is bounded by the longest silence allowed, never by a total: a slow body that moves goes on. Credentials
//! are looked up anew for every hop, so a redirect to another place never takes them along.

use super::connector::{ConnectError, Connector};
use super::error::{Cause, FetchErrorKind, Phase, causes};
use super::partial::Rest;
use crate::config::{Auth, NetworkSettings};
use crate::gunzip;
use crate::rt;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::{self, Client};
use std::io::Read;
use std::time::Duration;
use url::Url;

/// How many redirects one request may follow.
const REDIRECTS_MAX: usize = 10;

/// The largest body that is taken, as sent and decoded.
const BODY_BYTES_MAX: u64 = 1 << 30;

/// How much memory a body may reserve on its `Content-Length` alone.
const RESERVED_BYTES_MAX: u64 = 16 << 20;

/// How long a connection is kept for the next request.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Sends requests over connections that are kept open.
pub(super) struct Transport {
    http: Client<Connector, Empty<Bytes>>,
    auth: Auth,
    user_agent: HeaderValue,
    silence_max: Duration,
}

/// What to ask for.
#[derive(Debug)]
pub(super) struct Question {
    pub url: Url,
    pub accept: &'static str,
    /// Whether the body may come compressed; see [`with_decoded`].
    pub gzip: bool,
    /// Lets the registry answer 304 when this is still the entity tag.
    pub if_none_match: Option<HeaderValue>,
    /// Lets the registry answer 206 with what is missing.
    pub rest: Option<Rest>,
}

/// A success, its body still to come.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    silence_max: Duration,
}

impl Transport {
    pub fn new(network: &NetworkSettings, auth: Auth, user_agent: HeaderValue) -> Self {
        // No pool timer: an idle connection that is too old is dropped when it would be used again, or when the server
        // closes it. So nothing ticks while an install waits.
        let http = Client::builder(rt::Executor)
            .timer(rt::Timer)
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(network.network_concurrency)
            // Over HTTP/2 a connection that went silent would be used for the next try, too.
            .http2_keep_alive_interval(network.fetch_timeout / 2)
            .http2_keep_alive_timeout(network.fetch_timeout / 2)
            .build(Connector::new(network));
        Transport { http, auth, user_agent, silence_max: network.fetch_timeout }
    }

    /// The answer to one request, redirects followed.
    ///
    /// # Errors
    /// No connection, silence, a redirect that leads nowhere, or any status but success (and 304 where asked for).
    pub async fn get(&self, question: &Question) -> Result<Answer, FetchErrorKind> {
        let mut url = question.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(&url, question).await?;
            match redirect(&url, &response)? {
                Some(target) => url = target,
                None => return self.answer(&url, question, response),
            }
        }
        Err(FetchErrorKind::Redirect { reason: format!("more than {REDIRECTS_MAX} redirects") })
    }

    async fn send(&self, url: &Url, question: &Question) -> Result<Response<Incoming>, FetchErrorKind> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri(url)?;
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, self.user_agent.clone());
        headers.insert(header::ACCEPT, HeaderValue::from_static(question.accept));
        if question.gzip {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let optional: [(HeaderName, Option<HeaderValue>); 2] = [
            (header::IF_NONE_MATCH, question.if_none_match.clone()),
            (header::AUTHORIZATION, self.auth.header_for(url)),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        if let Some(rest) = &question.rest {
            rest.add_to(headers);
        }
        match rt::timeout(self.silence_max, self.http.request(request)).await {
            Ok(response) => response.map_err(failed_request),
            Err(rt::Elapsed) => Err(FetchErrorKind::Timeout { silence: self.silence_max, phase: Phase::Answer }),
        }
    }

    fn answer(&self, url: &Url, question: &Question, response: Response<Incoming>) -> Result<Answer, FetchErrorKind> {
        let (parts, body) = response.into_parts();
        let unchanged = parts.status == StatusCode::NOT_MODIFIED && question.if_none_match.is_some();
        if parts.status.is_success() || unchanged {
            return Ok(Answer { status: parts.status, headers: parts.headers, body, silence_max: self.silence_max });
        }
        Err(match parts.status.as_u16() {
            404 => FetchErrorKind::NotFound,
            status @ (401 | 403) => {
                FetchErrorKind::Unauthorized { status, place: format!("{}/", url.authority_without_user()) }
            }
            status => FetchErrorKind::Status { status, retry_after: retry_after(&parts.headers) },
        })
    }
}

impl Answer {
    /// The body's size, where the server tells it.
    pub fn bytes_total(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The whole body as it was sent.
    ///
    /// # Errors
    /// When it breaks off, falls silent, or is larger than any package.
    pub async fn bytes(self) -> Result<Bytes, FetchErrorKind> {
        let mut bytes = Vec::new();
        self.append_to(&mut bytes, |_| {}).await?;
        Ok(bytes.into())
    }

    /// Adds the body to `bytes`; `progress` is told after every frame how many there are. What has arrived is there
    /// whatever happens.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub async fn append_to(mut self, bytes: &mut Vec<u8>, mut progress: impl FnMut(u64)) -> Result<(), FetchErrorKind> {
        let reserved = self.bytes_total().unwrap_or(0).min(RESERVED_BYTES_MAX);
        bytes.reserve_exact(usize::try_from(reserved).unwrap_or(0));
        loop {
            let arrived = bytes.len() as u64;
            let frame = rt::timeout(self.silence_max, self.body.frame()).await.map_err(|rt::Elapsed| {
                FetchErrorKind::Timeout { silence: self.silence_max, phase: Phase::Body { bytes: arrived } }
            })?;
            let Some(frame) = frame else { return Ok(()) };
            let frame = frame.map_err(|error| FetchErrorKind::Body { bytes: arrived, cause: Cause::new(error) })?;
            let Ok(data) = frame.into_data() else { continue };
            if arrived + data.len() as u64 > BODY_BYTES_MAX {
                return Err(FetchErrorKind::TooLarge { bytes_max: BODY_BYTES_MAX });
            }
            bytes.extend_from_slice(&data);
            progress(bytes.len() as u64);
        }
    }
}

/// Does something with a body whose `Content-Encoding` is undone: none, or gzip. Work for the processor: not for an async thread.
///
/// # Errors
/// [`FetchErrorKind::Encoding`] for any other encoding and for broken gzip.
pub(super) fn with_decoded<T>(
    body: &[u8],
    encoding: Option<&HeaderValue>,
    then: impl Fn(&[u8]) -> T,
) -> Result<T, FetchErrorKind> {
    match encoding.map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(then(body)),
        Some(b"gzip" | b"x-gzip") => gunzip::with_whole(body, &then).map_or_else(|| Ok(then(&gunzipped(body)?)), Ok),
        Some(other) => {
            Err(FetchErrorKind::Encoding { reason: format!("`{}` was not asked for", String::from_utf8_lossy(other)) })
        }
    }
}

/// What is too much to be decompressed at one go, of several parts, or broken.
fn gunzipped(body: &[u8]) -> Result<Vec<u8>, FetchErrorKind> {
    let mut plain = Vec::with_capacity(body.len().saturating_mul(4));
    let read = MultiGzDecoder::new(body).take(BODY_BYTES_MAX + 1).read_to_end(&mut plain);
    read.map_err(|error| FetchErrorKind::Encoding { reason: format!("broken gzip: {error}") })?;
    match plain.len() as u64 > BODY_BYTES_MAX {
        true => Err(FetchErrorKind::TooLarge { bytes_max: BODY_BYTES_MAX }),
        false => Ok(plain),
    }
}

/// Where a response sends us on to; none when it is an answer.
fn redirect(from: &Url, response: &Response<Incoming>) -> Result<Option<Url>, FetchErrorKind> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = |reason: String| Err(FetchErrorKind::Redirect { reason });
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let Some(target) = location.and_then(|location| from.join(location).ok()) else {
        return refused(format!("a redirect ({}) that names no URL", response.status().as_u16()));
    };
    match (from.scheme(), target.scheme()) {
        ("https", "http") => refused("a redirect from https to http is not followed".to_owned()),
        (_, "http" | "https") => Ok(Some(target)),
        (_, scheme) => refused(format!("a redirect to `{scheme}:` is not followed")),
    }
}

/// The request's URL for hyper, without the user part and the fragment.
fn uri(url: &Url) -> Result<Uri, FetchErrorKind> {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let text = format!("{}://{}{}{query}", url.scheme(), url.authority_without_user(), url.path());
    text.parse().map_err(|error| FetchErrorKind::InvalidUrl { reason: format!("the URL is not valid: {error}") })
}

trait AuthorityWithoutUser {
    /// `host` or `host:port`.
    fn authority_without_user(&self) -> String;
}

impl AuthorityWithoutUser for Url {
    fn authority_without_user(&self) -> String {
        let host = self.host_str().unwrap_or_default();
        self.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

fn failed_request(error: legacy::Error) -> FetchErrorKind {
    let connect = causes(&error).find_map(|error| error.downcast_ref::<ConnectError>()).cloned();
    match connect {
        Some(connect) if connect.is_distrust() => FetchErrorKind::Tls(connect),
        Some(connect) => FetchErrorKind::Connect(connect),
        None => FetchErrorKind::Broken { cause: Cause::new(error) },
    }
}

/// `Retry-After` in seconds, or as a date: then measured against the answer's own `Date`, which needs no clock here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let wanted = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = wanted.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(wanted).ok()?;
    let now = httpdate::parse_http_date(text(header::DATE)?).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let seconds = headers(&[(header::RETRY_AFTER, "7")]);
        assert_eq!(retry_after(&seconds), Some(Duration::from_secs(7)));
        let date = headers(&[
            (header::RETRY_AFTER, "Sun, 06 Nov 1994 08:49:47 GMT"),
            (header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        assert_eq!(retry_after(&date), Some(Duration::from_secs(10)));
        assert_eq!(retry_after(&headers(&[(header::RETRY_AFTER, "soon")])), None);
    }

    #[test]
    fn the_request_carries_neither_user_nor_fragment() {
        let url = Url::parse("http://me:pass@host.test:81/a%2Fb?c=d#e").unwrap();
        assert_eq!(uri(&url).unwrap().to_string(), "http://host.test:81/a%2Fb?c=d");
    }
}
