//! WebSocket and other upgrades: bytes both ways, no longer than the token lives.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};

use crate::gate::Gate;
use crate::headers::{RequestView, elements};
use crate::oauth::decide::Lease;
use crate::proxy::body::lease::check_in;
use crate::upstream::io::Io;

/// The protocol of an upgrade that a request asks for and may be granted.
pub(super) fn requested(request: &impl RequestView) -> Option<&[u8]> {
    request.upgrade().filter(|protocol| !is_http(protocol))
}

/// An upgrade to HTTP itself would be a way around the gate: every request after it would go unseen.
fn is_http(protocol: &[u8]) -> bool {
    elements(protocol).any(|name| {
        let starts_with =
            |prefix: &[u8]| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        starts_with(b"h2") || starts_with(b"h3") || starts_with(b"http") || starts_with(b"tls")
    })
}

/// How a tunnel ended.
pub(super) struct Carried {
    /// How many bytes went up, and how many came down, where it ended by itself.
    pub(super) bytes: Option<(u64, u64)>,
    pub(super) token_ended: bool,
}

/// Joins the two connections: what the client sent ahead, what the server said behind its 101, and then bytes both ways.
pub(super) async fn join<I: AsyncRead + AsyncWrite + Unpin>(
    client: &mut I,
    sent: &[u8],
    server: &mut Io,
    said: &[u8],
    gate: &Gate,
    lease: &Lease,
) -> Carried {
    tokio::select! {
        // How a tunnel ends is the two parties' business.
        bytes = carry(client, sent, server, said) => Carried { bytes: bytes.ok(), token_ended: false },
        () = token_ends(gate, lease) => Carried { bytes: None, token_ended: true },
    }
}

async fn carry<I: AsyncRead + AsyncWrite + Unpin>(
    client: &mut I,
    sent: &[u8],
    server: &mut Io,
    said: &[u8],
) -> io::Result<(u64, u64)> {
    server.write_all(sent).await?;
    server.flush().await?;
    client.write_all(said).await?;
    client.flush().await?;
    let (up, down) = copy_bidirectional(client, server).await?;
    Ok((up + sent.len() as u64, down + said.len() as u64))
}

async fn token_ends(gate: &Gate, lease: &Lease) {
    if lease.digest().is_none() {
        return std::future::pending().await;
    }
    while gate.still_leases(lease) {
        tokio::time::sleep(check_in(gate, lease)).await;
    }
}
