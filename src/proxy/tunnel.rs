//! WebSocket and other upgrades: bytes both ways, no longer than the token lives.

use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::sync::oneshot;

use super::body::{ResponseBody, TokenLease};
use super::forward::ForwardError;
use super::headers::{self, Returning};
use super::limits::Bounds;
use super::observe::Watch;
use super::pool::Connection;

/// The protocol of an upgrade that a request asks for (RFC 9110 §7.8); HTTP/1.1 alone has such a thing.
pub(super) fn requested(parts: &Parts) -> Option<HeaderValue> {
    let protocol = parts.headers.get(UPGRADE)?;
    let nominated = parts.headers.get_all(CONNECTION).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    });
    (nominated && parts.version == Version::HTTP_11 && !is_http(protocol)).then(|| protocol.clone())
}

/// An upgrade to HTTP itself would be a way around the gate: every request after it would go unseen.
fn is_http(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|name| {
        let starts_with =
            |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        starts_with(b"h2") || starts_with(b"h3") || starts_with(b"http") || starts_with(b"tls")
    })
}

/// Passes a 101 on and joins the two connections once both sides have switched.
pub(super) fn start(
    mut response: Response<Incoming>,
    connection: Connection,
    client: OnUpgrade,
    lease: Option<TokenLease>,
    bounds: Option<Box<Bounds>>,
    watch: oneshot::Receiver<Watch>,
) -> Result<Response<ResponseBody>, ForwardError> {
    let server = hyper::upgrade::on(&mut response);
    let (mut head, _) = response.into_parts();
    headers::sanitise_response(&mut head.headers, Returning { version: head.version, upgraded: true })
        .map_err(|_| ForwardError::BadAnswer("ambiguous framing"))?;
    tokio::spawn(async move {
        // The connection hands its socket over when it is driven once more.
        let (Ok(client), Ok(server), ()) = tokio::join!(client, server, connection.finish()) else { return };
        let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
        let (carried, token_ended) = tokio::select! {
            // How a tunnel ends is the two parties' business.
            carried = copy_bidirectional(&mut client, &mut server) => (carried.ok(), false),
            () = token_ends(lease) => (None, true),
        };
        if let Ok(watch) = watch.await {
            watch.tunnelled(carried, token_ended);
        }
        // Its places are taken until here. A total timeout is for answers, and a tunnel is none.
        drop(bounds);
    });
    let mut answer = Response::new(ResponseBody::from(Full::default()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.version_mut() = Version::HTTP_11;
    *answer.headers_mut() = head.headers;
    Ok(answer)
}

async fn token_ends(lease: Option<TokenLease>) {
    let Some(lease) = lease else { return std::future::pending().await };
    while lease.holds() {
        tokio::time::sleep(lease.check_in()).await;
    }
}
