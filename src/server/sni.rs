//! Selects the certificate for the server name that a client sends (SNI, RFC 6066 §3).

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::oauth::certificate::Certificate;

/// The certificates of a server, indexed by the names that they contain.
#[derive(Debug)]
pub(super) struct CertificatesByName {
    /// All certificates, the default one first.
    certificates: Vec<Arc<CertifiedKey>>,
    /// The certificates for each name, in their order. A wildcard is stored from its dot on: `.example.com`.
    by_name: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
}

impl CertificatesByName {
    pub(super) fn new(certificates: Vec<Arc<CertifiedKey>>) -> Self {
        let mut by_name: HashMap<Box<str>, Vec<Arc<CertifiedKey>>> = HashMap::new();
        // A single certificate needs no selection.
        let named = if certificates.len() > 1 { certificates.as_slice() } else { &[] };
        for certified in named {
            let parsed = certified.cert.first().and_then(|der| Certificate::parse(der).ok());
            for name in parsed.iter().flat_map(Certificate::dns_names) {
                let name = name.strip_prefix('*').unwrap_or(name).to_ascii_lowercase();
                by_name.entry(name.into()).or_default().push(Arc::clone(certified));
            }
        }
        Self { certificates, by_name }
    }

    /// Returns the certificates for a name, those for exactly this name first. A wildcard matches one label
    /// (RFC 9525 §6.3).
    fn named(&self, name: &str) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        let parent = name.find('.').and_then(|dot| name.get(dot..));
        [Some(name), parent].into_iter().flatten().filter_map(|name| self.by_name.get(name)).flatten()
    }

    /// Returns the first certificate for the name whose key supports a signature scheme that the client
    /// accepts.
    fn pick(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<&Arc<CertifiedKey>> {
        let accepted = |certified: &&Arc<CertifiedKey>| certified.key.choose_scheme(schemes).is_some();
        let named = name.into_iter().flat_map(|name| self.named(name));
        named.chain(&self.certificates).find(accepted).or_else(|| self.certificates.first())
    }
}

impl ResolvesServerCert for CertificatesByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.pick(hello.server_name(), hello.signature_schemes()).cloned()
    }
}
