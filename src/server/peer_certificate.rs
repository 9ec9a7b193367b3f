//! The certificate of a client's connection, which is verified when it is used.
//!
//! The handshake is not enough. A resumed TLS session repeats no verification, and a connection can outlive a
//! certificate and the trust in its CA.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use super::client_certificate::Trust;
use super::tls::TlsReloader;

/// A client certificate whose key the client has proved to hold in the handshake.
#[derive(Debug)]
pub(crate) struct ClientCertificate {
    /// What the client sent: the certificate and its intermediates. TLS limits it to 64 KiB.
    chain: Vec<CertificateDer<'static>>,
    sha256: [u8; 32],
    tls: Arc<TlsReloader>,
    last: Mutex<Option<Verification>>,
    refused: AtomicBool,
}

/// The last verification, which the requests of a connection share.
#[derive(Debug, Clone, Copy)]
struct Verification {
    trust: Trust,
    /// The digest of the TLS settings it was made with.
    settings: [u8; 32],
    /// The second of the wall clock it was made in.
    second: u64,
}

impl Verification {
    /// Returns whether the result is still the same. Trust ends at any second; it does not begin later, so that a
    /// client with a bad chain cannot cause a verification each second.
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

    /// Returns what the certificate proves now: by the `client_ca` in use, and by the wall clock.
    pub(crate) fn trust(&self) -> Trust {
        self.trust_at(UnixTime::now())
    }

    /// Returns what the certificate proves at `now`. A connection verifies its certificate at most once a second.
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
        // HTTP/2 reads it in the connection's own task. No other data depends on it.
        self.refused.store(trust == Trust::Refused, Ordering::Relaxed);
        trust
    }

    /// Returns whether the last use of the certificate was refused. The client then needs a new connection.
    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Returns the certificate itself.
    pub(crate) fn der(&self) -> &[u8] {
        self.chain.first().map_or(&[], |certificate| certificate)
    }

    /// Returns its SHA-256 digest, which RFC 8705 §3.1 calls `x5t#S256` once base64url-encoded.
    pub(crate) fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}
