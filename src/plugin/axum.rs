//! `Permit` and `Option<Permit>` as arguments of axum handlers.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::oauth::decide::Permit;

/// The rejection of a handler that takes a [`Permit`] on a route without a layer of the gate. This is a bug
/// of the program, so it is answered with 500: no token that a client could get would help.
///
/// A handler that runs with and without a layer takes an `Option<Permit>`.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use tollgate::Permit;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let unguarded: Router = Router::new()
///     .route("/", get(async |_: Permit| "never"))
///     .route("/optional", get(async |permit: Option<Permit>| permit.map_or("anyone", |_| "a client")));
/// let status = async |path| Ok::<_, Box<dyn std::error::Error>>({
///     unguarded.clone().oneshot(Request::get(path).body(Body::empty())?).await?.status()
/// });
/// assert_eq!(status("/").await?, 500);
/// assert_eq!(status("/optional").await?, 200);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingPermit;

impl std::fmt::Display for MissingPermit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this handler takes a Permit, but its route has no layer of Gate::require")
    }
}

impl std::error::Error for MissingPermit {}

impl IntoResponse for MissingPermit {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Permit {
    type Rejection = MissingPermit;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingPermit> {
        parts.extensions.get::<Self>().cloned().ok_or(MissingPermit)
    }
}

/// `None` on a route without a layer of the gate.
impl<S: Sync> OptionalFromRequestParts<S> for Permit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
