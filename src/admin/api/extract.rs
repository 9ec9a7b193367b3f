//! Extractors for the parts of a request. Their rejections have the format of all other errors.

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::admin::problem::Problem;

/// The parameters of a path.
pub(super) struct InPath<T>(pub(super) T);

/// The parameters of a query.
pub(super) struct InQuery<T>(pub(super) T);

/// A body of JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        let Path(value) = read?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        let Query(value) = read?;
        Ok(Self(value))
    }
}

// axum's `Json` records the path of the value that it reads, with code of its own for every type in the body.
// The errors of this extractor name the line and the column instead.
impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let text = json_text(request, state).await?;
        serde_json::from_slice(&text).map(Self).map_err(|error| malformed(&error))
    }
}

async fn json_text<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        let detail = "Expected request with `Content-Type: application/json`".to_owned();
        return Err(Problem::rejected(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(Bytes::from_request(request, state).await?)
}

/// Returns whether a body is `application/json`, or of a type that ends in `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    let Some((kind, subtype)) = essence.trim().split_once('/') else { return false };
    let suffix = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    kind.eq_ignore_ascii_case("application") && suffix.eq_ignore_ascii_case("json")
}

fn malformed(error: &serde_json::Error) -> Problem {
    let (status, detail) = if error.is_data() {
        (StatusCode::UNPROCESSABLE_ENTITY, "Failed to deserialize the JSON body into the target type")
    } else {
        (StatusCode::BAD_REQUEST, "Failed to parse the request body as JSON")
    };
    Problem::rejected(status, format!("{detail}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_json_are_recognized() {
        let is_json =
            |media_type: &str| is_json(&[(CONTENT_TYPE, media_type.parse().unwrap())].into_iter().collect());
        for right in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
            assert!(is_json(right), "{right}");
        }
        for wrong in ["", "text/json", "application/jsonp", "application", "text/plain; a=application/json"] {
            assert!(!is_json(wrong), "{wrong}");
        }
    }
}
