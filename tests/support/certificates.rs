//! Certificates created for a test.

use super::tls::Identity;
use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::time::SystemTime;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a DNS name");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Creates a self-signed certificate.
pub(crate) fn self_signed(name: &str) -> Identity {
    let key = KeyPair::generate().expect("a key");
    Identity {
        certificate: params(name).self_signed(&key).expect("a certificate").der().to_vec(),
        key: key.serialize_der(),
    }
}

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate in PEM.
    pub(crate) pem: String,
}

impl Authority {
    /// Creates an authority.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = params("ca.example.test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Issues a certificate.
    pub(crate) fn sign(&self, name: &str) -> Identity {
        self.issue(params(name))
    }

    /// Issues a certificate that expires at this time.
    pub(crate) fn sign_until(&self, name: &str, expiry: SystemTime) -> Identity {
        let mut params = params(name);
        params.not_after = expiry.into();
        self.issue(params)
    }

    /// Signs a certificate for a public key. Returns it in PEM.
    pub(crate) fn certify(&self, params: &CertificateParams, key: &impl rcgen::PublicKeyData) -> String {
        params.signed_by(key, &self.issuer).expect("a certificate").pem()
    }

    fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { certificate: certificate.der().to_vec(), key: key.serialize_der() }
    }
}

/// Encodes DER as PEM.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or("")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
