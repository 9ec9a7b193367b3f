//! Responses that the gateway sends in place of the upstream's.

use bytes::Bytes;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Version};
use http_body_util::Full;

use super::route::Route;
use crate::headers::RequestView;
use crate::plugin::grpc;
use crate::response;
use crate::route::path::PathError;
use crate::telemetry::Reason;

/// A local response, and whether the connection must be closed after it.
pub(crate) struct Refusal {
    pub(crate) response: Response<Full<Bytes>>,
    pub(crate) close: bool,
    /// `None` if the response is not a refusal.
    pub(crate) reason: Option<Reason>,
    /// The key of gateway.toml that would accept such a request. It is for the log, not for the client.
    pub(crate) setting: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(response: Response<Full<Bytes>>, reason: Reason) -> Self {
        Self { response, close: false, reason: Some(reason), setting: reason.setting(false) }
    }

    /// Creates the refusal of an ambiguous request. It closes the connection, because nothing that follows
    /// such a request can be trusted.
    pub(crate) fn ambiguous(status: StatusCode, detail: &str) -> Self {
        Self { close: true, ..Self::new(response::problem(status, detail), Reason::Ambiguous) }
    }

    /// Creates the refusal of a target that has more than one reading.
    pub(crate) fn bad_request(detail: &str) -> Self {
        Self::ambiguous(StatusCode::BAD_REQUEST, detail)
    }

    /// Creates the refusal of a path that servers may read in different ways, or that its route does not
    /// accept.
    pub(crate) fn path(error: PathError) -> Self {
        let refusal = Self::bad_request(error.public_text());
        Self { setting: error.setting(), ..refusal }
    }

    /// Adds the fields that let a page on another origin read the refusal, if the route has CORS.
    pub(crate) fn of(mut self, route: &Route, request: &impl RequestView) -> Self {
        if let Some(cors) = &route.cors {
            cors.apply_to_local_response(self.response.headers_mut(), cors.origin(request));
        }
        self
    }

    pub(crate) fn not_allowed(allow: HeaderValue) -> Self {
        let mut response =
            response::problem(StatusCode::METHOD_NOT_ALLOWED, "the method is not one of this resource");
        response.headers_mut().insert(ALLOW, allow);
        Self::new(response, Reason::MethodNotAllowed)
    }

    /// Converts the response to a gRPC status if the request is a gRPC call.
    pub(crate) fn into_grpc_if_called(self, parts: &Parts) -> Self {
        if is_grpc_call(parts) { Self { response: in_grpc(self.response), ..self } } else { self }
    }
}

/// Adds the fields that let a page on another origin read a local response, if the route has CORS.
pub(crate) fn local_response(
    mut response: Response<Full<Bytes>>,
    route: &Route,
    origin: Option<HeaderValue>,
) -> Response<Full<Bytes>> {
    if let Some(cors) = &route.cors {
        cors.apply_to_local_response(response.headers_mut(), origin);
    }
    response
}

/// Converts a local response to a gRPC status if the request is a gRPC call.
pub(crate) fn into_grpc_if_called(response: Response<Full<Bytes>>, parts: &Parts) -> Response<Full<Bytes>> {
    if is_grpc_call(parts) { in_grpc(response) } else { response }
}

/// Returns whether a request is a gRPC call. gRPC requires HTTP/2.
fn is_grpc_call(parts: &Parts) -> bool {
    parts.version == Version::HTTP_2 && grpc::is_call(&parts.headers)
}

fn in_grpc(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    grpc::refusal(&response, &response::detail(&response))
}
