//! Requests, and their bytes.

use crate::config::Scheme;

/// The `User-Agent` of every request, by which operators find the requests in their logs.
pub(super) const USER_AGENT: &str = "tollgate-self-test";

/// The protocol of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// Returns the name that people and scripts see.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// A header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: String,
}

impl Field {
    pub(super) fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// Returns the field that carries a token.
    pub(super) fn token(header: &str, token: &str) -> Self {
        Self::new(header, format!("Bearer {token}"))
    }
}

/// A request without a body, before it is encoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) scheme: Scheme,
    pub(super) method: &'a str,
    pub(super) target: &'a [u8],
    pub(super) host: &'a str,
    pub(super) fields: &'a [Field],
}

/// The bytes of a request.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) protocol: Protocol,
    /// Over HTTP/2: the frames of the request.
    pub(super) bytes: Vec<u8>,
    /// The first line of the request as printable text without its token.
    pub(super) line: String,
    /// Whether the response has no body, because the method is HEAD.
    pub(super) is_head: bool,
}

impl Message {
    /// Makes a request of these bytes. The method and the target of `request` are its first line.
    pub(super) fn raw(protocol: Protocol, request: &Request<'_>, bytes: Vec<u8>) -> Self {
        let Request { method, target, .. } = request;
        let line =
            format!("{} {} {}", method.as_bytes().escape_ascii(), target.escape_ascii(), protocol.name());
        Self { protocol, bytes, line: without_token(line), is_head: *method == "HEAD" }
    }

    /// Makes a request of HTTP/1.1 whose first line may be malformed.
    pub(super) fn raw_http1(bytes: Vec<u8>) -> Self {
        let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let line = without_token(line.escape_ascii().to_string());
        let is_head = bytes.starts_with(b"HEAD ");
        Self { protocol: Protocol::Http1, bytes, line, is_head }
    }
}

/// Removes a token in the query, because it is a secret.
fn without_token(line: String) -> String {
    match line.split_once("access_token=") {
        None => line,
        Some((before, _)) => format!("{before}access_token=…"),
    }
}
