//! Answers of our own in place of the upstream's.

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

/// An answer of our own, and whether the connection can go on after it.
pub(crate) struct Refusal {
    pub(crate) response: Response<Full<Bytes>>,
    pub(crate) close: bool,
    /// None for what is an answer and no refusal.
    pub(crate) reason: Option<Reason>,
    /// The key of gateway.toml that would accept such a request. It is for the log, not for the client.
    pub(crate) setting: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(response: Response<Full<Bytes>>, reason: Reason) -> Self {
        Self { response, close: false, reason: Some(reason), setting: reason.setting(false) }
    }

    /// The request cannot be understood in one way only: nothing after it on the connection can be trusted.
    pub(crate) fn ambiguous(status: StatusCode, detail: &str) -> Self {
        Self { close: true, ..Self::new(response::problem(status, detail), Reason::Ambiguous) }
    }

    /// Refuses a path that servers may read in different ways, or that its route does not accept.
    pub(crate) fn path(error: PathError) -> Self {
        let refusal = Self::ambiguous(StatusCode::BAD_REQUEST, error.public_text());
        Self { setting: error.setting(), ..refusal }
    }

    /// Refuses a request of this route. Lets a page of another origin read that, where the route has such pages.
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

    /// In the words of gRPC, if it is to a call of gRPC.
    pub(crate) fn understood_by(self, parts: &Parts) -> Self {
        if is_grpc_call(parts) { Self { response: in_grpc(self.response), ..self } } else { self }
    }
}

/// An answer of our own to a request of this route: one that pages of other origins can read, where it has such.
pub(crate) fn own_answer(
    mut response: Response<Full<Bytes>>,
    route: &Route,
    origin: Option<HeaderValue>,
) -> Response<Full<Bytes>> {
    if let Some(cors) = &route.cors {
        cors.apply_to_local_response(response.headers_mut(), origin);
    }
    response
}

/// The answer in the words of gRPC, if it is to a call of gRPC.
pub(crate) fn understood_by(response: Response<Full<Bytes>>, parts: &Parts) -> Response<Full<Bytes>> {
    if is_grpc_call(parts) { in_grpc(response) } else { response }
}

/// Whether a request is a call of gRPC, which there is in HTTP/2 only.
fn is_grpc_call(parts: &Parts) -> bool {
    parts.version == Version::HTTP_2 && grpc::is_call(&parts.headers)
}

fn in_grpc(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    grpc::refusal(&response, &response::detail(&response))
}
