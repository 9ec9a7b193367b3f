//! Cross-origin requests from browsers (CORS, Fetch §3.3): preflights, and the fields that let pages read
//! responses.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION,
    CACHE_CONTROL, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;

use crate::config::{self, CorsOrigins, Methods};
use crate::headers::{Class, Field, HeaderSink, RequestView};

/// The fields of the gateway's own responses that a page may read.
const EXPOSED_HEADERS: HeaderValue =
    HeaderValue::from_static("www-authenticate, retry-after, ratelimit, ratelimit-policy");

/// The CORS policy of a route.
#[derive(Debug)]
pub(crate) struct Cors {
    /// The allowed origins as browsers send them; `None` for any.
    origins: Option<Box<[Box<str>]>>,
    methods: HeaderValue,
    headers: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
    credentials: bool,
}

/// Returns the method that a preflight request announces (Fetch §4.8), or `None` if the request is not a
/// preflight.
pub(crate) fn preflight(request: &impl RequestView) -> Option<Method> {
    if *request.method() != Method::OPTIONS || request.values(Class::Origin).next().is_none() {
        return None;
    }
    Method::from_bytes(request.values(Class::RequestedMethod).next()?).ok()
}

impl Cors {
    /// Creates the policy. With `needs_token`, requests carry `Authorization`, so preflights must allow it.
    pub(crate) fn new(spec: &config::Cors, needs_token: bool) -> Self {
        let methods = match &spec.methods {
            Methods::All => "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned(),
            Methods::Only(methods) => list(methods.iter().map(Method::as_str)),
        };
        let token = (needs_token && !spec.headers.contains(&AUTHORIZATION)).then_some(AUTHORIZATION);
        let headers = list(spec.headers.iter().chain(&token).map(HeaderName::as_str));
        Self {
            origins: match &spec.origins {
                CorsOrigins::Any => None,
                CorsOrigins::Only(origins) => {
                    Some(origins.iter().map(|origin| origin.to_string().into()).collect())
                }
            },
            // Method and header names are tokens, which are valid header values.
            methods: HeaderValue::try_from(methods).unwrap_or_else(|_| HeaderValue::from_static("")),
            headers: HeaderValue::try_from(headers).ok().filter(|headers| !headers.is_empty()),
            max_age: spec.max_age.map(|age| HeaderValue::from(age.as_secs())),
            credentials: spec.credentials,
        }
    }

    /// Returns the value of `Access-Control-Allow-Origin` for a request, if its origin is allowed.
    pub(crate) fn origin(&self, request: &impl RequestView) -> Option<HeaderValue> {
        let origin = request.only(Class::Origin)?;
        match &self.origins {
            None => Some(HeaderValue::from_static("*")),
            Some(origins) => {
                let allowed = origins.iter().any(|allowed| allowed.as_bytes() == origin);
                allowed.then(|| HeaderValue::from_bytes(origin).ok()).flatten()
            }
        }
    }

    /// Builds the response to a preflight. For an origin that is not allowed it has no CORS fields, which
    /// browsers treat as a refusal.
    pub(super) fn preflight_response(&self, origin: Option<HeaderValue>) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if origin.is_some() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            if let Some(names) = &self.headers {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
            if let Some(age) = &self.max_age {
                headers.insert(ACCESS_CONTROL_MAX_AGE, age.clone());
            }
        }
        self.apply(headers, origin);
        response
    }

    /// Adds the fields that let a page at `origin` read a response. Fields from the upstream are replaced:
    /// the route decides, and browsers reject repeated values.
    pub(super) fn apply(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
        headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        if self.origins.is_some() {
            // For unknown origins as well: a cache must not serve their response to an allowed origin.
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if self.credentials {
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        }
    }

    /// Returns whether [`Self::apply`] removes this field of the upstream's response.
    pub(crate) fn removes(&self, field: &Field<'_>) -> bool {
        let name = field.name;
        [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS]
            .iter()
            .any(|removed| name.eq_ignore_ascii_case(removed.as_str().as_bytes()))
    }

    /// Writes the fields that [`Self::apply`] adds.
    pub(crate) fn write(&self, origin: Option<&HeaderValue>, sink: &mut impl HeaderSink) {
        if self.origins.is_some() {
            sink.add(&VARY, b"origin");
        }
        if let Some(origin) = origin {
            sink.add(&ACCESS_CONTROL_ALLOW_ORIGIN, origin.as_bytes());
            if self.credentials {
                sink.add(&ACCESS_CONTROL_ALLOW_CREDENTIALS, b"true");
            }
        }
    }

    /// Like [`apply`](Self::apply), for a response that the gateway made itself.
    pub(super) fn apply_to_local_response(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        if origin.is_some() {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
        self.apply(headers, origin);
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
