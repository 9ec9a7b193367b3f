//! Heads that a server of HTTP/2 must treat as malformed (RFC 9113 §8.1.1).

use super::frames::{self, RawField};
use super::head::{self, message};
use crate::self_test::attack::{Attack, Suite};
use crate::self_test::message::Request;

/// A second request line. It takes effect if a server copies a value into a request of HTTP/1.1.
const INJECTED: &str = " HTTP/1.1\r\nx-tollgate-self-test: injected\r\n\r\n";
/// A host that is not the gateway's.
const OTHER_HOST: &str = "tollgate-self-test.invalid";

/// Adds requests with pseudo-header fields that are missing, repeated, unknown, misplaced or malformed (RFC
/// 9113 §8.3).
pub(super) fn pseudo_headers(request: &Request<'_>, suite: &mut Suite) {
    let path = String::from_utf8_lossy(request.target);
    let (method, host) = (request.method, request.host);
    let mut add = |what: &str, fields: Vec<RawField>| {
        suite.refused(Attack::PseudoHeader, what, message(request, frames::request(&fields)));
    };
    for (what, name) in [
        ("no :method", ":method"),
        ("no :scheme", ":scheme"),
        ("no :path", ":path"),
        ("no :authority and no host", ":authority"),
    ] {
        add(what, replaced(request, name, &[]));
    }
    for (what, name, values) in [
        ("an empty :path", ":path", vec![""]),
        ("the :path *", ":path", vec!["*"]),
        (
            "a :path without a slash",
            ":path",
            vec![path.get(1..).filter(|rest| !rest.is_empty()).unwrap_or("x")],
        ),
        (
            "a :path in the absolute form",
            ":path",
            vec![&*format!("{}://{host}{path}", request.scheme.as_str())],
        ),
        (
            "a :path in the absolute form of another host",
            ":path",
            vec![&*format!("http://{OTHER_HOST}{path}")],
        ),
        ("a request line in :path", ":path", vec![&*format!("{path}{INJECTED}")]),
        ("a space in :path", ":path", vec![&*format!("{path} /x")]),
        ("two :path", ":path", vec![&*path, "/tollgate-self-test"]),
        ("two :method", ":method", vec![method, "POST"]),
        ("two :scheme", ":scheme", vec!["http", "https"]),
        ("two :authority", ":authority", vec![host, OTHER_HOST]),
        ("an empty :method", ":method", vec![""]),
        ("a request line in :method", ":method", vec![&*format!("GET /x{INJECTED}")]),
        ("a :scheme that is not HTTP", ":scheme", vec!["ftp"]),
        ("a URL in :scheme", ":scheme", vec![&*format!("http://{OTHER_HOST}/x?")]),
        ("an empty :authority", ":authority", vec![""]),
        ("an :authority with a user", ":authority", vec![&*format!("user@{host}")]),
        ("an :authority with a path", ":authority", vec![&*format!("{host}/x")]),
        ("a list in :authority", ":authority", vec![&*format!("{host}, {OTHER_HOST}")]),
        ("a header in :authority", ":authority", vec![&*format!("{host}\r\nx-tollgate-self-test: injected")]),
    ] {
        let values: Vec<RawField> = values.into_iter().map(|value| RawField::new(name, value)).collect();
        add(what, replaced(request, name, &values));
    }
    let with = |first: &[RawField], last: &[RawField]| {
        [first, &head::pseudo(request), last, &head::regular(request)].concat()
    };
    let one = |name: &str, value: &str| [RawField::new(name, value)];
    add("an unknown pseudo-header field", with(&[], &one(":tollgate", "x")));
    add("a pseudo-header field of responses", with(&[], &one(":status", "200")));
    add("a pseudo-header field in upper case", with(&[], &one(":Path", "/tollgate-self-test")));
    add("a field before the pseudo-header fields", with(&one("x-first", "1"), &[]));
    let late = [replaced(request, ":path", &[]), vec![RawField::new(":path", &*path)]].concat();
    add("a pseudo-header field after other fields", late);
    add("a host that differs from :authority", with(&[], &one("host", OTHER_HOST)));
    add("two hosts", with(&[], &[one("host", host), one("host", OTHER_HOST)].concat()));
    add("extended CONNECT without a setting", with(&[], &one(":protocol", "websocket")));
    let connect = |fields: Vec<RawField>| [fields, head::regular(request)].concat();
    add(
        "CONNECT to another host",
        connect(vec![
            RawField::new(":method", "CONNECT"),
            RawField::new(":authority", format!("{OTHER_HOST}:443")),
        ]),
    );
    let mut extended = replaced(request, ":method", &one(":method", "CONNECT"));
    extended.insert(1, RawField::new(":protocol", "websocket"));
    add("extended CONNECT", extended);
}

/// Adds requests with fields that are about a connection of HTTP/1.1, or that are malformed (RFC 9113 §8.2).
pub(super) fn fields(request: &Request<'_>, suite: &mut Suite) {
    let rows: [(&str, &str, &[u8]); 20] = [
        ("connection: close", "connection", b"close"),
        ("connection that names a header", "connection", b"x-client-id"),
        ("keep-alive", "keep-alive", b"timeout=5"),
        ("proxy-connection", "proxy-connection", b"keep-alive"),
        ("upgrade", "upgrade", b"websocket"),
        ("transfer-encoding: chunked", "transfer-encoding", b"chunked"),
        ("transfer-encoding: identity", "transfer-encoding", b"identity"),
        ("te other than trailers", "te", b"gzip"),
        ("a list in te", "te", b"trailers, gzip"),
        ("a name in upper case", "X-Tollgate-Self-Test", b"1"),
        ("an empty name", "", b"1"),
        ("a space in a name", "x y", b"1"),
        ("a colon in a name", "x:y", b"1"),
        ("a line end in a name", "x-a: 1\r\nx-client-id", b"1"),
        ("a null byte in a name", "x\0y", b"1"),
        ("a name that is not ASCII", "x-\u{e9}", b"1"),
        ("a line end in a value", "x-a", b"1\r\nx-client-id: forged"),
        ("a LF in a value", "x-a", b"1\nx-client-id: forged"),
        ("a CR in a value", "x-a", b"1\rx-client-id: forged"),
        ("a null byte in a value", "x-a", b"1\x002"),
    ];
    for (what, name, value) in rows {
        let mut fields = head::fields(request);
        fields.push(RawField::new(name, value));
        suite.refused(Attack::HeaderField, what, message(request, frames::request(&fields)));
    }
}

/// Returns the fields of the request with other fields in place of a pseudo-header field.
fn replaced(request: &Request<'_>, name: &str, instead: &[RawField]) -> Vec<RawField> {
    let fields = head::fields(request).into_iter();
    fields
        .flat_map(|field| if field.name == name.as_bytes() { instead.to_vec() } else { vec![field] })
        .collect()
}
