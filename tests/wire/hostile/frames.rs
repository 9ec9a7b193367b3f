//! HTTP/2 that no library would send. Malformed requests never reach the upstream, floods close the
//! connection or are tolerated in bounded memory, and the gateway keeps serving.

use crate::support::frames::*;
use crate::support::{Conn, Fixture, Next, PATIENCE, get};
use std::io::Write;
use std::sync::OnceLock;
use std::time::Instant;

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        Fixture::start(|config| config.listen("{ url = \"http://127.0.0.1:0\", h2c = true }"))
    })
}

fn open() -> Frames {
    Frames::open(fixture().gateway.h2c())
}

fn lives() {
    let answer = Conn::plain(fixture().address()).request(get("/public/lives", &[]));
    answer.status(200);
    assert!(matches!(send_request(&mut open(), &request("/public/lives")), Outcome::Status(200)));
}

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn request(path: &str) -> Fields<'_> {
    vec![(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
}

/// Returns the request with some fields replaced (an empty list: removed) and others appended.
fn changed<'a>(path: &'a str, name: &str, instead: &[(&'a str, &'a str)]) -> Fields<'a> {
    request(path)
        .into_iter()
        .flat_map(|field| if field.0 == name { instead.to_vec() } else { vec![field] })
        .collect()
}

fn with<'a>(path: &'a str, more: &[(&'a str, &'a str)]) -> Fields<'a> {
    [request(path), more.to_vec()].concat()
}

fn send_request(frames: &mut Frames, fields: &[(&str, &str)]) -> Outcome {
    frames.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(fields)));
    frames.outcome(1)
}

#[test]
fn malformed_heads_do_not_reach_the_upstream() {
    let path = "/public/malformed";
    let absolute = "http://evil.example/public/malformed";
    let injected = "/public/malformed HTTP/1.1\r\nX-Client-Id: evil\r\n\r\n";
    let long = "/public/malformed/".to_owned() + &"x".repeat(70_000);
    let rows: Vec<Fields<'_>> = vec![
        // Pseudo-header fields (RFC 9113 §8.3): each once, first, and none unknown.
        changed(path, ":method", &[]),
        changed(path, ":scheme", &[]),
        changed(path, ":path", &[]),
        changed(path, ":authority", &[]),
        changed(path, ":path", &[(":path", "")]),
        changed(path, ":path", &[(":path", path), (":path", "/public/malformed/b")]),
        changed(path, ":method", &[(":method", "GET"), (":method", "POST")]),
        changed(path, ":authority", &[(":authority", "localhost"), (":authority", "evil.example")]),
        changed(path, ":scheme", &[(":scheme", "http"), (":scheme", "https")]),
        with(path, &[(":status", "200")]),
        with(path, &[(":protocol", "websocket")]),
        with(path, &[(":unknown", "x")]),
        [vec![("x-first", "1")], request(path)].concat(),
        changed(path, ":path", &[("x-between", "1"), (":path", path)]),
        // Targets and hosts.
        changed(path, ":path", &[(":path", "public/malformed")]),
        changed(path, ":path", &[(":path", "*")]),
        changed(path, ":path", &[(":path", absolute)]),
        changed(path, ":path", &[(":path", injected)]),
        changed(path, ":path", &[(":path", "/public/malformed /x")]),
        changed(path, ":path", &[(":path", "/public/../public/malformed")]),
        changed(path, ":path", &[(":path", &long)]),
        changed(path, ":scheme", &[(":scheme", "ftp")]),
        changed(path, ":authority", &[(":authority", "user@localhost")]),
        changed(path, ":authority", &[(":authority", "localhost, evil.example")]),
        changed(path, ":authority", &[(":authority", "localhost/x")]),
        with(path, &[("host", "evil.example")]),
        with(path, &[("host", "localhost"), ("host", "localhost")]),
        changed(path, ":method", &[(":method", "CONNECT")]),
        vec![(":method", "CONNECT"), (":authority", "malformed.example:443")],
        changed(path, ":method", &[(":method", "CONNECT"), (":protocol", "websocket")]),
        changed(path, ":method", &[(":method", "TRACE")]),
        changed(path, ":method", &[(":method", "GET / HTTP/1.1\r\nX:")]),
        // Connection-specific fields (§8.2.2), and invalid names (§8.2.1).
        with(path, &[("connection", "close")]),
        with(path, &[("connection", "x-client-id")]),
        with(path, &[("keep-alive", "timeout=5")]),
        with(path, &[("proxy-connection", "keep-alive")]),
        with(path, &[("transfer-encoding", "chunked")]),
        with(path, &[("upgrade", "websocket")]),
        with(path, &[("te", "gzip")]),
        with(path, &[("X-Upper", "case")]),
        with(path, &[("", "empty")]),
        with(path, &[("x y", "space")]),
        with(path, &[("x:y", "colon")]),
        with(path, &[("x-line", "a\r\nx-client-id: evil")]),
        with(path, &[("x-feed", "a\nb")]),
        with(path, &[("x-nul", "a\0b")]),
        // Content lengths.
        with(path, &[("content-length", "5")]),
        with(path, &[("content-length", "+0")]),
        with(path, &[("content-length", "0"), ("content-length", "1")]),
        with(path, &[("content_length", "5")]),
    ];
    let mut let_through = Vec::new();
    for fields in &rows {
        match send_request(&mut open(), fields) {
            Outcome::Status(400..=499) | Outcome::Reset(_) | Outcome::GoAway(_) | Outcome::Closed => {}
            other => let_through.push(format!("{other:?}: {fields:?}")),
        }
    }
    assert!(let_through.is_empty(), "{}", let_through.join("\n"));
    assert!(!fixture().upstream.saw("malformed"), "a malformed request reached the upstream");
    lives();
}

#[test]
fn bodies_that_contradict_their_length_are_refused() {
    let head = |marker: &str, length: &str| {
        let path = format!("/public/lengths?m={marker}.");
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", &path),
            ("content-length", length),
        ];
        frame(HEADERS, END_HEADERS, 1, &block(&fields))
    };
    let trailers = |fields: &[(&str, &str)]| frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(fields));
    let rows = [
        ("short", [head("short", "5"), frame(DATA, END_STREAM, 1, b"abc")].concat()),
        ("long", [head("long", "2"), frame(DATA, END_STREAM, 1, b"abcGET /admin HTTP/1.1")].concat()),
        ("none", [head("none", "5"), frame(DATA, END_STREAM, 1, b"")].concat()),
        ("early", [head("early", "5"), frame(DATA, 0, 1, b"abc"), trailers(&[("x", "y")])].concat()),
        // Trailers must end the stream. The body is too short in any case: it is forwarded as soon as it has the
        // declared length, whatever follows later.
        (
            "open",
            [
                head("open", "5"),
                frame(DATA, 0, 1, b"abc"),
                frame(HEADERS, END_HEADERS, 1, &block(&[("x", "y")])),
            ]
            .concat(),
        ),
        ("padding", [head("padding", "3"), frame(DATA, END_STREAM | 8, 1, b"\xffabc")].concat()),
    ];
    for (marker, bytes) in rows {
        let mut frames = open();
        frames.send(bytes);
        let outcome = frames.outcome(1);
        assert!(!matches!(outcome, Outcome::Status(0..=399) | Outcome::Silence), "{marker}: {outcome:?}");
        let whole = fixture().upstream.requests(&format!("m={marker}."));
        assert!(whole.is_empty(), "{marker} became a request: {}", whole[0].text());
    }
    assert!(!fixture().upstream.saw("GET /admin"));
    lives();
}

#[test]
fn fields_that_the_library_drops_are_not_forwarded() {
    // A fragment, which a request must not have (RFC 9113 §8.3.1).
    let fields = changed("", ":path", &[(":path", "/public/dropped?m=fragment#left-behind")]);
    assert_eq!(send_request(&mut open(), &fields), Outcome::Status(200));
    assert_eq!(fixture().upstream.only("m=fragment").target(), "/public/dropped?m=fragment");
    // Pseudo-header fields in trailers.
    let fields = changed("/public/dropped?m=pseudo", ":method", &[(":method", "POST")]);
    let trailers = [(":path", "/left-behind"), (":authority", "left-behind"), ("x", "y")];
    let mut frames = open();
    frames.send(frame(HEADERS, END_HEADERS, 1, &block(&fields)));
    frames.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&trailers)));
    assert_eq!(frames.outcome(1), Outcome::Status(200));
    assert_eq!(fixture().upstream.only("m=pseudo").target(), "/public/dropped?m=pseudo");
    assert!(!fixture().upstream.saw("left-behind"));
}

#[test]
fn rapid_resets_close_the_connection() {
    let mut frames = open();
    let mut burst = Vec::new();
    for number in 0..1000 {
        let stream = 1 + 2 * number;
        burst.extend(frame(
            HEADERS,
            END_STREAM | END_HEADERS,
            stream,
            &block(&request("/public/rapid-reset")),
        ));
        burst.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    frames.send(&burst);
    // ENHANCE_YOUR_CALM, unless the socket was closed before it could be read.
    let outcome = frames.outcome(u32::MAX);
    assert!(matches!(outcome, Outcome::GoAway(11) | Outcome::Closed), "{outcome:?}");
    let reached = fixture().upstream.requests("rapid-reset").len();
    assert!(reached < 100, "{reached} of 1000 reached the upstream");
    lives();
}

#[test]
fn more_streams_than_allowed_are_refused() {
    let mut frames = open();
    let fields: Fields<'_> = vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/public/many-streams"),
    ];
    for number in 0..200 {
        // Their bodies are not sent.
        frames.send(frame(HEADERS, END_HEADERS, 1 + 2 * number, &block(&fields)));
    }
    frames.send(frame(PING, 0, 0, &[7; 8]));
    let mut refused = 0;
    loop {
        match frames.read().expect("the connection stays open") {
            // REFUSED_STREAM
            frame if frame.kind == RST_STREAM && code(&frame) == 7 => refused += 1,
            frame if frame.kind == PING && frame.payload == [7; 8] => break,
            _ => {}
        }
    }
    assert_eq!(refused, 200 - 128);
    drop(frames);
    lives();
}

#[test]
fn heads_above_the_limit_are_refused() {
    let path = "/public/large-head";
    let large = "x".repeat(5_000);
    let fields = with(path, &[("a", &large), ("b", &large), ("c", &large), ("d", &large)]);
    let outcome = ask_in_parts(&block(&fields));
    assert!(matches!(outcome, Outcome::Status(431) | Outcome::Reset(_) | Outcome::GoAway(_)), "{outcome:?}");
    // More fields than max_headers, all of them small.
    let many: Vec<(String, &str)> = (0..150).map(|number| (format!("n{number}"), "x")).collect();
    let many = many.iter().map(|(name, value)| (name.as_str(), *value));
    let fields: Fields<'_> = request(path).into_iter().chain(many).collect();
    assert_eq!(send_request(&mut open(), &fields), Outcome::Status(431));
    // A compression bomb: one field of 4 KiB in the dynamic table (§6.2.1), and 4,000 references to it.
    let mut bomb = block(&request(path));
    bomb.extend([0x40, 1, b'z', 0x7f, 0x81, 0x1e]);
    bomb.extend([b'z'; 4000]);
    bomb.extend([0xbe; 4000]);
    let outcome = ask_in_parts(&bomb);
    assert!(matches!(outcome, Outcome::Status(431) | Outcome::Reset(_) | Outcome::GoAway(_)), "{outcome:?}");
    assert!(!fixture().upstream.saw("large-head"), "a head beyond the limit reached the upstream");
    lives();
}

/// Sends a header block of any length.
fn ask_in_parts(block: &[u8]) -> Outcome {
    let mut frames = open();
    let parts: Vec<&[u8]> = block.chunks(16_000).collect();
    for (number, part) in parts.iter().enumerate() {
        let flags = if number + 1 == parts.len() { END_HEADERS } else { 0 };
        match number {
            0 => frames.send(frame(HEADERS, flags | END_STREAM, 1, part)),
            _ => frames.send(frame(CONTINUATION, flags, 1, part)),
        }
    }
    frames.outcome(1)
}

#[test]
fn an_endless_head_closes_the_connection() {
    let part = block(&[("x", "y".repeat(100))]);
    for (marker, part) in [("full", part.as_slice()), ("empty", &[])] {
        let mut frames = open();
        frames.send(frame(HEADERS, END_STREAM, 1, &block(&request("/public/endless-head"))));
        let many = frame(CONTINUATION, 0, 1, part).repeat(20_000);
        frames.send(&many);
        let outcome = frames.outcome(1);
        assert!(matches!(outcome, Outcome::GoAway(_) | Outcome::Closed), "{marker}: {outcome:?}");
    }
    assert!(!fixture().upstream.saw("endless-head"));
    lives();
}

/// Returns the current memory of the gateway in KiB.
fn memory() -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", fixture().gateway.pid())).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn floods_of_frames_are_tolerated_or_close_the_connection() {
    let before = memory();
    let post: Fields<'_> = vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/public/flood"),
    ];
    let post = frame(HEADERS, END_HEADERS, 1, &block(&post));
    let settings = [0, 4, 0, 1, 0, 0];
    let rows = [
        ("settings", frame(SETTINGS, 0, 0, &settings).repeat(100_000)),
        ("empty settings", frame(SETTINGS, 0, 0, &[]).repeat(100_000)),
        ("pings", frame(PING, 0, 0, &[1; 8]).repeat(100_000)),
        ("priorities", frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1]).repeat(100_000)),
        ("empty data", [post.clone(), frame(DATA, 0, 1, &[]).repeat(100_000)].concat()),
        ("windows", [post.clone(), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]).repeat(100_000)].concat()),
        ("unknown", frame(0xbb, 0, 0, &[1; 20]).repeat(100_000)),
    ];
    for (_, bytes) in &rows {
        let mut frames = open();
        // The responses are not read, and must not accumulate either.
        frames.send(bytes);
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more after floods");
    lives();
}

#[test]
fn frames_out_of_order_close_the_connection() {
    let get = block(&request("/public/disorder"));
    let rows = [
        ("data on an idle stream", frame(DATA, END_STREAM, 1, b"x")),
        ("an even stream", frame(HEADERS, END_STREAM | END_HEADERS, 2, &get)),
        ("stream zero", frame(HEADERS, END_STREAM | END_HEADERS, 0, &get)),
        ("a push", frame(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &get].concat())),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &get)),
        (
            "another frame inside a head",
            [
                frame(HEADERS, END_STREAM, 1, &get),
                frame(PING, 0, 0, &[0; 8]),
                frame(CONTINUATION, END_HEADERS, 1, &[]),
            ]
            .concat(),
        ),
        ("a frame that is too large", frame(DATA, 0, 1, &[0; 20_000])),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[])),
        ("settings of odd length", frame(SETTINGS, 0, 0, &[0, 4, 0])),
        ("a ping that is short", frame(PING, 0, 0, &[0; 7])),
        ("a window without size", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a window too large", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
        ("an index out of the table", frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff, 0xff, 0x7f])),
        ("a cut header block", frame(HEADERS, END_STREAM | END_HEADERS, 1, &get[..get.len() - 3])),
    ];
    for (what, bytes) in rows {
        let mut frames = open();
        frames.send(bytes);
        let outcome = frames.outcome(1);
        assert!(matches!(outcome, Outcome::GoAway(_) | Outcome::Closed), "{what}: {outcome:?}");
    }
    assert!(!fixture().upstream.saw("disorder"));
    lives();
}

#[test]
fn a_stream_that_the_client_blocks_times_out() {
    let fixture = Fixture::start(|config| {
        config
            .listen("{ url = \"http://127.0.0.1:0\", h2c = true }")
            .table("[server.limits]\nwrite_timeout = \"200ms\"")
    });
    let (tell, told) = std::sync::mpsc::channel::<bool>();
    let tell = std::sync::Mutex::new(tell);
    fixture.upstream.on("/public/shut", move |_, out| {
        let piece = [b'x'; 64 * 1024];
        let whole = out
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
            .and_then(|()| (0..1024).try_for_each(|_| out.write_all(&piece)));
        let _ = tell.lock().expect("the channel").send(whole.is_ok());
        whole.map(|()| Next::Close)
    });
    let mut frames = Frames::open(fixture.gateway.h2c());
    // Streams start without a window (SETTINGS_INITIAL_WINDOW_SIZE) while the connection has one.
    frames.send(frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    assert_eq!(send_request(&mut frames, &request("/public/shut")), Outcome::Status(200));
    // It reads again, and the connection works.
    let deadline = Instant::now() + PATIENCE;
    let reset = loop {
        assert!(Instant::now() < deadline, "the stream is still waited for");
        frames.send(frame(PING, 0, 0, &[0; 8]));
        let frame = frames.read().expect("the connection stays open");
        if frame.kind == RST_STREAM {
            break frame;
        }
        assert!(matches!(frame.kind, PING | SETTINGS | WINDOW_UPDATE), "{frame:?}");
    };
    assert_eq!((reset.stream, code(&reset)), (1, 8), "CANCEL");
    let whole = told.recv_timeout(PATIENCE).expect("the upstream finishes");
    assert!(!whole, "the gateway accepted 64 MiB that no client reads");
}
