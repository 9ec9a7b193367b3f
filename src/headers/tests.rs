use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};

use super::class::Class;
use super::response::ResponseError;
use super::spelling::same_variable;
use super::*;

mod framing;
mod request;
mod response;

/// Parses headers from lines `name: value`.
fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header line");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, HeaderValue::from_str(value.trim()).expect("a value"));
    }
    headers
}

/// Converts headers to lines, sorted by name. Lines with the same name keep their order.
fn lines(headers: &HeaderMap) -> Vec<String> {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let line = |name: &str, value: &HeaderValue| format!("{name}: {}", value.to_str().expect("text"));
    names.iter().flat_map(|name| headers.get_all(*name).iter().map(|value| line(name, value))).collect()
}

fn value(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// The headers that the gateway adds for the peer 192.0.2.7 over TLS and `Host: h`.
const OURS: [&str; 5] = [
    "host: h",
    "via: 1.1 tollgate",
    "x-forwarded-for: 192.0.2.7",
    "x-forwarded-host: h",
    "x-forwarded-proto: https",
];

const PEER_OF_IPV6: &[u8] = b"2001:db8::7";
const PEER: &[u8] = b"192.0.2.7";

fn upstream_sees<'a>(lines_in: &[&str], change: impl FnOnce(&mut Outgoing<'a>)) -> Vec<String> {
    let mut outgoing = Outgoing::new(PEER, Proto::Https);
    change(&mut outgoing);
    let mut sent = HeaderMap::new();
    let (mut request, ()) = Request::new(()).into_parts();
    request.headers = headers(lines_in);
    for_upstream(&MapHead::new(&request), &outgoing, &mut sent);
    lines(&sent)
}

/// Returns `OURS` and `more`, sorted. A line of `more` replaces the line of `OURS` with the same name.
fn ours_and(more: &[&str]) -> Vec<String> {
    let name = |line: &str| line.split_once(':').map(|(name, _)| name.to_owned());
    let mut all: Vec<String> = more.iter().map(|line| (*line).to_owned()).collect();
    all.extend(
        OURS.iter()
            .filter(|line| !more.iter().any(|new| name(new) == name(line)))
            .map(|line| (*line).to_owned()),
    );
    all.sort_by_key(|line| name(line));
    all
}

#[test]
fn trailers_decide_nothing() {
    let key = HeaderName::from_static("x-api-key");
    let kept = [
        "checksum: 1",
        "etag: \"x\"",
        "grpc-message: no",
        "grpc-status: 7",
        "grpc_status: 7",
        "server-timing: x",
    ];
    let mut sent = headers(&kept);
    for name in [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "content_length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "location",
        "proxy-authorization",
        "set-cookie",
        "set_cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "transfer_encoding",
        "upgrade",
        "via",
        "x-api-key",
        "x-client-id",
        "x-client-scope",
        "x-forwarded-for",
        "x-forwarded-user",
        "x-original-url",
        "x-real-ip",
        "x_api_key",
        "x_client_id",
        "cache-control",
    ] {
        sent.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
        sent.append(HeaderName::from_static(name), HeaderValue::from_static("y"));
    }
    let mut rules = RequestRules::default();
    rules.set(key, HeaderValue::from_static("s3cret"));
    filter_trailers(&mut sent, Some(&rules));
    assert_eq!(lines(&sent), kept);
}

#[test]
fn a_name_has_one_class_in_every_spelling() {
    for name in [
        "authorization",
        "connection",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "accept",
        "x-client-id",
        "x-client-scope",
        "x-forwarded-for",
        "x-real-ip",
        "keep-alive",
        "proxy",
        "http2-settings",
    ] {
        let class = Class::of(name.as_bytes()).0;
        assert_eq!(class == Class::Other, name == "accept", "{name}");
        for odd in ["_", ".", "~", "!"] {
            if !name.contains('-') {
                continue;
            }
            let spelled = name.replace('-', odd);
            assert_eq!(Class::of(spelled.as_bytes()), (class, true), "{spelled}");
            assert!(same_variable(spelled.as_bytes(), name.as_bytes()));
        }
    }
    assert_eq!(Class::of("x_".repeat(40).as_bytes()), (Class::Other, true));
}
