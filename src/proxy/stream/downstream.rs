//! The client's side of an exchange between an HTTP/2 client and an HTTP/1.1 server.

use std::task::{Context, Poll};

use http::{HeaderMap, Response};

use super::reply::Reply;
use crate::headers::{Returning, for_client};
use crate::http1::ResponseHead;
use crate::proxy::body::downstream::BodyDownstream;
use crate::upstream::alarm::Alarm;
use crate::upstream::downstream::{BodyFault, Downstream};

/// The body of the client's request, and the way back for interim responses.
pub(crate) struct StreamDownstream<'a> {
    body: BodyDownstream,
    reply: &'a Reply,
}

impl<'a> StreamDownstream<'a> {
    /// Creates the client's side until the response begins.
    pub(crate) fn new(body: BodyDownstream, reply: &'a Reply) -> Self {
        Self { body, reply }
    }

    /// Returns the body. Its rest may follow while the response is sent.
    pub(crate) fn into_body(self) -> BodyDownstream {
        self.body
    }
}

impl Downstream for StreamDownstream<'_> {
    fn poll_body(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Result<bool, BodyFault>> {
        self.body.poll_body(out, cx)
    }

    fn body_bytes(&self) -> u64 {
        self.body.body_bytes()
    }

    fn interim(&mut self, head: ResponseHead<'_>) {
        let mut headers = HeaderMap::new();
        let returning = Returning { upgraded: false, length: false, version: head.version() };
        for_client(head.fields(), head.connection(), returning, |_| false, |_| None, &mut headers);
        let mut response = Response::new(());
        *response.status_mut() = head.status();
        *response.headers_mut() = headers;
        self.reply.interim(response);
    }

    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.body.poll_client(cx)
    }

    fn alarm(&mut self) -> &mut Alarm {
        self.body.alarm()
    }
}
