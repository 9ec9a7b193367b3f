//! Servers on Unix sockets.

use crate::support::{Config, Conn, Gateway, get};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// Answers every request on a socket with 200, and keeps the heads.
fn serve(path: &Path) -> Arc<Mutex<Vec<String>>> {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let (listener, seen) = (UnixListener::bind(path).expect("a socket"), Arc::clone(&heads));
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let seen = Arc::clone(&seen);
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().expect("the stream"));
                let (mut head, mut stream) = (String::new(), stream);
                while reader.read_line(&mut head).is_ok_and(|read| read > 0) {
                    if head.ends_with("\r\n\r\n") {
                        seen.lock().expect("the heads").push(std::mem::take(&mut head));
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                    }
                }
            });
        }
    });
    heads
}

#[test]
fn requests_and_probes_reach_a_server_on_a_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.sock");
    let heads = serve(&path);
    let upstream = format!(
        "[upstreams.api]\nservers = [\"unix:{}\"]\nhealth_check = {{ path = \"/health\", interval = \"50ms\" }}\n",
        path.display()
    );
    let config =
        Config::bare().table(&upstream).route("prefix = \"/\"\naccess = \"public\"\nupstream = \"api\"");
    let gateway = Gateway::start(&config);
    let mut conn = Conn::plain(gateway.plain());
    for _ in 0..2 {
        let answer = conn.request(get("/over/the/socket?x=1", &[]));
        assert_eq!(answer.status(200).body(), b"ok");
    }
    // HTTP/1.0 without a host: the server is called localhost.
    Conn::plain(gateway.plain()).request("GET /without HTTP/1.0\r\n\r\n").status(200);
    let has = |start: &str, field: &str| {
        let heads = heads.lock().expect("the heads");
        heads.iter().any(|head| head.starts_with(start) && head.to_ascii_lowercase().contains(field))
    };
    assert!(has("GET /over/the/socket?x=1 HTTP/1.1\r\n", "\r\nhost: localhost\r\n"));
    assert!(has("GET /without HTTP/1.1\r\n", "\r\nhost: localhost\r\n"));
    while !has("GET /health HTTP/1.1\r\n", "\r\nhost: localhost\r\n") {
        thread::yield_now();
    }

    // Without the socket there is no server.
    std::fs::remove_file(&path).expect("the socket");
    gateway.wait_until_written("unix:", 0);
    Conn::plain(gateway.plain()).request(get("/gone", &[])).status_in(&[502, 503]);
}
