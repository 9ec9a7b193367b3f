//! Writes the heads of responses to the client.

use std::io::Write as _;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use http_body_util::Full;

use super::{Client, Socket};
use crate::headers::{Class, Field, HeaderSink as _, PublicOrigin, REQUEST_ID, Returning, for_client};
use crate::http1::{ResponseFacts, ResponseFraming, ResponseHead, Runs};
use crate::proxy::date::write_date;
use crate::proxy::route::Route;
use crate::response;

/// The changes that the route and the gateway make to an upstream response.
#[derive(Clone, Copy)]
pub(crate) struct Changes<'a> {
    pub(crate) route: &'a Route,
    /// The origin of the page that may read the response.
    pub(crate) origin: Option<&'a HeaderValue>,
    pub(crate) request_id: Option<&'a [u8]>,
    /// The canonical path of the request, on a route that rewrites paths.
    pub(crate) request_path: Option<&'a str>,
}

impl Changes<'_> {
    #[inline]
    fn removes(&self, field: &Field<'_>) -> bool {
        self.route.response_headers.as_ref().is_some_and(|headers| headers.removes(field))
            || self.route.cors.as_ref().is_some_and(|cors| cors.removes(field))
            || self.request_id.is_some() && field.class == Class::RequestId && !field.disguised
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(headers) = &self.route.response_headers {
            headers.write(out);
        }
        if let Some(cors) = &self.route.cors {
            cors.write(self.origin, out);
        }
        if let Some(id) = self.request_id {
            out.state(&REQUEST_ID, id);
        }
    }
}

/// How the body of a response is framed for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// There is no body, or the head declares its length.
    Declared,
    Chunked,
    /// The body extends to the end of the connection: the client uses HTTP/1.0.
    Close,
}

/// Appends the status line of a response with this reason phrase.
pub(super) fn write_status_line(out: &mut Vec<u8>, status: StatusCode, reason: &[u8]) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

impl<I: Socket> Client<I> {
    /// Writes the head of an HTTP/1.1 server's response, without a header map. `sent` is the head of the
    /// request that the server received.
    pub(super) fn write_head(
        &mut self,
        head: ResponseHead<'_>,
        facts: ResponseFacts,
        changes: &Changes<'_>,
        sent: &[u8],
    ) -> BodyFraming {
        let framing = match facts.framing {
            ResponseFraming::None | ResponseFraming::Length(_) => BodyFraming::Declared,
            ResponseFraming::Chunked | ResponseFraming::Close => self.unknown_length_framing(),
        };
        let upgraded = head.status() == StatusCode::SWITCHING_PROTOCOLS;
        let length = !head.status().is_informational() && head.status() != StatusCode::NO_CONTENT;
        let returning = Returning { upgraded, length, version: head.version() };
        let out = self.out();
        let line = head.plain_line();
        if line.is_none() {
            write_status_line(out, head.status(), head.reason());
        }
        let mut runs = Runs::new(head.bytes(), out);
        if let Some(line) = line {
            runs.begin(line);
        }
        let public = || PublicOrigin::of_head(sent);
        let map = |field: &Field<'_>| changes.route.map_url(field, changes.request_path, public);
        let removes = |field: &Field<'_>| changes.removes(field);
        let date = for_client(head.fields(), head.connection(), returning, removes, map, &mut runs);
        changes.write(runs.finish());
        self.end_head(framing, date || upgraded, upgraded);
        framing
    }

    /// Writes the head of a 101 response.
    pub(crate) fn write_upgrade(
        &mut self,
        head: ResponseHead<'_>,
        facts: ResponseFacts,
        changes: &Changes<'_>,
        sent: &[u8],
    ) {
        let _ = self.write_head(head, facts, changes, sent);
    }

    /// Writes the head of a response that is in a [`HeaderMap`].
    pub(super) fn write_map(&mut self, status: StatusCode, headers: &HeaderMap, framing: BodyFraming) {
        let out = self.out();
        write_status_line(out, status, status.canonical_reason().unwrap_or("Unknown").as_bytes());
        for (name, value) in headers {
            if *name != CONNECTION {
                out.add(name, value.as_bytes());
            }
        }
        self.end_head(framing, headers.contains_key(DATE), false);
    }

    /// Writes an interim response. HTTP/1.0 has none (RFC 9110 §15.2).
    pub(crate) fn write_interim(&mut self, response: &Response<()>) {
        if self.version == Version::HTTP_10 {
            return;
        }
        let (out, status) = (self.out(), response.status());
        write_status_line(out, status, status.canonical_reason().unwrap_or("Unknown").as_bytes());
        for (name, value) in response.headers() {
            out.add(name, value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Returns the framing for a body of unknown length.
    pub(super) fn unknown_length_framing(&mut self) -> BodyFraming {
        if self.version == Version::HTTP_10 {
            self.close();
            BodyFraming::Close
        } else {
            BodyFraming::Chunked
        }
    }

    fn end_head(&mut self, framing: BodyFraming, has_date: bool, upgraded: bool) {
        let persists = self.persists();
        if !persists {
            // The drain flag may change at any time. From here on, the `Connection` field sent to the client
            // decides.
            self.close();
        }
        let old = self.version == Version::HTTP_10;
        let out = self.out();
        if framing == BodyFraming::Chunked {
            out.add(&TRANSFER_ENCODING, b"chunked");
        }
        if !has_date {
            out.extend_from_slice(b"date: ");
            write_date(out);
            out.extend_from_slice(b"\r\n");
        }
        if upgraded {
            // The head already has the `Connection: upgrade` field.
        } else if !persists {
            out.add(&CONNECTION, b"close");
        } else if old {
            // This is safe for HTTP/1.0: the response has a declared length or no body.
            out.add(&CONNECTION, b"keep-alive");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Writes a local response. Returns the number of body bytes.
    pub(crate) fn respond(
        &mut self,
        response: Response<Full<Bytes>>,
        request_id: Option<&[u8]>,
        close: bool,
    ) -> u64 {
        if close || !self.is_reusable() {
            self.close();
        }
        let (Parts { status, headers, .. }, body) = response::split(response);
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let out = self.out();
        write_status_line(out, status, status.canonical_reason().unwrap_or("Unknown").as_bytes());
        for (name, value) in &headers {
            let is_replaced = *name == CONTENT_LENGTH || request_id.is_some() && *name == REQUEST_ID.name;
            if *name != CONNECTION && !is_replaced {
                out.add(name, value.as_bytes());
            }
        }
        if !bodiless {
            // Writing to a vector cannot fail.
            let _ = write!(out, "content-length: {}\r\n", body.len());
        }
        if let Some(id) = request_id {
            out.state(&REQUEST_ID, id);
        }
        self.end_head(BodyFraming::Declared, headers.contains_key(DATE), false);
        if self.is_head || bodiless {
            return 0;
        }
        self.out().extend_from_slice(&body);
        body.len() as u64
    }
}
