//! Requests whose head or end two servers may read differently (RFC 9112 §11.2).

use super::attack::{Attack, Case, Expected, Suite};
use super::encode::encode;
use super::message::{Field, Message, Protocol, Request, USER_AGENT};
use crate::config::Limits;

/// The largest head that is sent to a gateway with a high limit.
const MAX_HEAD: usize = 256 * 1024;

/// The bytes after the ambiguous request: a second request, if the server believes that the first one has
/// ended.
const SECOND: &str = "GET /tollgate-self-test-smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n";

/// A header section that must be refused, and what follows it.
struct Shape {
    what: &'static str,
    /// The lines after `Host`.
    head: &'static str,
    body: &'static str,
    expected: Expected,
}

const fn refused(what: &'static str, head: &'static str, body: &'static str) -> Shape {
    Shape { what, head, body, expected: Expected::Refused }
}

/// The head is well formed, so it may be forwarded before the body turns out to be wrong.
const fn one(what: &'static str, body: &'static str) -> Shape {
    Shape { what, head: "Transfer-Encoding: chunked\r\n", body, expected: Expected::OneAtMost }
}

const SHAPES: [Shape; 27] = [
    refused("both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    refused(
        "both lengths, chunked first",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "0\r\n\r\n",
    ),
    refused("two lengths", "Content-Length: 0\r\nContent-Length: 5\r\n", "hello"),
    refused("a list of lengths", "Content-Length: 0, 5\r\n", "hello"),
    refused("a length with a sign", "Content-Length: +5\r\n", "hello"),
    refused("a negative length", "Content-Length: -5\r\n", "hello"),
    refused("a hexadecimal length", "Content-Length: 0x5\r\n", "hello"),
    refused("a length beyond 64 bits", "Content-Length: 18446744073709551621\r\n", "hello"),
    refused("a space before the colon of a length", "Content-Length : 5\r\n", "hello"),
    refused("a space before the colon of a coding", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    refused("an unknown coding", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
    refused("chunked twice", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
    refused("chunked before another coding", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
    refused("two codings", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    refused("a quoted coding", "Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
    refused("a control character before the coding", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
    refused("a folded coding", "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
    refused("a line that ends with LF alone", "X-A: b\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    refused("a CR in a value", "X-A: b\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    refused("a null byte in a value", "X-A: b\0c\r\n", ""),
    refused("a line without a colon", "Content-Length\r\n", ""),
    refused("a space in a name", "Transfer Encoding: chunked\r\n", "0\r\n\r\n"),
    one("a chunk size that is not a number", "x\r\nhello\r\n0\r\n\r\n"),
    one("a chunk size with a prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
    one("a chunk size beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    one("a chunk without its line end", "5\r\nhelloX\r\n0\r\n\r\n"),
    one("a chunk extension with LF", "0;a\nb\r\n\r\n"),
];

/// Adds the requests of HTTP/1.1.
pub(super) fn cases(request: &Request<'_>, suite: &mut Suite) {
    let Request { method, host, fields, .. } = *request;
    let path = String::from_utf8_lossy(request.target);
    let own: String = fields.iter().map(|field| format!("{}: {}\r\n", field.name, field.value)).collect();
    let second = SECOND.replace("{host}", host);
    let start = format!("{method} {path} HTTP/1.1\r\n");
    let usual = format!("Host: {host}\r\nUser-Agent: {USER_AGENT}\r\n{own}");
    suite.cases.extend(SHAPES.iter().map(|Shape { what, head, body, expected }| Case {
        attack: Attack::Framing,
        what: (*what).to_owned(),
        message: Message::raw_http1(format!("{start}{usual}{head}\r\n{body}{second}").into_bytes()),
        expected: expected.clone(),
    }));
    let heads = [
        ("no host", format!("{start}User-Agent: {USER_AGENT}\r\n{own}\r\n")),
        ("two hosts", format!("{start}{usual}Host: tollgate-self-test.invalid\r\n\r\n")),
        ("a host with a user", format!("{start}Host: user@{host}\r\nUser-Agent: {USER_AGENT}\r\n{own}\r\n")),
        ("a space before the first field", format!("{start} {usual}\r\n")),
        ("a version that does not exist", format!("{method} {path} HTTP/1.9x\r\n{usual}\r\n")),
        ("two spaces and a second target", format!("{method} {path} /x HTTP/1.1\r\n{usual}\r\n")),
    ];
    for (what, head) in heads {
        let bytes = [head, second.clone()].concat().into_bytes();
        suite.refused(Attack::Framing, what, Message::raw_http1(bytes));
    }
}

/// Adds requests of any protocol whose head exceeds the limits.
pub(super) fn sizes(protocol: Protocol, request: &Request<'_>, limits: &Limits, suite: &mut Suite) {
    let mut add = |what: &str, more: Vec<Field>| {
        let fields = [request.fields, &more].concat();
        let message = encode(protocol, &Request { fields: &fields, ..*request });
        suite.refused(Attack::HeaderSize, what, message);
    };
    if limits.max_header_size < MAX_HEAD {
        add("a field above the limit", vec![Field::new("X-Large", "x".repeat(limits.max_header_size + 1))]);
        let piece = || Field::new("X-Piece", "x".repeat(1_000));
        add("fields above the limit", (0..=limits.max_header_size / 1_000).map(|_| piece()).collect());
    }
    add("too many fields", (0..=limits.max_headers).map(|at| Field::new(format!("X-{at}"), "x")).collect());
    if limits.max_header_size >= MAX_HEAD {
        suite.skip(Attack::HeaderSize, "max_header_size is large");
    }
}
