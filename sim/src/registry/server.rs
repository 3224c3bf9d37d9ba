//! The registry's server: hyper over madsim's TCP, each tarball served as its scenario says, each request logged.

use super::package_factory::Published;
use crate::scenario::{Fault, Scenario, Serving, VersionedName};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use installer::rt::Timer;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Sleep;

/// How many bytes are sent at once where a tarball is served slowly.
const PIECE_BYTES: usize = 1024;

/// One request, as the registry saw it. Times are microseconds of virtual time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Get {
    /// The path asked for, decoded.
    pub path: String,
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

    fn start(&self, path: &str, tarball: Option<VersionedName>) -> OpenGet {
        let started_us = crate::clock::now_us();
        let mut gets = self.lock();
        gets.push(Get { path: path.to_owned(), tarball, started_us, ended_us: None, status: 0, completed: false });
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

struct Registry {
    latency: Mutex<Latency>,
    published: Arc<Published>,
    servings: BTreeMap<VersionedName, Serving>,
    asked: Mutex<BTreeMap<VersionedName, usize>>,
    log: GetLog,
}

/// Serves until its node is killed.
pub async fn serve(scenario: Arc<Scenario>, published: Arc<Published>, log: GetLog, latency: Latency) {
    let servings = scenario.network.tarballs.clone();
    let registry =
        Arc::new(Registry { latency: Mutex::new(latency), published, servings, asked: Mutex::default(), log });
    let listener = TcpListener::bind("0.0.0.0:80").await.expect("the address is free");
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let registry = registry.clone();
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let registry = registry.clone();
            async move { Ok::<_, Infallible>(registry.answer(request.uri().path()).await) }
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
    async fn answer(&self, raw_path: &str) -> Response<Serve> {
        let path = raw_path.replace("%2f", "/").replace("%2F", "/").replace("%40", "@");
        let latency_ms = self.latency.lock().unwrap_or_else(PoisonError::into_inner)(&path);
        if let Some(packument) = self.published.packuments.get(&path) {
            let get = self.log.start(&path, None);
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
            return respond(StatusCode::OK, packument.clone(), Serving::default(), None, get);
        }
        let Some((id, tarball)) = self.published.tarballs.get(&path) else {
            let get = self.log.start(&path, None);
            return respond(StatusCode::NOT_FOUND, Bytes::new(), Serving::default(), None, get);
        };
        let get = self.log.start(&path, Some(id.clone()));
        let serving = self.servings.get(id).cloned().unwrap_or_default();
        let fault = self.fault_of(id, &serving);
        tokio::time::sleep(Duration::from_millis(latency_ms + serving.delay_ms)).await;
        match fault {
            Some(Fault::Status(status)) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                respond(status, Bytes::new(), serving, None, get)
            }
            fault => respond(StatusCode::OK, tarball.clone(), serving, fault, get),
        }
    }

    fn fault_of(&self, id: &VersionedName, serving: &Serving) -> Option<Fault> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = asked.entry(id.clone()).or_default();
        *before += 1;
        serving.first.get(*before - 1).or(serving.always.as_ref()).cloned()
    }
}

fn respond(status: StatusCode, bytes: Bytes, serving: Serving, fault: Option<Fault>, get: OpenGet) -> Response<Serve> {
    get.status(status.as_u16());
    let wrong = status != StatusCode::OK || fault.is_some();
    let bytes = if fault == Some(Fault::Corrupt) { bytes.iter().map(|byte| !byte).collect() } else { bytes };
    let piece_delay = (serving.piece_delay_ms > 0).then(|| Duration::from_millis(serving.piece_delay_ms));
    let body = Serve { length: bytes.len() as u64, sent: 0, bytes, piece_delay, fault, wrong, waiting: None, get };
    Response::builder().status(status).body(body).expect("a status and a body make a response")
}

/// A body that is sent as its scenario says.
struct Serve {
    bytes: Bytes,
    length: u64,
    sent: usize,
    piece_delay: Option<Duration>,
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
        let piece = if self.piece_delay.is_some() { PIECE_BYTES } else { usize::MAX };
        let end = limit.min(self.sent.saturating_add(piece));
        let frame = self.bytes.slice(self.sent..end);
        self.sent = end;
        if self.sent < limit {
            self.waiting = self.piece_delay.map(|delay| Box::pin(tokio::time::sleep(delay)));
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
