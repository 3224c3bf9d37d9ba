//! A recording served on loopback: what every program under comparison installs from.
//!
//! It answers as npm's registry does: abbreviated packuments to those who ask for them and full ones to the rest, gzip and
//! 304 where the client knows them, connections kept open. `dist.tarball` leads back to the loopback address. Latency and
//! bandwidth are chosen ([`Link`]), and every request is counted ([`RequestCounts`]).

mod counts;
mod documents;
mod link;

pub use self::counts::RequestCounts;
pub use self::link::Link;

use self::counts::Counter;
use self::documents::{Document, Documents};
use self::link::{Line, Paced};
use crate::recording::{Asked, Recording};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What clients of npm's registry send who can do with an abbreviated packument.
const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// Threads that answer. Whoever is measured shares the machine with them.
const SERVER_THREADS: usize = 2;

/// A running registry; it ends with the value.
pub struct ReplayRegistry {
    url: String,
    server: Arc<Server>,
    runtime: tokio::runtime::Runtime,
}

struct Server {
    documents: Documents,
    line: Line,
    counter: Counter,
}

impl ReplayRegistry {
    /// Serves `recording` on a free port of the loopback address, over `link`.
    ///
    /// # Errors
    /// When there is no port or no thread to be had.
    pub fn start(recording: Recording, link: Link) -> io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(SERVER_THREADS).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("http://{}/", listener.local_addr()?);
        let documents = Documents::new(recording, url.clone());
        let server = Arc::new(Server { documents, line: Line::new(link), counter: Counter::default() });
        runtime.spawn(accept(listener, server.clone()));
        Ok(ReplayRegistry { url, server, runtime })
    }

    /// Its base URL, with a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was asked for since the last time that this was called.
    pub fn take_counts(&self) -> RequestCounts {
        self.server.counter.take()
    }

    /// What is sent for this path, compressed: a tarball, or an abbreviated packument.
    ///
    /// # Errors
    /// When the recording does not have it, or cannot be read.
    pub fn gzipped(&self, path: &str) -> io::Result<Bytes> {
        let asked = Asked::from_path(path);
        let document = if matches!(asked, Asked::Tarball(_)) { Document::Tarball } else { Document::Abbreviated };
        let found = self.runtime.block_on(self.server.documents.get(&asked, document))?;
        let ready = found.ok_or_else(|| io::Error::other(format!("{path} is not recorded")))?;
        Ok(ready.gzip.as_ref().unwrap_or(&ready.plain).clone())
    }
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let _ = stream.set_nodelay(true);
        let server = server.clone();
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(&request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            // A client that goes away is not this server's business.
            let _ = connection.await;
        });
    }
}

impl Server {
    async fn answer<B>(&self, request: &Request<B>) -> Response<Paced> {
        // So some open their connections, before they know what they want.
        if request.uri().path() == "/" {
            self.line.wait_latency().await;
            return self.respond(StatusCode::OK, HeaderMap::new(), Bytes::from_static(b"{}"));
        }
        let asked = Asked::from_path(request.uri().path());
        let document = match &asked {
            Asked::Tarball(_) => Document::Tarball,
            Asked::Packument(_) if accepts(request.headers(), header::ACCEPT, ABBREVIATED) => Document::Abbreviated,
            Asked::Packument(_) => Document::Full,
        };
        self.counter.count(request.uri().path(), document);
        self.line.wait_latency().await;
        let answer = match self.documents.get(&asked, document).await {
            Ok(answer) => answer,
            Err(error) => {
                self.counter.failed(format!("{}: {error}", request.uri().path()));
                return self.respond(StatusCode::BAD_GATEWAY, HeaderMap::new(), error.to_string().into());
            }
        };
        let Some(answer) = answer else {
            return self.respond(StatusCode::NOT_FOUND, HeaderMap::new(), Bytes::from_static(b"{}"));
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, answer.etag.clone());
        // As npm's registry says.
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("public, max-age=300"));
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(document.content_type()));
        headers.insert(header::VARY, header::HeaderValue::from_static("accept-encoding, accept"));
        if request.headers().get(header::IF_NONE_MATCH) == Some(&answer.etag) {
            return self.respond(StatusCode::NOT_MODIFIED, headers, Bytes::new());
        }
        match &answer.gzip {
            Some(gzip) if accepts(request.headers(), header::ACCEPT_ENCODING, "gzip") => {
                headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
                self.respond(StatusCode::OK, headers, gzip.clone())
            }
            _ => self.respond(StatusCode::OK, headers, answer.plain.clone()),
        }
    }

    fn respond(&self, status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Paced> {
        self.counter.sent(body.len());
        let mut response = Response::new(self.line.send(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

fn accepts(headers: &HeaderMap, name: header::HeaderName, wanted: &str) -> bool {
    headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(wanted)))
}
