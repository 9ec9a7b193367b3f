//! Cross-origin requests to the OAuth endpoints, so that an API console on another origin can obtain a token.

use http::header::HeaderName;
use http::{HeaderMap, Method};

use super::cors::Cors;
use crate::config::{self, Methods};
use crate::gate::Endpoint;
use crate::headers::RequestView;

/// Request headers that clients of the endpoints send, beside `Authorization`: proofs, and what Swagger UI
/// adds.
const HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("dpop"), HeaderName::from_static("x-requested-with")];

/// The CORS policy of the endpoints.
#[derive(Debug)]
pub(crate) struct EndpointCors {
    /// The policy of the endpoints that take a form.
    forms: Cors,
    /// The policy of the metadata documents.
    documents: Cors,
}

impl EndpointCors {
    pub(crate) fn new(spec: &config::Cors) -> Self {
        let mut spec = spec.clone();
        for name in HEADERS {
            if !spec.headers.contains(&name) {
                spec.headers.push(name);
            }
        }
        let mut with = |methods: &[Method]| {
            spec.methods = Methods::Only(methods.to_vec());
            Cors::new(&spec, true)
        };
        Self { forms: with(&[Method::POST]), documents: with(&[Method::GET, Method::HEAD]) }
    }

    /// Returns the policy of an endpoint.
    pub(super) fn of(&self, endpoint: Endpoint) -> &Cors {
        if endpoint.reads_body() { &self.forms } else { &self.documents }
    }

    /// Adds the fields that let a page read the response of an endpoint, if it is on one of the origins.
    pub(super) fn apply(&self, endpoint: Endpoint, request: &impl RequestView, headers: &mut HeaderMap) {
        let cors = self.of(endpoint);
        cors.apply_to_local_response(headers, cors.origin(request));
    }
}
