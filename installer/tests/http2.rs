//! A registry that speaks nothing but HTTP/2, well and badly, asked by the real binary: all goes over one connection, and what goes
//! wrong with one download leaves the others alone.
#![cfg(unix)]

use crate::support::{Package, binary, failed, project, says, succeeded};
use crate::tls;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// How many packages the project asks for.
const PACKAGES: usize = 12;

/// Whose tarball is answered with a fault.
const FAULTY: &str = "/p07/-/p07-1.0.0.tgz";

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What goes wrong with a tarball.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Its stream is reset before the headers.
    Refused,
    /// Its stream is reset in the body.
    Reset,
    /// Its body ends before its announced length.
    Short,
    /// Its body goes silent.
    Stall,
    /// A status.
    Unavailable,
    /// Its connection is to be left (GOAWAY), once its body is there.
    GoAway,
    /// Its connection is cut in the body.
    Cut,
    /// Its connection goes silent, for whatever is asked on it.
    Silent,
}

/// Who serves, and what was asked.
struct Registry {
    packages: Vec<(Package, Vec<u8>)>,
    fault: Option<Fault>,
    /// How many requests for the faulty tarball are answered with the fault.
    times: usize,
    /// Path → the numbers of the connections over which it was asked for.
    asked: Mutex<BTreeMap<String, Vec<usize>>>,
}

impl Registry {
    fn new(fault: Option<Fault>, times: usize) -> Arc<Self> {
        let packages = (0..PACKAGES).map(|number| {
            let package = Package::new(format!("p{number:02}").leak(), "1.0.0").file("index.js", "1\n".repeat(20_000));
            let tarball = package.tarball();
            (package, tarball)
        });
        Arc::new(Registry { packages: packages.collect(), fault, times, asked: Mutex::default() })
    }

    /// How often this path was asked for.
    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().get(path).map_or(0, Vec::len)
    }

    /// Over how many connections anything was asked for.
    fn connections(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        let mut connections: Vec<_> = asked.values().flatten().collect();
        connections.sort_unstable();
        connections.dedup();
        connections.len()
    }

    /// The answer to one request; the connection is told by `broken` when it is its turn to break.
    fn answer(&self, path: &str, connection: usize, host: &str, broken: &Arc<Notify>) -> io::Result<Response<Body>> {
        let times = {
            let mut asked = self.asked.lock().unwrap();
            let connections = asked.entry(path.to_owned()).or_default();
            connections.push(connection);
            connections.len()
        };
        let found = self.packages.iter().find(|(package, _)| path.split('/').nth(1) == Some(package.name));
        let Some((package, tarball)) = found else { return Ok(status(404)) };
        if path != package.tarball_path() {
            return Ok(whole(package.packument(host, tarball)));
        }
        let fault = self.fault.filter(|_| path == FAULTY && times <= self.times);
        let half = || Ok(Frame::data(Bytes::copy_from_slice(&tarball[..tarball.len() / 2])));
        let response = |rest: Body| {
            // What comes later is not sent along with the headers.
            let later = async { tokio::time::sleep(Duration::from_millis(50)).await };
            let pause = stream::once(later).flat_map(|()| stream::empty());
            let rest = rest.into_data_stream().map(|data| data.map(Frame::data));
            let first = StreamBody::new(stream::iter([half()]).chain(pause).chain(rest));
            Response::builder().header("content-length", tarball.len()).body(first.boxed_unsync()).unwrap()
        };
        let silence = || StreamBody::new(stream::pending()).boxed_unsync();
        Ok(match fault {
            None => whole(tarball.clone()),
            Some(Fault::Refused) => return Err(io::ErrorKind::Other.into()),
            Some(Fault::Reset) => {
                response(StreamBody::new(stream::iter([Err(io::ErrorKind::Other.into())])).boxed_unsync())
            }
            Some(Fault::Short) => response(whole(Vec::new()).into_body()),
            Some(Fault::Stall) => response(silence()),
            Some(Fault::Unavailable) => status(503),
            Some(Fault::GoAway) => {
                broken.notify_one();
                whole(tarball.clone())
            }
            Some(Fault::Cut | Fault::Silent) => {
                broken.notify_one();
                response(silence())
            }
        })
    }
}

fn whole(body: Vec<u8>) -> Response<Body> {
    Response::new(Full::from(body).map_err(|never| match never {}).boxed_unsync())
}

fn status(status: u16) -> Response<Body> {
    let mut response = whole(Vec::new());
    *response.status_mut() = status.try_into().unwrap();
    response
}

/// Serves the registry to everyone; gives its URL and the certificate that it has to be trusted with.
async fn serve(registry: Arc<Registry>) -> (String, String) {
    let (acceptor, pem) = tls::acceptor_for(&["localhost"], &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let host = url.clone();
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream, acceptor.clone(), registry.clone(), connection, host.clone()));
        }
    });
    (url, pem)
}

async fn talk(stream: TcpStream, acceptor: TlsAcceptor, registry: Arc<Registry>, connection: usize, host: String) {
    // Who speaks another HTTP hangs up.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let (broken, fault) = (Arc::new(Notify::new()), registry.fault);
    let service = {
        let broken = broken.clone();
        service_fn(move |request: Request<Incoming>| {
            let answer = registry.answer(request.uri().path(), connection, &host, &broken);
            async move { answer }
        })
    };
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let mut talking = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        biased;
        _ = &mut talking => return,
        () = broken.notified() => {}
    }
    match fault {
        Some(Fault::GoAway) => {
            talking.as_mut().graceful_shutdown();
            drop(talking.await);
        }
        // What was answered so far goes out first.
        Some(Fault::Cut) => drop(tokio::time::timeout(Duration::from_millis(50), talking).await),
        _ => std::future::pending().await,
    }
}

/// Installs all packages from this registry.
fn install(registry: &Arc<Registry>, dir: &Path) -> Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (url, pem) = runtime.block_on(serve(registry.clone()));
    let dependencies: Map<_, _> =
        registry.packages.iter().map(|(package, _)| (package.name.to_owned(), json!("1"))).collect();
    project(dir, &json!({ "dependencies": dependencies }));
    std::fs::write(dir.join("ca.pem"), pem).unwrap();
    std::fs::write(dir.join(".npmrc"), format!("cafile={}\n", dir.join("ca.pem").display())).unwrap();
    let mut command = binary(dir);
    command.args(["install", "--dir"]).arg(dir).args(["--registry", &url]);
    let settings = [("retries", "2"), ("retry_mintimeout", "5"), ("retry_maxtimeout", "10"), ("timeout", "1000")];
    command.envs(settings.map(|(name, value)| (format!("npm_config_fetch_{name}"), value)));
    command.env("npm_config_store_dir", dir.join("store")).output().unwrap()
}

fn is_whole(dir: &Path) -> bool {
    (0..PACKAGES).all(|number| dir.join(format!("node_modules/p{number:02}/index.js")).exists())
}

#[test]
fn everything_goes_over_one_connection() {
    let (registry, dir) = (Registry::new(None, 0), tempfile::tempdir().unwrap());
    succeeded(&install(&registry, dir.path()));
    assert!(is_whole(dir.path()));
    assert_eq!(registry.connections(), 1);
    assert!(registry.asked.lock().unwrap().values().all(|asked| asked.len() == 1));
}

/// Whatever goes wrong with one stream costs one request more, over the same connection.
#[test]
fn a_stream_that_goes_wrong_leaves_the_others_alone() {
    for fault in [Fault::Refused, Fault::Reset, Fault::Short, Fault::Stall, Fault::Unavailable] {
        let (registry, dir) = (Registry::new(Some(fault), 1), tempfile::tempdir().unwrap());
        let text = succeeded(&install(&registry, dir.path()));
        assert!(is_whole(dir.path()), "{fault:?}");
        assert!(text.contains("attempt 1 of 3"), "{fault:?}: {text}");
        let asked = registry.asked.lock().unwrap().clone();
        let more: Vec<_> = asked.iter().filter(|(_, asked)| asked.len() > 1).map(|(path, _)| &**path).collect();
        assert_eq!((more, registry.asked(FAULTY), registry.connections()), (vec![FAULTY], 2, 1), "{fault:?}");
    }
}

/// What was on a connection that broke is asked for again over another one.
#[test]
fn a_connection_that_breaks_is_replaced() {
    for fault in [Fault::GoAway, Fault::Cut, Fault::Silent] {
        let (registry, dir) = (Registry::new(Some(fault), 1), tempfile::tempdir().unwrap());
        let text = succeeded(&install(&registry, dir.path()));
        assert!(is_whole(dir.path()), "{fault:?}: {text}");
        // A second one may begin before the first is known to speak HTTP/2.
        assert!(registry.connections() <= 4, "{fault:?}: {}", registry.connections());
        assert!((0..PACKAGES).all(|number| registry.asked(&format!("/p{number:02}/-/p{number:02}-1.0.0.tgz")) <= 2));
    }
}

#[test]
fn what_stays_wrong_is_named() {
    for (fault, word) in [
        (Fault::Refused, "stream"),
        (Fault::Reset, "broke off"),
        (Fault::Short, "broke off"),
        (Fault::Stall, "no byte for"),
        (Fault::Unavailable, "503"),
    ] {
        let (registry, dir) = (Registry::new(Some(fault), usize::MAX), tempfile::tempdir().unwrap());
        let text = failed(&install(&registry, dir.path()));
        says(&text, &["p07@1.0.0", FAULTY, word, "failed 3 times"]);
    }
}
