//! Request targets, hosts and methods that the gateway and a server could interpret differently.

use super::{After, table};

fn paths(targets: &[&str]) -> Vec<(String, Vec<u8>)> {
    let request =
        |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nBEARER\r\n\r\n").into_bytes();
    targets.iter().map(|target| ((*target).to_owned(), request(target))).collect()
}

#[test]
fn ambiguous_paths_are_400() {
    table(
        paths(&[
            "/api/../hello",
            "/api/..",
            "/..",
            "/.",
            "/api/.",
            "/api/./x",
            "/./hello",
            "/api/%2e%2e/hello",
            "/api/%2E%2e/hello",
            "/api/.%2e/hello",
            "/api/%2e/x",
            "/api/%2e",
            "/public/../hello",
            "/public/%2e%2e/hello",
            "/public/..%2fhello",
            "/public/..;/hello",
            "/public/..;a=b/hello",
            "/api/.;/x",
            "/api/%2e%2e;/x",
            "/semi/..;/hello",
            "/semi/..;a=b/hello",
            "/semi/.;a",
            "/api/..%20/x",
            "/api/..%20",
            "/api/.%20/x",
            "/api/...",
            "/api/..../x",
            "/api/%2e%2e%2e/x",
            "/api/..%2e%20/x",
            "/slash/..%2fhello",
            "/slash/%2e%2e%2fhello",
            "/slash/a%2f..%2f..%2fhello",
            "//hello",
            "//",
            "/api//x",
            "/api//",
            "//api/x",
            "/hello//",
            "/api/a%2fb",
            "/api/a%2Fb",
            "/api/%2f",
            "/api/a%5cb",
            "/api/a%5Cb",
            "/api\\x",
            "\\hello",
            "/api/..\\hello",
            "/api/%00",
            "/hello%00",
            "/hello%00.html",
            "/api/%zz",
            "/api/%",
            "/api/%2",
            "/api/%g0",
            "/api/%u0041",
            "/hello;x",
            "/hello;jsessionid=1",
            "/api/a;b",
            "/api/%3b/..;/x",
            "/api/x#fragment",
            "/hello#",
            "/hello?q=1#x",
        ]),
        &[400],
        After::Closed,
    );
}

#[test]
fn bytes_outside_the_grammar_of_a_target_are_400() {
    let mut rows: Vec<(String, Vec<u8>)> = Vec::new();
    let bytes: &[&[u8]] = &[
        b"\x01",
        b"\x0b",
        b"\x1f",
        b"\x7f",
        b"\x80",
        b"\xff",
        "é".as_bytes(),
        b"\xc0\xae\xc0\xae",
        b"\t",
        b"\0",
        b"\"",
    ];
    for byte in bytes {
        let target = [b"/api/a", *byte, b"b"].concat();
        let request = [b"GET ", &target[..], b" HTTP/1.1\r\nHost: localhost\r\nBEARER\r\n\r\n"].concat();
        rows.push((format!("{}", byte.escape_ascii()), request));
    }
    table(rows, &[400], After::Closed);
}

#[test]
fn targets_that_are_not_a_path_are_400() {
    let host = "Host: localhost\r\nBEARER\r\n\r\n";
    let rows = [
        ("asterisk", format!("GET * HTTP/1.1\r\n{host}")),
        ("no leading slash", format!("GET hello HTTP/1.1\r\n{host}")),
        ("absolute, another host", format!("GET http://evil.example/hello HTTP/1.1\r\n{host}")),
        ("absolute, another port", format!("GET http://localhost:81/hello HTTP/1.1\r\n{host}")),
        ("absolute, user part", format!("GET http://localhost@evil.example/hello HTTP/1.1\r\n{host}")),
        ("absolute, user part of ours", format!("GET http://x@localhost/hello HTTP/1.1\r\n{host}")),
        ("absolute, dot segments", format!("GET http://localhost/public/../hello HTTP/1.1\r\n{host}")),
        ("absolute, no host", format!("GET http:///hello HTTP/1.1\r\n{host}")),
        ("absolute, another scheme", format!("GET ftp://localhost/hello HTTP/1.1\r\n{host}")),
        ("authority without CONNECT", format!("GET localhost:80 HTTP/1.1\r\n{host}")),
        ("two spaces", format!("GET /hello x HTTP/1.1\r\n{host}")),
        ("a space in the path", format!("GET /api/a b HTTP/1.1\r\n{host}")),
        ("no version", format!("GET /hello\r\n{host}")),
        ("a bad method", format!("G(T /hello HTTP/1.1\r\n{host}")),
    ];
    table(rows.map(|(name, request)| (name.to_owned(), request.into_bytes())), &[400], After::Closed);
    let version =
        ("a version of the future".to_owned(), format!("GET /hello HTTP/7.3\r\n{host}").into_bytes());
    table([version], &[400, 505], After::Closed);
}

#[test]
fn exactly_one_valid_host_is_required() {
    let rows = [
        ("none", "GET /hello HTTP/1.1\r\nBEARER\r\n\r\n"),
        ("two", "GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nBEARER\r\n\r\n"),
        ("two of the same", "GET /hello HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\nBEARER\r\n\r\n"),
        ("a list", "GET /hello HTTP/1.1\r\nHost: localhost, evil.example\r\nBEARER\r\n\r\n"),
        ("a space", "GET /hello HTTP/1.1\r\nHost: local host\r\nBEARER\r\n\r\n"),
        ("a path", "GET /hello HTTP/1.1\r\nHost: localhost/evil\r\nBEARER\r\n\r\n"),
        ("a user part", "GET /hello HTTP/1.1\r\nHost: a@localhost\r\nBEARER\r\n\r\n"),
        ("a bad port", "GET /hello HTTP/1.1\r\nHost: localhost:80x\r\nBEARER\r\n\r\n"),
        ("a port too large", "GET /hello HTTP/1.1\r\nHost: localhost:99999\r\nBEARER\r\n\r\n"),
        (
            "two, absolute",
            "GET http://localhost/hello HTTP/1.1\r\nHost: localhost\r\nHost: x\r\nBEARER\r\n\r\n",
        ),
        ("none, absolute", "GET http://localhost/hello HTTP/1.1\r\nBEARER\r\n\r\n"),
    ];
    table(rows.map(|(name, request)| (name.to_owned(), request.as_bytes().to_vec())), &[400], After::Closed);
}

#[test]
fn trace_and_connect_are_405() {
    let rows = [
        ("TRACE", "TRACE /hello HTTP/1.1\r\nHost: localhost\r\nBEARER\r\n\r\n"),
        ("TRACE on a public route", "TRACE /public/x HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("CONNECT", "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\nBEARER\r\n\r\n"),
        ("CONNECT elsewhere", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n"),
    ];
    table(rows.map(|(name, request)| (name.to_owned(), request.as_bytes().to_vec())), &[405], After::Either);
}
