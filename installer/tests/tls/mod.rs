//! The server's side of TLS, under a certificate that only some settings trust.

use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Takes connections for hosts of these names; the certificate, as PEM, is what it has to be trusted with.
pub fn acceptor(names: &[&str]) -> (TlsAcceptor, String) {
    acceptor_for(names, &[])
}

/// As [`acceptor`], for clients that speak one of these protocols; any, where there is none.
pub fn acceptor_for(names: &[&str], protocols: &[&str]) -> (TlsAcceptor, String) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let certified = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    (TlsAcceptor::from(Arc::new(config)), certified.cert.pem())
}
