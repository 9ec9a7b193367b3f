//! Forwards a permitted request and brings back its response.

pub(crate) mod error;
mod http1;
pub(crate) mod http2;
pub(crate) mod outbound;

use http::Response;

use self::error::ForwardError;
use self::outbound::{Head, Outbound};
use super::body::response::ResponseBody;
use super::observe::trace::UpstreamTrace;
use crate::gate::Gate;
use crate::oauth::decide::Permit;
use crate::upstream::group::Upstream;

/// Sends a request upstream and returns the response.
pub(crate) async fn forward(
    permit: Permit,
    gate: &Gate,
    upstream: &Upstream,
    outbound: Outbound<Head>,
    trace: &mut UpstreamTrace,
) -> Result<Response<ResponseBody>, ForwardError> {
    let Outbound { head, body, upgrade, limits, bounds } = outbound;
    trace.departs(upstream);
    match head {
        Head::Http1(method, head) => {
            let outbound = Outbound { head: (method, head), body, upgrade, limits, bounds };
            http1::forward(permit, gate, upstream, outbound, trace).await
        }
        Head::Http2(head) => {
            let outbound = Outbound { head: *head, body, upgrade, limits, bounds };
            // Boxed, because its state would make the future of every other request larger.
            Box::pin(http2::forward(permit, gate, upstream, outbound, trace)).await
        }
    }
}
