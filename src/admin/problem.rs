//! Errors of the listener, in the format of RFC 9457.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::rejection::{BytesRejection, FormRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::config::{ConfigError, ConfigErrors};

/// The media type of every error.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// An error, as the caller sees it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct Problem {
    /// What kind of problem it is: `urn:tollgate:problem:` and a name.
    #[serde(rename = "type")]
    kind: String,
    /// The reason phrase of the status.
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    #[cfg_attr(test, schema(value_type = u16))]
    status: StatusCode,
    /// What happened and what to do.
    detail: Cow<'static, str>,
    /// The errors of a configuration, each with its position.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// When to try again.
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// Marks a response as a problem of this module, in contrast to a response of a layer in front of the
/// handlers.
#[derive(Debug, Clone, Copy)]
pub(super) struct IsProblem;

/// One error of a configuration.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct FieldError {
    /// The line, if it is known.
    pub(crate) line: Option<u32>,
    /// The column, if it is known.
    pub(crate) column: Option<u32>,
    /// The path of the key, such as `clients.server.scopes[0]`.
    pub(crate) key: String,
    /// What is wrong, and what would be right.
    pub(crate) message: String,
}

impl FieldError {
    /// Returns the errors of a configuration.
    pub(crate) fn all(errors: &ConfigErrors) -> Vec<Self> {
        let field = |error: &ConfigError| Self {
            line: error.position.map(|position| position.line),
            column: error.position.map(|position| position.column),
            key: error.key.clone(),
            message: error.message.clone(),
        };
        errors.iter().map(field).collect()
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// Makes a problem. `kind` is the last part of its type.
    pub(crate) fn new(status: StatusCode, kind: &str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: format!("urn:tollgate:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// A request that is malformed.
    pub(crate) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// Something that does not exist.
    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// Something that the caller may not do.
    pub(crate) fn forbidden(kind: &str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, kind, detail)
    }

    /// An internal state that should not be possible.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "an internal error; the log has it")
    }

    /// A configuration with errors.
    pub(crate) fn of_config(detail: impl Into<Cow<'static, str>>, errors: &ConfigErrors) -> Self {
        Self {
            errors: FieldError::all(errors),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-configuration", detail)
        }
    }

    /// Adds when to try again, in seconds.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Serialization cannot fail: there is no map in it.
        let mut response = Response::new(Body::from(serde_json::to_vec(&self).unwrap_or_default()));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(IsProblem);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        Self::rejected(rejection.status(), rejection.body_text())
    }
}

impl From<FormRejection> for Problem {
    fn from(rejection: FormRejection) -> Self {
        Self::rejected(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::rejected(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::rejected(rejection.status(), rejection.body_text())
    }
}

impl Problem {
    /// A request that could not be parsed.
    pub(super) fn rejected(status: StatusCode, detail: String) -> Self {
        let (status, kind) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => (status, "too-large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (status, "unsupported-media-type"),
            StatusCode::UNPROCESSABLE_ENTITY => (status, "invalid-value"),
            _ => (StatusCode::BAD_REQUEST, "bad-request"),
        };
        Self::new(status, kind, detail)
    }
}
