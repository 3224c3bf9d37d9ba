//! A way through an http proxy: CONNECT (RFC 9110, 9.3.6), after which the stream is the server's.

use super::connector::ConnectError;
use super::names::Names;
use crate::config::Proxy;
use crate::rt;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a proxy's answer may be, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// A stream to `host` and `port` on the other side of the proxy.
///
/// # Errors
/// As [`Names::connect`] when the proxy is not there, [`ConnectError::Proxy`] when it refuses.
pub(super) async fn connect(names: &Names, proxy: &Proxy, host: &str, port: u16) -> Result<rt::Stream, ConnectError> {
    let mut stream = names.connect(&proxy.host, proxy.port).await?;
    let answered = ask(&mut stream, proxy, host, port).await;
    let broken = |cause| ConnectError::Tcp { host: proxy.host.clone(), port: proxy.port, cause: Arc::new(cause) };
    match answered.map_err(broken)? {
        Some(200..=299) => Ok(stream),
        status => Err(ConnectError::Proxy { proxy: format!("{}:{}", proxy.host, proxy.port), status }),
    }
}

/// The status that the proxy answers; none when it makes no sense.
async fn ask(stream: &mut rt::Stream, proxy: &Proxy, host: &str, port: u16) -> io::Result<Option<u16>> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(authorization) = proxy.credentials.as_ref().and_then(|credentials| credentials.header()) {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    stream.flush().await?;

    // Nothing follows the answer before we speak, so reading whole chunks takes no byte from the server's stream.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(status(&answer))
}

/// The status in `HTTP/1.1 200 Connection established`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}
