//! Client certificates: which certificates a TLS handshake accepts, and which ones the CA has signed.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::sorting::sort;

/// How client certificates are verified, both in the handshake and when a request uses one.
#[derive(Debug)]
pub(super) enum ClientVerification {
    /// The handshake accepts only certificates that the CA has signed.
    Signed(Arc<dyn ClientCertVerifier>),
    /// The handshake accepts any certificate. It is used if the CA has signed it or if it is registered.
    SignedOrRegistered(Arc<dyn ClientCertVerifier>, RegisteredCertificates),
    /// The handshake accepts any certificate, and there is no CA.
    Any,
    /// No certificate is requested.
    NotRequested,
}

/// What a client certificate currently proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The CA has signed it, and it is valid now.
    Verified,
    /// The client holds the private key. Nothing else has been verified.
    Unverified,
    /// The certificate proves nothing: it has expired, or its CA is no longer trusted.
    Refused,
}

impl ClientVerification {
    /// Returns what a certificate proves at `now`. The certificate is the first one of `chain`; `sha256` is
    /// its digest.
    pub(super) fn trust(&self, chain: &[CertificateDer<'_>], sha256: &[u8; 32], now: UnixTime) -> Trust {
        let [certificate, intermediates @ ..] = chain else { return Trust::Refused };
        let is_signed = |verifier: &Arc<dyn ClientCertVerifier>| {
            verifier.verify_client_cert(certificate, intermediates, now).is_ok()
        };
        match self {
            Self::Signed(verifier) | Self::SignedOrRegistered(verifier, _) if is_signed(verifier) => {
                Trust::Verified
            }
            Self::SignedOrRegistered(_, registered) if registered.contains(sha256) => Trust::Unverified,
            Self::Any => Trust::Unverified,
            Self::Signed(_) | Self::SignedOrRegistered(..) | Self::NotRequested => Trust::Refused,
        }
    }
}

/// The SHA-256 digests of the certificates that clients are registered with (RFC 8705 §2.2), sorted.
#[derive(Debug)]
pub(super) struct RegisteredCertificates(Vec<[u8; 32]>);

impl RegisteredCertificates {
    pub(super) fn new(mut digests: Vec<[u8; 32]>) -> Self {
        sort(&mut digests);
        Self(digests)
    }

    pub(super) fn digests(&self) -> &[[u8; 32]] {
        &self.0
    }

    fn contains(&self, digest: &[u8; 32]) -> bool {
        self.0.binary_search(digest).is_ok()
    }
}

/// Creates a verifier that requests a client certificate. It accepts a certificate that chains up to `roots`,
/// and clients without a certificate.
pub(super) fn signed_by(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).allow_unauthenticated().build()
}

/// A verifier that requests a client certificate. It accepts any well-formed certificate, and clients without
/// one. The handshake still proves that the client holds the private key. Self-signed certificates (RFC 8705
/// §2.2) and certificate-bound tokens (§3) need nothing more.
#[derive(Debug)]
pub(super) struct AnyCertificate(pub(super) WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// Returns an empty list: with a list of CA names, a client would not send a certificate that none of
    /// them issued.
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
