//! The certificates with which the gateway answers TLS-ALPN-01 challenges (RFC 8737).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

use super::error::AcmeError;
use crate::tls::provider;

/// The ALPN protocol of connections for challenges (RFC 8737 §6.2).
const PROTOCOL: &[u8] = b"acme-tls/1";

/// The challenges that are answered now, and the TLS settings of connections for challenges.
#[derive(Debug)]
pub(crate) struct Challenges {
    answers: Arc<Answers>,
    config: Arc<ServerConfig>,
}

/// The certificate for each domain. There are no more of them than domains in the configuration.
#[derive(Default)]
struct Answers(Mutex<HashMap<String, Arc<CertifiedKey>>>);

impl Answers {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().keys()).finish()
    }
}

impl ResolvesServerCert for Answers {
    /// Returns the certificate of a domain. Without one, rustls ends the handshake with an alert, as RFC 8737
    /// §3 requires.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?;
        self.lock().get(name).cloned()
    }
}

impl Challenges {
    /// Creates the settings, without challenges.
    ///
    /// # Errors
    /// Fails if TLS cannot be set up.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let answers = Arc::<Answers>::default();
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Answers>::clone(&answers));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // A session of such a connection is never resumed.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { answers, config: Arc::new(config) })
    }

    /// Returns whether a connection is for a challenge: it offers `acme-tls/1` and no other protocol (RFC
    /// 8737 §3).
    pub(crate) fn is_meant(hello: &ClientHello<'_>) -> bool {
        hello.alpn().is_some_and(|offered| offered.eq([PROTOCOL]))
    }

    /// Returns the TLS settings of connections for challenges.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Answers the challenge of a domain until the result is dropped. `digest` is the digest of the key
    /// authorization.
    ///
    /// # Errors
    /// Fails if the certificate cannot be made.
    pub(super) fn present(&self, domain: &str, digest: &[u8; 32]) -> Result<Presented, AcmeError> {
        let answer = certificate(domain, digest)?;
        self.answers.lock().insert(domain.to_owned(), Arc::new(answer));
        Ok(Presented { answers: Arc::clone(&self.answers), domain: domain.to_owned() })
    }
}

/// A challenge that is answered as long as this exists.
#[derive(Debug)]
pub(super) struct Presented {
    answers: Arc<Answers>,
    domain: String,
}

impl Drop for Presented {
    fn drop(&mut self) {
        self.answers.lock().remove(&self.domain);
    }
}

/// Makes the self-signed certificate with the digest in its acmeIdentifier extension (RFC 8737 §3).
fn certificate(domain: &str, digest: &[u8; 32]) -> Result<CertifiedKey, AcmeError> {
    let key = KeyPair::generate().map_err(AcmeError::Generate)?;
    let mut params = CertificateParams::new([domain.to_owned()]).map_err(AcmeError::Generate)?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key).map_err(AcmeError::Generate)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = provider().key_provider.load_private_key(key).map_err(AcmeError::Tls)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_answered_as_long_as_it_is_presented() {
        let challenges = Challenges::new().unwrap();
        let presented = challenges.present("a.test", &[7; 32]).unwrap();
        let certificate = challenges.answers.lock().get("a.test").cloned().unwrap();
        // The extension is critical, and its value is an OCTET STRING in an OCTET STRING.
        let extension =
            [&[0x06, 8, 0x2b, 6, 1, 5, 5, 7, 1, 31, 1, 1, 0xff, 4, 34, 4, 32][..], &[7; 32]].concat();
        let der = certificate.cert.first().unwrap();
        assert!(der.windows(extension.len()).any(|window| window == extension), "{der:?}");
        drop(presented);
        assert!(challenges.answers.lock().is_empty());
    }
}
