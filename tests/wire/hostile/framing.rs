//! Heads with ambiguous or invalid framing, and endless heads.

use super::{After, alone, table};

fn posts(rows: &[(&str, &str, &str)]) -> Vec<(String, Vec<u8>)> {
    let request = |fields: &str, body: &str| {
        format!("POST /api/x HTTP/1.1\r\nHost: localhost\r\nBEARER\r\n{fields}\r\n{body}").into_bytes()
    };
    rows.iter().map(|(name, fields, body)| ((*name).to_owned(), request(fields, body))).collect()
}

#[test]
fn ambiguous_framing_is_400() {
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    table(
        posts(&[
            ("length and chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", smuggled),
            ("chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: 45\r\n", smuggled),
            ("chunked twice in one", "Transfer-Encoding: chunked, chunked\r\n", smuggled),
            (
                "chunked twice in two",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                smuggled,
            ),
            ("gzip before", "Transfer-Encoding: gzip, chunked\r\n", smuggled),
            ("gzip in another line", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", smuggled),
            ("underscore", "Transfer_Encoding: chunked\r\nContent-Length: 0\r\n", smuggled),
            ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n", "abcdef"),
            ("two lengths in one", "Content-Length: 5, 6\r\n", "abcdef"),
            ("a signed length", "Content-Length: +5\r\n", "abcde"),
            ("a negative length", "Content-Length: -1\r\n", ""),
            ("a hexadecimal length", "Content-Length: 0x5\r\n", "abcde"),
            ("an empty length", "Content-Length: \r\n", ""),
            ("a length beyond 64 bits", "Content-Length: 18446744073709551617\r\n", "a"),
            ("space before the colon", "Transfer-Encoding : chunked\r\n", smuggled),
            ("space before the length's colon", "Content-Length : 5\r\n", "abcde"),
            ("folded", "X-A: 1\r\n Transfer-Encoding: chunked\r\n", ""),
            ("folded encoding", "Transfer-Encoding:\r\n chunked\r\n", smuggled),
            ("a field without a colon", "Nonsense\r\n", ""),
            ("a field without a name", ": x\r\n", ""),
            ("a NUL in a value", "X-A: a\0b\r\n", ""),
            ("a bare CR in a value", "X-A: a\rTransfer-Encoding: chunked\r\n", smuggled),
        ]),
        &[400],
        After::Closed,
    );
}

#[test]
fn unknown_transfer_codings_are_400_or_501() {
    let end = "0\r\n\r\n";
    table(
        posts(&[
            ("chunked not last", "Transfer-Encoding: chunked, gzip\r\n", end),
            ("another coding alone", "Transfer-Encoding: xchunked\r\n", end),
            ("identity", "Transfer-Encoding: identity\r\n", end),
            ("a quoted coding", "Transfer-Encoding: \"chunked\"\r\n", end),
            ("a vertical tab", "Transfer-Encoding: \x0bchunked\r\n", end),
            ("with a parameter", "Transfer-Encoding: chunked;q=1\r\n", end),
        ]),
        &[400, 501],
        After::Closed,
    );
    let old =
        "POST /api/x HTTP/1.0\r\nHost: localhost\r\nBEARER\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    table([("chunked in HTTP/1.0".to_owned(), old.as_bytes().to_vec())], &[400, 501], After::Closed);
}

#[test]
fn the_token_endpoint_parses_framing_as_strictly() {
    let body = "grant_type=client_credentials&client_id=server&client_secret=Password1";
    let request = |fields: &str| {
        format!(
            "POST /oauth/v2/oauth-token HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{fields}\r\n{body}"
        )
        .into_bytes()
    };
    let rows = [
        ("both", format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", body.len())),
        ("two lengths", format!("Content-Length: {}\r\nContent-Length: 3\r\n", body.len())),
        ("underscore", format!("Content-Length: {}\r\nTransfer_Encoding: chunked\r\n", body.len())),
    ];
    table(rows.map(|(name, fields)| (name.to_owned(), request(&fields))), &[400], After::Closed);
}

#[test]
fn heads_above_the_limits_are_431() {
    let many: String = (0..150).map(|n| format!("X-{n}: 1\r\n")).collect();
    let rows = [
        (
            "a header of 1 MiB",
            format!(
                "GET /hello HTTP/1.1\r\nHost: localhost\r\nBEARER\r\nX-Big: {}\r\n\r\n",
                "x".repeat(1 << 20)
            ),
        ),
        (
            "a header of 17 KiB",
            format!(
                "GET /hello HTTP/1.1\r\nHost: localhost\r\nBEARER\r\nX-Big: {}\r\n\r\n",
                "x".repeat(17 << 10)
            ),
        ),
        ("a head of many lines", format!("GET /hello HTTP/1.1\r\nHost: localhost\r\nBEARER\r\n{many}\r\n")),
        (
            "a name of 1 MiB",
            format!("GET /hello HTTP/1.1\r\nHost: localhost\r\n{}: 1\r\n\r\n", "x".repeat(1 << 20)),
        ),
    ];
    table(rows.map(|(name, request)| (name.to_owned(), request.into_bytes())), &[431], After::Closed);
    let long = format!("GET /api/{} HTTP/1.1\r\nHost: localhost\r\nBEARER\r\n\r\n", "x".repeat(20 << 10));
    table([("a target of 20 KiB".to_owned(), long.into_bytes())], &[414, 431], After::Closed);
}

#[test]
fn bare_line_feeds_are_refused_or_not_forwarded() {
    let (fixture, bearer, _turn) = alone();
    let requests = [
        ("m=lf-1.", format!("GET /hello?m=lf-1. HTTP/1.1\nHost: localhost\n{bearer}\n\n")),
        (
            "m=lf-2.",
            format!("GET /hello?m=lf-2. HTTP/1.1\r\nHost: localhost\r\nX-A: 1\nX-B: 2\r\n{bearer}\r\n\r\n"),
        ),
    ];
    for (marker, request) in requests {
        let answer = fixture.raw(&request);
        answer.status_in(&[200, 400]);
        for request in fixture.upstream.requests(marker) {
            let text = String::from_utf8_lossy(&request.head).replace("\r\n", "");
            assert!(!text.contains(['\n', '\r']), "{}", request.text());
        }
    }
}

#[test]
fn repeated_equal_lengths_are_refused_or_merged() {
    let (fixture, bearer, _turn) = alone();
    for (marker, fields) in [
        ("m=same-1.", "Content-Length: 2\r\nContent-Length: 2\r\n"),
        ("m=same-2.", "Content-Length: 2, 2\r\n"),
    ] {
        let request =
            format!("POST /api/x?{marker} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n{fields}\r\nhi");
        fixture.raw(request).status_in(&[200, 400]);
        for request in fixture.upstream.requests(marker) {
            assert_eq!(request.all("content-length"), ["2"], "{}", request.text());
        }
    }
}

#[test]
fn unusual_spellings_of_content_length_are_not_forwarded() {
    let (fixture, bearer, _turn) = alone();
    let request = format!(
        "POST /api/x?m=spelling HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent_Length: 5\r\nContent-Length: 0\r\n\r\n"
    );
    fixture.raw(request).status_in(&[200, 400]);
    for request in fixture.upstream.requests("m=spelling") {
        assert!(request.all("content_length").is_empty(), "{}", request.text());
    }
}
