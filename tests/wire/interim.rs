//! Interim responses (RFC 9110 §15.2) on connections that speak HTTP/2: from servers of both protocols, to
//! clients of both.

use crate::support::h2_upstream::{Act, H2Upstream};
use crate::support::{Config, Conn, Fixture, Gateway, Next, get};
use http::{Request, Response};
use std::future::poll_fn;
use std::net::SocketAddr;

const H2C: &str = "{ url = \"http://127.0.0.1:0\", h2c = true }";

/// Sends a request over HTTP/2. Returns its interim responses, and the response with its body.
fn ask(address: SocketAddr, path: &str) -> (Vec<Response<()>>, Response<Vec<u8>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let (mut sender, connection) = h2::client::handshake(socket).await.expect("a handshake");
        tokio::spawn(connection);
        let request = Request::get(format!("http://localhost{path}")).body(()).expect("a request");
        let (mut response, _) = sender.send_request(request, true).expect("a stream");
        let mut interim = Vec::new();
        while let Some(Ok(one)) = poll_fn(|cx| response.poll_informational(cx)).await {
            interim.push(one);
        }
        let (head, mut stream) = response.await.expect("a response").into_parts();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            body.extend_from_slice(&data.expect("the body"));
        }
        (interim, Response::from_parts(head, body))
    })
}

fn statuses(interim: &[Response<()>]) -> Vec<u16> {
    interim.iter().map(|response| response.status().as_u16()).collect()
}

#[test]
fn interim_responses_of_http_1_1_servers_reach_http_2_clients() {
    let gateway = Fixture::start(|config| config.listen(H2C));
    gateway.upstream.on_bytes(
        "/public/hints",
        Next::KeepAlive,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\
         Connection: X-Hop\r\nX-Hop: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    );
    let (interim, response) = ask(gateway.gateway.h2c(), "/public/hints");
    assert_eq!(statuses(&interim), [102, 103]);
    let hints = interim[1].headers();
    assert_eq!(hints["link"], "</a.css>");
    assert!(!hints.contains_key("x-hop") && !hints.contains_key("content-length"), "{hints:?}");
    assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &b"hi"[..]));
    assert!(!response.headers().contains_key("link"));
}

fn interim(status: u16) -> Response<()> {
    Response::builder().status(status).header("link", "</a.css>").body(()).expect("a response")
}

/// A gateway in front of a server that speaks HTTP/2 and answers with this.
fn before(act: Act) -> (Gateway, H2Upstream) {
    let upstream = H2Upstream::start(move |_| act.clone());
    let config = Config::bare()
        .listen(H2C)
        .table(&format!(
            "[upstreams.api]\nservers = [\"http://localhost:{}\"]\nprotocol = \"http2\"",
            upstream.address().port()
        ))
        .route("prefix = \"/\"\naccess = \"public\"\nupstream = \"api\"");
    (Gateway::start(&config), upstream)
}

#[test]
fn interim_responses_of_http_2_servers_reach_clients_of_both_protocols() {
    let (gateway, _upstream) = before(Act::Interim(vec![interim(100), interim(102), interim(103)]));
    let (found, response) = ask(gateway.h2c(), "/");
    assert_eq!((statuses(&found), response.status().as_u16()), (vec![102, 103], 200));
    assert_eq!(found[1].headers()["link"], "</a.css>");
    let mut conn = Conn::plain(gateway.plain());
    conn.send(get("/", &[]));
    conn.read_only_head().status(102);
    conn.read_only_head().status(103).has("link", "</a.css>");
    conn.read().status(200).lacks("link");
    conn.request("GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n").status(200);
}

#[test]
fn endless_interim_responses_of_http_2_servers_are_an_error() {
    let (gateway, _upstream) = before(Act::Interim(vec![interim(103); 40]));
    let (found, response) = ask(gateway.h2c(), "/");
    assert_eq!((found.len(), response.status().as_u16()), (16, 502));
}

#[test]
fn a_refused_head_request_over_http_2_has_no_body() {
    let gateway = Fixture::start(|config| config.listen(H2C));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(gateway.gateway.h2c()).await.expect("a connection");
        let (mut sender, connection) = h2::client::handshake(socket).await.expect("a handshake");
        tokio::spawn(connection);
        let request = Request::head("http://localhost/hello").body(()).expect("a request");
        let (response, _) = sender.send_request(request, true).expect("a stream");
        let response = response.await.expect("a response");
        assert_eq!(response.status(), 401);
        let length: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
        assert!(length > 0 && response.body().is_end_stream());
    });
}
