//! Every duration of `[server.limits]` within ±10 %, on a clock that the tests move.

use std::ops::Range;
use std::task::{Context, Poll};

use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::Instant;

use super::*;
use crate::server::connection::Shared;
use crate::server::shutdown::DrainSignal;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";

/// Limits that all differ, so that a test cannot mistake one for another.
fn limits() -> Limits {
    Limits {
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(70),
        write_timeout: Duration::from_secs(30),
        handshake_timeout: Duration::from_secs(5),
        half_closed_timeout: Duration::from_secs(3),
        ..Limits::default()
    }
}

fn shared<H: Handler>(handler: H) -> Arc<Shared<H>> {
    let live = Arc::new(LiveLimits::without_listeners(limits(), Duration::from_secs(10)));
    Arc::new(Shared { handler: Arc::new(handler), live, tls: None, drain: DrainSignal::new() })
}

/// Serves a connection over memory. Returns the client's side, which writes at most 64 KiB ahead.
fn connect(http2: bool) -> DuplexStream {
    connect_to(answering(), http2)
}

fn connect_to<H: Handler>(handler: H, http2: bool) -> DuplexStream {
    let shared = shared(handler);
    let (client, server) = duplex(64 * 1024);
    let listener = Arc::new(Listener { spec: ListenerSpec::plain(ANY.parse().unwrap()), index: 0 });
    let info = ConnInfo::new(ANY.parse().unwrap(), listener, None);
    let settings = shared.live.connection_settings();
    if http2 {
        tokio::spawn(shared.http2(server, info, settings));
    } else {
        tokio::spawn(shared.http1(server, info, settings));
    }
    client
}

/// Returns the times that are within 10 % of a limit.
fn about(limit: Duration) -> Range<Duration> {
    limit.mul_f64(0.9)..limit.mul_f64(1.1)
}

/// Reads until the connection ends, and returns what was received.
async fn rest(client: &mut DuplexStream) -> String {
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    String::from_utf8_lossy(&rest).into_owned()
}

async fn answered(client: &mut DuplexStream) {
    client.write_all(REQUEST).await.unwrap();
    let mut some = [0; 1024];
    assert!(client.read(&mut some).await.unwrap() > 0);
}

/// Sends a byte of a head every second, until the connection ends.
async fn drip(mut client: DuplexStream) -> (Duration, String) {
    let start = Instant::now();
    client.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(client);
    let dripping = async {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending().await
    };
    let mut answer = Vec::new();
    tokio::select! {
        _ = reading.read_to_end(&mut answer) => {}
        () = dripping => {}
    }
    (start.elapsed(), String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(start_paused = true)]
async fn a_hundred_slow_heads_end_at_the_header_timeout() {
    let mut slow = tokio::task::JoinSet::new();
    for at in 0..100 {
        let mut client = connect(false);
        if at % 2 == 0 {
            answered(&mut client).await;
        }
        slow.spawn(drip(client));
    }
    while let Some(ended) = slow.join_next().await {
        let (took, answer) = ended.unwrap();
        assert!(about(limits().header_timeout).contains(&took), "{took:?}");
        assert!(answer.contains("HTTP/1.1 408"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_ends_at_the_header_timeout() {
    for http2 in [false, true] {
        let (mut client, start) = (connect(http2), Instant::now());
        rest(&mut client).await;
        assert!(about(limits().header_timeout).contains(&start.elapsed()), "HTTP/2: {http2}");
    }
}

#[tokio::test(start_paused = true)]
async fn idle_http_1_connections_end_at_the_idle_timeout() {
    for pause in [0, 1, 5, 60] {
        let mut client = connect(false);
        answered(&mut client).await;
        tokio::time::sleep(Duration::from_secs(pause)).await;
        answered(&mut client).await;
        let start = Instant::now();
        assert_eq!(rest(&mut client).await, "");
        assert!(about(limits().idle_timeout).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
}

/// Answers HTTP/2 requests without an end.
struct Endless;

impl Handler for Endless {
    type Session = ();

    async fn serve<I: Socket>(&self, client: &mut Client<I>, _: &ConnInfo, (): &mut ()) {
        client.close();
    }

    async fn serve_stream(&self, stream: &mut Stream, _: &ConnInfo, (): &mut ()) {
        stream.reply.send(Response::new(Self), |_| ()).await;
    }
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&[b'x'; 1024])))))
    }
}

/// Returns an HTTP/2 client, and a task that ends with the connection.
async fn connect_http2<H: Handler>(
    handler: H,
) -> (h2::client::SendRequest<Bytes>, tokio::task::JoinHandle<()>) {
    let (sender, connection) = h2::client::handshake(connect_to(handler, true)).await.unwrap();
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    (sender, driver)
}

fn request(path: &str) -> Request<()> {
    Request::get(format!("http://here{path}")).body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn idle_http_2_connections_end_at_the_idle_timeout() {
    for pause in [0, 1, 60] {
        let (mut sender, driver) = connect_http2(answering()).await;
        // The second request takes longer than the interval at which the connection checks its state.
        for path in ["/", "/slow"] {
            let (answer, _) = sender.send_request(request(path), true).unwrap();
            let mut body = answer.await.unwrap().into_body();
            while body.data().await.is_some() {}
            tokio::time::sleep(Duration::from_secs(if path == "/" { pause } else { 0 })).await;
        }
        let start = Instant::now();
        driver.await.unwrap();
        assert!(about(limits().idle_timeout).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_disconnected_at_the_write_timeout() {
    let (mut client, start) = (connect(false), Instant::now());
    client.write_all(b"GET /big HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
    let server_gone = async {
        while client.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    server_gone.await;
    assert!(about(limits().write_timeout).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_http_2_stream_that_is_not_read_is_reset_at_the_write_timeout() {
    // With and without earlier progress: the window opens a little after a while, and then never again.
    for progress_after in [None, Some(Duration::from_secs(20))] {
        let (mut sender, driver) = connect_http2(Endless).await;
        let (answer, _) = sender.send_request(request("/"), true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        let mut start = Instant::now();
        let mut taken = body.data().await.unwrap().unwrap().len();
        if let Some(after) = progress_after {
            tokio::time::sleep(after).await;
            body.flow_control().release_capacity(taken).unwrap();
            start = Instant::now();
        }
        // The window is not opened again. The stream is reset once the client has waited for too long.
        let error = loop {
            match body.data().await {
                Some(Ok(data)) => taken += data.len(),
                Some(Err(error)) => break error,
                None => panic!("the response is complete after {taken} bytes"),
            }
        };
        assert!(error.is_reset(), "{error}");
        assert!(about(limits().write_timeout).contains(&start.elapsed()), "{:?}", start.elapsed());
        driver.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn small_http_2_responses_do_not_wait_longer_than_the_write_timeout() {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let (mut sender, connection) =
        builder.handshake::<_, Bytes>(connect_to(answering(), true)).await.unwrap();
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    let mut bodies = Vec::new();
    let start = Instant::now();
    for _ in 0..100 {
        let (answer, _) = sender.send_request(request("/"), true).unwrap();
        bodies.push(answer.await.unwrap().into_body());
    }
    for mut body in bodies {
        let error = body.data().await.unwrap().unwrap_err();
        assert!(error.is_reset(), "{error}");
        assert!(about(limits().write_timeout).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
    driver.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resets_most_of_its_streams_loses_its_connection() {
    // As many streams are reset as are answered, or all are reset.
    for answered in [1, 0] {
        let (mut sender, driver) = connect_http2(answering()).await;
        let mut resets = 0;
        let error = loop {
            for _ in 0..answered {
                let (answer, _) = sender.send_request(request("/"), true).unwrap();
                answer.await.unwrap();
            }
            match sender.ready().await {
                Ok(ready) => sender = ready,
                Err(error) => break Some(error),
            }
            let Ok((_, mut stream)) = sender.send_request(request("/slow"), true) else { continue };
            // It is accepted before it is reset.
            tokio::time::sleep(Duration::from_millis(1)).await;
            stream.send_reset(h2::Reason::CANCEL);
            tokio::time::sleep(Duration::from_millis(1)).await;
            resets += 1;
            if resets == 300 {
                break None;
            }
        };
        if answered == 1 {
            assert!(error.is_none(), "{error:?}");
        } else {
            assert_eq!(error.and_then(|error| error.reason()), Some(h2::Reason::ENHANCE_YOUR_CALM));
            assert!((100..110).contains(&resets), "{resets}");
        }
        driver.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_handshake_ends_at_the_handshake_timeout() {
    let state = tempfile::tempdir().unwrap();
    let tls = Some(Arc::new(TlsReloader::load(&own_tls(state.path())).unwrap()));
    let live = Arc::new(LiveLimits::without_listeners(limits(), Duration::from_secs(10)));
    let shared = Arc::new(Shared { handler: Arc::new(answering()), live, tls, drain: DrainSignal::new() });
    let socket = tokio::net::TcpListener::bind(ANY).await.unwrap();
    let address = socket.local_addr().unwrap();
    let _client = tokio::net::TcpStream::connect(address).await.unwrap();
    let (accepted, peer) = socket.accept().await.unwrap();
    let listener = Arc::new(Listener { spec: ListenerSpec::tls(address), index: 0 });
    let start = Instant::now();
    let slot = shared.live.connection_slots().take().unwrap();
    shared.serve(accepted, peer, listener, slot).await;
    assert!(about(limits().handshake_timeout).contains(&start.elapsed()), "{:?}", start.elapsed());
}
