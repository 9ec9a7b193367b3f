//! gRPC through the gateway: real clients, a real server, every kind of call, and refusals as gRPC statuses.

use crate::support::frames::{END_HEADERS, Frames, HEADERS, Outcome, RST_STREAM, block, frame};
use crate::support::grpc::{Caller, Echo};
use crate::support::{Config, Fixture, Gateway, PATIENCE, REVOKE, credentials, jwks, post_form, tls};
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::Code;
use tonic::transport::{Channel, Endpoint, Uri};

/// A gateway in front of the service, for HTTP/2 with and without TLS.
struct Setup {
    fixture: Fixture,
    echo: Echo,
    channel: Channel,
}

async fn start() -> Setup {
    let (echo, address) = Echo::start().await;
    let fixture = tokio::task::spawn_blocking(move || Fixture::start(|config| routes(config, address)))
        .await
        .expect("a gateway");
    let channel = plain(fixture.gateway.h2c()).await;
    Setup { fixture, echo, channel }
}

fn routes(config: Config, address: SocketAddr) -> Config {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    config
        .listen("{ url = \"http://127.0.0.1:0\", h2c = true }")
        .listen("https://127.0.0.1:0")
        .table(&format!("[upstreams.echo]\nservers = [\"http://{address}\"]\nprotocol = \"http2\""))
        .table(&format!(
            "[upstreams.slow]\nservers = [\"http://{address}\"]\nprotocol = \"http2\"\nread_timeout = \"200ms\""
        ))
        .table(&format!("[upstreams.dead]\nservers = [\"http://{dead}\"]\nprotocol = \"http2\""))
        .route("prefix = \"/test.Echo\"\nscopes = [\"read\"]\nupstream = \"echo\"")
        .route("path = \"/test.Echo/Admin\"\nscopes = [\"admin\"]\nupstream = \"echo\"")
        .route("path = \"/test.Echo/Both\"\nhost = \"slow.test\"\nscopes = [\"read\"]\nupstream = \"slow\"")
        .route("path = \"/test.Dead/Unary\"\nscopes = [\"read\"]\nupstream = \"dead\"")
        .route("path = \"/test.Echo/Rated\"\nscopes = [\"read\"]\nupstream = \"echo\"\nrate_limit = \"1/h\"")
        .route("path = \"/test.Echo/Small\"\nscopes = [\"read\"]\nupstream = \"echo\"\nmax_body_size = \"8B\"")
}

async fn plain(address: SocketAddr) -> Channel {
    let url = format!("http://{address}");
    Channel::from_shared(url).expect("a URL").connect().await.expect("a connection")
}

/// A TLS channel that accepts the gateway's self-signed certificate.
async fn encrypted(address: SocketAddr) -> Channel {
    let connect = tower::service_fn(move |_: Uri| async move {
        Ok::<_, std::io::Error>(TokioIo::new(tls::connect_h2(address).await))
    });
    let endpoint = Endpoint::from_static("http://localhost");
    endpoint.connect_with_connector(connect).await.expect("a connection")
}

impl Setup {
    fn bearer(&self, scope: &str) -> String {
        format!("Bearer {}", self.fixture.token("administrator", scope))
    }

    fn caller(&self, scope: &str) -> Caller {
        Caller::new(self.channel.clone(), Some(&self.bearer(scope)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unary_calls_carry_metadata_in_both_directions() {
    let setup = start().await;
    let bearer = setup.bearer("read");
    for channel in [setup.channel.clone(), encrypted(setup.fixture.gateway.tls()).await] {
        let mut caller = Caller::new(channel, Some(&bearer));
        let response = caller.unary("/test.Echo/Unary", "hello").await.expect("an answer");
        assert_eq!(response.get_ref(), "hello");
        assert_eq!(response.metadata().get("x-from").expect("metadata"), "echo");
        let large = "x".repeat(3 << 20);
        let response = caller.unary("/test.Echo/Unary", &large).await.expect("an answer");
        assert!(response.get_ref() == large.as_bytes(), "another message came back");
    }
    let reached = setup.echo.reached();
    assert_eq!(reached.len(), 4);
    for head in reached {
        assert_eq!(head.version, http::Version::HTTP_2);
        assert_eq!(head.headers["te"], "trailers", "{head:?}");
        assert_eq!(head.headers["content-type"], "application/grpc");
        assert_eq!(head.headers["x-client-id"], "administrator");
        assert_eq!(head.headers["x-client-scope"], "read");
        assert_eq!(head.uri.scheme_str(), Some("http"), "{head:?}");
        assert!(head.uri.authority().is_some(), "{head:?}");
        for gone in ["authorization", "host", "connection", "transfer-encoding"] {
            assert!(!head.headers.contains_key(gone), "{gone}: {head:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_carries_a_jwt_in_place_of_the_token() {
    let (echo, address) = Echo::start().await;
    let fixture = tokio::task::spawn_blocking(move || {
        Fixture::start(|config| {
            config
                .listen("{ url = \"http://127.0.0.1:0\", h2c = true }")
                .table(&format!(
                    "[upstreams.echo]\nservers = [\"http://{address}\"]\nprotocol = \"http2\"\njwt_audience = \
                     \"https://echo.internal\""
                ))
                .route("prefix = \"/test.Echo\"\nscopes = [\"read\"]\nupstream = \"echo\"\nforward_token = \"jwt\"")
        })
    });
    let fixture = fixture.await.expect("a gateway");
    let channel = plain(fixture.gateway.h2c()).await;
    let token = fixture.token("administrator", "read");
    let mut caller = Caller::new(channel.clone(), Some(&format!("Bearer {token}")));
    caller.unary("/test.Echo/Unary", "hello").await.expect("an answer");
    let mut messages = caller.down("again").await.expect("a stream");
    assert_eq!(messages.message().await.expect("a message").expect("a message"), "again");
    let refused = Caller::new(channel, Some("Bearer tg_x")).unary("/test.Echo/Unary", "hello").await;
    assert_eq!(refused.expect_err("a status").code(), Code::Unauthenticated);
    let reached = echo.reached();
    assert_eq!(reached.len(), 2, "a refused call does not reach the server");
    let keys = jwks::fetch(fixture.address());
    for head in reached {
        let values: Vec<_> = head.headers.get_all("authorization").iter().collect();
        assert_eq!(values.len(), 1, "{head:?}");
        let jwt = values[0].to_str().expect("ASCII").strip_prefix("Bearer ").expect("a bearer");
        let claims = jwks::verify(jwt, &keys).expect("the key is published").claims;
        assert_eq!((&claims["sub"], &claims["scope"]), (&"administrator".into(), &"read".into()));
        assert_eq!(claims["aud"], "https://echo.internal");
        assert!(!format!("{head:?}").contains(&token), "{head:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_forwarded_with_and_without_messages() {
    let setup = start().await;
    let mut caller = setup.caller("read");
    // A response with trailers only.
    let status = caller.unary("/test.Echo/Unary", "fail").await.expect_err("a status");
    assert_eq!((status.code(), status.message()), (Code::DataLoss, "lost: 100 % of ümlauts"));
    assert_eq!(status.metadata().get("x-why").expect("metadata"), "asked");
    let status = caller.unary("/test.Echo/Nothing", "").await.expect_err("a status");
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, "no such method"));
    // A status in the trailers.
    let mut messages = caller.down("again").await.expect("a stream");
    for _ in 0..3 {
        assert_eq!(messages.message().await.expect("a message").expect("a message"), "again");
    }
    let status = messages.message().await.expect_err("a status");
    assert_eq!((status.code(), status.message()), (Code::OutOfRange, "no more"));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_streams_and_bidirectional_streams_work() {
    let setup = start().await;
    let mut caller = setup.caller("read");
    let (sender, receiver) = mpsc::channel(1);
    let sending = tokio::spawn(async move {
        for part in 0..200 {
            sender.send(Bytes::from(format!("{part},").repeat(1000))).await.expect("the call takes it");
        }
    });
    let all = caller.up(receiver).await.expect("an answer");
    sending.await.expect("all sent");
    let expected: String = (0..200).map(|part| format!("{part},").repeat(1000)).collect();
    assert!(all == expected.as_bytes(), "other messages arrived");

    let (sender, receiver) = mpsc::channel(1);
    let mut answers = caller.both(receiver).await.expect("a stream");
    // Each response arrives before the next message is sent: nothing is buffered in either direction.
    for turn in 0..20 {
        sender.send(Bytes::from(format!("turn {turn}"))).await.expect("the call takes it");
        let answer = timeout(PATIENCE, answers.message()).await.expect("no answer in time");
        assert_eq!(answer.expect("an answer").expect("an answer"), format!("turn {turn}"));
    }
    drop(sender);
    let end = timeout(PATIENCE, answers.message()).await.expect("no end in time");
    assert!(end.expect("an end without an error").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_grpc_statuses() {
    let setup = start().await;
    let read = setup.bearer("read");
    let rows = [
        ("/test.Echo/Unary", None, Code::Unauthenticated),
        ("/test.Echo/Unary", Some("Bearer tg_nonsense"), Code::Unauthenticated),
        ("/test.Echo/Unary", Some("Bearer two words"), Code::Unauthenticated),
        ("/test.Echo/Admin", Some(&*read), Code::PermissionDenied),
        ("/test.Nowhere/Unary", Some(&*read), Code::Unimplemented),
        ("/test.Dead/Unary", Some(&*read), Code::Unavailable),
        ("/test.Echo/Small", Some(&*read), Code::ResourceExhausted),
        ("/test.Echo/%2e%2e", Some(&*read), Code::Internal),
    ];
    for (path, authorization, code) in rows {
        let mut caller = Caller::new(setup.channel.clone(), authorization);
        let status = caller.unary(path, "too long for eight").await.expect_err(path);
        assert_eq!(status.code(), code, "{path}: {status:?}");
        assert!(!status.message().is_empty(), "{path}: {status:?}");
        let challenged = status.metadata().get("www-authenticate").is_some();
        assert_eq!(challenged, matches!(code, Code::Unauthenticated | Code::PermissionDenied), "{status:?}");
    }
    // The length of the message was not announced, so its beginning was already forwarded.
    let reached: Vec<_> = setup.echo.reached().iter().map(|head| head.uri.path().to_owned()).collect();
    assert_eq!(reached, ["/test.Echo/Small"], "a refused call reached the service");

    let mut caller = Caller::new(setup.channel.clone(), Some(&read));
    // The first request is forwarded, to a method that does not exist.
    let _ = caller.unary("/test.Echo/Rated", "").await;
    let status = caller.unary("/test.Echo/Rated", "").await.expect_err("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.metadata().get("retry-after").is_some(), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_service_times_out() {
    let setup = start().await;
    // Both bodies stay open, and neither side sends anything.
    let channel = Channel::from_shared(format!("http://{}", setup.fixture.gateway.h2c()))
        .expect("a URL")
        .origin(Uri::from_static("http://slow.test"))
        .connect()
        .await
        .expect("a connection");
    let mut caller = Caller::new(channel, Some(&setup.bearer("read")));
    let (_sender, receiver) = mpsc::channel(1);
    let mut answers = caller.both(receiver).await.expect("a stream");
    let end = timeout(PATIENCE, answers.message()).await.expect("no timeout");
    end.expect_err("a stream that was cut ended well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let setup = start().await;
    let token = setup.fixture.token("administrator", "read");
    let mut caller = Caller::new(setup.channel.clone(), Some(&format!("Bearer {token}")));
    let (both, receiver) = mpsc::channel(1);
    let mut answers = caller.both(receiver).await.expect("a stream");
    both.send(Bytes::from_static(b"x")).await.expect("the call takes it");
    answers.message().await.expect("an answer").expect("an answer");
    // An upload without a response yet ends as well.
    let (_up, receiver) = mpsc::channel(1);
    let up = tokio::spawn(async move { caller.up(receiver).await });
    timeout(PATIENCE, setup.echo.wait_for(2)).await.expect("the upload has begun");
    let revoke = post_form(REVOKE, &[], format!("{}&token={token}", credentials("administrator")));
    setup.fixture.raw(revoke).status(200);
    timeout(PATIENCE, answers.message()).await.expect("no timeout").expect_err("a stream outlived its token");
    let status = timeout(PATIENCE, up).await.expect("no timeout").expect("no panic").expect_err("a status");
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_call_is_canceled_upstream() {
    let (_echo, address) = Echo::start().await;
    let config = Config::standard(address)
        .listen("{ url = \"http://127.0.0.1:0\", h2c = true }")
        .table(&format!(
            "[upstreams.echo]\nservers = [\"http://{address}\"]\nprotocol = \"http2\"\nmax_in_flight = 1"
        ))
        .route("prefix = \"/test.Echo\"\naccess = \"public\"\nupstream = \"echo\"");
    let gateway = Gateway::start(&config);
    let h2c = gateway.h2c();
    let mut caller = Caller::new(plain(h2c).await, None);
    // A call with both halves open, by hand: libraries differ in when they report a cancellation.
    let mut call = tokio::task::spawn_blocking(move || {
        let mut call = Frames::open(h2c);
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/test.Echo/Both"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ];
        call.send(frame(HEADERS, END_HEADERS, 1, &block(&fields)));
        assert_eq!(call.outcome(1), Outcome::Status(200));
        call
    })
    .await
    .expect("a call");
    let status = caller.unary("/test.Echo/Unary", "").await.expect_err("no place is left");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    // CANCEL: the connection stays open.
    call.send(frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes()));
    let deadline = std::time::Instant::now() + PATIENCE;
    while caller.unary("/test.Echo/Unary", "").await.is_err() {
        assert!(std::time::Instant::now() < deadline, "its place was never given back");
    }
}
