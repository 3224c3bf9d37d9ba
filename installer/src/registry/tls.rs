//! TLS: whose certificates are trusted, read at the first https connection, and which HTTP is spoken inside.
//!
//! HTTP/1.1 wherever a server speaks it: then each download has a connection of its own, and one that stalls or breaks takes no
//! other with it. HTTP/2 with a server that refuses it.

use super::connector::ConnectError;
use crate::config::NetworkSettings;
use crate::rt;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// The TLS side of a client's connections.
#[derive(Debug)]
pub(super) struct Tls {
    trust: Trust,
    connectors: OnceCell<Connectors>,
    /// Hosts that speak nothing but HTTP/2.
    only_http2: Mutex<BTreeSet<String>>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Http {
    One,
    Two,
}

/// Whom to trust.
#[derive(Debug, Clone)]
struct Trust {
    files: Vec<PathBuf>,
    ca: Vec<String>,
    strict: bool,
}

/// One for each HTTP.
struct Connectors {
    one: TlsConnector,
    two: TlsConnector,
}

impl std::fmt::Debug for Connectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connectors")
    }
}

impl Tls {
    pub fn new(network: &NetworkSettings) -> Self {
        let files = network.cafile.iter().chain(&network.node_extra_ca_certs).cloned().collect();
        let trust = Trust { files, ca: network.ca.clone(), strict: network.strict_ssl };
        Tls { trust, connectors: OnceCell::new(), only_http2: Mutex::default() }
    }

    /// Which HTTP to ask this host for.
    pub fn http_of(&self, host: &str) -> Http {
        let only_http2 = self.only_http2.lock().unwrap_or_else(PoisonError::into_inner);
        if only_http2.contains(host) { Http::Two } else { Http::One }
    }

    /// TLS on a stream, with this HTTP inside; none when the host wants the other one, and is known to from then on.
    ///
    /// # Errors
    /// When a certificate file cannot be read, the host cannot be named, or TLS says no.
    pub async fn connect(
        &self,
        http: Http,
        host: &str,
        stream: rt::Stream,
    ) -> Result<Option<TlsStream<rt::Stream>>, ConnectError> {
        let build = || async {
            let trust = self.trust.clone();
            rt::blocking("load certificates", move || trust.connectors()).await
        };
        let connectors = self.connectors.get_or_try_init(build).await?;
        let connector = match http {
            Http::One => &connectors.one,
            Http::Two => &connectors.two,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Host(host.to_owned()))?;
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Some(stream)),
            Err(refusal) if http == Http::One && wants_other_protocol(&refusal) => {
                self.only_http2.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
                Ok(None)
            }
            Err(cause) => Err(ConnectError::Tls { host: host.to_owned(), cause: Arc::new(cause) }),
        }
    }
}

/// Whether the server speaks none of the protocols that it was offered; RFC 7301, section 3.2.
fn wants_other_protocol(refusal: &io::Error) -> bool {
    let error = refusal.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(error, Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)))
}

impl Trust {
    fn connectors(&self) -> Result<Connectors, ConnectError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("the ring provider supports the default versions");
        let config = if self.strict {
            builder.with_root_certificates(self.roots()?).with_no_client_auth()
        } else {
            let verifier = Arc::new(TrustAnyone(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        };
        let with = |protocol: &[u8]| {
            let mut config = config.clone();
            config.alpn_protocols = vec![protocol.to_vec()];
            TlsConnector::from(Arc::new(config))
        };
        Ok(Connectors { one: with(b"http/1.1"), two: with(b"h2") })
    }

    /// The system's certificates (or those that SSL_CERT_FILE names), and those of the settings.
    fn roots(&self) -> Result<RootCertStore, ConnectError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(native.certs);
        for file in &self.files {
            let unusable = |cause: String| ConnectError::Certificates { place: file.display().to_string(), cause };
            let pem = rt::fs::read(file).map_err(|error| unusable(error.to_string()))?;
            add(&mut roots, &pem).map_err(unusable)?;
        }
        for ca in &self.ca {
            let unusable = |cause| ConnectError::Certificates { place: "the `ca` setting".to_owned(), cause };
            add(&mut roots, ca.as_bytes()).map_err(unusable)?;
        }
        if roots.is_empty() {
            let cause = native.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
            return Err(ConnectError::Certificates { place: "the system's certificate store".to_owned(), cause });
        }
        Ok(roots)
    }
}

/// Adds every certificate of a PEM text that rustls can use: whole bundles hold some that it cannot. One at least is
/// expected.
fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let (added, _) = roots.add_parsable_certificates(certificates.map_err(|error| error.to_string())?);
    if added > 0 { Ok(()) } else { Err("it holds no certificate in PEM format".to_owned()) }
}

/// `strict-ssl=false`: any certificate will do, as long as the connection itself is sound.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_file_that_is_none_is_named() {
        let missing = Trust { files: vec![PathBuf::from("/nowhere/ca.pem")], ca: Vec::new(), strict: true };
        let error = missing.roots().unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.pem"), "{error}");
        let nonsense = Trust { files: Vec::new(), ca: vec!["nonsense".into()], strict: true };
        assert!(nonsense.roots().unwrap_err().to_string().contains("`ca`"));
        let nobody = Trust { files: Vec::new(), ca: Vec::new(), strict: false };
        assert!(nobody.connectors().is_ok());
    }
}
