//! Encodes requests. An HTTP library would correct the errors that these requests contain on purpose.

use super::http2::frames;
use super::http2::head;
use super::message::{Message, Protocol, Request, USER_AGENT};

/// Encodes a request without a body.
pub(super) fn encode(protocol: Protocol, request: &Request<'_>) -> Message {
    let bytes = match protocol {
        Protocol::Http1 => http1(request),
        Protocol::Http2 => frames::request(&head::fields(request)),
    };
    Message::raw(protocol, request, bytes)
}

fn http1(request: &Request<'_>) -> Vec<u8> {
    let Request { method, target, host, fields, .. } = request;
    let mut bytes = [method.as_bytes(), b" ", target, b" HTTP/1.1\r\n"].concat();
    let usual = [("Host", *host), ("User-Agent", USER_AGENT), ("Connection", "close")];
    let fields = fields.iter().map(|field| (&*field.name, &*field.value));
    for (name, value) in usual.into_iter().chain(fields) {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}
