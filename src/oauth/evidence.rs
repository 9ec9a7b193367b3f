//! The evidence of a request besides its token: the certificate of its connection, and its target.
//!
//! Everything is borrowed, and nothing is computed before a token needs it: a plain Bearer request has no
//! cost here.

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};

/// The headers of a request that the gate reads, whatever they are kept in.
pub(crate) trait Credentials {
    /// The values of all `Authorization` headers.
    fn authorization(&self) -> impl Iterator<Item = &[u8]>;

    /// The values of all `DPoP` headers.
    #[cfg_attr(not(feature = "jose"), expect(dead_code, reason = "without it no proof is checked"))]
    fn proofs(&self) -> impl Iterator<Item = &[u8]>;
}

impl Credentials for HeaderMap {
    #[inline]
    fn authorization(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes)
    }

    fn proofs(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all("dpop").iter().map(HeaderValue::as_bytes)
    }
}

/// A certificate whose key the client has proved to hold in the TLS handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PeerCertificate<'a> {
    /// The certificate itself. Empty if the server keeps only its digest.
    pub der: &'a [u8],
    /// Its SHA-256, which is `x5t#S256` of RFC 8705 §3.1.
    pub sha256: &'a [u8; 32],
    /// Whether a trusted authority has signed it. Otherwise it only proves the possession of its key.
    pub verified: bool,
}

impl fmt::Debug for PeerCertificate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate").field("verified", &self.verified).finish_non_exhaustive()
    }
}

/// The target of a request as its client knows it, which `htm` and `htu` of a DPoP proof name (RFC 9449
/// §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The method.
    pub method: &'a Method,
    /// Whether the client speaks TLS.
    pub https: bool,
    /// The host and the port.
    pub authority: &'a str,
    /// The path, without a query.
    pub path: &'a str,
}

impl Target<'_> {
    /// Returns the absolute URI.
    #[must_use]
    pub fn uri(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

/// The evidence of a request besides its token.
///
/// ```
/// use http::Method;
/// use tollgate::oauth::{Evidence, Target};
///
/// let target = Target { method: &Method::GET, https: true, authority: "api.example.com", path: "/orders" };
/// let shown = Evidence::default().to(target);
/// assert_eq!(shown.target.map(|target| target.uri()).as_deref(), Some("https://api.example.com/orders"));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence<'a> {
    /// The certificate of the connection.
    pub certificate: Option<PeerCertificate<'a>>,
    /// The target of the request. Without it no DPoP proof can be checked, so the DPoP scheme is not
    /// supported.
    pub target: Option<Target<'a>>,
}

impl<'a> Evidence<'a> {
    /// Adds the certificate of the connection.
    #[must_use]
    pub fn over(self, certificate: PeerCertificate<'a>) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    /// Adds the target of the request.
    #[must_use]
    pub fn to(self, target: Target<'a>) -> Self {
        Self { target: Some(target), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_absolute_uri() {
        let target = Target { method: &Method::GET, https: true, authority: "api.example:8443", path: "/a" };
        assert_eq!(target.uri(), "https://api.example:8443/a");
        assert_eq!(Target { https: false, ..target }.uri(), "http://api.example:8443/a");
    }
}
