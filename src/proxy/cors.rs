//! Cross-origin requests from browsers (Fetch §3.3): preflights, and what lets pages read answers.

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

/// What a page may read of our own refusals beside status and body.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("www-authenticate, retry-after, ratelimit, ratelimit-policy");

/// What a route lets pages of other origins do.
#[derive(Debug)]
pub(crate) struct Cors {
    /// As browsers send them; none: any.
    origins: Option<Box<[Box<str>]>>,
    methods: HeaderValue,
    headers: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
    credentials: bool,
}

/// The method that a preflight asks for (Fetch §4.8): such a request is not one for the resource itself.
pub(crate) fn preflight(request: &impl RequestView) -> Option<Method> {
    if *request.method() != Method::OPTIONS || request.values(Class::Origin).next().is_none() {
        return None;
    }
    Method::from_bytes(request.values(Class::RequestedMethod).next()?).ok()
}

impl Cors {
    /// What a route says; `needs_token`: its requests carry `Authorization`, which a preflight must name.
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
            // Names of methods and headers are tokens, and those are header values.
            methods: HeaderValue::try_from(methods).unwrap_or_else(|_| HeaderValue::from_static("")),
            headers: HeaderValue::try_from(headers).ok().filter(|headers| !headers.is_empty()),
            max_age: spec.max_age.map(|age| HeaderValue::from(age.as_secs())),
            credentials: spec.credentials,
        }
    }

    /// The origin that an answer to this request may name: the request's own, if it is one of ours.
    pub(crate) fn origin(&self, request: &impl RequestView) -> Option<HeaderValue> {
        let origin = request.only(Class::Origin)?;
        match &self.origins {
            None => Some(HeaderValue::from_static("*")),
            Some(ours) => {
                let ours = ours.iter().any(|ours| ours.as_bytes() == origin);
                ours.then(|| HeaderValue::from_bytes(origin).ok()).flatten()
            }
        }
    }

    /// The answer to a preflight. To an origin that is not ours it names none, which browsers take for a no.
    pub(super) fn answer_preflight(&self, origin: Option<HeaderValue>) -> Response<Full<Bytes>> {
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
        self.mark(headers, origin);
        response
    }

    /// Lets the page at `origin` read an answer. What the upstream says on its own about that is taken out: the route
    /// decides, and two values would be none to a browser.
    pub(super) fn mark(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
        headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
        if self.origins.is_some() {
            // To an unknown origin too: a cache must not hand its answer to a known one.
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if self.credentials {
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        }
    }

    /// Whether a header of the upstream's response is one that [`Self::mark`] takes out.
    pub(crate) fn takes_out(&self, field: &Field<'_>) -> bool {
        let name = field.name;
        [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS]
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours.as_str().as_bytes()))
    }

    /// What [`Self::mark`] says, as headers that are added to the upstream's.
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

    /// The same for an answer of our own.
    pub(super) fn mark_own(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        if origin.is_some() {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        self.mark(headers, origin);
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
