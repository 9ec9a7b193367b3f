//! How the certificate of a server is verified.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, Error as TlsError, RootCertStore};

use crate::tls::provider;
use crate::tls::server_verifier::ServerVerifier;

/// How the certificate of a server is verified. The default is the trust of the operating system.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// Accept any certificate.
    pub(crate) insecure: bool,
    /// Trust the certificates in these files too.
    pub(crate) certificates: Vec<PathBuf>,
    /// Trust no other certificates than those.
    pub(crate) no_others: bool,
}

impl Trust {
    /// Makes a connector for TLS.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn connector(&self) -> Result<TlsConnector, TlsError> {
        Ok(TlsConnector::from(Arc::new(self.client_config()?)))
    }

    /// Makes the settings for TLS.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        if self.insecure {
            let verifier = Arc::new(ServerVerifier::new(&provider, Vec::new()));
            return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
        }
        let mut roots = RootCertStore::empty();
        if !self.no_others {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        roots.add_parsable_certificates(self.certificates.iter().flat_map(|file| read(file)));
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Reads the certificates in a file. If none can be read, none is trusted, and the handshake reports that.
fn read(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).map_or_else(|_| Vec::new(), |found| found.flatten().collect())
}
