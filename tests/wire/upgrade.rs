//! WebSocket and other upgrades through the gateway, byte by byte.

use crate::support::message::read_head;
use crate::support::{Conn, Fixture, PATIENCE, REVOKE, credentials, get, post_form};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;

/// What a server received: heads of requests, and bytes after an upgrade.
#[derive(Default)]
struct Seen {
    heads: Vec<String>,
    tunnelled: Vec<u8>,
    /// The request lines of tunnels that have ended.
    ended: Vec<String>,
}

/// A server that upgrades `/ws…` and refuses elsewhere.
#[derive(Clone, Default)]
struct Server(Arc<(Mutex<Seen>, Condvar)>);

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const REFUSAL: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
/// Encodes a text frame of a server.
const HELLO: &[u8] = b"\x81\x05hello";

impl Server {
    fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let server = Self::default();
        let serving = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = serving.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        (server, address)
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        loop {
            let Ok(message) = read_head(&mut stream, &mut buffer) else { return };
            let head = String::from_utf8_lossy(&message.head).into_owned();
            let switches = message.line.starts_with("GET /ws");
            let at_once = message.line.contains("at-once");
            self.change(|seen| seen.heads.push(head));
            if !switches {
                let _ = stream.write_all(REFUSAL);
                continue;
            }
            // In one piece with the 101, or only after something was received.
            let _ = stream.write_all(&if at_once { [SWITCH, HELLO].concat() } else { SWITCH.to_vec() });
            self.change(|seen| seen.tunnelled.append(&mut buffer));
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut part) {
                self.change(|seen| seen.tunnelled.extend_from_slice(&part[..count]));
                // A close frame is answered and ends the tunnel.
                if part[..count].starts_with(&[0x88]) {
                    let _ = stream.write_all(&[0x88, 0]);
                    break;
                }
                let _ = stream.write_all(HELLO);
            }
            self.change(|seen| seen.ended.push(message.line));
            return;
        }
    }

    fn change(&self, work: impl FnOnce(&mut Seen)) {
        work(&mut self.0.0.lock().expect("what was seen"));
        self.0.1.notify_all();
    }

    /// Waits until the recorded bytes are as expected.
    #[track_caller]
    fn wait(&self, what: &str, find: impl Fn(&Seen) -> Option<()>) {
        let seen = self.0.0.lock().expect("what was seen");
        let (seen, timeout) =
            self.0.1.wait_timeout_while(seen, PATIENCE, |seen| find(seen).is_none()).expect("it");
        assert!(!timeout.timed_out(), "{what} does not come: {:?}, {:?}", seen.heads, seen.tunnelled);
    }

    #[track_caller]
    fn tunnelled(&self, marker: &[u8]) {
        let has =
            |seen: &Seen| seen.tunnelled.windows(marker.len()).any(|window| window == marker).then_some(());
        self.wait(&format!("{:?} behind an upgrade", marker.escape_ascii().to_string()), has);
    }

    /// Waits until the tunnel with `marker` has ended.
    #[track_caller]
    fn ends(&self, marker: &str) {
        let over = |seen: &Seen| seen.ended.iter().any(|line| line.contains(marker)).then_some(());
        self.wait("the end", over);
    }

    fn head(&self, marker: &str) -> Option<String> {
        self.0.0.lock().expect("what was seen").heads.iter().find(|head| head.contains(marker)).cloned()
    }
}

struct Setup {
    fixture: Fixture,
    server: Server,
}

fn setup() -> &'static Setup {
    static SETUP: OnceLock<Setup> = OnceLock::new();
    SETUP.get_or_init(|| {
        let (server, address) = Server::start();
        let fixture = Fixture::start(|config| {
            config
                .upstream("socket", address)
                .route("prefix = \"/ws\"\nscopes = [\"read\"]\nupstream = \"socket\"")
                .route("prefix = \"/refuses\"\nscopes = [\"read\"]\nupstream = \"socket\"")
        });
        Setup { fixture, server }
    })
}

const ASK: [&str; 4] = [
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

fn upgrade(target: &str, bearer: &str) -> Vec<u8> {
    get(target, &[&ASK[..], &[bearer]].concat())
}

/// Encodes a text frame of a client, masked with zeros so that it stays readable.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [&[0x81, 0x80 | length, 0, 0, 0, 0][..], text.as_bytes()].concat()
}

#[test]
fn frames_are_forwarded_in_both_directions() {
    let Setup { fixture, server } = setup();
    let token = fixture.token("server", "read");
    let mut conn = fixture.connect();
    conn.send(upgrade("/ws?m=frames", &format!("Authorization: Bearer {token}")));
    let answer = conn.read_only_head();
    answer
        .status(101)
        .has("upgrade", "websocket")
        .has("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert!(answer.one("connection").eq_ignore_ascii_case("upgrade"), "{answer}");
    for number in 0..3 {
        conn.send(frame(&format!("frame {number}")));
        server.tunnelled(format!("frame {number}").as_bytes());
        conn.read_some("hello");
    }
    let large = "large".repeat(100_000);
    conn.send(&large);
    server.tunnelled(&large.as_bytes()[large.len() - 4096..]);
    let head = server.head("m=frames").expect("the request arrived").to_ascii_lowercase();
    for line in [
        "\r\nupgrade: websocket\r\n",
        "\r\nconnection: upgrade\r\n",
        "\r\nsec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n",
        "\r\nsec-websocket-version: 13\r\n",
        "\r\nx-client-id: server\r\n",
    ] {
        assert!(head.contains(line), "{line:?}\n{head}");
    }
    assert!(!head.contains("authorization") && !head.contains(&token.to_ascii_lowercase()), "{head}");
}

#[test]
fn bytes_directly_after_either_head_are_not_lost() {
    let Setup { fixture, server } = setup();
    let bearer = fixture.bearer("server", "read");
    let mut conn = fixture.connect();
    conn.send([upgrade("/ws/at-once?m=behind", &bearer), frame("in the same breath")].concat());
    conn.read_only_head().status(101);
    conn.read_some("hello");
    server.tunnelled(b"in the same breath");
    let head = server.head("m=behind").expect("the request arrived");
    assert!(!head.contains("breath"), "{head}");
}

#[test]
fn a_tunnel_ends_when_either_side_does() {
    let Setup { fixture, server } = setup();
    let bearer = fixture.bearer("server", "read");
    // Ended by the server: it answers a close frame and closes.
    let mut conn = fixture.connect();
    conn.send(upgrade("/ws?m=server-ends", &bearer));
    conn.read_only_head().status(101);
    conn.send([0x88, 0x80, 0, 0, 0, 0]);
    let (rest, end) = conn.read_rest();
    end.expect("a clean end");
    assert_eq!(rest, [0x88, 0]);
    // Ended by the client.
    let mut conn = fixture.connect();
    conn.send(upgrade("/ws?m=client-ends", &bearer));
    conn.read_only_head().status(101);
    drop(conn);
    server.ends("m=client-ends");
}

#[test]
fn a_refused_upgrade_is_an_ordinary_response() {
    let Setup { fixture, server } = setup();
    let bearer = fixture.bearer("server", "read");
    let mut conn = fixture.connect();
    let answer = conn.request(upgrade("/refuses?m=refused", &bearer));
    answer.status(403).lacks("upgrade");
    assert_eq!(answer.body(), b"no");
    // HTTP continues: every request is authorized separately.
    conn.request(get("/hello", &[&bearer])).status(200);
    conn.request(get("/hello", &[])).bearer_error(401, None);

    // Bytes that the client sent ahead are then not a request, and are not forwarded.
    let mut conn = fixture.connect();
    conn.send([upgrade("/refuses?m=too-early", &bearer), frame("never to arrive")].concat());
    conn.read().status(403);
    let (rest, _) = conn.read_rest();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{:?}", rest.escape_ascii().to_string());
    assert!(server.head("never to arrive").is_none());
    // A request sent ahead is refused, or authorized like any other.
    let mut conn = fixture.connect();
    conn.send([upgrade("/refuses?m=then", &bearer), get("/ws?m=smuggled", &[])].concat());
    conn.read().status(403);
    conn.read().status_in(&[400, 401]).own();
    assert!(server.head("m=smuggled").is_none(), "a request without a token arrived");
}

#[test]
fn without_a_token_nothing_is_upgraded() {
    let Setup { fixture, server } = setup();
    let mut conn = fixture.connect();
    conn.send([upgrade("/ws?m=no-token", "Accept: */*"), frame("ws-no-token")].concat());
    conn.read().bearer_error(401, None);
    let mut conn: Conn = fixture.connect();
    conn.request(upgrade("/ws?m=no-token", "Authorization: Bearer tg_x"))
        .bearer_error(401, Some("invalid_token"));
    assert!(server.head("m=no-token").is_none() && server.head("ws-no-token").is_none());
}

#[test]
fn only_http_1_1_requests_upgrade_and_never_to_http() {
    let Setup { fixture, server } = setup();
    let bearer = fixture.bearer("server", "read");
    let rows: &[(&str, &[&str])] = &[
        ("HTTP/1.0", &["Connection: upgrade", "Upgrade: websocket"]),
        ("HTTP/1.1", &["Upgrade: websocket"]),
        ("HTTP/1.1", &["Connection: upgrade"]),
        ("HTTP/1.1", &["Connection: upgrade", "Upgrade: h2c"]),
        ("HTTP/1.1", &["Connection: upgrade", "Upgrade: websocket, h2c"]),
        ("HTTP/1.1", &["Connection: upgrade", "Upgrade: TLS/1.3, HTTP/1.1"]),
    ];
    for (number, (version, fields)) in rows.iter().enumerate() {
        let marker = format!("m=row-{number}.");
        let fields = fields.join("\r\n");
        let mut conn = fixture.connect();
        conn.send(format!(
            "GET /refuses?{marker} {version}\r\nHost: localhost\r\n{bearer}\r\n{fields}\r\n\r\n"
        ));
        conn.read().status(403);
        let head = server.head(&marker).expect("the request arrived").to_ascii_lowercase();
        assert!(!head.contains("upgrade"), "{fields}\n{head}");
    }
}

#[test]
fn a_tunnel_does_not_outlive_its_token() {
    let Setup { fixture, server } = setup();
    let token = fixture.token("server", "read");
    let bearer = format!("Authorization: Bearer {token}");
    let mut conn = fixture.connect();
    conn.send(upgrade("/ws?m=revoked", &bearer));
    conn.read_only_head().status(101);
    conn.send(frame("while it lives"));
    server.tunnelled(b"while it lives");
    conn.read_some("hello");
    let revoke = format!("{}&token={token}", credentials("server"));
    fixture.raw(post_form(REVOKE, &[], revoke)).status(200);
    // Neither side sends anything: the tunnel must end by itself.
    server.ends("m=revoked");
    let (rest, _) = conn.read_rest();
    assert_eq!(rest, HELLO);
}
