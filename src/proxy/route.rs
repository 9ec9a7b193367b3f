//! A route at run time, and the client connection of a request.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::access::Access;
use super::addresses::AddressPolicy;
use super::cors::Cors;
use super::transform::Transform;
use crate::config;
use crate::headers::{ClientAuthorization, Field, HeaderSink, PublicOrigin, RequestRules, UrlMap};
use crate::limit::concurrency::ConcurrencyLimit;
use crate::limit::rate::Limiter;
use crate::oauth::evidence::PeerCertificate;
use crate::route::table::RouteTable;
use crate::telemetry::{Meter, RouteCells};
use crate::upstream::group::Upstream;

/// A route: its requirements, its limits and its upstream.
#[derive(Debug)]
pub(crate) struct Route {
    /// The position among the routes of the configuration.
    pub(crate) index: usize,
    pub(crate) access: Access,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) meter: Arc<Meter<RouteCells>>,
    /// The changes to requests, in addition to those that every request gets.
    pub(crate) transform: Option<Box<Transform>>,
    /// The changes to the headers of requests, such as the credentials of the upstream.
    pub(crate) request_rules: Option<Arc<RequestRules>>,
    /// Whether the URLs and cookies of the upstream are mapped to those of the route.
    pub(crate) maps_urls: bool,
    /// The maximum size of a request body in bytes; `None` for no limit.
    pub(crate) max_body_size: Option<u64>,
    /// The timeout between two reads of a request body.
    pub(crate) body_timeout: Duration,
    /// Whether the client's token is sent upstream.
    pub(crate) forward_token: bool,
    /// What to do with the `Authorization` field of a permitted request.
    pub(crate) authorization: ClientAuthorization,
    /// Whether clients can log in to the upstream over this route.
    pub(crate) carries_logins: bool,
    /// The requirements on client addresses, if any.
    pub(crate) addresses: Option<Box<AddressPolicy>>,
    pub(crate) rate_limit: Option<Arc<Limiter>>,
    pub(crate) in_flight: Option<ConcurrencyLimit>,
    /// The changes to the header of the upstream's responses.
    pub(crate) response_headers: Option<Box<ResponseHeaders>>,
    pub(crate) cors: Option<Box<Cors>>,
}

impl Route {
    /// Returns what becomes of a URL or a cookie of the upstream, or `None` if it stays as it is.
    /// `request_path` is the canonical path of the request, on a route that changes it, and `sent` reads the
    /// request that went upstream.
    #[cold]
    pub(crate) fn map_url(
        &self,
        field: &Field<'_>,
        request_path: Option<&str>,
        sent: impl FnOnce() -> PublicOrigin,
    ) -> Option<(&'static HeaderName, String)> {
        let rewrite = self.transform.as_ref().map(|transform| &transform.rewrite);
        let rewrite = rewrite.filter(|rewrite| !rewrite.is_empty());
        let map = UrlMap { servers: &self.upstream.origins, rewrite, request_path };
        if self.maps_urls { map.value(field, sent) } else { None }
    }
}

/// All routes of a configuration.
pub(crate) type Routes = RouteTable<Arc<Route>>;

/// The client connection of a request, as far as the proxy needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientConnection<'a> {
    /// The client's address.
    pub(crate) peer: IpAddr,
    /// The client's address as a header value, created once per connection.
    pub(crate) peer_value: &'a HeaderValue,
    /// Whether the client uses TLS, to the gateway or to the TLS terminator in front of it.
    pub(crate) secure: bool,
    /// The certificate that the client presented in the TLS handshake.
    pub(crate) certificate: Option<&'a dyn ConnectionCertificate>,
}

/// The certificate of a client connection. It is verified whenever a token or a client depends on it, because
/// a connection can outlive the trust in its certificate.
pub(crate) trait ConnectionCertificate: fmt::Debug + Sync {
    /// Verifies the certificate. Returns `None` if a new handshake would not accept it now.
    fn verify(&self) -> Option<PeerCertificate<'_>>;
}

impl<'a> ClientConnection<'a> {
    /// Returns the certificate of the connection, if it is still accepted.
    #[inline]
    pub(crate) fn verified_certificate(&self) -> Option<PeerCertificate<'a>> {
        self.certificate?.verify()
    }

    /// Returns whether the connection has a certificate that is not accepted any more. The client needs a new
    /// connection to present another one.
    pub(crate) fn has_refused_certificate(&self) -> bool {
        self.certificate.is_some_and(|certificate| certificate.verify().is_none())
    }
}

/// The header fields that a route removes from and sets on the upstream's responses.
#[derive(Debug)]
pub(crate) struct ResponseHeaders(config::HeaderChanges);

impl ResponseHeaders {
    /// Returns the configured changes, or `None` if there are none.
    pub(crate) fn new(spec: &config::HeaderChanges) -> Option<Box<Self>> {
        (!spec.remove.is_empty() || !spec.set.is_empty()).then(|| Box::new(Self(spec.clone())))
    }

    /// Returns whether a field of the upstream's response is removed or replaced.
    pub(crate) fn removes(&self, field: &Field<'_>) -> bool {
        let is = |name: &HeaderName| field.name.eq_ignore_ascii_case(name.as_str().as_bytes());
        self.0.remove.iter().any(is) || self.0.set.iter().any(|(name, _)| is(name))
    }

    /// Writes the fields that are set.
    pub(crate) fn write(&self, sink: &mut impl HeaderSink) {
        for (name, value) in &self.0.set {
            sink.add(name, value.as_bytes());
        }
    }

    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.0.remove {
            headers.remove(name);
        }
        for (name, value) in &self.0.set {
            headers.insert(name, value.clone());
        }
    }
}
