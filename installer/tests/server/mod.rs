//! An HTTP server for tests, one thread a connection: simple enough to misbehave exactly as told.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use url::Url;

/// What the client asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A header's value; names in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.clone())
    }
}

/// One request and the chance to answer it.
pub struct Exchange {
    /// How many requests came before.
    pub number: usize,
    pub request: Request,
    stream: TcpStream,
    keep_open: bool,
}

impl Exchange {
    /// The URL at which this server was asked, as a registry names it in what it answers.
    pub fn own_url(&self) -> String {
        format!("http://{}/", self.request.header("host").expect("every request names its host"))
    }

    /// Sends these very bytes; the connection is closed afterwards. A client that has gone away is no concern of ours.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub fn ok(&mut self, body: &[u8]) {
        self.ok_with(&[], body);
    }

    pub fn ok_with(&mut self, headers: &[(&str, &str)], body: &[u8]) {
        self.answer("200 OK", headers, body);
    }

    pub fn status(&mut self, status: &str, headers: &[(&str, &str)]) {
        self.answer(status, headers, b"");
    }

    /// Lets a proxy's client go on.
    pub fn connected(&mut self) {
        self.raw(b"HTTP/1.1 200 Connection established\r\n\r\n");
        self.keep_open = true;
    }

    pub fn answer(&mut self, status: &str, headers: &[(&str, &str)], body: &[u8]) {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        self.raw(&[head.as_bytes(), body].concat());
        self.keep_open = true;
    }
}

/// A running server; its threads end with the test.
pub struct Server {
    address: SocketAddr,
    record: Arc<Record>,
}

#[derive(Default)]
struct Record {
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
}

impl Server {
    /// Listens on a free port; `handler` answers every request.
    pub fn start(handler: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (record, handler) = (Arc::new(Record::default()), Arc::new(handler));
        let shared = record.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (record, handler) = (shared.clone(), handler.clone());
                record.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || serve(stream.unwrap(), &record, &*handler));
            }
        });
        Server { address, record }
    }

    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}/", self.address)).unwrap()
    }

    /// All requests so far, in the order of their coming.
    pub fn requests(&self) -> Vec<Request> {
        self.record.requests.lock().unwrap().clone()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.record.connections.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, record: &Record, handler: &dyn Fn(&mut Exchange)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read_request(&mut reader) {
        let number = {
            let mut requests = record.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let stream = stream.try_clone().unwrap();
        let mut exchange = Exchange { number, request, stream, keep_open: false };
        handler(&mut exchange);
        if !exchange.keep_open {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let header =
        |line: String| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some(Request { path, headers: lines.filter_map(header).collect() })
}
