//! Client certificates: which ones a TLS handshake accepts, and which ones a CA has signed.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

/// How the client certificates of accepted handshakes are verified against a CA.
#[derive(Debug)]
pub(super) enum ClientVerification {
    /// The handshake accepts only certificates that the CA signed.
    InHandshake,
    /// The handshake accepts any certificate; this verifier checks it afterwards.
    AfterHandshake(Arc<dyn ClientCertVerifier>),
    /// There is no CA.
    None,
}

impl ClientVerification {
    /// Returns whether the CA has signed the certificate at the head of `chain`, and the certificate is valid
    /// now.
    pub(super) fn is_verified(&self, chain: &[CertificateDer<'_>]) -> bool {
        match (self, chain) {
            (Self::InHandshake, [_, ..]) => true,
            (Self::AfterHandshake(verifier), [certificate, intermediates @ ..]) => {
                verifier.verify_client_cert(certificate, intermediates, UnixTime::now()).is_ok()
            }
            _ => false,
        }
    }
}

/// Creates a verifier that requests a certificate, and accepts one that chains up to `roots` or none.
pub(super) fn signed_by(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).allow_unauthenticated().build()
}

/// A verifier that requests a certificate, and accepts any well-formed one or none. The handshake still
/// proves that the client holds the key, which is all that a self-signed certificate needs (RFC 8705 §2.2)
/// and what tokens are bound to (§3).
#[derive(Debug)]
pub(super) struct AnyCertificate(pub(super) WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// Empty: with names, a client would not send a certificate that none of them issued.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        ParsedCertificate::try_from(certificate).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
