//! The TLS settings for the servers of an upstream.

use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

use crate::config::{CertificateFiles, Protocol, Upstream, UpstreamTls};
use crate::tls::error::TlsError;
use crate::tls::pem_file::PemFile;
use crate::tls::provider;
use crate::tls::server_verifier::ServerVerifier;

/// Makes the TLS settings of an upstream with `https` servers.
///
/// # Errors
/// Fails if a file cannot be used that was usable when the configuration was read.
pub(super) fn client_config(upstream: &Upstream) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    let builder = match verifier(&upstream.tls)? {
        Some(verifier) => builder.dangerous().with_custom_certificate_verifier(verifier),
        // The authorities of the system are used, as by curl and browsers. A certificate that cannot be
        // parsed is not trusted.
        None => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            builder.with_root_certificates(roots)
        }
    };
    let mut config = match &upstream.tls.client_certificate {
        None => builder.with_no_client_auth(),
        Some(CertificateFiles { certificate, key }) => {
            let (certificate, key) = (PemFile::read(certificate)?, PemFile::read(key)?);
            builder
                .with_client_auth_cert(certificate.chain()?, key.private_key_der()?)
                .map_err(TlsError::Settings)?
        }
    };
    if upstream.protocol == Protocol::Http2 {
        // RFC 9113 §3.2.
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    Ok(config)
}

/// Returns how the servers' certificates are verified if the system's authorities are not used.
fn verifier(tls: &UpstreamTls) -> Result<Option<Arc<dyn ServerCertVerifier>>, TlsError> {
    let verifier = ServerVerifier::new(&provider(), tls.pins.clone());
    if let Some(path) = &tls.ca {
        let file = PemFile::read(path)?;
        let roots = WebPkiServerVerifier::builder_with_provider(Arc::new(file.roots()?), provider()).build();
        let roots = roots.map_err(|error| TlsError::Settings(Error::General(error.to_string())))?;
        return Ok(Some(Arc::new(verifier.with_authorities(roots, file.certificates()?))));
    }
    let verifies = tls.pins.is_empty() && !tls.insecure_skip_verify;
    Ok(if verifies { None } else { Some(Arc::new(verifier)) })
}
