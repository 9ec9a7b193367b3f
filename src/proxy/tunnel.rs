//! WebSocket and other upgrades: bytes both ways, no longer than the token lives.

use std::io;

use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Response, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::sync::oneshot;

use super::observe::RequestRecord;
use crate::limit::rate::Bounds;
use crate::proxy::body::lease::TokenLease;
use crate::proxy::body::response::ResponseBody;
use crate::upstream::http1::connection::Connection;
use crate::upstream::io::Io;

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

/// Passes a 101 on and joins the two connections once the client's has switched.
pub(super) fn start(
    head: Response<()>,
    connection: Connection,
    client: OnUpgrade,
    lease: Option<TokenLease>,
    bounds: Option<Box<Bounds>>,
) -> Response<ResponseBody> {
    let (leave, record) = oneshot::channel::<RequestRecord>();
    tokio::spawn(async move {
        let Ok(client) = client.await else { return };
        let mut client = TokioIo::new(client);
        let (mut server, said) = connection.into_parts();
        let (carried, token_ended) = tokio::select! {
            // How a tunnel ends is the two parties' business.
            carried = join(&mut client, &mut server, &said) => (carried.ok(), false),
            () = token_ends(lease) => (None, true),
        };
        if let Ok(record) = record.await {
            record.tunnelled(carried, token_ended);
        }
        // Its places are taken until here. A total timeout is for answers, and a tunnel is none.
        drop(bounds);
    });
    head.map(|()| ResponseBody::tunnel(leave))
}

/// What the server `said` behind its 101, and then bytes both ways: how many went up, and how many came down.
async fn join(client: &mut TokioIo<Upgraded>, server: &mut Io, said: &[u8]) -> io::Result<(u64, u64)> {
    client.write_all(said).await?;
    let (up, down) = copy_bidirectional(client, server).await?;
    Ok((up, down + said.len() as u64))
}

async fn token_ends(lease: Option<TokenLease>) {
    let Some(lease) = lease else { return std::future::pending().await };
    while lease.holds() {
        tokio::time::sleep(lease.check_in()).await;
    }
}
