//! Serves requests to the gate's endpoints, from clients of either protocol.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body_util::Full;

use super::body::request::BodyLimits;
use super::client::{Client, Socket, Upload};
use super::http1::respond;
use super::observe::RequestRecord;
use super::pipeline::Proxy;
use super::route::ClientConnection;
use crate::clock::turn;
use crate::gate::{Endpoint, FormBody};
use crate::headers::MapHead;
use crate::oauth::decide::Lease;
use crate::oauth::endpoints::MAX_BODY;
use crate::upstream::downstream::{BodyFault, Downstream as _};

impl Proxy {
    /// Serves a request to one of the gate's endpoints.
    pub(super) async fn serve_endpoint_http1<I: Socket>(
        &self,
        client: &mut Client<I>,
        connection: &ClientConnection<'_>,
        endpoint: Endpoint,
        parts: &Parts,
        record: &mut RequestRecord,
    ) {
        record.set_endpoint(endpoint);
        let body = if endpoint.reads_body() {
            // For other bodies this is the timeout between two reads. For a form it is the timeout of the
            // whole body.
            let within = self.rules.load().body_timeout;
            self.read_form(client, within).await
        } else {
            FormBody::Whole(Bytes::new())
        };
        let close = !matches!(body, FormBody::Whole(_)) || connection.has_refused_certificate();
        let response = self.serve_endpoint(endpoint, parts, body, connection, record).await;
        respond(client, response, close, record).await;
    }

    /// Reads the form of a request to an endpoint. Both its size and the time to read it are limited.
    async fn read_form<I: Socket>(&self, client: &mut Client<I>, within: Duration) -> FormBody {
        let max = MAX_BODY as u64;
        // A body that is declared too long is refused without being read.
        if client.body_size().lower() > max {
            return FormBody::TooLarge;
        }
        let deadline = turn::now() + within;
        let lease = Lease::public();
        let body_limits = BodyLimits { max: Some(max), timeout: within };
        let mut upload = Upload::new(client, &self.gate, &lease, body_limits, false, None);
        let mut form = Vec::new();
        poll_fn(|cx| {
            loop {
                match upload.poll_body(&mut form, cx) {
                    Poll::Ready(Ok(true)) => {
                        return Poll::Ready(FormBody::Whole(std::mem::take(&mut form).into()));
                    }
                    Poll::Ready(Ok(false)) => {}
                    Poll::Ready(Err(BodyFault::TooLarge)) => return Poll::Ready(FormBody::TooLarge),
                    Poll::Ready(Err(BodyFault::TooSlow)) => return Poll::Ready(FormBody::TooSlow),
                    Poll::Ready(Err(_)) => return Poll::Ready(FormBody::Broken),
                    Poll::Pending => {
                        return upload.alarm().poll(deadline, cx).map(|_| FormBody::TooSlow);
                    }
                }
            }
        })
        .await
    }

    /// Serves a request to one of the gate's endpoints, after its body has been read.
    pub(super) async fn serve_endpoint(
        &self,
        endpoint: Endpoint,
        parts: &Parts,
        body: FormBody,
        client: &ClientConnection<'_>,
        record: &mut RequestRecord,
    ) -> Response<Full<Bytes>> {
        if let FormBody::Whole(body) = &body {
            record.set_request_bytes(body.len());
        }
        let address = self.with_rules(|rules| match rules.trusts(client.peer) {
            true => rules.client_address(client.peer, &MapHead::new(parts)),
            false => client.peer,
        });
        let mut origin = crate::gate::Origin::from_address(address);
        origin.certificate = client.verified_certificate();
        origin.https = Some(client.secure);
        let (mut response, outcome) = self.gate.answer_and_report(endpoint, parts, body, origin).await;
        self.with_rules(|rules| {
            if let Some(cors) = &rules.endpoint_cors {
                cors.apply(endpoint, &MapHead::new(parts), response.headers_mut());
            }
        });
        record.set_outcome(&outcome, address);
        response
    }
}
