use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Uri, header::HOST};
use sha2::{Digest as _, Sha256};

use crate::oauth::evidence::{PeerCertificate, Target};

/// The client certificate of a connection. A program puts it into the extensions of the connection's
/// requests, for mutual TLS and certificate-bound tokens (RFC 8705).
///
/// The gate does not verify it again. A resumed TLS session and an open connection keep the certificate of
/// the first handshake, even after it has expired. A program that resumes sessions or keeps connections open
/// for long verifies the certificate again before it inserts it. (The gateway does that.)
///
/// ```
/// use http::Request;
/// use tollgate::plugin::ClientCertificate;
///
/// # let der = vec![0x30, 0x00];
/// // Once per connection, from its TLS session. Then it is inserted into every request of the connection.
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
    /// Makes one from a certificate in DER. `verified` states whether the TLS layer has verified it against a
    /// trusted authority.
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

/// Returns the target of a request, for a DPoP proof to name. `https` states whether clients reach the server
/// over TLS: a program knows about its own TLS terminator, a request does not.
pub(super) fn target<B>(https: bool, request: &Request<B>) -> Option<Target<'_>> {
    let uri = original_uri(request.extensions()).unwrap_or(request.uri());
    target_of(https, request.method(), uri, request.headers())
}

/// Returns the target of a request with this head, as [`target`] does.
pub(super) fn target_of_head(https: bool, parts: &Parts) -> Option<Target<'_>> {
    let uri = original_uri(&parts.extensions).unwrap_or(&parts.uri);
    target_of(https, &parts.method, uri, &parts.headers)
}

/// Returns the target of a request to this URI.
pub(super) fn target_of<'a>(
    https: bool,
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
) -> Option<Target<'a>> {
    let host = || headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = uri.authority().map(http::uri::Authority::as_str).or_else(host)?;
    Some(Target { method, https, authority, path: uri.path() })
}

/// Returns the URI that the client used. A nested axum router shortens the URI of the request.
#[cfg(feature = "axum")]
fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    extensions.get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

#[cfg(not(feature = "axum"))]
fn original_uri(_: &Extensions) -> Option<&Uri> {
    None
}

/// Copies the head of a request.
pub(super) fn head<B>(request: &Request<B>) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method.clone_from(request.method());
    parts.uri.clone_from(request.uri());
    parts.version = request.version();
    parts.headers.clone_from(request.headers());
    parts.extensions.clone_from(request.extensions());
    parts
}
