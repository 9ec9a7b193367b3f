//! The server as its clients see it, over loopback, in one process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

const ANY: &str = "127.0.0.1:0";
/// Far more than anything here takes; only a failing test waits that long.
const LONG: Duration = Duration::from_secs(20);

struct Running {
    listeners: Vec<Listener>,
    shutdown: ShutdownHandle,
    thread: Option<JoinHandle<ExitReason>>,
}

impl Running {
    fn start(options: ServerOptions) -> Self {
        Self::start_with(options, |request: Request<Incoming>, connection: &Arc<ConnInfo>| {
            let connection = Arc::clone(connection);
            async move { answer(request, &connection).await }
        })
    }

    fn start_with<H: Handler>(options: ServerOptions, handler: H) -> Self {
        let bound = Bound::bind(options).unwrap();
        let (listeners, shutdown) = (bound.listeners().to_vec(), bound.shutdown_handle());
        let thread = Some(thread::spawn(move || bound.run(handler)));
        Self { listeners, shutdown, thread }
    }

    fn addr(&self) -> SocketAddr {
        self.listeners[0].addr()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    fn exit(mut self) -> ExitReason {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `/slow` takes 300 ms; `/big` answers 32 MiB; anything else says how the request came.
async fn answer(request: Request<Incoming>, connection: &ConnInfo) -> Response<Full<Bytes>> {
    let body = match request.uri().path() {
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Bytes::from_static(b"slow")
        }
        "/big" => Bytes::from(vec![b'x'; 32 << 20]),
        _ => Bytes::from(format!(
            "{:?} tls={} http2={} certificate={} peer={}",
            request.version(),
            connection.is_tls(),
            connection.is_http2(),
            connection.client_certificate().is_some(),
            connection.peer(),
        )),
    };
    Response::new(Full::new(body))
}

fn plain(limits: Limits) -> ServerOptions {
    let listeners = vec![ListenerSpec::plain(ANY.parse().unwrap())];
    ServerOptions { threads: 1, limits, ..ServerOptions::new(listeners) }
}

fn tls(state: &Path) -> ServerOptions {
    let listeners = vec![ListenerSpec::tls(ANY.parse().unwrap())];
    ServerOptions { threads: 1, tls: Some(self_signed(state).unwrap()), ..ServerOptions::new(listeners) }
}

fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// One answer with a Content-Length, leaving the connection open.
fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).unwrap();
        answer.extend(byte);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            return text.into_owned();
        }
    }
}

fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0) | Err(_))
}

#[test]
fn http1_on_a_plain_listener_is_kept_alive() {
    let server = Running::start(plain(Limits::default()));
    let mut client = server.connect();
    for _ in 0..2 {
        client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let answer = read_answer(&mut client);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("HTTP/1.1 tls=false http2=false"), "{answer}");
    }
}

#[test]
fn several_threads_and_listeners_answer() {
    let mut options = plain(Limits::default());
    options.threads = 2;
    options.listeners.push(ListenerSpec { label: "second".into(), ..options.listeners[0].clone() });
    let server = Running::start_with(options, |_: Request<Incoming>, connection: &Arc<ConnInfo>| {
        let label = connection.listener().spec.label.clone();
        async move { Response::new(Full::new(Bytes::from(format!("<{label}>")))) }
    });
    for (listener, expected) in server.listeners.iter().zip(["<>", "<second>"]) {
        for _ in 0..8 {
            let mut client = TcpStream::connect(listener.addr()).unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
            assert!(read_to_end(&mut client).ends_with(expected));
        }
    }
}

async fn tls_connect(addr: SocketAddr, config: rustls::ClientConfig) -> TlsStream<tokio::net::TcpStream> {
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

fn client_config(state: &Path, alpn: &[u8], identity: Option<(&str, &str)>) -> rustls::ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(state.join("self-signed.pem")).unwrap()).unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn https1(addr: SocketAddr, config: rustls::ClientConfig) -> String {
    let io = TokioIo::new(tls_connect(addr, config).await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    text(sender.send_request(request).await.unwrap()).await
}

#[tokio::test]
async fn tls_speaks_what_alpn_agreed_on() {
    let state = tempfile::tempdir().unwrap();
    let server = Running::start(tls(state.path()));
    let answer = https1(server.addr(), client_config(state.path(), b"http/1.1", None)).await;
    assert!(answer.starts_with("HTTP/1.1 tls=true http2=false certificate=false"), "{answer}");

    let io = TokioIo::new(tls_connect(server.addr(), client_config(state.path(), b"h2", None)).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = || Request::get("https://localhost/").body(Empty::<Bytes>::new()).unwrap();
    let (one, two) = tokio::join!(sender.clone().send_request(request()), sender.send_request(request()));
    for response in [one, two] {
        let answer = text(response.unwrap()).await;
        assert!(answer.starts_with("HTTP/2.0 tls=true http2=true"), "{answer}");
    }
}

#[tokio::test]
async fn h2c_where_it_is_asked_for() {
    let mut options = plain(Limits::default());
    options.listeners[0].h2c = true;
    let server = Running::start(options);
    let io = TokioIo::new(tokio::net::TcpStream::connect(server.addr()).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://localhost/").body(Empty::<Bytes>::new()).unwrap();
    let answer = text(sender.send_request(request).await.unwrap()).await;
    assert!(answer.starts_with("HTTP/2.0 tls=false http2=true"), "{answer}");
}

#[tokio::test]
async fn client_certificates_are_verified_and_optional() {
    let state = tempfile::tempdir().unwrap();
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    std::fs::write(state.path().join("ca.pem"), ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["client".into()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    let key = key.serialize_pem();

    let mut options = tls(state.path());
    options.tls.as_mut().unwrap().client_ca = Some(state.path().join("ca.pem"));
    let server = Running::start(options);
    let with = client_config(state.path(), b"http/1.1", Some((&certificate, &key)));
    assert!(https1(server.addr(), with).await.contains("certificate=true"));
    let without = client_config(state.path(), b"http/1.1", None);
    assert!(https1(server.addr(), without).await.contains("certificate=false"));
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    for threads in [1, 2] {
        let first = Bound::bind(ServerOptions { threads, ..plain(Limits::default()) }).unwrap();
        let addr = first.listeners()[0].addr();
        let listeners = vec![ListenerSpec::plain(addr)];
        let error = Bound::bind(ServerOptions { threads, ..ServerOptions::new(listeners) }).err().unwrap();
        let line = error.to_string();
        assert!(
            line.starts_with(&format!("cannot listen on http://{addr}: address already in use")),
            "{line}"
        );
    }
}

#[test]
fn certificates_that_cannot_be_used_name_their_file() {
    let state = tempfile::tempdir().unwrap();
    let good = self_signed(&state.path().join("good")).unwrap();
    let other = self_signed(&state.path().join("other")).unwrap();
    let missing = state.path().join("missing.pem");
    let garbage = state.path().join("garbage.pem");
    std::fs::write(&garbage, "not a certificate\n").unwrap();
    let cases = [
        (TlsPaths { certificate: missing.clone(), ..good.clone() }, "missing.pem: No such file"),
        (TlsPaths { key: missing, ..good.clone() }, "missing.pem: No such file"),
        (TlsPaths { certificate: garbage.clone(), ..good.clone() }, "garbage.pem holds no certificate"),
        (TlsPaths { key: garbage, ..good.clone() }, "garbage.pem holds no private key"),
        (TlsPaths { key: other.key, ..good }, "does not belong to the certificate in"),
    ];
    for (paths, expected) in cases {
        let options = ServerOptions { tls: Some(paths), ..tls(state.path()) };
        let error = Bound::bind(options).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let options = ServerOptions { tls: None, ..tls(state.path()) };
    assert!(Bound::bind(options).err().unwrap().to_string().contains("TLS needs a certificate"));
}

#[test]
fn a_slow_head_is_answered_408_and_closed() {
    let limits = Limits { header_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start(plain(limits));
    let mut client = server.connect();
    let start = Instant::now();
    client.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    let answer = read_to_end(&mut client);
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
    assert!((Duration::from_millis(150)..Duration::from_secs(5)).contains(&start.elapsed()));

    let mut silent = server.connect();
    assert_eq!(read_to_end(&mut silent), "", "who asks nothing is told nothing");
}

#[test]
fn an_idle_connection_outlives_the_header_timeout_but_not_the_idle_timeout() {
    let limits = Limits {
        header_timeout: Duration::from_millis(150),
        idle_timeout: Duration::from_millis(900),
        ..Limits::default()
    };
    let server = Running::start(plain(limits));
    let mut client = server.connect();
    let request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    client.write_all(request).unwrap();
    read_answer(&mut client);
    thread::sleep(Duration::from_millis(400));
    client.write_all(request).unwrap();
    assert!(read_answer(&mut client).starts_with("HTTP/1.1 200"));
    let start = Instant::now();
    assert!(is_closed(&mut client));
    assert!((Duration::from_millis(850)..Duration::from_secs(5)).contains(&start.elapsed()));

    // The second head on a connection has its own time.
    let mut client = server.connect();
    client.write_all(request).unwrap();
    read_answer(&mut client);
    let start = Instant::now();
    client.write_all(b"GET").unwrap();
    assert!(read_to_end(&mut client).starts_with("HTTP/1.1 408"));
    assert!(start.elapsed() < Duration::from_millis(850));
}

#[test]
fn a_slow_handler_is_no_idle_connection() {
    let limits = Limits {
        header_timeout: Duration::from_millis(50),
        idle_timeout: Duration::from_millis(60),
        ..Limits::default()
    };
    let server = Running::start(plain(limits));
    let mut client = server.connect();
    client.write_all(b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    assert!(read_answer(&mut client).ends_with("slow"));
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let limits = Limits { write_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start(plain(limits));
    let mut client = server.connect();
    client.write_all(b"GET /big HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(900));
    let mut received = Vec::new();
    let _ = client.read_to_end(&mut received);
    assert!(received.starts_with(b"HTTP/1.1 200") && received.len() < 32 << 20, "{}", received.len());
}

#[test]
fn heads_hyper_refuses_get_our_answer() {
    let server = Running::start(plain(Limits { max_header_size: 16 * 1024, ..Limits::default() }));
    let long = format!("GET / HTTP/1.1\r\nHost: here\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: here\r\n{}\r\n", "X-Many: 1\r\n".repeat(101));
    let cases = [
        (long.as_str(), "431 Request Header Fields Too Large"),
        (many.as_str(), "431 Request Header Fields Too Large"),
        ("GET / HTTP/1.1\r\nBad Name: 1\r\n\r\n", "400 Bad Request"),
        ("\0\0\0\0\r\n\r\n", "400 Bad Request"),
    ];
    for (head, status) in cases {
        let mut client = server.connect();
        client.write_all(head.as_bytes()).unwrap();
        let answer = read_to_end(&mut client);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains("\r\ncache-control: no-store\r\n"), "{answer}");
        assert!(answer.contains("\r\nx-content-type-options: nosniff\r\n"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    }
    // A good request, and a bad one right behind it: each gets its answer.
    let mut client = server.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    assert!(read_answer(&mut client).starts_with("HTTP/1.1 200"));
    client.write_all(b"nonsense\r\n\r\n").unwrap();
    assert!(read_to_end(&mut client).contains("nosniff"));
}

#[test]
fn connections_over_the_limit_are_told_and_closed() {
    let server = Running::start(plain(Limits { max_connections: 1, ..Limits::default() }));
    let mut first = server.connect();
    first.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    read_answer(&mut first);
    let mut second = server.connect();
    let answer = read_to_end(&mut second);
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    drop(first);
    let start = Instant::now();
    loop {
        let mut third = server.connect();
        // The server may refuse before it reads, which resets the connection.
        let _ = third.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        let _ = third.read_to_end(&mut answer);
        if answer.starts_with(b"HTTP/1.1 200") {
            break;
        }
        assert!(start.elapsed() < LONG, "the place was not given back");
    }
}

#[test]
fn a_proxy_header_names_the_client() {
    let mut options = plain(Limits::default());
    options.listeners[0].proxy_protocol = true;
    let server = Running::start(options);
    let mut client = server.connect();
    client
        .write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 5632 443\r\nGET / HTTP/1.1\r\nHost: here\r\n\r\n")
        .unwrap();
    assert!(read_answer(&mut client).ends_with("peer=192.0.2.7:5632"));
    let mut without = server.connect();
    without.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    assert!(is_closed(&mut without));
}

#[test]
fn a_drain_answers_what_is_in_flight_and_closes_what_is_idle() {
    let server = Running::start(plain(Limits::default()));
    let mut idle = server.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    read_answer(&mut idle);
    let mut fresh = server.connect();
    let mut busy = server.connect();
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    server.shutdown.drain();
    assert!(is_closed(&mut idle) && is_closed(&mut fresh));
    assert!(start.elapsed() < Duration::from_millis(150), "idle connections wait for nobody");
    let answer = read_to_end(&mut busy);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("slow"), "{answer}");
    assert!(TcpStream::connect(server.addr()).is_err(), "nothing new is accepted");
    assert_eq!(server.exit(), ExitReason::Drained);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn grace_is_finite_and_stop_is_at_once() {
    let forever = |_: Request<Incoming>, _: &Arc<ConnInfo>| async {
        std::future::pending::<()>().await;
        Response::new(Full::new(Bytes::new()))
    };
    for stop in [false, true] {
        let grace = if stop { LONG } else { Duration::from_millis(100) };
        let server = Running::start_with(ServerOptions { grace, ..plain(Limits::default()) }, forever);
        let mut client = server.connect();
        client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        server.shutdown.drain();
        if stop {
            server.shutdown.stop();
        }
        let expected = if stop { ExitReason::Stopped } else { ExitReason::GraceExpired { connections: 1 } };
        assert_eq!(server.exit(), expected);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn an_upgraded_connection_is_the_handlers() {
    let server =
        Running::start_with(plain(Limits::default()), |mut request: Request<Incoming>, _: &Arc<ConnInfo>| {
            tokio::spawn(async move {
                let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
                let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
            async {
                Response::builder()
                    .status(101)
                    .header("connection", "upgrade")
                    .header("upgrade", "echo")
                    .body(Empty::<Bytes>::new())
                    .unwrap()
            }
        });
    let echoed = tokio::task::spawn_blocking(move || {
        let mut client = server.connect();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"));
        client.write_all(b"ping").unwrap();
        let mut echoed = [0; 4];
        client.read_exact(&mut echoed).unwrap();
        echoed
    });
    assert_eq!(&echoed.await.unwrap(), b"ping");
}

#[test]
fn the_demo_api_echoes_who_is_asking() {
    let demo = demo::Demo::bind(ANY.parse().unwrap()).unwrap();
    let addr = demo.addr();
    demo.spawn().unwrap();
    let ask = |head: &str| {
        let mut client = TcpStream::connect(addr).unwrap();
        write!(client, "{head}\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
        read_to_end(&mut client)
    };
    let answer = ask("GET /hello_world HTTP/1.1\r\nX-Client-Id: server");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("Hello, world!"), "{answer}");
    assert!(answer.contains(r#""client_id":"server""#), "{answer}");
    assert!(ask("GET /health HTTP/1.1").starts_with("HTTP/1.1 200"));
    assert!(ask("GET /nothing HTTP/1.1").starts_with("HTTP/1.1 404"));
    assert!(ask("POST /hello_world HTTP/1.1").starts_with("HTTP/1.1 405"));
}
