//! Details of HTTP/1.1 towards the servers: early, late, excessive or missing bytes.

use crate::support::upstream::{Recorded, ok};
use crate::support::{Config, Conn, Fixture, Gateway, Next, PATIENCE, get, shared};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A gateway in front of one server on a public route, with further settings of its upstream.
fn gateway(scheme: &str, address: SocketAddr, lines: &str) -> Gateway {
    let port = address.port();
    let table = format!("[upstreams.api]\nservers = [\"{scheme}://localhost:{port}\"]\n{lines}");
    Gateway::start(
        &Config::bare().table(&table).route("prefix = \"/\"\naccess = \"public\"\nupstream = \"api\""),
    )
}

fn post(target: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Reads a head and the body after it, following a pause that makes the sender wait.
fn read_late(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let (mut all, mut part) = (Vec::new(), vec![0; 256 * 1024]);
    loop {
        let count = stream.read(&mut part)?;
        all.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&all[..all.len().min(1024)]).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.split("\r\n").next());
            let whole = head.len() + 4 + length.and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
            if all.len() >= whole {
                return Ok(all.split_off(head.len() + 4));
            }
            if all.len() == count {
                thread::sleep(Duration::from_millis(1000));
            }
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Returns how many bytes the sockets between two ends hold while neither end reads.
fn sockets_hold(server: &TcpListener) -> usize {
    let mut client = TcpStream::connect(server.local_addr().expect("an address")).expect("a connection");
    let _silent = server.accept().expect("a connection");
    client.set_nodelay(true).expect("no delay");
    client.set_nonblocking(true).expect("non-blocking");
    let mut held = 0;
    while let Ok(count) = client.write(&[b'x'; 16 * 1024]) {
        held += count;
    }
    held
}

#[test]
fn a_large_body_reaches_a_slow_tls_server_completely() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server's configuration");
    let tls = Arc::new(tls);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    // Small buffers, so that encrypted bytes of the session have to wait.
    socket2::SockRef::from(&listener).set_recv_buffer_size(64 * 1024).expect("a small buffer");
    let held = sockets_hold(&listener);
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(Arc::clone(&tls)).expect("a session");
            let mut stream = rustls::StreamOwned::new(session, tcp);
            thread::spawn(move || {
                while let Ok(body) = read_late(&mut stream) {
                    let whole = body.iter().all(|byte| *byte == b'x');
                    if stream.write_all(&ok(&format!("{} {whole}", body.len()))).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).expect("the certificate");
    let gateway = gateway("https", address, &format!("tls = {{ ca = {ca:?} }}\nread_timeout = \"3s\""));
    // For one of these sizes the sockets take all but the last bytes, which the session holds.
    thread::scope(|scope| {
        for size in (held - held / 8..held + held / 16).step_by(48 * 1024) {
            let address = gateway.plain();
            scope.spawn(move || {
                let answer = Conn::plain(address).request(post("/upload", &vec![b'x'; size]));
                assert_eq!(answer.status(200).body(), format!("{size} true").as_bytes(), "{answer}");
            });
        }
    });
}

#[test]
fn a_refusal_by_the_server_is_forwarded_although_the_body_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut part = [0; 1024];
                let _ = stream.read(&mut part);
                let _ = stream.write_all(
                    b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch",
                );
                // Closed with unread bytes, so the sender gets a reset.
            });
        }
    });
    let gateway = gateway("http", address, "");
    let body = vec![b'x'; 4 << 20];
    for _ in 0..30 {
        let answer = Conn::plain(gateway.plain()).request(post("/much", &body));
        assert_eq!(answer.status(413).body(), b"much", "{answer}");
    }
}

#[test]
fn a_client_that_pauses_does_not_time_out_the_server() {
    let upstream = crate::support::Upstream::start();
    let gateway = gateway("http", upstream.address(), "read_timeout = \"200ms\"");
    for framing in ["Content-Length: 4", "Transfer-Encoding: chunked"] {
        let (first, rest) =
            if framing.starts_with('C') { ("ab", "cd") } else { ("2\r\nab\r\n", "2\r\ncd\r\n0\r\n\r\n") };
        let mut conn = Conn::plain(gateway.plain());
        conn.send(format!("POST /pause HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n{first}"));
        thread::sleep(Duration::from_millis(700));
        conn.send_more(rest);
        conn.read().status(200);
    }
    assert!(upstream.requests("/pause").iter().all(|request| request.body == b"abcd"));
    // Otherwise a client that pauses could have a healthy server ejected.
    let written = gateway.written();
    assert!(!written.contains("TooSlow") && !written.contains("no answer in time"), "{written}");
}

#[test]
fn a_response_that_has_begun_waits_for_the_rest_of_the_request() {
    // A server that sends its head after the request's head, and its body after the complete request.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut all, mut part) = (Vec::new(), [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
            while let Ok(count @ 1..) = stream.read(&mut part) {
                all.extend_from_slice(&part[..count]);
                if all.ends_with(b"the end") {
                    let _ = stream.write_all(b"done");
                }
            }
        }
    });
    let gateway = gateway("http", address, "read_timeout = \"200ms\"");
    let mut conn = Conn::plain(gateway.plain());
    conn.send("POST /begun HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n");
    conn.read_only_head().status(200);
    for piece in ["a", "b", "c", "d", "e", "f", "gthe ", "end"] {
        thread::sleep(Duration::from_millis(90));
        conn.send_more(piece);
    }
    conn.read_some("done");
}

#[test]
fn a_connection_is_reused_after_trailers_and_after_responses_without_a_body() {
    let fixture = Fixture::start(|config| config);
    let upstream = &fixture.upstream;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n";
    upstream.on_bytes("/public/trailers", Next::KeepAlive, chunked);
    upstream.on_bytes(
        "/public/none",
        Next::KeepAlive,
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    );
    upstream.on_bytes(
        "/public/same",
        Next::KeepAlive,
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    );
    let mut conn = fixture.connect();
    for (place, target, fields, status, body) in [
        (0, "/public/trailers?m=0.", "TE: trailers\r\nConnection: te\r\n", 200, &b"ab"[..]),
        (1, "/public/trailers?m=1.", "", 200, b"ab"),
        (2, "/public/none?m=2.", "", 204, b""),
        (3, "/public/same?m=3.", "", 304, b""),
        (4, "/public/last?m=4.", "", 200, b"{\"hello\":\"world\"}"),
    ] {
        let answer = conn.request(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
        assert_eq!(answer.status(status).body(), body, "{answer}");
        assert_eq!(upstream.only(&format!("m={place}.")).place, place, "{target}");
    }
}

#[test]
fn bytes_after_a_response_reach_no_client() {
    let gateway = Fixture::start(|config| config);
    let bearer = gateway.bearer("server", "read");
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for (name, method, answer) in [
        ("extra", "GET", format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi{evil}")),
        ("head", "HEAD", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{evil}", evil.len())),
        ("none", "GET", format!("HTTP/1.1 204 No Content\r\n\r\n{evil}")),
        ("same", "GET", format!("HTTP/1.1 304 Not Modified\r\nContent-Length: {}\r\n\r\n{evil}", evil.len())),
        (
            "chunked",
            "GET",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n{evil}"),
        ),
        ("line", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi\r\n".to_owned()),
        ("old", "GET", format!("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi{evil}")),
    ] {
        // Immediately, and a moment later when the connection is idle.
        for late in [false, true] {
            let path = format!("/api/too-much-{name}");
            let answer = answer.clone();
            let (tell, written) = channel();
            gateway.upstream.on(&path, move |_: &Recorded, out: &mut TcpStream| {
                let split = if late {
                    answer.find("HTTP/1.1 200 OK\r\nContent-Length: 4").unwrap_or(answer.len())
                } else {
                    0
                };
                let (first, then) = answer.as_bytes().split_at(split);
                out.write_all(first)?;
                if late {
                    thread::sleep(Duration::from_millis(30));
                }
                out.write_all(then)?;
                let _ = tell.send(());
                Ok(Next::KeepAlive)
            });
            let mut conn = gateway.connect();
            conn.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n"));
            let got = conn.try_read(method == "HEAD").expect("an answer");
            assert!(!String::from_utf8_lossy(got.body()).contains("evil"), "{name}: {got}");
            if late {
                written.recv_timeout(PATIENCE).expect("the server writes");
                thread::sleep(Duration::from_millis(80));
            }
            let marker = format!("m=after-{name}-{late}.");
            let next = conn.request(get(&format!("/hello?{marker}"), &[&bearer]));
            assert_eq!(next.status(200).body(), b"{\"hello\":\"world\"}", "{name}: {next}");
            let place = gateway.upstream.only(&marker).place;
            assert_eq!(place, 0, "{name}: a connection with something left on it was used again");
        }
    }
}

#[test]
fn the_framing_of_a_forwarded_body_is_simple() {
    let gateway = shared();
    let bearer = gateway.bearer("server", "read");
    let inner = "GET /hello?m=inner HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // A server that does not understand the spelling would read the body as the next request.
    for (number, coding) in ["CHUNKED", "Chunked", "  chunked\t "].iter().enumerate() {
        let marker = format!("m=coding-{number}.");
        let request = format!(
            "POST /api/x?{marker} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nTransfer-Encoding:{coding}\r\n\r\n\
             {:x};ext=\"a;b\";x\r\n{inner}\r\n0;last\r\n\r\n",
            inner.len()
        );
        gateway.raw(request).status(200);
        let request = gateway.upstream.only(&marker);
        assert_eq!(request.all("transfer-encoding"), ["chunked"], "{}", request.text());
        assert!(request.all("content-length").is_empty(), "{}", request.text());
        assert_eq!(request.body, inner.as_bytes());
    }
    assert!(!gateway.upstream.saw("ext="), "an extension of a chunk went on");
    // Bodies on methods that rarely have one.
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        let marker = format!("m=body-of-{method}.");
        let mut conn = gateway.connect();
        conn.send(format!(
            "{method} /api/x?{marker} HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nContent-Length: {}\r\n\r\n{inner}",
            inner.len()
        ));
        conn.try_read(method == "HEAD").expect("an answer").status(200);
        let request = gateway.upstream.only(&marker);
        assert_eq!(request.all("content-length"), [inner.len().to_string()], "{}", request.text());
        assert_eq!(request.body, inner.as_bytes());
    }
    // Each time inside a body, never as a request.
    let lines = gateway.upstream.requests("m=inner");
    assert!(lines.is_empty(), "{}", lines[0].text());
}

/// A server that sends `answer` in these pieces for each request, one per message of the channel.
fn by_pieces(pieces: Vec<&'static str>) -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let (over, ended) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut part = [0; 4096];
            while let Ok(1..) = stream.read(&mut part) {
                for piece in &pieces {
                    let _ = stream.write_all(piece.as_bytes());
                    thread::sleep(Duration::from_millis(5));
                }
            }
            let _ = over.send(());
        }
    });
    (address, ended)
}

#[test]
fn interim_responses_are_parsed_and_limited() {
    let (address, _) = by_pieces(vec![
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n",
        "\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-",
        "Length: 2\r\n\r\nhi",
    ]);
    let interim = gateway("http", address, "");
    let mut conn = Conn::plain(interim.plain());
    for _ in 0..3 {
        let answer = conn.request(get("/interim", &[]));
        assert_eq!(answer.status(200).body(), b"hi", "{answer}");
        answer.lacks("link");
    }
    // Endless interim responses are an error, and their connection is closed.
    let (address, ended) = by_pieces(vec!["HTTP/1.1 100 Continue\r\n\r\n"; 40]);
    let endless = gateway("http", address, "");
    Conn::plain(endless.plain()).request(get("/endless", &[])).problem(502);
    ended.recv_timeout(PATIENCE).expect("the connection is closed");
}

#[test]
fn a_trailer_cannot_replace_the_upstream_credentials() {
    let upstream = crate::support::Upstream::start();
    let gateway = gateway(
        "http",
        upstream.address(),
        "credentials = { header = \"X-Api-Key\", value = \"the-gateway-s\" }",
    );
    let request = "POST /trailers HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: forged\r\nx_api_key: forged\r\n\
                   Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Api-Key: forged\r\nx_api.key: forged\r\n\
                   X-Client-Id: forged\r\nX-Sum: 42\r\n\r\n";
    Conn::plain(gateway.plain()).request(request).status(200);
    assert_eq!(upstream.only("/trailers").all("x-api-key"), ["the-gateway-s"]);
    upstream.wait_for("X-Sum: 42");
    assert!(!upstream.saw("forged"));
}
