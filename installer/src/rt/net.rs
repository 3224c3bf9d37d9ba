//! TCP: the addresses that a name has, a connection to one of them, and the byte stream it gives.

use hyper_util::client::legacy::connect::{Connected, Connection};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A TCP connection: tokio's, or madsim's in the simulation.
///
/// A flush with nothing to flush does not reach the socket: it would do nothing on a real one, and madsim turns it into
/// a connection reset that loses data in flight when the peer has closed.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    unflushed: bool,
}

/// The addresses of a host, in the order in which they are to be tried.
#[derive(Debug)]
pub struct Addresses(Vec<IpAddr>);

/// The addresses of `host`: a name, or an address already. The system decides how long that takes, and goes on with it when nobody
/// waits any more.
///
/// # Errors
/// When the name is unknown.
pub async fn lookup(host: &str) -> io::Result<Addresses> {
    Ok(Addresses(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()))
}

/// Opens a connection to the first of the addresses that takes it.
///
/// # Errors
/// When none does.
pub async fn connect(addresses: &Addresses, port: u16) -> io::Result<Stream> {
    let mut refusal = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in &addresses.0 {
        match TcpStream::connect((*address, port)).await {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                return Ok(Stream { tcp, unflushed: false });
            }
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.unflushed = true;
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.tcp).poll_flush(cx);
        if flushed.is_ready() {
            self.unflushed = false;
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
