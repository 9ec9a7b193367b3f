//! Which client certificates a handshake takes, and whether an authority vouches for them.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

/// Who vouches for the client certificates that came through a handshake.
#[derive(Debug)]
pub(super) enum Vouching {
    /// The handshake itself: it took no other.
    Handshake,
    /// This authority for some, nobody for the others.
    Authority(Arc<dyn ClientCertVerifier>),
    /// Nobody.
    Nobody,
}

impl Vouching {
    /// Whether the certificate at the head of `chain` is vouched for now.
    pub(super) fn covers(&self, chain: &[CertificateDer<'_>]) -> bool {
        match (self, chain) {
            (Self::Handshake, [_, ..]) => true,
            (Self::Authority(authority), [certificate, intermediates @ ..]) => {
                authority.verify_client_cert(certificate, intermediates, UnixTime::now()).is_ok()
            }
            _ => false,
        }
    }
}

/// Asks for certificates and takes those that chain up to `roots`, or none.
pub(super) fn of_authority(
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).allow_unauthenticated().build()
}

/// Asks for certificates and takes any that is well-formed, or none. The handshake still proves that the client holds its
/// key: that is all that a self-signed certificate has to say (RFC 8705 §2.2), and what tokens are bound to (§3).
#[derive(Debug)]
pub(super) struct AnyCertificate(pub(super) WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// No names: a client would keep a certificate back that none of them issued.
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
