//! WebSocket and other upgrades: a bidirectional byte stream that ends with the token.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};

use crate::gate::Gate;
use crate::headers::{RequestView, elements};
use crate::oauth::decide::Lease;
use crate::proxy::body::lease::check_in;
use crate::upstream::io::Io;

/// Returns the protocol of the upgrade that a request asks for, if it may be granted.
pub(super) fn requested(request: &impl RequestView) -> Option<&[u8]> {
    request.upgrade().filter(|protocol| !is_http(protocol))
}

/// Returns whether the protocol is a version of HTTP. Such an upgrade would bypass the gate: the requests
/// after it would not be checked.
fn is_http(protocol: &[u8]) -> bool {
    elements(protocol).any(|name| {
        let starts_with =
            |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        starts_with(b"h2") || starts_with(b"h3") || starts_with(b"http") || starts_with(b"tls")
    })
}

/// How a tunnel ended.
pub(super) struct TunnelEnd {
    /// The bytes sent to the server and to the client, or `None` if the tunnel broke or its token ended.
    pub(super) bytes: Option<(u64, u64)>,
    pub(super) token_ended: bool,
}

/// Connects both sides until one closes or the token ends. Delivers first what was already received: the
/// bytes that the client sent ahead, and those that the server sent after its 101.
pub(super) async fn run<I: AsyncRead + AsyncWrite + Unpin>(
    client: &mut I,
    from_client: &[u8],
    server: &mut Io,
    from_server: &[u8],
    gate: &Gate,
    lease: &Lease,
) -> TunnelEnd {
    tokio::select! {
        // An error only means that one side closed the tunnel.
        bytes = transfer(client, from_client, server, from_server) => {
            TunnelEnd { bytes: bytes.ok(), token_ended: false }
        }
        () = token_ends(gate, lease) => TunnelEnd { bytes: None, token_ended: true },
    }
}

async fn transfer<I: AsyncRead + AsyncWrite + Unpin>(
    client: &mut I,
    from_client: &[u8],
    server: &mut Io,
    from_server: &[u8],
) -> io::Result<(u64, u64)> {
    server.write_all(from_client).await?;
    server.flush().await?;
    client.write_all(from_server).await?;
    client.flush().await?;
    let (up, down) = copy_bidirectional(client, server).await?;
    Ok((up + from_client.len() as u64, down + from_server.len() as u64))
}

async fn token_ends(gate: &Gate, lease: &Lease) {
    if lease.digest().is_none() {
        return std::future::pending().await;
    }
    while gate.still_leases_async(lease).await {
        tokio::time::sleep(check_in(gate, lease)).await;
    }
}
