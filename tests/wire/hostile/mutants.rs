//! Requests assembled at random from constructs that have fooled servers, cut and mutated: what reaches the
//! upstream is framed unambiguously and was made by the gateway.

use crate::support::{Conn, Fixture, get};
use std::thread;

const ROUNDS: u64 = 150;
const CLIENTS: u64 = 8;

/// A request inside a body. The gateway would add its `Via` if it parsed it as a request.
const INNER: &str = "GET /public/inner HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Deterministic pseudo-random numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap_or(0) % end.max(1)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn often(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

fn request(dice: &mut Dice) -> Vec<u8> {
    let method = dice.one(&["GET", "POST", "POST", "PUT", "HEAD", "DELETE", "OPTIONS"]);
    let target = dice.one(&[
        "/public/a",
        "/public/b?x=1",
        "/api/x",
        "http://localhost/public/c",
        "/public/%2e%2e/d",
        "*",
    ]);
    let version = if dice.often(10) { "1.0" } else { "1.1" };
    let inner =
        dice.one(&["", INNER, "xxxxx", "0\r\n\r\nGET /public/inner HTTP/1.1\r\nHost: localhost\r\n\r\n"]);
    let ext = dice.one(&["", "", ";a=b", " ", ";\"x\r\n\"", ";\n"]);
    let trailer = dice.one(&[
        "",
        "",
        "X-T: 1\r\n",
        "X-Client-Id: evil\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\n",
    ]);
    let chunks = if inner.is_empty() {
        format!("0\r\n{trailer}\r\n")
    } else {
        format!("{:x}{ext}\r\n{inner}\r\n0\r\n{trailer}\r\n", inner.len())
    };
    let length = dice.one(&[inner.len(), inner.len(), chunks.len(), 0, 3]);
    let (framing, body) = match dice.below(10) {
        0..3 => (
            format!(
                "{}{}\r\n",
                dice.one(&["Content-Length: ", "content-length:", "Content-Length:  00"]),
                inner.len()
            ),
            inner,
        ),
        3..7 => {
            let coding = dice.one(&[
                "Transfer-Encoding: chunked",
                "transfer-encoding:CHUNKED",
                "Transfer-Encoding:\tchunked ",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
                "Transfer-Encoding: gzip, chunked",
                "Transfer_Encoding: chunked",
                "Transfer-Encoding: ,chunked",
            ]);
            (format!("{coding}\r\n"), &*chunks)
        }
        7..9 => (
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
            dice.one(&[inner, &*chunks]),
        ),
        _ => (String::new(), dice.one(&["", inner, &*chunks])),
    };
    let more = dice.one(&[
        "",
        "",
        "",
        "Connection: keep-alive, content-length\r\n",
        "Connection: transfer-encoding, via, x-forwarded-for\r\n",
        "Connection: close\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: websocket\r\nConnection: upgrade\r\n",
        "X-Client-Id: evil\r\nx_client_scope: evil\r\n",
    ]);
    let host = "Host: localhost\r\n";
    let head =
        if dice.often(50) { format!("{host}{framing}{more}") } else { format!("{framing}{more}{host}") };
    let head = bent(format!("{method} {target} HTTP/{version}\r\n{head}\r\n").into_bytes(), dice);
    [head, bent(body.as_bytes().to_vec(), dice)].concat()
}

/// Returns the request with a byte or two inserted, replaced or removed, in every other case.
fn bent(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    let times = dice.one(&[0, 0, 0, 1, 1, 2]);
    for _ in 0..times.min(bytes.len()) {
        let at = dice.below(bytes.len());
        let put = dice.one(&[
            "\r", "\n", "\r\n", " ", "\t", "\0", "\x0b", ",", ";", ":", "0", "#", "\r\n ", "chunked", "\"",
        ]);
        let gone = dice.one(&[0, 1]);
        bytes.splice(at..at + gone, dice.one(&[put, put, ""]).bytes());
    }
    bytes
}

#[test]
fn mutated_requests_are_forwarded_with_unambiguous_framing() {
    let fixture = Fixture::start(|config| {
        config.table("[server.limits]\nheader_timeout = \"200ms\"\nbody_timeout = \"200ms\"")
    });
    let address = fixture.address();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let mut dice = Dice(client);
                for _ in 0..ROUNDS {
                    let requests: Vec<u8> =
                        (0..dice.one(&[1, 1, 2, 3])).flat_map(|_| request(&mut dice)).collect();
                    let (first, rest) = requests.split_at(dice.below(requests.len()));
                    let mut conn = Conn::plain(address);
                    conn.send(first);
                    conn.send(rest);
                    conn.finish();
                    let (_, end) = conn.read_rest();
                    let late = end.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
                    assert!(!late, "it hangs: {}", requests.escape_ascii());
                }
            });
        }
    });
    let reached = fixture.upstream.requests("HTTP/1.1\r\n");
    for request in &reached {
        let text = request.text();
        let (lengths, codings) = (request.all("content-length"), request.all("transfer-encoding"));
        assert!(
            lengths.len() + codings.len() <= 1 && codings.iter().all(|coding| *coding == "chunked"),
            "{text}"
        );
        assert!(lengths.iter().all(|length| length.bytes().all(|byte| byte.is_ascii_digit())), "{text}");
        let only = |name: &str, value: &str| assert_eq!(request.all(name), [value], "{name}\n{text}");
        only("x-forwarded-for", "127.0.0.1");
        only("x-forwarded-proto", "http");
        assert_eq!(request.all("host").len(), 1, "{text}");
        assert!(
            request.all("via").iter().any(|via| via.ends_with(" tollgate")),
            "not of the gateway\n{text}"
        );
        for (name, _) in &request.headers {
            let name = name.to_ascii_lowercase().replace('_', "-");
            let ours = ["x-client-id", "x-client-scope", "expect"].contains(&&*name);
            assert!(!ours, "{name}\n{text}");
        }
        // An upgrade may be requested; nothing else may be said about the connection.
        assert!(request.all("connection").iter().all(|option| *option == "upgrade"), "{text}");
        let lines = String::from_utf8_lossy(&request.head).replace("\r\n", "");
        assert!(!lines.contains(['\r', '\n', '\0']), "{text}");
        assert!(request.target().starts_with("/public/") && !request.target().contains(".."), "{text}");
    }
    assert!(reached.len() > 100, "only {} requests were forwarded", reached.len());
    fixture.raw(get("/public/after", &[])).status(200);
    assert!(!fixture.gateway.written().contains("panicked"), "{}", fixture.gateway.written());
}
