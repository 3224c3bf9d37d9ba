//! The registry client over TLS: a server with a certificate that only some settings trust.

use crate::tls;
use installer::config::Settings;
use installer::lockfile::canonical_tarball_url;
use installer::package::PackageId;
use installer::registry::{Demand, FetchError, FetchErrorKind, RegistryClient};
use installer::reporter::SilentReporter;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// Serves this answer to everyone on a free port; gives the URL and the certificate as PEM.
async fn serve(answer: &'static str) -> (Url, String) {
    let (acceptor, pem) = tls::acceptor(&["localhost"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust us hangs up.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (Url::parse(&format!("https://localhost:{port}/")).unwrap(), pem)
}

fn settings(url: &Url, directory: &Path) -> Settings {
    let mut settings = Settings::for_registry(url.clone(), directory.to_owned());
    settings.network.fetch_retry_mintimeout = Duration::from_millis(1);
    settings
}

async fn tarball(settings: &Settings) -> Result<Vec<u8>, FetchError> {
    let client = RegistryClient::new(settings, Arc::new(SilentReporter)).unwrap();
    let package = PackageId::new("left-pad", "1.3.0");
    let url = canonical_tarball_url(client.registry_for(&package.name).as_str(), &package);
    let mut fetch = client.tarball(&package, &url, &Demand::install())?;
    loop {
        match fetch.attempt(fetch.permit().await).await {
            Ok(bytes) => return Ok(bytes.to_vec()),
            Err(failure) => fetch.failed(failure).await?,
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\ntarball";

#[tokio::test]
async fn a_stranger_is_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let (url, _) = serve(OK).await;
    let error = tarball(&settings(&url, directory.path())).await.unwrap_err();
    assert!(matches!(error.kind, FetchErrorKind::Tls(_)), "{error:?}");
    assert_eq!(error.attempts, 1, "another try would come to the same");
}

#[tokio::test]
async fn certificates_come_from_a_file_or_the_settings() {
    let directory = tempfile::tempdir().unwrap();
    let (url, pem) = serve(OK).await;
    let file = directory.path().join("ca.pem");
    installer::rt::fs::write_new(&file, pem.as_bytes(), false).unwrap();
    let plain = settings(&url, directory.path());

    let (mut cafile, mut extra, mut ca, mut lax) = (plain.clone(), plain.clone(), plain.clone(), plain);
    cafile.network.cafile = Some(file.clone());
    extra.network.node_extra_ca_certs = Some(file);
    ca.network.ca = vec![pem];
    lax.network.strict_ssl = false;
    for settings in [cafile, extra, ca, lax] {
        assert_eq!(tarball(&settings).await.unwrap(), b"tarball");
    }
}

#[tokio::test]
async fn a_redirect_out_of_tls_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let (url, _) = serve(
        "HTTP/1.1 302 Found\r\nLocation: http://localhost:1/x.tgz\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    )
    .await;
    let mut settings = settings(&url, directory.path());
    settings.network.strict_ssl = false;
    let error = tarball(&settings).await.unwrap_err();
    assert!(matches!(error.kind, FetchErrorKind::Redirect { .. }), "{error:?}");
}
