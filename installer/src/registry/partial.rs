//! What has arrived of a body that broke off, and the question for the rest of it (RFC 9110, sections 13.1.5 and 14).
//!
//! The rest is asked for only where the server named what it sends by a strong entity tag or a date: it sends the rest if that is
//! still what it has, and everything otherwise. Whoever gets the body checks its integrity over the whole.

use super::error::FetchErrorKind;
use super::transport::Answer;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// How much has to have arrived for the rest to be asked for: less costs no more than a round trip.
const RESUMED_BYTES_MIN: usize = 64 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// What has arrived.
    pub bytes: Vec<u8>,
    validator: Option<HeaderValue>,
}

/// The question for the rest of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rest {
    /// The first byte that is missing.
    from: usize,
    /// What the bytes that are there belong to.
    validator: HeaderValue,
}

impl Rest {
    /// Adds what a request for the rest says.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        let range = HeaderValue::from_str(&format!("bytes={}-", self.from)).expect("it is ASCII");
        headers.insert(header::RANGE, range);
        headers.insert(header::IF_RANGE, self.validator.clone());
    }
}

impl Partial {
    /// What to ask for; `None` means everything.
    pub fn rest(&self) -> Option<Rest> {
        let validator = self.validator.clone().filter(|_| self.bytes.len() >= RESUMED_BYTES_MIN)?;
        Some(Rest { from: self.bytes.len(), validator })
    }

    /// Prepares for an answer's body: keeps what has arrived if that is the rest of it, else begins anew.
    ///
    /// # Errors
    /// When the server sends another part than was asked for, or none; the next attempt asks for everything.
    pub fn before(&mut self, answer: &Answer) -> Result<(), FetchErrorKind> {
        if answer.status != StatusCode::PARTIAL_CONTENT {
            *self = Partial { bytes: Vec::new(), validator: validator(&answer.headers) };
            return Ok(());
        }
        let sent = answer.headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let from = sent.and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok());
        if from == Some(self.bytes.len()) && !self.bytes.is_empty() {
            return Ok(());
        }
        self.forget();
        Err(FetchErrorKind::Rejected { reason: "the registry sent another part of it than was asked for".to_owned() })
    }

    /// The whole body, once it is there.
    pub fn take(&mut self) -> Bytes {
        std::mem::take(self).bytes.into()
    }

    /// Makes the next attempt ask for everything.
    pub fn forget(&mut self) {
        *self = Partial::default();
    }
}

/// What says that two answers are of the same bytes. A weak entity tag does not.
fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    let strong = headers.get(header::ETAG).filter(|etag| etag.as_bytes().starts_with(b"\""));
    strong.or_else(|| headers.get(header::LAST_MODIFIED)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(bytes: usize, name: header::HeaderName, value: &'static str) -> Partial {
        let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        Partial { bytes: vec![7; bytes], validator: validator(&headers) }
    }

    #[test]
    fn the_rest_is_asked_for_where_that_is_safe_and_worth_it() {
        let rest = partial(100_000, header::ETAG, "\"abc\"").rest().unwrap();
        let mut headers = HeaderMap::new();
        rest.add_to(&mut headers);
        assert_eq!(
            (&headers[header::RANGE], &headers[header::IF_RANGE]),
            (&HeaderValue::from_static("bytes=100000-"), &HeaderValue::from_static("\"abc\""))
        );
        assert!(partial(100_000, header::LAST_MODIFIED, "Sun, 06 Nov 1994 08:49:37 GMT").rest().is_some());
        assert_eq!(partial(100_000, header::ETAG, "W/\"abc\"").rest(), None);
        assert_eq!(partial(100, header::ETAG, "\"abc\"").rest(), None);
    }
}
