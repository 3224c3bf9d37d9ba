//! The least that a client does: one socket for each of a few threads, a request, an answer of a known length.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many ask at the same time.
const CONNECTIONS: usize = 16;

/// The longest that the head of an answer may be, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Asks for all of these paths and throws the answers away.
///
/// # Errors
/// When there is no answer, or another one than with what was asked for.
pub(super) fn ask_for_all(url: &str, paths: &[String]) -> io::Result<()> {
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    let connect = || {
        let connection = Connection { stream: TcpStream::connect(host)?, read: Vec::new() };
        connection.stream.set_nodelay(true).map(|()| connection)
    };
    let next = AtomicUsize::new(0);
    let ask = || {
        let mut connection = connect()?;
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            connection.ask(host, path)?;
        }
        io::Result::Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS.min(paths.len())).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("whoever asks does not panic"))
    })
}

struct Connection {
    stream: TcpStream,
    /// The answer, as far as it has come.
    read: Vec<u8>,
}

impl Connection {
    fn ask(&mut self, host: &str, path: &str) -> io::Result<()> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/vnd.npm.install-v1+json\r\naccept-encoding: gzip\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes())?;
        self.read.clear();
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.more(HEAD_BYTES_MAX)?;
        };
        let length =
            body_bytes(&self.read[..head]).ok_or_else(|| io::Error::other(format!("no usable answer for {path}")))?;
        while self.read.len() < head + length {
            self.more(head + length - self.read.len())?;
        }
        Ok(())
    }

    /// Reads so many bytes, or what has come of them.
    fn more(&mut self, bytes_max: usize) -> io::Result<()> {
        let before = self.read.len();
        self.read.resize(before + bytes_max, 0);
        let bytes = self.stream.read(&mut self.read[before..])?;
        self.read.truncate(before + bytes);
        if bytes == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// How long what follows this head is; none where it is not what was asked for.
fn body_bytes(head: &[u8]) -> Option<usize> {
    let mut lines = std::str::from_utf8(head).ok()?.lines();
    lines.next().filter(|status| status.starts_with("HTTP/1.1 200 "))?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let length =
        |(name, value): (&str, &str)| name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok());
    fields.filter_map(length).next()?
}
