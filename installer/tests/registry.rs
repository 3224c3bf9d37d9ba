//! The registry client against real sockets: a server on this machine that misbehaves on purpose.

use crate::server::{Exchange, Server};
use bytes::Bytes;
use installer::config::{Credentials, Proxy, Settings};
use installer::lockfile::canonical_tarball_url;
use installer::package::PackageId;
use installer::registry::{Demand, Detail, Document, FetchError, FetchErrorKind, Phase, RegistryClient, TarballFetch};
use installer::reporter::{ProgressEvent, Reporter};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use url::Url;

/// Keeps what was reported.
#[derive(Default)]
struct Events(Mutex<Vec<ProgressEvent>>);

impl Reporter for Events {
    fn report(&self, event: &ProgressEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Events {
    fn names(&self) -> Vec<&'static str> {
        let name = |event: &ProgressEvent| match event {
            ProgressEvent::DownloadStarted { .. } => Some("started"),
            ProgressEvent::DownloadEnded { .. } => Some("ended"),
            ProgressEvent::Retrying { .. } => Some("retrying"),
            _ => None,
        };
        self.0.lock().unwrap().iter().filter_map(name).collect()
    }
}

async fn tarball(
    client: &RegistryClient,
    package: &PackageId,
    url: &str,
    demand: &Demand,
) -> Result<Bytes, FetchError> {
    bytes(&mut client.tarball(package, url, demand)?).await
}

/// All attempts at a tarball, as an install makes them.
async fn bytes(fetch: &mut TarballFetch) -> Result<Bytes, FetchError> {
    loop {
        match fetch.attempt(fetch.permit().await).await {
            Ok(bytes) => return Ok(bytes),
            Err(failure) => fetch.failed(failure).await?,
        }
    }
}

/// A client with short waits, and what it stands on.
struct Bench {
    server: Server,
    settings: Settings,
    events: Arc<Events>,
    _store: TempDir,
}

impl Bench {
    fn new(handler: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        let server = Server::start(handler);
        let store = tempfile::tempdir().unwrap();
        let mut settings = Settings::for_registry(server.url(), store.path().to_owned());
        settings.network.fetch_retries = 2;
        settings.network.fetch_retry_mintimeout = Duration::from_millis(5);
        settings.network.fetch_retry_maxtimeout = Duration::from_millis(20);
        settings.network.fetch_timeout = Duration::from_secs(5);
        Bench { server, settings, events: Arc::default(), _store: store }
    }

    fn client(&self) -> RegistryClient {
        RegistryClient::new(&self.settings, self.events.clone()).unwrap()
    }

    async fn tarball(&self) -> Result<Vec<u8>, FetchErrorKind> {
        let (client, package) = (self.client(), PackageId::new("left-pad", "1.3.0"));
        let url = tarball_url(&client, &package);
        let result = tarball(&client, &package, &url, &Demand::install()).await;
        assert_eq!(client.permits_in_use(), 0, "every permit comes back");
        result.map(|bytes| bytes.to_vec()).map_err(|error| error.kind)
    }
}

#[tokio::test]
async fn a_body_arrives_whole() {
    let bench = Bench::new(|exchange| exchange.ok(b"tarball"));
    assert_eq!(bench.tarball().await.unwrap(), b"tarball");
    assert_eq!(bench.events.names(), ["started", "ended"]);
    let request = &bench.server.requests()[0];
    assert_eq!(request.path, "/left-pad/-/left-pad-1.3.0.tgz");
    assert_eq!(request.header("accept-encoding"), None, "a tarball is taken as it is");
}

#[tokio::test]
async fn a_503_is_tried_again() {
    let bench = Bench::new(|exchange| match exchange.number {
        0 => exchange.status("503 Service Unavailable", &[("Retry-After", "0")]),
        _ => exchange.ok(b"tarball"),
    });
    assert_eq!(bench.tarball().await.unwrap(), b"tarball");
    assert_eq!(bench.events.names(), ["retrying", "started", "ended"]);
}

#[tokio::test]
async fn a_503_that_stays_uses_up_the_retries() {
    let bench = Bench::new(|exchange| exchange.status("503 Service Unavailable", &[]));
    let (client, package) = (bench.client(), PackageId::new("left-pad", "1.3.0"));
    let url = format!("{}left-pad.tgz?token=s3cret", bench.server.url());
    let error = tarball(&client, &package, &url, &Demand::install()).await.unwrap_err();
    assert_eq!((error.attempts, error.is_permanent(), bench.server.requests().len()), (3, false, 3));
    let shown = error.to_string();
    assert!(shown.contains("left-pad.tgz failed 3 times") && shown.contains("503"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_tried_again() {
    let bench = Bench::new(|exchange| match exchange.number {
        0 => exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"),
        _ => exchange.ok(b"tarball"),
    });
    assert_eq!(bench.tarball().await.unwrap(), b"tarball");
    assert_eq!(bench.events.names(), ["started", "ended", "retrying", "started", "ended"]);
}

/// A body of which half breaks off, then the answers that `rest` gives; the body has to arrive whole.
async fn broken_off(etag: &'static str, rest: impl Fn(&mut Exchange, &[u8]) + Send + Sync + 'static) -> Bench {
    let body: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    let expected = body.clone();
    let bench = Bench::new(move |exchange| match exchange.number {
        0 => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nETag: {etag}\r\n\r\n", body.len());
            exchange.raw(&[head.as_bytes(), &body[..100_000]].concat());
        }
        _ => rest(exchange, &body),
    });
    assert!(bench.tarball().await.unwrap() == expected);
    bench
}

#[tokio::test]
async fn of_a_body_that_breaks_off_the_rest_is_asked_for() {
    let bench = broken_off("\"v1\"", |exchange, body| {
        let range = exchange.request.header("range").unwrap();
        let from: usize = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap();
        let sent = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
        exchange.answer("206 Partial Content", &[("Content-Range", &sent)], &body[from..]);
    })
    .await;
    let requests = bench.server.requests();
    assert_eq!((requests.len(), requests[1].header("if-range").as_deref()), (2, Some("\"v1\"")));
    assert_eq!(requests[1].header("range").as_deref(), Some("bytes=100000-"));
}

#[tokio::test]
async fn a_body_begins_anew_where_the_registry_sends_all_of_it() {
    let bench = broken_off("\"v1\"", |exchange, body| exchange.ok(body)).await;
    assert_eq!(bench.server.requests().len(), 2);
    // What a weak entity tag names may differ in its bytes.
    let bench = broken_off("W/\"v1\"", |exchange, body| exchange.ok(body)).await;
    assert_eq!(bench.server.requests()[1].header("range"), None);
}

#[tokio::test]
async fn a_wrong_part_is_not_taken() {
    type Wrong = fn(&mut Exchange, &[u8]);
    let wrong: [Wrong; 3] = [
        |exchange, body| {
            exchange.answer("206 Partial Content", &[("Content-Range", "bytes 5-199999/200000")], &body[5..]);
        },
        |exchange, body| exchange.answer("206 Partial Content", &[], body),
        |exchange, _| exchange.status("416 Range Not Satisfiable", &[]),
    ];
    for wrong in wrong {
        let bench = broken_off("\"v1\"", move |exchange, body| match exchange.number {
            1 => wrong(exchange, body),
            _ => exchange.ok(body),
        })
        .await;
        let requests = bench.server.requests();
        assert_eq!((requests.len(), requests[2].header("range")), (3, None));
    }
}

#[tokio::test]
async fn what_is_final_costs_one_request() {
    let bench = Bench::new(|exchange| exchange.status("404 Not Found", &[]));
    assert!(matches!(bench.tarball().await, Err(FetchErrorKind::NotFound)));
    assert_eq!(bench.server.requests().len(), 1);
    let bench = Bench::new(|exchange| exchange.status("403 Forbidden", &[]));
    assert!(matches!(bench.tarball().await, Err(FetchErrorKind::Unauthorized { status: 403, .. })));
    assert_eq!(bench.server.requests().len(), 1);
}

#[tokio::test]
async fn a_redirect_to_another_host_leaves_the_secret_behind() {
    let target = Server::start(|exchange| exchange.ok(b"tarball"));
    let location = format!("{}elsewhere.tgz", target.url());
    let mut bench = Bench::new(move |exchange| exchange.status("302 Found", &[("Location", &location)]));
    let place = format!("//127.0.0.1:{}/", bench.server.url().port().unwrap());
    bench.settings.auth.insert(&place, Credentials::Token("s3cret".into()));
    assert_eq!(bench.tarball().await.unwrap(), b"tarball");
    assert_eq!(bench.server.requests()[0].header("authorization").as_deref(), Some("Bearer s3cret"));
    assert_eq!(target.requests()[0].path, "/elsewhere.tgz");
    assert_eq!(target.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn redirects_that_never_end_are_not_followed() {
    let bench = Bench::new(|exchange| exchange.status("302 Found", &[("Location", "/again")]));
    assert!(matches!(bench.tarball().await, Err(FetchErrorKind::Redirect { .. })));
    assert_eq!(bench.server.requests().len(), 11);
}

#[tokio::test]
async fn a_slow_body_that_moves_arrives() {
    let mut bench = Bench::new(|exchange| {
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
        for _ in 0..8 {
            std::thread::sleep(Duration::from_millis(200));
            exchange.raw(b"x");
        }
    });
    // Shorter than the whole body takes, and long enough for a machine that is busy between two pieces.
    bench.settings.network.fetch_timeout = Duration::from_millis(1200);
    assert_eq!(bench.tarball().await.unwrap(), b"xxxxxxxx");
    assert_eq!(bench.server.requests().len(), 1);
}

#[tokio::test]
async fn a_body_that_stalls_times_out() {
    let mut bench = Bench::new(|exchange| {
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nxx");
        std::thread::sleep(Duration::from_millis(3000));
    });
    bench.settings.network.fetch_timeout = Duration::from_millis(800);
    bench.settings.network.fetch_retries = 1;
    let failure = bench.tarball().await.unwrap_err();
    assert!(matches!(failure, FetchErrorKind::Timeout { phase: Phase::Body { bytes: 2 }, .. }), "{failure:?}");
    assert_eq!(bench.events.names(), ["started", "ended", "retrying", "started", "ended"]);
}

#[tokio::test]
async fn headers_that_never_come_time_out() {
    let mut bench = Bench::new(|_| std::thread::sleep(Duration::from_millis(400)));
    bench.settings.network.fetch_timeout = Duration::from_millis(50);
    bench.settings.network.fetch_retries = 0;
    let failure = bench.tarball().await.unwrap_err();
    assert!(matches!(failure, FetchErrorKind::Timeout { phase: Phase::Answer, .. }), "{failure:?}");
}

#[tokio::test]
async fn nobody_listens() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut bench = Bench::new(|exchange| exchange.ok(b""));
    bench.settings.registries.default = Url::parse(&format!("http://{closed}/")).unwrap();
    let failure = bench.tarball().await.unwrap_err();
    assert!(matches!(failure, FetchErrorKind::Connect(_)), "{failure:?}");
    assert!(failure.to_string().contains("refused"), "{failure}");
    assert_eq!(bench.events.names(), ["retrying", "retrying"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_more_requests_than_permits() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let mut bench = Bench::new(|exchange| {
        MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(10));
        NOW.fetch_sub(1, Ordering::SeqCst);
        exchange.ok(b"{}");
    });
    bench.settings.network.network_concurrency = 3;
    let client = bench.client();
    let fetches: Vec<_> = (0..24)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move {
                if number % 4 == 0 {
                    return client.packument(&format!("package-{number}"), Detail::Abbreviated).await.is_ok();
                }
                let package = PackageId::new(format!("package-{number}"), "1.0.0");
                tarball(&client, &package, &tarball_url(&client, &package), &Demand::prefetch()).await.is_ok()
            })
        })
        .collect();
    for fetch in fetches {
        assert!(fetch.await.unwrap());
    }
    assert_eq!(MOST.load(Ordering::SeqCst), 3);
    assert_eq!((client.permits_in_use(), client.permits_limit()), (0, 3));
}

#[tokio::test]
async fn a_download_that_is_cancelled_gives_its_permit_back_and_says_so() {
    let bench = Bench::new(|exchange| {
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nxx");
        std::thread::sleep(Duration::from_millis(2500));
    });
    let (client, package) = (bench.client(), PackageId::new("left-pad", "1.3.0"));
    let (url, demand) = (tarball_url(&client, &package), Demand::install());
    let download = tarball(&client, &package, &url, &demand);
    assert!(tokio::time::timeout(Duration::from_millis(1000), download).await.is_err());
    assert_eq!(bench.events.names(), ["started", "ended"]);
    assert_eq!(client.permits_in_use(), 0);
}

/// A packument.
const REACT: &[u8] = br#"{"dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"dist":{"tarball":"t"}}}}"#;

fn document(json: &[u8]) -> Document {
    Document::parse(json).unwrap()
}

#[tokio::test]
async fn callers_share_one_packument() {
    let bench = Bench::new(|exchange| {
        std::thread::sleep(Duration::from_millis(50));
        exchange.ok(REACT);
    });
    let client = bench.client();
    let (first, second) =
        tokio::join!(client.packument("react", Detail::Abbreviated), client.packument("react", Detail::Abbreviated));
    assert_eq!((first.unwrap(), second.unwrap()), (document(REACT), document(REACT)));
    assert_eq!(client.packument("react", Detail::Abbreviated).await.unwrap(), document(REACT));
    assert_eq!(bench.server.requests().len(), 1);
    let request = &bench.server.requests()[0];
    assert!(request.header("accept").unwrap().starts_with("application/vnd.npm.install-v1+json"));
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_take_the_packument_along() {
    let bench = Bench::new(|exchange| {
        std::thread::sleep(Duration::from_millis(150));
        exchange.ok(b"{}");
    });
    let client = bench.client();
    let impatient = tokio::time::timeout(Duration::from_millis(50), client.packument("react", Detail::Abbreviated));
    let (impatient, patient) = tokio::join!(impatient, client.packument("react", Detail::Abbreviated));
    assert!(impatient.is_err() && patient.is_ok());
    assert_eq!(bench.server.requests().len(), 1);
    let alone = tokio::time::timeout(Duration::from_millis(50), client.packument("vue", Detail::Abbreviated));
    assert!(alone.await.is_err());
    assert_eq!(client.permits_in_use(), 0, "nobody waits for it any more");
    assert!(client.packument("vue", Detail::Abbreviated).await.is_ok());
}

#[tokio::test]
async fn a_compressed_packument_is_decoded() {
    let bench = Bench::new(|exchange| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(REACT).unwrap();
        exchange.ok_with(&[("Content-Encoding", "gzip")], &encoder.finish().unwrap());
    });
    assert_eq!(bench.client().packument("@babel/core", Detail::Abbreviated).await.unwrap(), document(REACT));
    let request = &bench.server.requests()[0];
    assert_eq!((request.path.as_str(), request.header("accept-encoding").as_deref()), ("/@babel%2Fcore", Some("gzip")));
}

#[tokio::test]
async fn an_unchanged_packument_is_not_sent_again_and_works_offline() {
    let mut bench = Bench::new(|exchange| match exchange.request.header("if-none-match").as_deref() {
        Some("\"v1\"") => exchange.status("304 Not Modified", &[]),
        _ => exchange.ok_with(&[("ETag", "\"v1\"")], REACT),
    });
    assert_eq!(bench.client().packument("react", Detail::Abbreviated).await.unwrap(), document(REACT));
    assert_eq!(bench.client().packument("react", Detail::Abbreviated).await.unwrap(), document(REACT));
    assert_eq!(bench.server.requests()[1].header("if-none-match").as_deref(), Some("\"v1\""));

    bench.settings.network.offline = true;
    let client = bench.client();
    assert_eq!(client.packument("react", Detail::Abbreviated).await.unwrap(), document(REACT));
    assert!(matches!(client.packument("vue", Detail::Abbreviated).await.unwrap_err().kind, FetchErrorKind::Offline));
    assert!(matches!(bench.tarball().await, Err(FetchErrorKind::Offline)));
    assert_eq!(bench.server.requests().len(), 2);
}

#[tokio::test]
async fn a_fresh_packument_is_not_asked_for_again() {
    let bench = Bench::new(|exchange| match exchange.request.header("if-none-match") {
        Some(_) => exchange.status("304 Not Modified", &[]),
        None => exchange.ok_with(&[("Cache-Control", "public, max-age=300"), ("ETag", "\"1\"")], b"{}"),
    });
    let ask = async |client: &RegistryClient| client.packument("react", Detail::Abbreviated).await.unwrap();
    // Each client is an install of its own.
    let first = bench.client();
    ask(&first).await;
    assert!(!first.ask_for_every_packument(), "nothing was used without asking");
    let second = bench.client();
    ask(&second).await;
    assert_eq!(bench.server.requests().len(), 1);
    assert!(second.ask_for_every_packument());
    ask(&second).await;
    assert_eq!(bench.server.requests().len(), 2);
    let newest = bench.client();
    newest.distrust_fresh_packuments();
    ask(&newest).await;
    assert_eq!(bench.server.requests().len(), 3);

    // It grows old, and is young again once the registry has vouched for it.
    let mut files = Vec::new();
    all_files(&bench.settings.store_dir, &mut files);
    let cached = files.iter().find(|path| path.to_string_lossy().contains("packuments")).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(301);
    std::fs::File::options().append(true).open(cached).unwrap().set_modified(old).unwrap();
    ask(&bench.client()).await;
    assert_eq!(bench.server.requests().len(), 4);
    ask(&bench.client()).await;
    assert_eq!(bench.server.requests().len(), 4);
}

fn all_files(dir: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all_files(&path, found) } else { found.push(path) }
    }
}

#[tokio::test]
async fn full_and_abbreviated_packuments_are_two_things() {
    let mut bench = Bench::new(|exchange| {
        let full = exchange.request.header("accept").as_deref() == Some("application/json");
        exchange.ok(if full { REACT } else { b"{}" });
    });
    for offline in [false, true] {
        bench.settings.network.offline = offline;
        let client = bench.client();
        assert_eq!(client.packument("react", Detail::Abbreviated).await.unwrap(), document(b"{}"));
        assert_eq!(client.packument("react", Detail::Full).await.unwrap(), document(REACT));
    }
    assert_eq!(bench.server.requests().len(), 2);
}

#[tokio::test]
async fn connections_are_used_again() {
    let bench = Bench::new(|exchange| exchange.ok(b"{}"));
    let client = bench.client();
    for name in ["a", "b", "c"] {
        client.packument(name, Detail::Abbreviated).await.unwrap();
    }
    assert_eq!((bench.server.requests().len(), bench.server.connections()), (3, 1));
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel() {
    let mut bench = Bench::new(|exchange| match exchange.request.header("proxy-authorization").as_deref() {
        // What goes through the tunnel is read from the same connection as the next request.
        Some("Basic bWU6cGFzcw==") => exchange.connected(),
        _ => exchange.ok(b"tarball"),
    });
    let port = bench.server.url().port().unwrap();
    bench.settings.registries.default = Url::parse("http://registry.test/").unwrap();
    bench.settings.network.proxies.http = Proxy::parse(&format!("http://me:pass@127.0.0.1:{port}"));
    assert_eq!(bench.tarball().await.unwrap(), b"tarball");
    let asked: Vec<_> = bench.server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, ["registry.test:80", "/left-pad/-/left-pad-1.3.0.tgz"]);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_not_asked_again() {
    let mut bench = Bench::new(|exchange| exchange.status("407 Proxy Authentication Required", &[]));
    let port = bench.server.url().port().unwrap();
    bench.settings.registries.default = Url::parse("http://registry.test/").unwrap();
    bench.settings.network.proxies.http = Proxy::parse(&format!("127.0.0.1:{port}"));
    let failure = bench.tarball().await.unwrap_err();
    assert!(matches!(failure, FetchErrorKind::Connect(_)) && failure.to_string().contains("407"), "{failure}");
    assert_eq!(bench.server.requests().len(), 1);
}

#[tokio::test]
async fn bytes_that_are_rejected_count_as_an_attempt() {
    let bench = Bench::new(|exchange| exchange.ok(b"tarball"));
    let (client, package) = (bench.client(), PackageId::new("left-pad", "1.3.0"));
    let mut fetch = client.tarball(&package, &tarball_url(&client, &package), &Demand::install()).unwrap();
    for attempt in 1..=2 {
        bytes(&mut fetch).await.unwrap();
        fetch.failed(FetchErrorKind::Rejected { reason: format!("wrong, {attempt}") }).await.unwrap();
    }
    bytes(&mut fetch).await.unwrap();
    let rejected = FetchErrorKind::Rejected { reason: "still wrong".to_owned() };
    let error = fetch.failed(rejected).await.unwrap_err();
    assert!(matches!(&error.kind, FetchErrorKind::Rejected { reason } if reason == "still wrong"), "{error}");
    assert_eq!(client.permits_in_use(), 0);
}

fn tarball_url(client: &RegistryClient, package: &PackageId) -> String {
    canonical_tarball_url(client.registry_for(&package.name).as_str(), package)
}
