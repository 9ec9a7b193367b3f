//! A client's certificate on a connection, which is verified whenever a request uses it.
//!
//! Verification in the handshake is not sufficient. A resumed TLS session does not repeat it, and a
//! connection can outlive the certificate and the trust in its CA.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use super::client_certificate::Trust;
use super::tls::TlsReloader;

/// A client certificate. The client has proved in the handshake that it holds the private key.
#[derive(Debug)]
pub(crate) struct ClientCertificate {
    /// The certificate and its intermediates, as the client sent them. TLS limits them to 64 KiB.
    chain: Vec<CertificateDer<'static>>,
    sha256: [u8; 32],
    tls: Arc<TlsReloader>,
    last: Mutex<Option<Verification>>,
    refused: AtomicBool,
}

/// The result of the last verification, which the requests of a connection share.
#[derive(Debug, Clone, Copy)]
struct Verification {
    trust: Trust,
    /// The digest of the TLS settings used for the verification.
    settings: [u8; 32],
    /// The time of the verification in seconds of the wall clock.
    second: u64,
}

impl Verification {
    /// Returns whether the result is still valid. A certificate can lose trust at any second, but it does not
    /// gain trust later. A client with an invalid chain therefore cannot cause one verification per second.
    fn holds(&self, settings: &[u8; 32], second: u64) -> bool {
        self.settings == *settings && (self.second == second || self.trust != Trust::Verified)
    }
}

impl ClientCertificate {
    /// Keeps the chain that the client sent. Returns `None` if it is empty.
    pub(super) fn new(chain: &[CertificateDer<'_>], tls: Arc<TlsReloader>) -> Option<Self> {
        let sha256 = Sha256::digest(chain.first()?).into();
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        Some(Self { chain, sha256, tls, last: Mutex::default(), refused: AtomicBool::new(false) })
    }

    /// Returns what the certificate proves now, according to the current `client_ca` and the wall clock.
    pub(crate) fn trust(&self) -> Trust {
        self.trust_at(UnixTime::now())
    }

    /// Returns what the certificate proves at `now`. A connection verifies its certificate at most once per
    /// second.
    pub(super) fn trust_at(&self, now: UnixTime) -> Trust {
        let (settings, second) = (self.tls.settings(), now.as_secs());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = *last
            && last.holds(settings.source_digest(), second)
        {
            return last.trust;
        }
        let trust = settings.client_verification().trust(&self.chain, &self.sha256, now);
        *last = Some(Verification { trust, settings: *settings.source_digest(), second });
        // HTTP/2 reads this flag in the connection's own task. No other data depends on it.
        self.refused.store(trust == Trust::Refused, Ordering::Relaxed);
        trust
    }

    /// Returns whether the certificate was refused when it was last used. The client then needs a new
    /// connection.
    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Returns the certificate in DER.
    pub(crate) fn der(&self) -> &[u8] {
        self.chain.first().map_or(&[], |certificate| certificate)
    }

    /// Returns the certificate's SHA-256 digest, whose base64url encoding is `x5t#S256` (RFC 8705 §3.1).
    pub(crate) fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}
