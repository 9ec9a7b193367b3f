//! The kinds of traffic: their requests and the expected responses.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;

/// A kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Requests for a public route.
    Public,
    /// Requests for a protected route, with valid tokens in turn.
    Protected,
    /// Token requests of a client that has authenticated before.
    Issuing,
    /// Requests for the protected route, with well-formed tokens that were never issued.
    Invalid,
    /// Requests for the protected route at a fixed rate. Latency counts from when each request was due.
    Fixed,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Public, Self::Protected, Self::Issuing, Self::Invalid, Self::Fixed];

    /// Returns its name in arguments and in the JSON output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Protected => "protected",
            Self::Issuing => "issuing",
            Self::Invalid => "invalid",
            Self::Fixed => "fixed",
        }
    }

    /// Returns its name in reports for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Public => "public route",
            Self::Protected => "protected route",
            Self::Issuing => "issuing tokens",
            Self::Invalid => "invalid tokens",
            Self::Fixed => "fixed rate",
        }
    }

    /// Returns whether it needs valid tokens.
    pub(crate) fn needs_tokens(self) -> bool {
        matches!(self, Self::Protected | Self::Fixed)
    }

    fn expects(self, status: u16) -> bool {
        match self {
            Self::Invalid => status == 401,
            Self::Public | Self::Protected | Self::Issuing | Self::Fixed => (200..400).contains(&status),
        }
    }
}

/// One request, in the form of both versions of HTTP.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) http1: Bytes,
    pub(crate) http2: Request<Full<Bytes>>,
}

impl Message {
    /// Makes a request to `origin` (`https://host:port`) with these header fields besides `Host` and
    /// `Content-Length`.
    ///
    /// # Errors
    /// Fails if the parts do not form a valid request.
    pub(crate) fn new(
        method: &Method,
        origin: &str,
        host: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Self, http::Error> {
        let scheme = if origin.starts_with("https:") { "https" } else { "http" };
        let mut request = Request::builder().method(method).uri(format!("{scheme}://{host}{target}"));
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in fields {
            request = request.header(*name, *value);
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if body.is_some() || !matches!(*method, Method::GET | Method::HEAD) {
            head.push_str(&format!("Content-Length: {}\r\n", body.unwrap_or_default().len()));
        }
        head.push_str("\r\n");
        head.push_str(body.unwrap_or_default());
        let http2 = request.body(Full::new(Bytes::from(body.unwrap_or_default().to_owned())))?;
        Ok(Self { http1: Bytes::from(head), http2 })
    }
}

/// A kind of traffic with its requests.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) kind: Kind,
    /// The requests, which are sent in turn. There is at least one.
    pub(crate) messages: Arc<[Message]>,
    /// The requests per second, all connections together. `None` sends the next request after each response.
    pub(crate) rate: Option<f64>,
    /// The maximum number of requests in a round.
    pub(crate) most: Option<u64>,
}

impl Scenario {
    pub(crate) fn expects(&self, status: u16) -> bool {
        self.kind.expects(status)
    }

    /// Returns whether the requests are HEAD requests, whose responses have no body.
    pub(crate) fn is_head(&self) -> bool {
        self.messages.first().is_some_and(|message| message.http2.method() == Method::HEAD)
    }
}
