//! Requests whose body contradicts its length, and frames that a server must not accept.

use super::frames::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, RawField, STREAM, block, frame,
    head, request_with_body,
};
use super::head::{fields, message};
use crate::self_test::attack::{Attack, Suite};
use crate::self_test::message::Request;

/// The rest of a body, which is a second request if a server of HTTP/1.1 believes that the first has ended.
const SECOND: &[u8] =
    b"GET /tollgate-self-test-smuggled HTTP/1.1\r\nHost: tollgate-self-test.invalid\r\n\r\n";

/// Adds requests whose `content-length` is not the length of the body (RFC 9113 §8.1.1). The gateway forwards
/// the body to a server of HTTP/1.1, which believes the header.
pub(super) fn lengths(request: &Request<'_>, suite: &mut Suite) {
    let with = |lengths: &[&str]| {
        let mut fields = fields(request);
        fields.extend(lengths.iter().map(|length| RawField::new("content-length", *length)));
        fields
    };
    let long = [b"hello", SECOND].concat();
    let rows: [(&str, &[&str], &[u8]); 10] = [
        ("a length beyond the body", &["50"], b"hello"),
        ("a length below the body", &["5"], &long),
        ("a length of zero and a body", &["0"], SECOND),
        ("a length and an empty body", &["5"], b""),
        ("two lengths", &["0", "5"], b"hello"),
        ("a list of lengths", &["0, 5"], b"hello"),
        ("a length with a sign", &["+5"], b"hello"),
        ("a negative length", &["-5"], b"hello"),
        ("a hexadecimal length", &["0x5"], b"hello"),
        ("a length beyond 64 bits", &["18446744073709551621"], b"hello"),
    ];
    for (what, lengths, body) in rows {
        let bytes = request_with_body(&with(lengths), body);
        suite.refused(Attack::Framing, what, message(request, bytes));
    }
    let alone = frames::request(&with(&["5"]));
    suite.refused(Attack::Framing, "a length without a body", message(request, alone));
    let with_trailers = [
        head(&block(&with(&["5"])), false),
        frame(DATA, 0, STREAM, b"abc"),
        frame(HEADERS, END_STREAM | END_HEADERS, STREAM, &block(&[RawField::new("x-trailer", "1")])),
    ];
    suite.refused(
        Attack::Framing,
        "a length beyond a body with trailers",
        message(request, with_trailers.concat()),
    );
    let mut chunked = fields(request);
    chunked.push(RawField::new("transfer-encoding", "chunked"));
    let body = [b"0\r\n\r\n", SECOND].concat();
    suite.refused(
        Attack::Framing,
        "chunked, and a body that ends early",
        message(request, request_with_body(&chunked, &body)),
    );
}

/// Adds requests in frames that break the rules of streams or of the compression.
pub(super) fn frames(request: &Request<'_>, suite: &mut Suite) {
    let whole = block(&fields(request));
    let both = END_STREAM | END_HEADERS;
    let cut = whole.get(..whole.len().saturating_sub(3)).unwrap_or_default();
    let open_trailers = [
        head(&whole, false),
        frame(DATA, 0, STREAM, b"hello"),
        frame(HEADERS, END_HEADERS, STREAM, &block(&[RawField::new("x-trailer", "1")])),
    ];
    let interrupted = [
        frame(HEADERS, END_STREAM, STREAM, &whole),
        frame(PING, 0, 0, &[0; 8]),
        frame(CONTINUATION, END_HEADERS, STREAM, &[]),
    ];
    let of_other_stream =
        [frame(HEADERS, END_STREAM, STREAM, &whole), frame(CONTINUATION, END_HEADERS, STREAM + 2, &[])];
    let rows = [
        ("a request on stream 0", frame(HEADERS, both, 0, &whole)),
        ("a request on a stream of the server", frame(HEADERS, both, 2, &whole)),
        ("trailers that do not end the request", open_trailers.concat()),
        ("another frame inside a head", interrupted.concat()),
        ("a continuation of another stream", of_other_stream.concat()),
        (
            "padding that is longer than the frame",
            [head(&whole, false), frame(DATA, END_STREAM | PADDED, STREAM, b"\xffhello")].concat(),
        ),
        (
            "padding that is longer than the head",
            frame(HEADERS, both | PADDED, STREAM, &[&[0xff], whole.get(..20).unwrap_or_default()].concat()),
        ),
        ("a header block that is cut off", frame(HEADERS, both, STREAM, cut)),
        (
            "an index that is not in the table",
            frame(HEADERS, both, STREAM, &[&*whole, &[0xff, 0xff, 0x7f]].concat()),
        ),
        ("the index 0", frame(HEADERS, both, STREAM, &[&*whole, &[0x80]].concat())),
        (
            "a larger table than the server permits",
            frame(HEADERS, both, STREAM, &[&[0x3f, 0xff, 0xff, 0x7f], &*whole].concat()),
        ),
        ("a change of the table after a field", frame(HEADERS, both, STREAM, &[&*whole, &[0x20]].concat())),
    ];
    for (what, bytes) in rows {
        suite.refused(Attack::Framing, what, message(request, bytes));
    }
}
