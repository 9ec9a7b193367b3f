use std::sync::Arc;

use pingora::protocols::http::ServerSession;
use pingora::protocols::tls::SslDigest;

use crate::oauth::evidence::PeerCertificate;
use crate::plugin::evidence::ClientCertificate;

/// The connection of a request.
#[derive(Clone, Default)]
pub(super) struct Connection {
    tls: Option<Arc<SslDigest>>,
}

impl Connection {
    pub(super) fn of(session: &ServerSession) -> Self {
        Self { tls: session.digest().and_then(|digest| digest.ssl_digest.clone()) }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns the client's certificate: the one that the server's own callback has kept, or else the digest,
    /// which is all that pingora keeps.
    pub(super) fn certificate(&self) -> Option<PeerCertificate<'_>> {
        let tls = self.tls.as_deref()?;
        if let Some(whole) = tls.extension.get::<ClientCertificate>() {
            return Some(whole.as_peer());
        }
        let sha256 = tls.cert_digest.as_slice().try_into().ok()?;
        Some(PeerCertificate { der: &[], sha256, verified: false })
    }
}
