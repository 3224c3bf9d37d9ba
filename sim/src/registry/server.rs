//! The registry's server: hyper over madsim's TCP, each tarball served as its scenario says, each request logged.

use super::package_factory::Published;
use crate::scenario::{Fault, Scenario, Serving, VersionedName};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use installer::rt::Timer;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Sleep;

/// Comes between a tarball's path and how many redirects have led there.
const HOPS: &str = "!hop";

/// How many bytes are sent at once where a tarball is served slowly.
const PIECE_BYTES: usize = 1024;

/// One request, as the registry saw it. Times are microseconds of virtual time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// The path asked for, decoded.
    pub path: String,
    /// Which kind of document was asked for, as the `Accept` header has it.
    pub accept: String,
    /// Whose tarball it is; `None` for a packument.
    pub tarball: Option<VersionedName>,
    /// When the request arrived.
    pub started_us: u64,
    /// When the last byte was handed over, or the client went away.
    pub ended_us: Option<u64>,
    /// What was answered.
    pub status: u16,
    /// Whether the whole, right body was handed over.
    pub completed: bool,
}

/// All requests of a run, in the order of their arrival. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct GetLog(Arc<Mutex<Vec<Get>>>);

impl GetLog {
    /// What was asked for by now.
    pub fn snapshot(&self) -> Vec<Get> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Get>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, path: &str, accept: &str, tarball: Option<VersionedName>) -> OpenGet {
        let (started_us, path, accept) = (crate::clock::now_us(), path.to_owned(), accept.to_owned());
        let mut gets = self.lock();
        gets.push(Get { path, accept, tarball, started_us, ended_us: None, status: 0, completed: false });
        OpenGet { log: self.clone(), index: gets.len() - 1 }
    }
}

/// A request that is being answered. It ends when this is dropped.
struct OpenGet {
    log: GetLog,
    index: usize,
}

impl OpenGet {
    fn status(&self, status: u16) {
        self.log.lock()[self.index].status = status;
    }

    fn complete(&self) {
        let mut gets = self.log.lock();
        gets[self.index].completed = true;
        gets[self.index].ended_us = Some(crate::clock::now_us());
    }
}

impl Drop for OpenGet {
    fn drop(&mut self) {
        // Outside of a simulation there is no time: the runtime is being dropped.
        let Some(now) = crate::clock::try_now_us() else { return };
        self.log.lock()[self.index].ended_us.get_or_insert(now);
    }
}

/// How long to take for the answer to a request for this path, in milliseconds.
pub type Latency = Box<dyn Fn(&str) -> u64 + Send>;

/// The line that all tarballs share.
#[derive(Debug, Clone)]
struct Line {
    bytes_per_ms: u64,
    /// When it is free again, in microseconds of virtual time.
    free_us: Arc<AtomicU64>,
}

impl Line {
    /// Takes the line for so many bytes; says how long from now until they are through.
    fn take(&self, bytes: usize) -> Duration {
        let now_us = crate::clock::now_us();
        let through_us = self.free_us.load(Ordering::Relaxed).max(now_us) + bytes as u64 * 1000 / self.bytes_per_ms;
        self.free_us.store(through_us, Ordering::Relaxed);
        Duration::from_micros(through_us - now_us)
    }
}

struct Registry {
    line: Option<Line>,
    latency: Mutex<Latency>,
    published: Arc<Published>,
    servings: BTreeMap<VersionedName, Serving>,
    asked: Mutex<BTreeMap<VersionedName, usize>>,
    log: GetLog,
}

/// Serves until its node is killed.
pub async fn serve(scenario: Arc<Scenario>, published: Arc<Published>, log: GetLog, latency: Latency) {
    let servings = scenario.network.tarballs.clone();
    let line = |bytes_per_ms: u64| Line { bytes_per_ms: bytes_per_ms.max(1), free_us: Arc::default() };
    let line = scenario.network.bytes_per_ms.map(line);
    let registry =
        Arc::new(Registry { line, latency: Mutex::new(latency), published, servings, asked: Mutex::default(), log });
    let listener = TcpListener::bind("0.0.0.0:80").await.expect("the address is free");
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let registry = registry.clone();
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let registry = registry.clone();
            async move {
                let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
                Ok::<_, Infallible>(registry.answer(request.uri().path(), accept.unwrap_or_default()).await)
            }
        });
        let connection =
            hyper::server::conn::http1::Builder::new().timer(Timer).serve_connection(TokioIo::new(stream), service);
        madsim::task::spawn(async move {
            // A client that goes away is not this server's business.
            let _ = connection.await;
        });
    }
}

impl Registry {
    async fn answer(&self, raw_path: &str, accept: &str) -> Response<Serve> {
        let decoded = raw_path.replace("%2f", "/").replace("%2F", "/").replace("%40", "@");
        // Where a redirect led to: the same tarball, so many hops later.
        let (path, hops_done) = match decoded.split_once(HOPS) {
            Some((path, hops)) => (path.to_owned(), hops.parse().unwrap_or(0)),
            None => (decoded, 0),
        };
        let latency_ms = self.latency.lock().unwrap_or_else(PoisonError::into_inner)(&path);
        if let Some(packument) = self.published.packuments.get(&path) {
            let get = self.log.start(&path, accept, None);
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
            return respond(StatusCode::OK, packument.clone(), Serving::default(), None, get);
        }
        let Some((id, tarball)) = self.published.tarballs.get(&path) else {
            let get = self.log.start(&path, accept, None);
            return respond(StatusCode::NOT_FOUND, Bytes::new(), Serving::default(), None, get);
        };
        let get = self.log.start(&path, accept, Some(id.clone()));
        let serving = self.servings.get(id).cloned().unwrap_or_default();
        let fault = match serving.always {
            Some(Fault::Redirects(hops)) => Some(Fault::Redirects(hops)),
            _ => self.fault_of(id, &serving),
        };
        tokio::time::sleep(Duration::from_millis(latency_ms + serving.delay_ms)).await;
        match fault {
            Some(Fault::Status(status)) => respond(status_code(status), Bytes::new(), serving, None, get),
            Some(Fault::RetryAfter(status, seconds)) => {
                let mut response = respond(status_code(status), Bytes::new(), serving, None, get);
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                response
            }
            Some(Fault::Redirects(hops)) if hops_done < hops => {
                let mut response = respond(StatusCode::FOUND, Bytes::new(), serving, None, get);
                let next = format!("{path}{HOPS}{}", hops_done + 1).parse().expect("a path is a header's value");
                response.headers_mut().insert(header::LOCATION, next);
                response
            }
            Some(Fault::Redirects(_)) => respond(StatusCode::OK, tarball.clone(), serving, None, get),
            fault => {
                let mut response = respond(StatusCode::OK, tarball.clone(), serving, fault, get);
                response.body_mut().line = self.line.clone();
                response
            }
        }
    }

    fn fault_of(&self, id: &VersionedName, serving: &Serving) -> Option<Fault> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = asked.entry(id.clone()).or_default();
        *before += 1;
        serving.first.get(*before - 1).or(serving.always.as_ref()).cloned()
    }
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn respond(status: StatusCode, bytes: Bytes, serving: Serving, fault: Option<Fault>, get: OpenGet) -> Response<Serve> {
    get.status(status.as_u16());
    let wrong = status != StatusCode::OK || fault.is_some();
    let bytes = match fault {
        Some(Fault::Truncated(length)) => bytes.slice(..length.min(bytes.len())),
        _ => bytes,
    };
    let bytes = if fault == Some(Fault::Corrupt) { bytes.iter().map(|byte| !byte).collect() } else { bytes };
    let piece_delay = (serving.piece_delay_ms > 0).then(|| Duration::from_millis(serving.piece_delay_ms));
    let body =
        Serve { length: bytes.len() as u64, sent: 0, bytes, piece_delay, line: None, fault, wrong, waiting: None, get };
    Response::builder().status(status).body(body).expect("a status and a body make a response")
}

/// A body that is sent as its scenario says.
struct Serve {
    bytes: Bytes,
    length: u64,
    sent: usize,
    piece_delay: Option<Duration>,
    line: Option<Line>,
    fault: Option<Fault>,
    wrong: bool,
    waiting: Option<Pin<Box<Sleep>>>,
    get: OpenGet,
}

impl Body for Serve {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(waiting) = &mut self.waiting {
            std::task::ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
        }
        let limit = match self.fault {
            Some(Fault::CutAfter(limit) | Fault::StallAfter(limit)) => limit.min(self.bytes.len()),
            _ => self.bytes.len(),
        };
        if self.sent == limit {
            return match self.fault {
                Some(Fault::CutAfter(_)) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
                // Nobody wakes this task again.
                Some(Fault::StallAfter(_)) => Poll::Pending,
                _ => {
                    if !self.wrong {
                        self.get.complete();
                    }
                    Poll::Ready(None)
                }
            };
        }
        let slow = self.piece_delay.is_some() || self.line.is_some();
        let piece = if slow { PIECE_BYTES } else { usize::MAX };
        let end = limit.min(self.sent.saturating_add(piece));
        let frame = self.bytes.slice(self.sent..end);
        self.sent = end;
        if self.sent < limit {
            let on_the_line = self.line.as_ref().map_or(Duration::ZERO, |line| line.take(frame.len()));
            let delay = self.piece_delay.unwrap_or_default() + on_the_line;
            self.waiting = slow.then(|| Box::pin(tokio::time::sleep(delay)));
        } else if !self.wrong {
            self.get.complete();
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.fault.is_none() && self.sent == self.bytes.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length - self.sent as u64)
    }
}
