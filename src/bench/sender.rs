//! Sends one request after the other, and reconnects when the connection is lost.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::TokioIo;

use super::connect::Destination;
use super::http1::Http1;
use super::scenario::Message;
use super::tally::Fault;

use crate::tasks::{Executor, spawn};

/// Sends one request at a time.
pub(super) struct Sender {
    destination: Destination,
    connection: Option<Connection>,
    /// Whether the requests are HEAD requests, whose responses have no body.
    is_head: bool,
}

enum Connection {
    Http1(Http1),
    Http2(SendRequest<Full<Bytes>>),
}

impl Sender {
    pub(super) fn new(destination: Destination, is_head: bool) -> Self {
        Self { destination, connection: None, is_head }
    }

    /// Returns another sender. With HTTP/2 it shares the connection.
    pub(super) fn sibling(&self) -> Self {
        let connection = match &self.connection {
            Some(Connection::Http2(sender)) => Some(Connection::Http2(sender.clone())),
            _ => None,
        };
        Self { destination: self.destination.clone(), connection, is_head: self.is_head }
    }

    /// Connects, if there is no connection.
    pub(super) async fn connect(&mut self) -> Result<(), Fault> {
        if self.connection.is_none() {
            self.connection = Some(open(&self.destination).await?);
        }
        Ok(())
    }

    /// Sends a request, reads the whole response and returns its status.
    pub(super) async fn send(&mut self, message: &Message) -> Result<u16, Fault> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => open(&self.destination).await?,
        };
        let (status, reusable) = match &mut connection {
            Connection::Http1(http1) => {
                let answer = http1.exchange(&message.http1, self.is_head, None).await?;
                (answer.status, answer.reusable)
            }
            Connection::Http2(sender) => {
                let answer = sender.send_request(message.http2.clone()).await.map_err(|_| Fault::Closed)?;
                let status = answer.status().as_u16();
                let mut body = answer.into_body();
                while let Some(frame) = body.frame().await {
                    frame.map_err(|_| Fault::Closed)?;
                }
                (status, !sender.is_closed())
            }
        };
        self.connection = reusable.then_some(connection);
        Ok(status)
    }
}

async fn open(destination: &Destination) -> Result<Connection, Fault> {
    let stream = destination.connect().await?;
    if !destination.http2 {
        return Ok(Connection::Http1(Http1::new(stream)));
    }
    let (mut sender, connection) = hyper::client::conn::http2::handshake(Executor, TokioIo::new(stream))
        .await
        .map_err(|_| Fault::Handshake)?;
    spawn(async move {
        let _ = connection.await;
    });
    sender.ready().await.map_err(|_| Fault::Handshake)?;
    Ok(Connection::Http2(sender))
}
