//! Logins that authenticate a connection (NTLM, Negotiate): the upstream connection that carries one serves
//! its client connection and nobody else.

use crate::support::tls::H2;
use crate::support::upstream::{Recorded, ok};
use crate::support::{Config, Conn, Fixture, Gateway, Next, Upstream, get};
use bytes::Bytes;
use http_body_util::Full;
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

/// The state of the login of a connection.
#[derive(Clone, PartialEq)]
enum State {
    Challenged,
    User(String),
}

/// Answers like a server that authenticates connections: with the name of the connection's user, or 401.
///
/// `Negotiate NAME` logs in with one request, NTLM with the usual three: `NTLM one`, a challenge,
/// `NTLM three NAME`.
fn log_in(
    connections: &Mutex<HashMap<SocketAddr, State>>,
    seen: &Recorded,
    out: &mut TcpStream,
) -> io::Result<Next> {
    let peer = out.peer_addr()?;
    let mut connections = connections.lock().expect("the connections");
    let state = connections.get(&peer).cloned();
    let authorization = seen.all("authorization").first().copied().unwrap_or("").to_owned();
    let words: Vec<&str> = authorization.split(' ').collect();
    let (state, challenge) = match (&*words, state) {
        (["Negotiate", user], _) => (Some(State::User((*user).to_owned())), ""),
        (["NTLM", "one"], _) => (Some(State::Challenged), "NTLM two"),
        (["NTLM", "three", user], Some(State::Challenged)) => (Some(State::User((*user).to_owned())), ""),
        (_, state) => (state, "NTLM"),
    };
    let answer = match &state {
        Some(State::User(user)) => {
            let whole = String::from_utf8(ok(user)).expect("ASCII");
            whole.replacen("\r\n", "\r\nPersistent-Auth: true\r\n", 1)
        }
        _ => {
            format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n")
        }
    };
    if let Some(state) = state {
        connections.insert(peer, state);
    }
    out.write_all(answer.as_bytes()).map(|()| Next::KeepAlive)
}

fn authenticates_connections(
    upstream: &Upstream,
    path: &str,
    connections: &Arc<Mutex<HashMap<SocketAddr, State>>>,
) {
    let connections = Arc::clone(connections);
    upstream.on(path, move |seen, out| log_in(&connections, seen, out));
}

fn fixture() -> Fixture {
    let fixture = Fixture::start(|config| config.listen("https://127.0.0.1:0"));
    let connections = Arc::default();
    authenticates_connections(&fixture.upstream, "/public/app", &connections);
    authenticates_connections(&fixture.upstream, "/api/app", &connections);
    fixture
}

/// Sends a request and returns the user as whom the server answered it.
fn user(conn: &mut Conn, path: &str, fields: &[&str]) -> Option<String> {
    let answer = conn.request(get(path, fields));
    (answer.status_in(&[200, 401]).code() == 200).then(|| String::from_utf8_lossy(answer.body()).into_owned())
}

#[test]
fn a_login_is_never_used_for_a_stranger() {
    let gateway = fixture();
    let bearer = gateway.bearer("server", "read");
    let mut waiting = Vec::new();
    for round in 0..20 {
        let mut alice = gateway.connect();
        // Half of the rounds log in by a request that says so, half by a handshake that the response
        // announces.
        let login = if round % 2 == 0 {
            user(&mut alice, "/public/app", &["Authorization: Negotiate alice"])
        } else {
            user(&mut alice, "/public/app", &["Authorization: ntlm one"]);
            user(&mut alice, "/public/app", &["Authorization: NTLM one"]);
            user(&mut alice, "/public/app", &["Authorization: NTLM three alice"])
        };
        assert_eq!(login.as_deref(), Some("alice"), "round {round}");
        // Some stay connected while the stranger asks, some have left.
        if round % 3 == 0 {
            waiting.push(alice);
        } else {
            drop(alice);
        }
        let mut stranger = gateway.connect();
        assert_eq!(user(&mut stranger, "/public/app", &[]), None, "round {round}");
        assert_eq!(user(&mut stranger, "/api/app", &[&bearer]), None, "round {round}, on a protected route");
    }
    for alice in &mut waiting {
        assert_eq!(user(alice, "/public/app", &[]).as_deref(), Some("alice"), "still logged in");
        assert_eq!(user(alice, "/api/app", &[&bearer]), None, "a protected route carries no login");
    }
}

#[test]
fn a_client_logs_in_over_one_upstream_connection_although_there_are_several_servers() {
    let servers = [Upstream::start(), Upstream::start()];
    let connections = Arc::default();
    for server in &servers {
        authenticates_connections(server, "/two/app", &connections);
    }
    let list =
        format!("servers = [\"http://{}\", \"http://{}\"]", servers[0].address(), servers[1].address());
    let config = Config::bare()
        .table(&format!("[upstreams.two]\n{list}"))
        .route("prefix = \"/two\"\naccess = \"public\"\nupstream = \"two\"");
    let gateway = Gateway::start(&config);
    let mut alice = Conn::plain(gateway.plain());
    assert_eq!(user(&mut alice, "/two/app", &[]), None);
    assert_eq!(user(&mut alice, "/two/app", &["Authorization: NTLM one"]), None);
    for marker in ["Authorization: NTLM three alice", "X-Next: 1", "X-Next: 2", "X-Next: 3"] {
        assert_eq!(user(&mut alice, "/two/app", &[marker]).as_deref(), Some("alice"), "{marker}");
    }
    // Alice's connection to the server ends with her connection to the gateway.
    let server = servers.iter().find(|server| server.saw("three alice")).expect("the server of her login");
    assert_eq!(server.requests("X-Next").len(), 3, "all requests go to the server of her login");
    drop(alice);
    server.wait_for_end("three alice");
}

#[test]
fn a_login_survives_a_pause_but_not_the_server_s_close() {
    let fixture = fixture();
    let mut alice = fixture.connect();
    let login = user(&mut alice, "/public/app", &["Authorization: Negotiate alice", "X-Marker: first"]);
    assert_eq!(login.as_deref(), Some("alice"));
    // After two seconds without a request, the gateway frees what a connection needs to serve one.
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!(user(&mut alice, "/public/app", &[]).as_deref(), Some("alice"));
    fixture.upstream.close_all();
    fixture.upstream.wait_for_end("X-Marker: first");
    assert_eq!(user(&mut alice, "/public/app", &[]), None, "she logs in again");
    let login = user(&mut alice, "/public/app", &["Authorization: Negotiate alice"]);
    assert_eq!(login.as_deref(), Some("alice"));
}

#[tokio::test]
async fn a_login_over_http_2_ends_with_its_request() {
    let fixture = fixture();
    let mut alice = H2::connect(fixture.gateway.tls()).await;
    for round in 0..5 {
        let request = http::Request::get("http://localhost/public/app")
            .header("authorization", "Negotiate alice")
            .body(Full::<Bytes>::default())
            .expect("a request");
        assert_eq!(alice.request(request).await.body(), "alice", "round {round}");
        let mut stranger = fixture.connect();
        assert_eq!(user(&mut stranger, "/public/app", &[]), None, "round {round}");
    }
}
