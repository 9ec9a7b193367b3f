use bytes::Bytes;
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

fn request() -> Request<()> {
    Request::get("http://localhost/").body(()).unwrap()
}

/// Returns both ends of a connection after the handshake.
async fn connected() -> (Connection, h2::server::Connection<DuplexStream, Bytes>) {
    let (client, server) = duplex(64 * 1024);
    let connection = start(client, |_| {}, 5).await.unwrap();
    (connection, h2::server::handshake(server).await.unwrap())
}

#[tokio::test]
async fn a_request_on_a_closed_connection_is_never_written() {
    let (mut connection, mut server) = connected().await;
    let (answer, _) = connection.sender.send_request(request(), true).unwrap();
    let serving = async {
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        respond.send_response(Response::new(()), true).unwrap();
        std::future::poll_fn(|cx| server.poll_closed(cx)).await.unwrap();
    };
    tokio::select! {
        _ = serving => {}
        answer = answer => assert_eq!(answer.unwrap().status(), 200),
    }
    let written = connection.status.written();
    assert!(written > 0);
    // The server is gone, and the driver has not noticed yet.
    drop(server);
    let (answer, _) = connection.sender.send_request(request(), true).unwrap();
    let error = answer.await.unwrap_err();
    assert!(error.is_io(), "{error}");
    assert_eq!(connection.status.written(), written);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed() {
    let (connection, mut server) = connected().await;
    let begun = Instant::now();
    drop(connection);
    // Without a handle the connection ends immediately, not at the next tick.
    assert!(!matches!(server.accept().await, Some(Ok(_))));
    assert!(begun.elapsed() < TICK);

    let (connection, mut server) = connected().await;
    let kept = Arc::clone(&connection.status);
    tokio::spawn(async move { server.accept().await.is_some() });
    tokio::time::sleep(TICK * 5 - TICK / 2).await;
    assert!(!kept.is_closed());
    tokio::time::sleep(TICK * 2).await;
    assert!(kept.is_closed());
    drop(connection);
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_pings_are_not_acknowledged_is_closed() {
    let (client, mut silent) = duplex(64 * 1024);
    let mut connection = start(client, |_| {}, 5).await.unwrap();
    // A server that sends its SETTINGS and then reads without a response.
    silent.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        let _ = silent.read_to_end(&mut all).await;
        all
    });
    let _guard = connection.status.begin_stream();
    let (answer, _) = connection.sender.send_request(request(), true).unwrap();
    let begun = Instant::now();
    let error = answer.await.unwrap_err();
    assert!(error.is_io(), "{error}");
    let waited = begun.elapsed();
    assert!((TICK * 3..=TICK * 5).contains(&waited), "{waited:?}");
    assert!(connection.status.is_closed());
    // PING: type 6, 8 bytes.
    let sent = reading.await.unwrap();
    assert!(sent.windows(4).any(|bytes| bytes == [0, 0, 8, 6]), "no ping was sent");
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_that_acknowledges_pings_keeps_its_connection() {
    let (mut connection, mut server) = connected().await;
    let _guard = connection.status.begin_stream();
    let (answer, _) = connection.sender.send_request(request(), true).unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Some(Ok((_, mut respond))) = server.accept().await {
            held.push(tokio::spawn(async move {
                tokio::time::sleep(TICK * 20).await;
                respond.send_response(Response::new(()), true).unwrap();
            }));
        }
    });
    assert_eq!(answer.await.unwrap().status(), 200);
}

#[test]
fn an_idle_timeout_counts_in_whole_ticks() {
    for (seconds, ticks) in [(0, 1), (9, 1), (10, 1), (50, 5), (59, 5)] {
        assert_eq!(idle_ticks(Duration::from_secs(seconds)), ticks, "{seconds} s");
    }
}
