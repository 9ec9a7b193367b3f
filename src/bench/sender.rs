//! One request after the other, over a connection that is made anew when it is lost.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::connect::Destination;
use super::http1::Http1;
use super::scenario::Message;
use super::tally::Fault;

/// Sends for one of those that ask at once.
pub(super) struct Sender {
    destination: Destination,
    line: Option<Line>,
    /// Answers have no body although they may tell of one.
    is_head: bool,
}

enum Line {
    Http1(Http1),
    Http2(SendRequest<Full<Bytes>>),
}

impl Sender {
    pub(super) fn new(destination: Destination, is_head: bool) -> Self {
        Self { destination, line: None, is_head }
    }

    /// Another one over the same connection, where the protocol lets several requests share it.
    pub(super) fn sibling(&self) -> Self {
        let line = match &self.line {
            Some(Line::Http2(sender)) => Some(Line::Http2(sender.clone())),
            _ => None,
        };
        Self { destination: self.destination.clone(), line, is_head: self.is_head }
    }

    /// Makes the connection, if there is none.
    pub(super) async fn connect(&mut self) -> Result<(), Fault> {
        if self.line.is_none() {
            self.line = Some(open(&self.destination).await?);
        }
        Ok(())
    }

    /// Sends a request and gives the status of its answer, once all of that has come.
    pub(super) async fn send(&mut self, message: &Message) -> Result<u16, Fault> {
        let mut line = match self.line.take() {
            Some(line) => line,
            None => open(&self.destination).await?,
        };
        let (status, reusable) = match &mut line {
            Line::Http1(connection) => {
                let answer = connection.exchange(&message.http1, self.is_head, None).await?;
                (answer.status, answer.reusable)
            }
            Line::Http2(sender) => {
                let answer = sender.send_request(message.http2.clone()).await.map_err(|_| Fault::Closed)?;
                let status = answer.status().as_u16();
                let mut body = answer.into_body();
                while let Some(frame) = body.frame().await {
                    frame.map_err(|_| Fault::Closed)?;
                }
                (status, !sender.is_closed())
            }
        };
        self.line = reusable.then_some(line);
        Ok(status)
    }
}

async fn open(destination: &Destination) -> Result<Line, Fault> {
    let stream = destination.connect().await?;
    if !destination.http2 {
        return Ok(Line::Http1(Http1::new(stream)));
    }
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|_| Fault::Handshake)?;
    tokio::spawn(connection);
    sender.ready().await.map_err(|_| Fault::Handshake)?;
    Ok(Line::Http2(sender))
}
