use std::fmt;
use std::sync::Arc;

use http::{Extensions, HeaderMap, Method, Uri, header::HOST};
use sha2::{Digest as _, Sha256};

use crate::gate::Gate;
use crate::oauth::evidence::{PeerCertificate, Target};

/// The client certificate of a connection, for a program to put into the extensions of its requests: what mutual TLS and
/// certificate-bound tokens (RFC 8705) go by. A request without one has none.
///
/// ```
/// use http::Request;
/// use tollgate::plugin::ClientCertificate;
///
/// # let der = vec![0x30, 0x00];
/// // Once a connection, of what its TLS session has; then into every request of it.
/// let certificate = ClientCertificate::new(der, true);
/// let mut request = Request::new(());
/// request.extensions_mut().insert(certificate.clone());
/// ```
#[derive(Clone)]
pub struct ClientCertificate {
    der: Arc<[u8]>,
    sha256: [u8; 32],
    verified: bool,
}

impl ClientCertificate {
    /// A certificate in DER. `verified`: the TLS layer found that an authority it trusts vouches for it.
    #[must_use]
    pub fn new(der: impl Into<Arc<[u8]>>, verified: bool) -> Self {
        let der = der.into();
        Self { sha256: Sha256::digest(&der).into(), der, verified }
    }

    pub(super) fn of(extensions: &Extensions) -> Option<PeerCertificate<'_>> {
        extensions.get::<Self>().map(Self::as_peer)
    }

    pub(super) fn as_peer(&self) -> PeerCertificate<'_> {
        let Self { der, sha256, verified } = self;
        PeerCertificate { der, sha256, verified: *verified }
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("verified", &self.verified).finish_non_exhaustive()
    }
}

/// Where a request inside somebody's server is going, for a proof to name. The scheme of its URI is the issuer's: a program
/// knows of its own TLS terminator, a request does not.
pub(super) fn target<'a>(
    gate: &Gate,
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
) -> Option<Target<'a>> {
    let host = || headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = uri.authority().map(http::uri::Authority::as_str).or_else(host)?;
    Some(Target { method, https: gate.is_public_by_https(), authority, path: uri.path() })
}
