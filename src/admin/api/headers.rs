//! The headers of requests that change something.

use axum::extract::FromRequestParts;
use http::header::IF_MATCH;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::admin::problem::Problem;

/// The revision of a draft in `If-Match`. The header is required for every change of a draft.
#[derive(Debug, Clone, Copy)]
pub(super) struct IfMatch(pub(super) u64);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let (value, more) = (values.next(), values.next());
        let Some(value) = value else {
            return Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "if-match-required",
                "send If-Match with the ETag of the draft, so that nobody's change is overwritten",
            ));
        };
        let revision =
            value.to_str().ok().and_then(|text| text.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
        match (revision, more) {
            (Some(revision), None) => Ok(Self(revision)),
            _ => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "changed-meanwhile",
                "If-Match must have one ETag of the draft, such as \"3\"",
            )),
        }
    }
}

/// Returns the ETag of a revision.
pub(super) fn etag(revision: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}
