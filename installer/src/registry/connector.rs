//! Connections for hyper: the seam's TCP streams, inside TLS for https.

use super::names::Names;
use super::tls::{Http, Tls};
use super::tunnel;
use crate::config::{NetworkSettings, Proxies};
use crate::rt;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls;

/// Why there is no connection. Causes are shared, so that it can be cloned.
#[derive(Debug, Clone, Error)]
pub enum ConnectError {
    /// The URL has no host, or one that cannot be named in TLS.
    #[error("`{0}` is not a host")]
    Host(String),
    /// Nobody says which address the name has.
    #[error("the name {host} was not resolved within {} s", waited.as_secs_f64())]
    Name {
        /// The name.
        host: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The name is unknown, or the host does not answer.
    #[error("{host}:{port}: {cause}")]
    Tcp {
        /// Where to.
        host: String,
        /// The TCP port.
        port: u16,
        /// What the system says.
        #[source]
        cause: Arc<io::Error>,
    },
    /// TCP works; TLS does not.
    #[error("{host}: {cause}")]
    Tls {
        /// Where to.
        host: String,
        /// What rustls says.
        #[source]
        cause: Arc<io::Error>,
    },
    /// The proxy is there and does not let us through.
    #[error("the proxy {proxy} refuses: {}", Refusal(*status))]
    Proxy {
        /// Its host and port.
        proxy: String,
        /// The HTTP status that it answered; none when the answer made no sense.
        status: Option<u16>,
    },
    /// The trusted certificates cannot be read.
    #[error("the certificates in {place} cannot be used: {cause}")]
    Certificates {
        /// A file, or a setting.
        place: String,
        /// Why not.
        cause: String,
    },
}

impl ConnectError {
    /// Whether TLS itself says no, so that another try would come to the same.
    pub fn is_distrust(&self) -> bool {
        match self {
            ConnectError::Host(_) | ConnectError::Certificates { .. } => true,
            ConnectError::Name { .. } | ConnectError::Tcp { .. } | ConnectError::Proxy { .. } => false,
            ConnectError::Tls { cause, .. } => cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
        }
    }
}

impl ConnectError {
    /// Whether another try would come to the same.
    pub fn is_permanent(&self) -> bool {
        match self {
            ConnectError::Proxy { status, .. } => status.is_none_or(|status| status < 500),
            other => other.is_distrust(),
        }
    }
}

struct Refusal(Option<u16>);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(407) => f.write_str("it wants a user and a password (407)"),
            Some(status) => write!(f, "it answered {status}"),
            None => f.write_str("its answer is not HTTP"),
        }
    }
}

/// Opens connections. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    tls: Arc<Tls>,
    proxies: Arc<Proxies>,
    names: Arc<Names>,
}

impl Connector {
    pub fn new(network: &NetworkSettings) -> Self {
        Connector {
            tls: Arc::new(Tls::new(network)),
            proxies: Arc::new(network.proxies.clone()),
            names: Arc::new(Names::new(network.fetch_timeout)),
        }
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<RegistryStream>, ConnectError> {
        let https = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        if !https {
            return Ok(TokioIo::new(RegistryStream::Plain(self.stream("http", &host, port).await?)));
        }
        let mut http = self.tls.http_of(&host);
        loop {
            let stream = self.stream("https", &host, port).await?;
            match self.tls.connect(http, &host, stream).await? {
                Some(stream) => return Ok(TokioIo::new(RegistryStream::Tls(http, Box::new(stream)))),
                None => http = Http::Two,
            }
        }
    }

    /// A TCP stream to the host, through a proxy where one is set.
    async fn stream(&self, scheme: &str, host: &str, port: u16) -> Result<rt::Stream, ConnectError> {
        match self.proxies.proxy_for(scheme, host) {
            Some(proxy) => tunnel::connect(&self.names, proxy, host, port).await,
            None => self.names.connect(host, port).await,
        }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<RegistryStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// A connection to a registry.
#[derive(Debug)]
pub(super) enum RegistryStream {
    Plain(rt::Stream),
    Tls(Http, Box<TlsStream<rt::Stream>>),
}

impl Connection for RegistryStream {
    fn connected(&self) -> Connected {
        match self {
            RegistryStream::Tls(Http::Two, _) => Connected::new().negotiated_h2(),
            RegistryStream::Tls(Http::One, _) | RegistryStream::Plain(_) => Connected::new(),
        }
    }
}

impl AsyncRead for RegistryStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            RegistryStream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            RegistryStream::Tls(_, stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for RegistryStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            RegistryStream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            RegistryStream::Tls(_, stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            RegistryStream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            RegistryStream::Tls(_, stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            RegistryStream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            RegistryStream::Tls(_, stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
