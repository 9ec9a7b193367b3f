//! Sends the frames of a request, and reads the response.
//!
//! The library h2 keeps the connection and decodes the response. It believes that it sends a plain request. On
//! the way to the gateway, the frames of that request are replaced by those of the attack.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::{Method, Request};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::time::timeout;

use super::frames::{HEAD, HEADERS, PREFACE};
use crate::self_test::answer::{Answer, MAX_ANSWER, Outcome, Response};
use crate::self_test::message::Message;
use crate::self_test::stream::Stream;

/// The bytes between the library and the connection that may wait.
const BUFFER: usize = 64 * 1024;

/// Sends a request on a new connection, and reads its response.
pub(in crate::self_test) async fn exchange(
    stream: Box<dyn Stream>,
    message: &Message,
    within: Duration,
) -> Answer {
    let (library, connection) = tokio::io::duplex(BUFFER);
    let relay = async {
        relay(connection, stream, &message.bytes).await;
        // The connection has ended, and the library notices it.
        std::future::pending::<Outcome>().await
    };
    let outcome = timeout(within, async {
        tokio::select! {
            outcome = respond(library, message.is_head) => outcome,
            outcome = relay => outcome,
        }
    });
    let outcome = outcome.await.unwrap_or_else(|_| Outcome::silence());
    Answer { responses: usize::from(matches!(outcome, Outcome::Response(_))), outcome }
}

/// Runs the connection of the library until it has the response.
async fn respond(io: DuplexStream, is_head: bool) -> Outcome {
    let size = u32::try_from(MAX_ANSWER).unwrap_or(u32::MAX);
    let mut builder = Builder::new();
    builder.enable_push(false).initial_window_size(size).initial_connection_window_size(size);
    let (sender, connection) = match builder.handshake::<_, Bytes>(io).await {
        Ok(opened) => opened,
        Err(error) => return outcome(&error),
    };
    let mut connection = pin!(connection);
    let mut has_ended = false;
    let mut response = pin!(send(sender, is_head));
    poll_fn(|cx| {
        has_ended = has_ended || connection.as_mut().poll(cx).is_ready();
        response.as_mut().poll(cx)
    })
    .await
}

async fn send(sender: SendRequest<Bytes>, is_head: bool) -> Outcome {
    match request(sender, is_head).await {
        Ok(received) => match received.await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let fields = parts.headers.iter().map(|(name, value)| {
                    (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                });
                let (status, fields) = (parts.status.as_u16(), fields.collect());
                Outcome::Response(Response { status, fields, body: read(body).await })
            }
            Err(error) => outcome(&error),
        },
        Err(error) => outcome(&error),
    }
}

/// Sends the request that is replaced on its way.
async fn request(sender: SendRequest<Bytes>, is_head: bool) -> Result<ResponseFuture, h2::Error> {
    // The library expects no body in a response to HEAD, whatever its length says.
    let method = if is_head { Method::HEAD } else { Method::GET };
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_static("http://replaced.invalid/");
    let (response, _) = sender.ready().await?.send_request(request, true)?;
    Ok(response)
}

/// Reads the beginning of a body. Its end does not matter.
async fn read(mut body: RecvStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_ANSWER
        && let Some(Ok(piece)) = body.data().await
    {
        let _ = body.flow_control().release_capacity(piece.len());
        bytes.extend_from_slice(&piece);
    }
    bytes
}

/// Returns what it means that there is no response.
fn outcome(error: &h2::Error) -> Outcome {
    match error.reason() {
        // The gateway gives up a request that it may have forwarded.
        Some(reason @ (Reason::INTERNAL_ERROR | Reason::CANCEL)) if error.is_remote() => {
            Outcome::Unclear(format!("the request was reset with {reason:?}"))
        }
        _ if error.is_remote() || error.is_io() => Outcome::Ended,
        _ => Outcome::Unclear(format!("a response that breaks the rules of HTTP/2 ({error})")),
    }
}

/// Copies between the library and the connection, until both directions have ended.
async fn relay(library: DuplexStream, stream: Box<dyn Stream>, request: &[u8]) {
    let (mut from_library, mut to_library) = tokio::io::split(library);
    let (mut from_gateway, mut to_gateway) = tokio::io::split(stream);
    let outgoing = replace(&mut from_library, &mut to_gateway, request);
    let incoming = async {
        let _ = tokio::io::copy(&mut from_gateway, &mut to_library).await;
        let _ = to_library.shutdown().await;
    };
    // The gateway may respond and close the connection before it has read the whole request.
    let _ = tokio::join!(outgoing, incoming);
}

/// Copies the frames of the library, and puts `request` in place of its request.
async fn replace(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    request: &[u8],
) -> io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    from.read_exact(&mut preface).await?;
    to.write_all(&preface).await?;
    loop {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).await?;
        let [high, middle, low, kind, ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
        from.read_exact(&mut payload).await?;
        if kind == HEADERS {
            to.write_all(request).await?;
        } else {
            to.write_all(&[&head[..], &payload].concat()).await?;
        }
        to.flush().await?;
    }
}
