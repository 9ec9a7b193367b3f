//! The timeouts of a client during an exchange, on a clock that the tests control.

use std::ops::Range;
use std::task::{Context, Poll};

use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::gate::{Gate, GateSpec};
use crate::http1::HeadLimits;
use crate::oauth::decide::Lease;
use crate::proxy::body::request::BodyLimits;
use crate::upstream::downstream::{BodyFault, Downstream as _};

impl Socket for DuplexStream {
    fn poll_readable(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

const LIMITS: HeadLimits = HeadLimits { max_size: 16 * 1024, max_fields: 100 };
const TIMEOUTS: ClientTimeouts =
    ClientTimeouts { write: Duration::from_secs(30), half_closed: Duration::from_secs(3) };

/// Returns the durations within 10 % of a limit.
fn about(limit: Duration) -> Range<Duration> {
    limit.mul_f64(0.9)..limit.mul_f64(1.1)
}

/// Returns a client whose request has begun, and the other end of its connection.
async fn client_with_request(request: &str) -> (Client<DuplexStream>, DuplexStream) {
    let (mut peer, io) = duplex(64 * 1024);
    peer.write_all(request.as_bytes()).await.unwrap();
    let mut client = Client::new(io, TIMEOUTS, Arc::default());
    std::future::poll_fn(|cx| client.poll_head(LIMITS, cx)).await.unwrap();
    let facts = client.head().unwrap().facts().unwrap();
    client.begin(Some(facts));
    (client, peer)
}

fn gate() -> Gate {
    Gate::builder(GateSpec::new("https://issuer.example.test")).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_ends_at_the_body_timeout() {
    let timeout = Duration::from_secs(20);
    for framing in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"] {
        let (mut client, mut peer) =
            client_with_request(&format!("POST / HTTP/1.1\r\nHost: here\r\n{framing}")).await;
        let (gate, lease) = (gate(), Lease::public());
        let limits = BodyLimits { max: None, timeout };
        let mut upload = Upload::new(&mut client, &gate, &lease, limits, false, None);
        let mut start = Instant::now();
        let mut pauses = 0;
        let end = loop {
            let mut out = Vec::new();
            match std::future::poll_fn(|cx| upload.poll_body(&mut out, cx)).await {
                // Each piece restarts the timeout.
                Ok(false) if pauses < 3 => {
                    pauses += 1;
                    tokio::time::sleep(timeout.mul_f64(0.8)).await;
                    peer.write_all(b"c").await.unwrap();
                    start = Instant::now();
                }
                Ok(false) => {}
                end => break end,
            }
        };
        assert_eq!(end, Err(BodyFault::TooSlow));
        assert!(about(timeout).contains(&start.elapsed()), "{framing:?}: {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_client_is_served_for_its_timeout_after_the_last_byte_it_was_sent() {
    let (mut client, mut peer) = client_with_request("GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
    peer.shutdown().await.unwrap();
    let (gate, lease) = (gate(), Lease::public());
    let limits = BodyLimits { max: None, timeout: Duration::from_secs(20) };
    let mut start = Instant::now();
    for sent in [true, false] {
        let mut upload = Upload::new(&mut client, &gate, &lease, limits, false, None);
        if sent {
            let waited = tokio::time::timeout(
                Duration::from_secs(2),
                std::future::poll_fn(|cx| upload.poll_client(cx)),
            );
            assert!(waited.await.is_err(), "it is still served");
            client.out().extend_from_slice(b"some");
            client.flush().await.unwrap();
            start = Instant::now();
        } else {
            std::future::poll_fn(|cx| upload.poll_client(cx)).await;
        }
    }
    assert!(about(TIMEOUTS.half_closed).contains(&start.elapsed()), "{:?}", start.elapsed());
}
