//! `tollgate self-test` over HTTP/2: against the gateway, and against servers with a hole each.

use crate::self_test::{LIFETIME, assert_finds, config, passed, self_test, self_test_of, server};
use crate::support::frames::*;
use crate::support::program::Output;
use crate::support::{Gateway, Upstream};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The attacks that only HTTP/2 has, or that differ there.
const ATTACKS: [&str; 4] = ["pseudo_header", "header_field", "header_size", "framing"];

/// Starts a gateway with a listener for HTTP/2 alone. A token that lives for an hour is not waited for.
fn with_h2c(upstream: SocketAddr, lifetime: &str) -> Gateway {
    let config = config(upstream).listen("{ url = \"http://127.0.0.1:0\", h2c = true }");
    Gateway::start_text(&config.text().replace(LIFETIME, lifetime), &[])
}

/// Returns the results of a report, each with its attack and its protocol.
fn results(output: &Output) -> Vec<[String; 3]> {
    let report: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let routes = report["routes"].as_array().expect("routes");
    let cases = routes.iter().flat_map(|route| route["cases"].as_array().expect("cases"));
    let member = |case: &Value, name: &str| case[name].as_str().expect("a text").to_owned();
    cases.map(|case| ["attack", "protocol", "result"].map(|name| member(case, name))).collect()
}

#[test]
fn a_gateway_that_keeps_its_configuration_lets_nothing_through_over_http2() {
    let upstream = Upstream::start();
    let gateway = with_h2c(upstream.address(), LIFETIME);
    // The only protocol of this listener is HTTP/2, also for the tokens.
    let output = self_test(&gateway, gateway.h2c(), &["--json", "--junit", "junit.xml"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(passed(&output), [], "{output:?}");
    let results = results(&output);
    let made = |attack: &str| results.iter().any(|[found, ..]| found == attack);
    for attack in ["control", "expired_token", "foreign_scope", "identity_header", "path_spelling", "method"]
    {
        assert!(made(attack), "{attack}: {results:?}");
    }
    assert!(ATTACKS.into_iter().all(made), "{results:?}");
    assert!(results.iter().all(|[_, protocol, _]| protocol == "HTTP/2"), "{results:?}");
    let junit = std::fs::read_to_string(gateway.dir().join("junit.xml")).expect("junit.xml");
    assert!(junit.contains("name=\"pseudo_header: two :path (HTTP/2)\"/>"), "{junit}");

    // What reached the API: the good token and the forged headers, without any value of another attack.
    for request in upstream.requests("/") {
        assert!(["/v1/orders/1", "/open"].contains(&request.target()), "{}", request.text());
        assert_eq!(request.method(), "GET", "{}", request.text());
        for value in ["forged-", "injected", "smuggled", "transfer-encoding: chunked"] {
            assert!(!request.text().to_ascii_lowercase().contains(value), "{}", request.text());
        }
    }
}

#[test]
fn both_protocols_of_a_tls_listener_are_attacked() {
    let upstream = Upstream::start();
    let text = config(upstream.address()).listen("https://127.0.0.1:0").text();
    let gateway = Gateway::start_text(&text.replace(LIFETIME, "token_lifetime = \"1h\""), &[]);
    let url = format!("https://{}", gateway.tls());
    let output = self_test_of(&gateway, &url, &[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("requests over HTTP/1.1 and HTTP/2, and nothing passed"), "{output:?}");
    let one = self_test_of(&gateway, &url, &["--json", "--no-client", "--protocol", "http2"]);
    assert_eq!(one.code, Some(0), "{one:?}");
    assert!(results(&one).iter().all(|[_, protocol, _]| protocol == "HTTP/2"), "{one:?}");
    let other = self_test(&gateway, gateway.plain(), &["--no-client", "--protocol", "http2"]);
    assert_eq!(other.code, Some(2), "{other:?}");
    assert!(other.stderr.contains("does not speak HTTP/2"), "{other:?}");
}

#[test]
fn a_server_that_answers_everything_is_found_by_every_attack() {
    let upstream = Upstream::start();
    let gateway = with_h2c(upstream.address(), "token_lifetime = \"1h\"");
    let address = with_hole(gateway.h2c(), |_| true);
    let output = self_test(&gateway, address, &["--no-client", "--json"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    for [attack, protocol, result] in results(&output) {
        let expected = if attack == "identity_header" { "unseen" } else { "passed" };
        assert_eq!((&*protocol, &*result), ("HTTP/2", expected), "{attack}: {output:?}");
    }
}

#[test]
fn every_planted_hole_is_found_over_http2() {
    let upstream = Upstream::start();
    let gateway = with_h2c(upstream.address(), "token_lifetime = \"1h\"");
    type Hole = fn(&str) -> bool;
    let holes: [(Hole, &[&str]); 11] = [
        (
            |request| {
                request.contains("\n:path: /v1/orders/1\nuser-agent: tollgate-self-test\n")
                    && request.lines().count() == 5
                    && request.starts_with(":method: GET\n")
                    && !request.contains("authorization")
            },
            &["no_token"],
        ),
        (
            |request| request.contains("\nauthorization: Bearer tg_") && request.lines().count() == 6,
            &["invalid_token", "foreign_scope", "other_audience", "revoked_token"],
        ),
        (|request| request.contains("\n:path: /v1/orders/1?access_token="), &["token_elsewhere"]),
        (|request| request.contains("/..;/"), &["path_spelling"]),
        (|request| request.starts_with(":method: TRACE\n"), &["method"]),
        (|request| request.contains("\nuser-agent: tollgate-self-test\n:path: "), &["pseudo_header"]),
        (|request| request.contains("\nhost: tollgate-self-test.invalid\n"), &["pseudo_header"]),
        (|request| request.contains("\nconnection: x-client-id\n"), &["header_field"]),
        (|request| request.contains("\nX-Tollgate-Self-Test: "), &["header_field"]),
        (|request| request.contains("\ncontent-length: 50\n"), &["framing"]),
        (|request| request.len() > 16 * 1024, &["header_size"]),
    ];
    let gateway = &gateway;
    thread::scope(|scope| {
        for (hole, attacks) in holes {
            scope.spawn(move || {
                let address = with_hole(gateway.h2c(), move |request| {
                    !request.contains("\n:path: /oauth/") && hole(request)
                });
                let output = self_test(gateway, address, &["--json"]);
                assert_finds(&output, attacks);
            });
        }
    });
}

/// A server in front of the gateway that answers as the API would where it has its hole. `hole` gets the
/// fields of a request, a line each.
fn with_hole(gateway: SocketAddr, hole: impl Fn(&str) -> bool + Send + Sync + 'static) -> SocketAddr {
    server(move |client| {
        let _ = serve(&client, gateway, &hole);
        let _ = client.shutdown(Shutdown::Both);
    })
}

/// Passes everything on to the gateway, except for requests that fit through the hole.
fn serve(client: &TcpStream, gateway: SocketAddr, hole: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let mut from = client;
    let mut preface = [0; PREFACE.len()];
    from.read_exact(&mut preface)?;
    if preface != PREFACE {
        return Ok(());
    }
    let mut server = TcpStream::connect(gateway)?;
    server.write_all(&preface)?;
    let to_client = Arc::new(Mutex::new(client.try_clone()?));
    let (mut responses, to) = (server.try_clone()?, Arc::clone(&to_client));
    // The settings of the gateway arrive before the client sends its request.
    thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(read @ 1..) = responses.read(&mut bytes) {
            let _ = to.lock().expect("the connection").write_all(&bytes[..read]);
        }
        let _ = to.lock().expect("the connection").shutdown(Shutdown::Both);
    });
    let mut block = Vec::new();
    let mut request = Vec::new();
    loop {
        let (bytes, frame, flags) = read_frame(&mut from)?;
        request.extend(bytes);
        match frame.kind {
            HEADERS | CONTINUATION => {
                block.extend(frame.payload);
                if flags & END_HEADERS == 0 {
                    continue;
                }
                if hole(&fields(&block)) {
                    let answer = frame_of_response(frame.stream);
                    to_client.lock().expect("the connection").write_all(&answer)?;
                    // The client ends the connection.
                    return io::copy(&mut from, &mut io::sink()).map(|_| ());
                }
                server.write_all(&request)?;
                io::copy(&mut from, &mut server)?;
                return server.shutdown(Shutdown::Write);
            }
            // A frame inside a head is part of the request.
            _ if !block.is_empty() => {}
            _ => server.write_all(&std::mem::take(&mut request))?,
        }
    }
}

/// Returns the head of a response with the status 200 and without a body.
fn frame_of_response(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &[0x88])
}

fn read_frame(from: &mut impl Read) -> io::Result<(Vec<u8>, Frame, u8)> {
    let mut head = [0; 9];
    from.read_exact(&mut head)?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    from.read_exact(&mut payload)?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let bytes = [&head[..], &payload].concat();
    Ok((bytes, Frame { kind: head[3], stream, payload }, head[4]))
}

/// Returns the fields of a header block, a line each. A last line stands for what is not a literal.
fn fields(mut block: &[u8]) -> String {
    let mut fields = String::new();
    while let Some(rest) = block.strip_prefix(&[0]) {
        let Some((name, rest)) = literal(rest) else { break };
        let Some((value, rest)) = literal(rest) else { break };
        fields += &format!("{}: {}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        block = rest;
    }
    if !block.is_empty() {
        fields += "…\n";
    }
    fields
}

/// Splits a text with its length off a header block (RFC 7541 §5.2).
fn literal(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, mut rest) = block.split_first()?;
    let mut length = usize::from(first);
    if length == 127 {
        let mut shift = 0;
        loop {
            let (&byte, after) = rest.split_first()?;
            length += usize::from(byte & 0x7f) << shift;
            (shift, rest) = (shift + 7, after);
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    rest.split_at_checked(length)
}
