use std::sync::Arc;

use pingora::modules::http::HttpModuleCtx;
use pingora::protocols::http::ServerSession;
use pingora::protocols::tls::SslDigest;

use super::module::RequireTokenModule;
use crate::oauth::evidence::PeerCertificate;
use crate::plugin::ClientCertificate;

/// What is known of the connection of a request.
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

    /// The certificate the client showed: what the server's own callback has kept of it, or else the digest, which is
    /// all that pingora keeps.
    pub(super) fn certificate(&self) -> Option<PeerCertificate<'_>> {
        let tls = self.tls.as_deref()?;
        if let Some(whole) = tls.extension.get::<ClientCertificate>() {
            return Some(whole.as_peer());
        }
        let sha256 = tls.cert_digest.as_slice().try_into().ok()?;
        Some(PeerCertificate { der: &[], sha256, verified: false })
    }
}

/// Shows the gate the connection of a request, for `early_request_filter`: a module sees no more than the head. Tokens
/// that are bound to a client certificate (RFC 8705 §3) need it; without it they are refused.
///
/// A TLS listener keeps the SHA-256 of the client's certificate, which is enough for such tokens and for clients that
/// are known by it (`self_signed_tls_client_auth`). Clients known by a name (`tls_client_auth`) need the certificate
/// itself: let the `handshake_complete_callback` of the listener's `TlsAccept` return a [`ClientCertificate`] in an
/// `Arc`.
///
/// ```
/// use async_trait::async_trait;
/// # use pingora::prelude::HttpPeer;
/// use pingora::proxy::{ProxyHttp, Session};
/// use tollgate::plugin::pingora::note_connection;
///
/// # struct Proxy;
/// # #[async_trait]
/// # impl ProxyHttp for Proxy {
/// #     type CTX = ();
/// #     fn new_ctx(&self) {}
/// #     async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> { unimplemented!() }
/// async fn early_request_filter(&self, session: &mut Session, _: &mut ()) -> pingora::Result<()> {
///     note_connection(&mut session.downstream_modules_ctx, &session.downstream_session);
///     Ok(())
/// }
/// # }
/// ```
pub fn note_connection(modules: &mut HttpModuleCtx, session: &ServerSession) {
    if let Some(module) = modules.get_mut::<RequireTokenModule>() {
        module.connection = Connection::of(session);
    }
}
