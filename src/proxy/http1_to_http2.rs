//! Forwards HTTP/1 requests to HTTP/2 servers.

use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use http::Request;
use http_body::Frame;
use tokio::sync::mpsc;

use super::body::request::Origin;
use super::client::{Client, Relayed, Socket, Upload};
use super::forward::error::ForwardError;
use super::forward::http2;
use super::forward::outbound::{Outbound, ReturnTo};
use super::observe::RequestRecord;
use super::pipeline::Proxy;
use super::route::Route;
use crate::oauth::decide::{Identity, Lease};

impl Proxy {
    /// Forwards a request to an HTTP/2 server and relays the response.
    pub(super) async fn forward_over_http2<I: Socket>(
        &self,
        client: &mut Client<I>,
        (head, mut outbound): (Request<()>, Outbound),
        lease: &Lease,
        identity: &Identity,
        (route, request_path): (&Route, Option<&str>),
        record: &mut RequestRecord,
    ) -> Result<(), ForwardError> {
        let body_limits = outbound.body_limits;
        // This task reads the client's socket. The HTTP/2 connection receives a piece whenever it has room
        // for one.
        let (pieces, received) = mpsc::channel(1);
        let mut pieces = client.has_body().then_some(pieces);
        let mut trailers_sent = false;
        outbound.body = client.has_body().then(|| Origin::Http1 {
            pieces: received,
            size: client.body_size(),
            ended: false,
        });
        let rules = route.request_rules.as_deref();
        let mut pump = |client: &mut Client<I>, cx: &mut Context<'_>| {
            while let Some(sender) = pieces.clone() {
                let Ok(place) = sender.try_reserve() else {
                    if sender.is_closed() {
                        pieces = None;
                    }
                    return;
                };
                let mut upload = Upload::new(client, &self.gate, lease, body_limits, false, rules);
                match upload.poll_frame(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(Some(frame))) => place.send(Ok(frame)),
                    Poll::Ready(Ok(None)) => {
                        let trailers = upload.trailers();
                        if !trailers.is_empty() && !std::mem::replace(&mut trailers_sent, true) {
                            place.send(Ok(Frame::trailers(trailers)));
                        } else {
                            pieces = None;
                        }
                    }
                    Poll::Ready(Err(fault)) => {
                        place.send(Err(fault));
                        pieces = None;
                    }
                }
            }
        };
        let mut response = {
            let to = ReturnTo { gate: &self.gate, lease, route, request_path };
            let interims = Mutex::new(Vec::new());
            let interim = |response| interims.lock().unwrap_or_else(PoisonError::into_inner).push(response);
            let forward =
                http2::forward(to, identity.client(), (head, outbound), &interim, &mut record.upstream);
            let mut forward = std::pin::pin!(forward);
            poll_fn(|cx| {
                pump(client, cx);
                let polled = forward.as_mut().poll(cx);
                for interim in interims.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                    client.write_interim(&interim);
                }
                // An error is found again when the response is sent.
                if !client.is_flushed() {
                    let _ = client.poll_out(cx);
                }
                polled
            })
            .await?
        };
        record.upstream.end_attempt();
        if let Some(changes) = &route.response_headers {
            changes.apply(response.headers_mut());
        }
        let relayed = client.send(response, pump, record).await;
        match relayed {
            Relayed::Complete => record.end_response(),
            Relayed::ClientGone | Relayed::Unsent(_) => client.close(),
            Relayed::Truncated(fault) => {
                client.close();
                record.fail_response(fault);
            }
        }
        Ok(())
    }
}
