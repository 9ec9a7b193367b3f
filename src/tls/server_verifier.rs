//! How the certificates of `https` servers are verified where the authorities of the system do not do it.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

/// Verifies a server by the authorities of a file, by pinned keys, or by both. Without either it accepts any
/// certificate. The handshake proves in each case that the server holds the key of its certificate.
#[derive(Debug)]
pub(crate) struct ServerVerifier {
    algorithms: WebPkiSupportedAlgorithms,
    authorities: Option<Authorities>,
    /// The SHA-256 digests of the public keys that are accepted; empty is any.
    pins: Vec<[u8; 32]>,
}

#[derive(Debug)]
struct Authorities {
    verifier: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

/// The error for a server with another key than those that are pinned.
#[derive(Debug)]
struct KeyNotPinned;

impl fmt::Display for KeyNotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key of the server is not one of pin_sha256")
    }
}

impl std::error::Error for KeyNotPinned {}

impl ServerVerifier {
    /// Creates a verifier without authorities.
    pub(crate) fn new(provider: &CryptoProvider, pins: Vec<[u8; 32]>) -> Self {
        Self { algorithms: provider.signature_verification_algorithms, authorities: None, pins }
    }

    /// Adds the verifier of some authorities, and their certificates.
    pub(crate) fn with_authorities(
        self,
        verifier: Arc<WebPkiServerVerifier>,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { authorities: Some(Authorities { verifier, certificates }), ..self }
    }

    fn check_pin(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        if self.pins.is_empty() {
            return Ok(());
        }
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        let digest: [u8; 32] = Sha256::digest(&key).into();
        if self.pins.contains(&digest) {
            return Ok(());
        }
        Err(CertificateError::Other(OtherError(Arc::new(KeyNotPinned))).into())
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check_pin(certificate)?;
        let Some(Authorities { verifier, certificates }) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        match verifier.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // `openssl req -x509` makes a certificate that is its own authority (CA:TRUE). RFC 5280 does not
            // let a server use such a one, but an operator who names exactly this certificate trusts its key:
            // for any name, because an authority could sign any. Its dates have been checked before.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if certificates.contains(certificate) =>
            {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
