//! The fields of a request over HTTP/2 (RFC 9113 §8.3).

use super::frames::RawField;
use crate::self_test::message::{Message, Protocol, Request, USER_AGENT};

/// Returns the fields of a request: the pseudo-header fields first, all names in lower case.
pub(in crate::self_test) fn fields(request: &Request<'_>) -> Vec<RawField> {
    let mut fields = pseudo(request);
    fields.extend(regular(request));
    fields
}

/// Returns the pseudo-header fields.
pub(super) fn pseudo(request: &Request<'_>) -> Vec<RawField> {
    vec![
        RawField::new(":method", request.method),
        RawField::new(":scheme", request.scheme.as_str()),
        RawField::new(":authority", request.host),
        RawField::new(":path", request.target),
    ]
}

/// Returns the other fields.
pub(super) fn regular(request: &Request<'_>) -> Vec<RawField> {
    let mut fields = vec![RawField::new("user-agent", USER_AGENT)];
    let own = request.fields.iter();
    fields.extend(own.map(|field| RawField::new(field.name.to_ascii_lowercase(), &*field.value)));
    fields
}

/// Makes a request of frames.
pub(super) fn message(request: &Request<'_>, bytes: Vec<u8>) -> Message {
    Message::raw(Protocol::Http2, request, bytes)
}
