//! WebSocket and other upgrades: a bidirectional byte stream that ends with the token.

use std::io;

use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Response, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::sync::oneshot;

use super::observe::RequestRecord;
use crate::limit::exchange::ExchangeLimits;
use crate::proxy::body::lease::TokenLease;
use crate::proxy::body::response::ResponseBody;
use crate::upstream::http1::connection::Connection;
use crate::upstream::io::Io;

/// Returns the protocol of the upgrade that a request asks for (RFC 9110 §7.8). Only HTTP/1.1 has upgrades.
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

/// Returns whether the protocol is a version of HTTP. Such an upgrade would bypass the gate: the requests after it would
/// not be checked.
fn is_http(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|name| {
        let starts_with =
            |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        starts_with(b"h2") || starts_with(b"h3") || starts_with(b"http") || starts_with(b"tls")
    })
}

/// Forwards a 101 response, and connects both sides once the client's connection has been upgraded.
pub(super) fn start(
    head: Response<()>,
    connection: Connection,
    client: OnUpgrade,
    lease: Option<TokenLease>,
    limits: Option<Box<ExchangeLimits>>,
) -> Response<ResponseBody> {
    let (record_sender, record) = oneshot::channel::<RequestRecord>();
    tokio::spawn(async move {
        let Ok(client) = client.await else { return };
        let mut client = TokioIo::new(client);
        let (mut server, received) = connection.into_parts();
        let (transferred, token_ended) = tokio::select! {
            // An error only means that one side closed the tunnel.
            transferred = transfer(&mut client, &mut server, &received) => (transferred.ok(), false),
            () = token_ends(lease) => (None, true),
        };
        if let Ok(record) = record.await {
            record.tunnelled(transferred, token_ended);
        }
        // The permits are held until here. The total timeout applies to responses, not to tunnels.
        drop(limits);
    });
    head.map(|()| ResponseBody::tunnel(record_sender))
}

/// Sends the bytes already `received` after the 101, then copies in both directions. Returns the bytes sent to the server
/// and to the client.
async fn transfer(
    client: &mut TokioIo<Upgraded>,
    server: &mut Io,
    received: &[u8],
) -> io::Result<(u64, u64)> {
    client.write_all(received).await?;
    let (up, down) = copy_bidirectional(client, server).await?;
    Ok((up, down + received.len() as u64))
}

async fn token_ends(lease: Option<TokenLease>) {
    let Some(lease) = lease else { return std::future::pending().await };
    while lease.holds() {
        tokio::time::sleep(lease.check_in()).await;
    }
}
