//! The TLS handshake, with the challenges of an authority apart from the connections of clients.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::tls::{TlsReloader, TlsSettings};
use crate::acme::challenge::Challenges;
use crate::tcp::Tcp;

/// Does the handshake of a connection. Returns `None` if it was for a challenge, which is over then: no byte of such a
/// connection is read or written after its handshake (RFC 8737 §3).
pub(super) async fn accept(
    tls: &TlsReloader,
    settings: Arc<TlsSettings>,
    socket: Tcp,
) -> io::Result<Option<TlsStream<Tcp>>> {
    if !settings.answers_challenges() {
        return settings.acceptor().accept(socket).await.map(Some);
    }
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), socket).await?;
    if !Challenges::is_meant(&start.client_hello()) {
        return start.into_stream(settings.config()).await.map(Some);
    }
    let mut stream = start.into_stream(tls.challenges().config()).await?;
    let _ = stream.shutdown().await;
    Ok(None)
}
