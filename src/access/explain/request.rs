//! The request to explain, and its head on the wire.

use std::net::IpAddr;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_LENGTH, HOST, ORIGIN};
use http::request::{Parts, Request};
use http::{HeaderName, HeaderValue, Method, Uri};

use crate::access::explain::credential::Credential;
use crate::access::explain::target::Target;
use crate::config::Scheme;
use crate::oauth::dpop;
use crate::oauth::public_origin::PublicOrigin;
use crate::route::path::{self, PathError};

/// The host of a request for which only a path is given. No route has this host.
const ANY_HOST: &str = "_";

/// A request, and the known properties of its client.
#[derive(Debug)]
pub(crate) struct SampleRequest {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) credential: Credential,
    /// The address of the client. Address lists are not applied without it.
    pub(crate) from: Option<IpAddr>,
    /// The origin of the page that makes the request.
    pub(crate) origin: Option<HeaderValue>,
    /// The method in a preflight request.
    pub(crate) request_method: Option<HeaderValue>,
    /// The size of the body, in bytes.
    pub(crate) body: u64,
}

/// The credential of a request.
#[derive(Debug)]
pub(super) struct TokenHeaders {
    /// The name of the header that contains the token on this route.
    pub(super) header: HeaderName,
    pub(super) authorization: HeaderValue,
    pub(super) proof: Option<HeaderValue>,
}

impl SampleRequest {
    /// Returns whether the client uses TLS. A request for which only a path is given is assumed to use TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.target.scheme != Some(Scheme::Http)
    }

    /// Returns the host and port that the request names.
    fn authority(&self) -> &str {
        self.target.authority.as_deref().unwrap_or(ANY_HOST)
    }

    /// Returns the URL that a DPoP proof for the request names, which has no query. A request without a host
    /// goes to the issuer's.
    pub(super) fn url(&self, issuer: &str) -> String {
        let origin = match (&self.target.authority, PublicOrigin::of_url(issuer)) {
            (None, Some(issuer)) => issuer.to_string(),
            _ => self.origin_of_target(),
        };
        format!("{origin}{}", self.target.path)
    }

    /// Returns the origin that the request names.
    pub(super) fn origin_of_target(&self) -> String {
        let scheme = if self.is_secure() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// Returns the head of the request as the HTTP server parses it.
    ///
    /// # Errors
    /// A target or a host that no HTTP server accepts, as the text for the client.
    pub(super) fn head(&self, token: Option<&TokenHeaders>) -> Result<Parts, &'static str> {
        let Target { path, query, .. } = &self.target;
        let target = match query {
            None => path.clone(),
            Some(query) => format!("{path}?{query}"),
        };
        let refused = || path::canonical(path).err().unwrap_or(PathError::Ambiguous).public_text();
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = self.method.clone();
        parts.uri = target.parse::<Uri>().map_err(|_| refused())?;
        let host = HeaderValue::from_str(self.authority()).map_err(|_| "the request's host is malformed")?;
        let fields = [
            (HOST, Some(host)),
            (ORIGIN, self.origin.clone()),
            (ACCESS_CONTROL_REQUEST_METHOD, self.request_method.clone()),
            (CONTENT_LENGTH, (self.body > 0).then(|| HeaderValue::from(self.body))),
            (
                token.map_or(AUTHORIZATION, |token| token.header.clone()),
                token.map(|token| token.authorization.clone()),
            ),
            (dpop::HEADER, token.and_then(|token| token.proof.clone())),
        ];
        parts.headers.extend(fields.into_iter().filter_map(|(name, value)| Some((name, value?))));
        Ok(parts)
    }
}
